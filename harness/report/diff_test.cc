#include "harness/report/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/sample_run.h"

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Run with_first(Verdict verdict) {
  auto run = clean_run();
  run.cases[0].verdict = verdict;
  return run;
}

std::vector<std::string> ids_of(const std::vector<CaseChange>& changes) {
  std::vector<std::string> ids;
  for (const CaseChange& change : changes) ids.push_back(change.shown().info.id);
  return ids;
}

/// "regression", "fix", "other" or "nothing": what becomes of a case that had one verdict and has another.
std::string fate(Verdict was, Verdict is) {
  const auto before = with_first(was), after = with_first(is);
  const RunDiff diff = diff_runs(before, after);
  EXPECT_EQ(diff.compared, 3);
  EXPECT_LE(diff.regressions.size() + diff.fixes.size() + diff.other.size(), 1U);
  EXPECT_EQ(diff.exit_status(), diff.regressions.empty() ? 0 : 1);
  if (!diff.regressions.empty()) return "regression";
  if (!diff.fixes.empty()) return "fix";
  return diff.other.empty() ? "nothing" : "other";
}

TEST(Diff, EveryPairOfVerdictsHasOneFate) {
  const auto rank = [](Verdict verdict) {
    if (verdict == Verdict::kFail || verdict == Verdict::kXpass) return 2;
    return verdict == Verdict::kPass || verdict == Verdict::kInfo || verdict == Verdict::kXfail ? 0 : 1;
  };
  for (const Verdict was : kAllVerdicts)
    for (const Verdict is : kAllVerdicts) {
      const int step = rank(is) - rank(was);
      EXPECT_EQ(fate(was, is), step > 0    ? "regression"
                               : step < 0  ? "fix"
                               : was == is ? "nothing"
                                           : "other")
          << name_of(was) << " -> " << name_of(is);
    }
}

TEST(Diff, ACaseThatAssertsNothingAnyMoreIsARegression) {
  const auto before = clean_run();
  auto after = clean_run();
  after.cases[1].assertions = 0;
  EXPECT_THAT(ids_of(diff_runs(before, after).regressions), ElementsAre("ppc.other-client-rotates"));
}

TEST(Diff, KnowsWhatIsNewAndGone) {
  const auto before = clean_run();
  auto after = clean_run();
  after.cases[2].info.id = "expiry.other";
  const RunDiff diff = diff_runs(before, after);
  EXPECT_THAT(ids_of(diff.added), ElementsAre("expiry.other"));
  EXPECT_THAT(ids_of(diff.gone), ElementsAre("expiry.default-window"));
  EXPECT_EQ(diff.compared, 2);
  EXPECT_EQ(diff.exit_status(), 0);
}

TEST(Diff, DirectorsAreComparedEachWithItself) {
  auto before = clean_run(), after = clean_run();
  for (auto* run : {&before, &after}) {
    run->cases.push_back(run->cases[0]);
    run->cases.back().director = "ipvs";
  }
  after.cases.back().verdict = Verdict::kFail;
  const RunDiff diff = diff_runs(before, after);
  ASSERT_EQ(diff.regressions.size(), 1U);
  EXPECT_EQ(diff.regressions[0].after->director, "ipvs");
}

TEST(Diff, OfSeveralTriesTheGravestCounts) {
  const auto before = clean_run();
  auto after = clean_run();
  after.cases.insert(after.cases.begin() + 1, after.cases[0]);
  after.cases[1].verdict = Verdict::kFail;
  EXPECT_THAT(ids_of(diff_runs(before, after).regressions), ElementsAre("ppc.same-client-sticks"));
  EXPECT_THAT(diff_runs(after, after).regressions, IsEmpty());
}

TEST(Diff, NothingInCommonIsNoSuccess) {
  const auto before = clean_run();
  auto after = clean_run();
  for (CaseResult& result : after.cases) result.director = "haproxy";
  EXPECT_EQ(diff_runs(before, after).exit_status(), 3);
  EXPECT_EQ(diff_runs(lvspec::Run{}, lvspec::Run{}).exit_status(), 3);
}

