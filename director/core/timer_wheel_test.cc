#include "director/core/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using namespace std::chrono_literals;

DirectorTime tick(std::int64_t n) { return DirectorTime(n * 10ms); }

const TimerWheel kWheel(100);

DirectorTime fires(std::int64_t now, Duration timeout) {
  return kWheel.fires(kWheel.arm(tick(now), timeout, table::kNever, 0));
}

// The levels begin at 63, 504, 4032 and 32256 ticks, with granules of 1, 8, 64, 512, 4096 (TIM-02).
TEST(TimerWheel, RoundsUpToTheGranuleOfTheInterval) {
  EXPECT_EQ(fires(1000, 620ms), tick(1063));
  EXPECT_EQ(fires(1000, 630ms), tick(1064));
  EXPECT_EQ(fires(1000, 640ms), tick(1072));  // 1064 is a boundary, and strictly later is meant
  EXPECT_EQ(fires(1000, 10s), tick(2048));
  EXPECT_EQ(fires(0, 60s), tick(6144));
  EXPECT_EQ(fires(1, 300s), tick(30208));
  EXPECT_EQ(fires(0, 900s), tick(90112));
  EXPECT_EQ(kWheel.deadline(kWheel.arm(tick(3), 900s, table::kNever, 7)), tick(90003));
}

TEST(TimerWheel, AllOfATickFiresInIt) {
  const table::Due due = kWheel.arm(tick(0), 60s, table::kNever, 5);
  EXPECT_GT(due.deadline, kWheel.horizon(tick(6143)));
  EXPECT_LE(due.deadline, kWheel.horizon(tick(6144)));
}

TEST(TimerWheel, InOneTickTheHigherLevelGoesFirstThenTheLatestArmed) {
  const table::Due low = kWheel.arm(tick(0), 60s, table::kNever, 1),
                   late = kWheel.arm(tick(1), 60s, table::kNever, 2);
  EXPECT_EQ(kWheel.fires(low), kWheel.fires(late));
  EXPECT_LT(late, low);
  // 36864 is a boundary of both levels.
  const table::Due high = kWheel.arm(tick(0), 350s, table::kNever, 3), lower = kWheel.arm(tick(30500), 60s, high, 4);
  EXPECT_EQ(kWheel.fires(high), kWheel.fires(lower));
  EXPECT_LT(high, lower);
  EXPECT_LT(kWheel.arm(tick(0), 60s, table::kNever, 5000), kWheel.arm(tick(0), 60s, table::kNever, 2000));
}

TEST(TimerWheel, WhoMeetsItsOwnSlotKeepsItsPlace) {
  const table::Due first = kWheel.arm(tick(0), 60s, table::kNever, 5),
                   second = kWheel.arm(tick(1), 60s, table::kNever, 6);
  const table::Due again = kWheel.arm(tick(2), 60s, first, 7);
  EXPECT_LT(second, again);
  EXPECT_EQ(kWheel.deadline(again), tick(6002));
}

TEST(TimerWheel, ExactTimersAreNotLate) {
  const TimerWheel exact;
  const table::Due due = exact.arm(tick(3), 60s, table::kNever, 9);
  EXPECT_EQ(exact.fires(due), tick(6003));
  EXPECT_EQ(exact.deadline(due), tick(6003));
  EXPECT_EQ(due.deadline, exact.horizon(tick(6003)));
}

// An entry stays for its slack, and shows zero meanwhile (TIM-03, TIM-05).
TEST(TimerWheel, ADirectorWithAWheelIsLate) {
  World world;
  Director& director = world.director;
  director.set_timer_wheel(100);
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  director.handle(tick(7), packet_of({.from = client(1), .client_port = 40000}, kSyn));
  ASSERT_EQ(director.entries(tick(7)).size(), 1U);
  EXPECT_EQ(director.entries(tick(7))[0].expires_in, 60s);
  EXPECT_EQ(director.next_deadline(), tick(6144));
  EXPECT_EQ(director.entries(tick(6007)).at(0).expires_in, 0s);
  EXPECT_EQ(director.entries(tick(6143)).size(), 1U);
  EXPECT_EQ(director.entries(tick(6144)).size(), 0U);
}

}  // namespace
}  // namespace lvspec::director
