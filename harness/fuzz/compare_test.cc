#include "harness/fuzz/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::fuzz {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A datagram, then a pause of ten seconds.
class Compare : public ::testing::Test {
 protected:
  Compare() {
    const Endpoint client = *Endpoint::parse("192.0.2.1:40000"), target = *Endpoint::parse("198.51.100.10:53");
    program.steps = {Datagram{client, target}, Pause{10}};
    StepRecord first{.acted_at = 100, .looked_at = 103};
    first.outcome = {"real1"};
    first.services = {"UDP 198.51.100.10:53 rr", "  203.0.113.12:53", "  203.0.113.11:53"};
    first.entries = {"UDP a 299", "UDP b 12"};
    first.counts = {"conns 0"};
    StepRecord second = first;
    second.outcome.clear();
    second.acted_at = 1104;
    second.looked_at = 1107;
    second.counts = {"conns 1"};
    ours.steps = theirs.steps = {first, second};
  }
  std::optional<Difference> difference(Statistics statistics = Statistics::kCompared) const {
    return first_difference(ours, theirs, statistics);
  }

  Program program;
  Record ours, theirs;
};

TEST_F(Compare, TheSameIsNoDifference) { EXPECT_FALSE(difference()); }

TEST_F(Compare, AnotherServerAnswers) {
  theirs.steps[0].outcome = {"real2"};
  theirs.steps[0].entries = {};
  ASSERT_TRUE(difference());
  EXPECT_EQ(difference()->kind, Difference::Kind::kOutcome);
  EXPECT_EQ(difference()->step, 0U);
  EXPECT_THAT(difference()->first, ElementsAre("real1"));
  EXPECT_THAT(difference()->second, ElementsAre("real2"));
  EXPECT_THAT(text_of(*difference(), program, "bundled", "ipvs"),
              AllOf(HasSubstr("answers differ after step 1 of 2: nc -4"), HasSubstr("bundled: real1"),
                    HasSubstr("ipvs: real2")));
}

TEST_F(Compare, OnlyTheLinesThatDifferAreTold) {
  theirs.steps[1].entries = {"UDP a 299", "UDP b 11"};
  ASSERT_TRUE(difference());
  EXPECT_EQ(difference()->kind, Difference::Kind::kEntries);
  EXPECT_EQ(difference()->step, 1U);
  EXPECT_THAT(difference()->first, ElementsAre("UDP b 12"));
  EXPECT_THAT(difference()->second, ElementsAre("UDP b 11"));
}

TEST_F(Compare, TheOrderOfServersCounts) {
  std::swap(theirs.steps[0].services[1], theirs.steps[0].services[2]);
  ASSERT_TRUE(difference());
  EXPECT_EQ(difference()->kind, Difference::Kind::kServices);
  EXPECT_EQ(difference()->first.size(), 3U);
}

TEST_F(Compare, StatisticsMayBeLeftOut) {
  theirs.steps[1].counts = {"conns 2"};
  ASSERT_TRUE(difference());
  EXPECT_EQ(difference()->kind, Difference::Kind::kCounts);
  EXPECT_EQ(difference()->step, 1U);
  EXPECT_FALSE(difference(Statistics::kLeftOut));
}

TEST_F(Compare, NothingIsSaidOfABlurredStep) {
  theirs.steps[1].entries = {};
  ours.steps[1].blurred = true;
  EXPECT_FALSE(difference());
}

TEST_F(Compare, OneThatCameLessFarIsComparedAsFar) {
  theirs.steps.pop_back();
  EXPECT_FALSE(difference());
  theirs.steps[0].outcome.clear();
  ASSERT_TRUE(difference());
  EXPECT_THAT(difference()->second, IsEmpty());
}

}  // namespace
}  // namespace lvspec::fuzz