TEST(Diff, NamesMeasurementsThatChanged) {
  auto before = sample_run(), after = sample_run();
  after.cases.back().measurements[0].value = "kept to 59 s";
  after.cases.back().measurements.push_back({.table = "passport", .at = {{"property", "key"}}, .value = "CIP"});
  const RunDiff diff = diff_runs(before, after);
  ASSERT_EQ(diff.measurements.size(), 2U);
  EXPECT_EQ(diff.measurements[0].after, "kept to 59 s");
  EXPECT_EQ(diff.measurements[1].before, "not measured");
  EXPECT_THAT(diff_text(diff), HasSubstr("  passport, window: -p 10 on bundled: kept to 119 s, gone from 142 s <by "
                                         "FIN> -> kept to 59 s\n"));
  EXPECT_EQ(diff.exit_status(), 0);
  // An INFO without a table is its own value.
  for (auto* run : {&before, &after}) run->cases.back().measurements.clear();
  after.cases.back().reason = "timers are late by at most 4 ms";
  ASSERT_EQ(diff_runs(before, after).measurements.size(), 1U);
}

TEST(Diff, TellsAnotherSetupBeforeVerdicts) {
  const auto before = clean_run();
  auto after = with_first(Verdict::kFail);
  after.environment.kernel = "Linux 6.12.1";
  after.environment.sysctls["net.ipv4.vs.expire_nodest_conn"] = "1";
  after.directors[0].version = "0.2.0";
  const std::string text = diff_text(diff_runs(before, after));
  EXPECT_THAT(text, HasSubstr("setup: kernel: Linux 6.1.0-41-amd64 -> Linux 6.12.1\n"));
  EXPECT_THAT(text, HasSubstr("setup: net.ipv4.vs.expire_nodest_conn: 0 -> 1\n"));
  EXPECT_THAT(text, HasSubstr("setup: version of bundled: 0.1.0 -> 0.2.0\n"));
  EXPECT_LT(text.find("setup:"), text.find("regressions:"));
}

// Two kernels may differ in nothing else; where one of them was not asked, there is nothing to compare.
TEST(Diff, TellsOtherSettingsOfADirectorBeforeVerdicts) {
  auto before = clean_run();
  auto after = with_first(Verdict::kFail);
  after.directors[0].passport["setting: timeout tcp"] = "900";
  EXPECT_THAT(diff_text(diff_runs(before, after)), Not(HasSubstr("timeout tcp")));
  before.directors[0].passport["setting: timeout tcp"] = "300";
  before.directors[0].passport["setting: timeout udp"] = after.directors[0].passport["setting: timeout udp"] = "300";
  after.directors[0].passport["setting: net.ipv4.vs.est_nice"] = "0";
  const std::string text = diff_text(diff_runs(before, after));
  EXPECT_THAT(text, HasSubstr("setup: timeout tcp of bundled: 300 -> 900\n"));
  EXPECT_THAT(text, HasSubstr("setup: net.ipv4.vs.est_nice of bundled: "));
  EXPECT_THAT(text, Not(HasSubstr("timeout udp")));
  EXPECT_LT(text.find("setup: timeout tcp"), text.find("regressions:"));
}

TEST(Diff, TextSaysWhatAndHowToSeeIt) {
  const auto before = clean_run();
  auto after = with_first(Verdict::kFail);
  after.cases[0].reason = "2 of 5\x1b[31m assertions";
  const std::string text = diff_text(diff_runs(before, after));
  EXPECT_THAT(text,
              AllOf(HasSubstr("regressions:\n  ppc.same-client-sticks on bundled (must): PASS -> FAIL\n"),
                    HasSubstr("    again: ci/lvspec run --director bundled --case ppc.same-client-sticks\n"),
                    HasSubstr("1 regression, 0 fixes, 0 new, 0 gone, 0 measurements changed; 3 cases compared\n"),
                    Not(HasSubstr("\x1b"))));
  const std::string same = diff_text(diff_runs(before, before));
  EXPECT_EQ(same, "0 regressions, 0 fixes, 0 new, 0 gone, 0 measurements changed; 3 cases compared\n");
}

TEST(Diff, MarkdownEscapesWhatItCites) {
  const auto before = clean_run();
  auto after = with_first(Verdict::kFail);
  after.cases[0].reason = "a | b";
  EXPECT_THAT(diff_markdown(diff_runs(before, after)),
              AllOf(HasSubstr("## Regressions"), HasSubstr("| ppc.same-client-sticks | bundled | must | "),
                    HasSubstr("a \\| b |")));
}

}  // namespace
}  // namespace lvspec
