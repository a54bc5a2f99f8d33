#include "harness/evidence/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lvspec {
namespace {

Moment answer(double at, const std::string& by) {
  return {.kind = MomentKind::kAnswer, .at_s = at, .who = "192.0.2.1", .what = "connect 198.51.100.10:80", .by = by};
}

TEST(Timeline, CountsWhatIsAlikeAtOneTime) {
  Timeline timeline;
  for (int i = 0; i < 30; ++i) timeline.add(answer(0.001 * i, i % 2 == 0 ? "real1" : "real2"));
  timeline.add(answer(300, "real1"));
  const auto moments = timeline.moments();
  ASSERT_EQ(moments.size(), 3U);
  EXPECT_EQ(moments[0].times, 15);
  EXPECT_EQ(moments[1].by, "real2");
  EXPECT_EQ(moments[2].at_s, 300);
  EXPECT_EQ(moments[2].times, 1);
}

TEST(Timeline, MovesNothingOverAnEdit) {
  Timeline timeline;
  timeline.add(answer(0, "real1"));
  timeline.add({.kind = MomentKind::kEdit, .what = "weight 0"});
  timeline.add(answer(0, "real1"));
  EXPECT_EQ(timeline.moments().size(), 3U);
}

TEST(Timeline, KeepsTheBeginningAndTheEndAndSaysTheGap) {
  Timeline timeline(1000);
  for (int i = 0; i < 200; ++i) timeline.add(answer(i, "real1"));
  const auto moments = timeline.moments();
  ASSERT_LT(moments.size(), 20U);
  EXPECT_EQ(moments.front().at_s, 0);
  EXPECT_EQ(moments.back().at_s, 199);
  int seen = 0, gaps = 0;
  for (const Moment& moment : moments) {
    seen += moment.times;
    if (moment.kind == MomentKind::kGap) ++gaps;
  }
  EXPECT_EQ(seen, 200);
  EXPECT_EQ(gaps, 1);
}

TEST(Timeline, OfTimelinesAddsTheirGaps) {
  Timeline one(400), all(400);
  for (int i = 0; i < 100; ++i) one.add(answer(i, "real1"));
  for (int turn = 0; turn < 2; ++turn)
    for (const Moment& moment : one.moments()) all.add(moment);
  int seen = 0;
  for (const Moment& moment : all.moments()) seen += moment.times;
  EXPECT_EQ(seen, 200);
}

TEST(Timeline, CutsLongWordsBetweenCharacters) {
  Timeline timeline;
  std::string long_text(79, 'a');
  for (int i = 0; i < 50; ++i) long_text += "\u00e9";
  timeline.add({.kind = MomentKind::kEdit, .what = long_text});
  timeline.add({.kind = MomentKind::kEdit, .what = "apply ruleset\n-A -t 198.51.100.10:80"});
  EXPECT_EQ(timeline.moments()[0].what, std::string(79, 'a') + "...");
  EXPECT_EQ(timeline.moments()[1].what, "apply ruleset ...");
}

}  // namespace
}  // namespace lvspec
