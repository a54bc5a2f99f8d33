#include "harness/testing/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::testing {
namespace {

using ::testing::HasSubstr;

Assertion look(bool held) {
  Assertion assertion;
  assertion.held = held;
  assertion.what = "client";
  assertion.expected = "is served by real1";
  assertion.actual = "refused";
  return assertion;
}

CaseResult conclude(const Recorder& recorder, Level level = Level::kMust, bool gtest_failed = false) {
  CaseResult result;
  result.info.level = level;
  recorder.conclude(gtest_failed, "something else", &result);
  return result;
}

TEST(Recorder, ALookThatFailsIsTheDirectorsFault) {
  Recorder recorder;
  recorder.belief = [] { return std::string("tables"); };
  recorder.looked(look(true));
  recorder.looked(look(false));
  const CaseResult result = conclude(recorder, Level::kMust, true);
  EXPECT_EQ(result.verdict, Verdict::kFail);
  EXPECT_EQ(result.assertions, 2);
  ASSERT_EQ(result.failures.size(), 1U);
  EXPECT_EQ(result.failures[0].believed, "tables");
  EXPECT_EQ(result.reason, "client: expected is served by real1, got refused");
}

TEST(Recorder, AWorldThatRefusesIsNot) {
  Recorder recorder;
  recorder.looked(look(true));
  recorder.refused(Error{"client: bind: EADDRINUSE"});
  recorder.refused(Error{"a consequence"});
  const CaseResult result = conclude(recorder);
  EXPECT_EQ(result.verdict, Verdict::kHarnessError);
  EXPECT_EQ(result.reason, "client: bind: EADDRINUSE");
}

TEST(Recorder, WhatTheMachineLacksIsASkipWithItsReason) {
  Recorder recorder;
  recorder.looked(look(true));
  recorder.refused(environment_error("needs pen: it is not installed"));
  const CaseResult result = conclude(recorder);
  EXPECT_EQ(result.verdict, Verdict::kEnvSkip);
  EXPECT_EQ(result.reason, "needs pen: it is not installed");
}

TEST(Recorder, ADirectorThatRefusesWhatItMustDoHasFailed) {
  Recorder recorder;
  recorder.looked(look(true));
  recorder.refused(director_error("client: open: silence"));
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kFail);
  EXPECT_EQ(conclude(recorder).reason, "client: open: silence");
}

TEST(Recorder, StopsAtTheFirstFailureIfAsked) {
  Recorder recorder;
  recorder.stop_at_first_failure = true;
  recorder.looked(look(true));
  EXPECT_THROW(recorder.looked(look(false)), CaseOver);
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kFail);
}

// A director that misbehaved before the world broke has misbehaved.
TEST(Recorder, AFailureStandsWhateverComesAfterIt) {
  Recorder recorder;
  recorder.looked(look(false));
  recorder.refused(Error{"the director died"});
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kFail);
}

TEST(Recorder, WhatADirectorDoesNotClaimIsNotHeldAgainstIt) {
  Recorder recorder;
  recorder.refused(unsupported("persistence engine sip"));
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kUnsupported);
}

TEST(Recorder, AnExceptionThatNobodyExpectedIsOurFault) {
  const CaseResult result = conclude(Recorder(), Level::kMust, true);
  EXPECT_EQ(result.verdict, Verdict::kHarnessError);
  EXPECT_THAT(result.reason, HasSubstr("something else"));
}

TEST(Recorder, StickinessWithoutItsControlIsNoVerdict) {
  Recorder recorder;
  recorder.looked(look(true));
  recorder.served();
  recorder.served();
  recorder.bench_closes(3, {"real2"});
  const CaseResult result = conclude(recorder);
  EXPECT_EQ(result.verdict, Verdict::kHarnessError);
  EXPECT_THAT(result.reason, HasSubstr("every answer came from real2"));
  recorder.bench_closes(3, {"real1"});
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kPass);

  Recorder alone;  // with one server there is nothing to stick to
  alone.looked(look(true));
  alone.served();
  alone.served();
  alone.bench_closes(1, {"real1"});
  EXPECT_EQ(conclude(alone).verdict, Verdict::kPass);
}

TEST(Recorder, PassingAndMeasuring) {
  Recorder recorder;
  recorder.looked(look(true));
  recorder.measured("126 s");
  EXPECT_EQ(conclude(recorder).verdict, Verdict::kPass);
  EXPECT_EQ(conclude(recorder, Level::kInfo).verdict, Verdict::kInfo);
  EXPECT_EQ(conclude(recorder, Level::kInfo).reason, "126 s");
}

}  // namespace
}  // namespace lvspec::testing
