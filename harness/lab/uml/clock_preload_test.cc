// The clock preload alone, under a program that treats its timer as a user-mode-linux kernel does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

using Figures = std::map<std::string, long long>;

/// Runs clock_scenario in the given situation. Figures: how long it took by its own clock and by the host's, signals
/// taken, what was left of its timer.
Figures run(const std::string& situation, bool preloaded = true, int busy = 1) {
  std::string command = "exec ";
  if (preloaded) command += "env LD_PRELOAD=" LVSPEC_UML_CLOCK " LVSPEC_UML_CLOCK_BUSY=" + std::to_string(busy) + " ";
  FILE* pipe = popen((command + LVSPEC_CLOCK_SCENARIO " " + situation).c_str(), "r");
  std::array<char, 512> line{};
  if (pipe == nullptr || fgets(line.data(), line.size(), pipe) == nullptr)
    ADD_FAILURE() << situation << ": no answer";
  if (pipe != nullptr) pclose(pipe);
  Figures figures;
  std::istringstream words(line.data());
  for (std::string word; words >> word;)
    figures[word.substr(0, word.find('='))] = std::stoll(word.substr(word.find('=') + 1));
  return figures;
}

// An hour costs nothing, and its alarm finds the hour over.
TEST(Clock, IdleWithAOneShotTimerJumpsToItsDeadline) {
  const Figures seen = run("one-shot");
  EXPECT_THAT(seen.at("virtual_ms"), AllOf(Ge(3600000), Le(3600500)));
  EXPECT_THAT(seen.at("host_ms"), Le(500));
  EXPECT_EQ(seen.at("alarms"), 1);
  EXPECT_EQ(seen.at("early"), 0);
  EXPECT_EQ(seen.at("left_ms"), 0);
}

// The negative control: without the preload the same program waits as long as its clock says.
TEST(Clock, WithoutThePreloadVirtualAndHostTimeAreOne) {
  const Figures seen = run("periodic", false);
  EXPECT_THAT(seen.at("host_ms"), Ge(200));
  EXPECT_EQ(seen.at("virtual_ms"), seen.at("host_ms"));
}

// 4.29 s is the longest that UML's clock event device can be set to (max_delta_ns = 0xffffffff).
TEST(Clock, TenThousandJumpsAreNeverEarly) {
  for (const int busy : {1, 7}) {
    const Figures seen = run("many-one-shots", true, busy);
    EXPECT_THAT(seen.at("virtual_ms"), AllOf(Ge(42949672), Le(42960000)));
    EXPECT_EQ(seen.at("alarms"), 10000);
    EXPECT_EQ(seen.at("early"), 0);
  }
}

TEST(Clock, RealtimeMovesWithMonotonic) { EXPECT_THAT(run("one-shot").at("apart_ms"), AllOf(Ge(-5), Le(5))); }

TEST(Clock, DoesNotJumpWhileTheHostHasSomethingForTheGuest) {
  const Figures seen = run("io-pending");
  EXPECT_THAT(seen.at("host_ms"), Ge(200));
  EXPECT_EQ(seen.at("alarms"), 1);
  EXPECT_EQ(seen.at("early"), 0);
}

// The alarm that is pending ends the sleep; the next one is still an hour away.
TEST(Clock, DoesNotJumpPastAnAlarmThatIsPending) {
  const Figures seen = run("alarm-pending");
  EXPECT_THAT(seen.at("virtual_ms"), Le(1000));
  EXPECT_EQ(seen.at("alarms"), 1);
  EXPECT_THAT(seen.at("left_ms"), Ge(3590000));
}

TEST(Clock, PeriodicTicksTakeTheirRealTime) {
  const Figures seen = run("periodic");
  EXPECT_THAT(seen.at("host_ms"), Ge(200));
  EXPECT_THAT(seen.at("virtual_ms"), AllOf(Ge(200), Le(seen.at("host_ms") + 1)));
  EXPECT_EQ(seen.at("alarms"), 4);
}

TEST(Clock, DoesNotJumpWithoutAnArmedTimer) {
  for (const char* situation : {"no-timer", "disarmed"}) {
    SCOPED_TRACE(situation);
    const Figures seen = run(situation);
    EXPECT_THAT(seen.at("host_ms"), Ge(190));
    EXPECT_THAT(seen.at("virtual_ms"), Le(seen.at("host_ms") + 1));
    EXPECT_EQ(seen.at("ios"), 1);
  }
}

TEST(Clock, DoesNotJumpWhenASecondTimerMayComeFirst) {
  const Figures seen = run("two-timers");
  EXPECT_THAT(seen.at("host_ms"), Ge(200));
  EXPECT_THAT(seen.at("virtual_ms"), Le(seen.at("host_ms") + 1));
}

TEST(Clock, DoesNotJumpForASleeperWhoDoesNotAwaitTheAlarm) {
  const Figures seen = run("alarm-not-awaited");
  EXPECT_THAT(seen.at("virtual_ms"), AllOf(Ge(190), Le(seen.at("host_ms") + 1)));
  EXPECT_EQ(seen.at("alarms"), 0);
}

// 300 ms of work are 30 ms of a clock with busy=10, so a timer of 20 ms comes after 200 ms of work, once.
TEST(Clock, WorkCostsLessTimeByTheBusyFactor) {
  const Figures seen = run("work", true, 10);
  EXPECT_THAT(seen.at("host_ms"), Ge(300));
  EXPECT_THAT(seen.at("virtual_ms"), AllOf(Ge(30), Le(seen.at("host_ms") / 10 + 1)));
  EXPECT_EQ(seen.at("alarms"), 1);
  EXPECT_EQ(seen.at("early"), 0);
}

}  // namespace
}  // namespace lvspec
