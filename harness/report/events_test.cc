// The forms of a run that programs read: events, TAP, annotations, the conformance document.
#include "harness/report/events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "harness/report/annotations.h"
#include "harness/report/conformance.h"
#include "harness/report/json.h"
#include "harness/report/sample_run.h"
#include "harness/report/tap.h"

namespace lvspec {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

CaseResult with(Verdict verdict, const std::string& reason, int assertions = 7) {
  CaseResult result = clean_run().cases[0];
  result.verdict = verdict;
  result.reason = reason;
  result.assertions = assertions;
  return result;
}

TEST(Events, AreLinesThatSayWhatResultsJsonSays) {
  const auto run = sample_run();
  const json whole = to_json(run);
  const json begin = json::parse(run_begin_event(run, run.cases.size()));
  EXPECT_EQ(begin["event"], "run-begin");
  EXPECT_EQ(begin["cases"], run.cases.size());
  for (const char* key : {"tool", "schema_version", "version", "suite_digest", "rerun", "selected", "catalogue",
                          "shard", "environment", "directors"})
    EXPECT_EQ(begin[key], whole[key]) << key;
  const std::string line = case_end_event(4, failed_case());
  EXPECT_EQ(lines_of(line).size(), 1U);
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(json::parse(line)["number"], 4);
  EXPECT_EQ(json::parse(line)["case"], to_json(failed_case()));
  EXPECT_THAT(json::parse(line)["time"].get<std::string>(), MatchesRegex("20..-..-..T..:..:..\\....Z"));
  const json end = json::parse(run_end_event(run));
  EXPECT_EQ(end["summary"], whole["summary"]);
  EXPECT_EQ(end["environment"], whole["environment"]);
}

// What a daemon says must not end a line early, nor the stream.
TEST(Events, SurviveAnyText) {
  const std::string line = case_end_event(1, with(Verdict::kFail, "two\nlines \xff"));
  EXPECT_EQ(lines_of(line).size(), 1U);
  EXPECT_EQ(json::parse(line)["case"]["reason"], "two\nlines \uFFFD");
}

TEST(Tap, HasAPlanAndAPointForEachCase) {
  const auto run = sample_run();
  const auto lines = lines_of(to_tap(run));
  EXPECT_EQ(lines[0], "TAP version 14");
  EXPECT_EQ(lines[1], "1.." + std::to_string(run.cases.size()));
  std::size_t points = 0;
  for (const std::string& line : lines)
    if (line.starts_with("ok ") || line.starts_with("not ok ")) ++points;
  EXPECT_EQ(points, run.cases.size());
  EXPECT_THAT(tap_head(0), HasSubstr("1..0 # SKIP"));
}

TEST(Tap, GivesEachVerdictItsWord) {
  EXPECT_EQ(tap_point(3, with(Verdict::kPass, "")), "ok 3 - ppc.same-client-sticks on bundled\n");
  EXPECT_EQ(tap_point(3, with(Verdict::kInfo, "10 ms", 0)), "ok 3 - ppc.same-client-sticks on bundled\n");
  EXPECT_EQ(tap_point(1, with(Verdict::kEnvSkip, "needs ip_vs # now")),
            "ok 1 - ppc.same-client-sticks on bundled # SKIP ENV-SKIP: needs ip_vs \\# now\n");
  EXPECT_THAT(tap_point(1, with(Verdict::kXfail, "FR-12")),
              StartsWith("not ok 1 - ppc.same-client-sticks on bundled # TODO FR-12\n"));
  for (const Verdict verdict : {Verdict::kFail, Verdict::kXpass, Verdict::kHarnessError, Verdict::kInconclusive})
    EXPECT_THAT(tap_point(1, with(verdict, "why")),
                AllOf(StartsWith("not ok 1 - "), HasSubstr("  message: \"why\"\n")));
  EXPECT_THAT(tap_point(1, with(Verdict::kPass, "", 0)),
              AllOf(StartsWith("not ok 1 - "), HasSubstr("not one assertion")));
}

TEST(Tap, SaysWhatWasExpectedInItsYaml) {
  const std::string point = tap_point(1, failed_case());
  EXPECT_THAT(point, HasSubstr("\n  ---\n  verdict: \"FAIL\"\n"));
  EXPECT_THAT(point, HasSubstr("    - at: \"suites/pcc/pcc_test.cc:41\"\n"));
  EXPECT_THAT(point, HasSubstr("      expected: \"served by \\\"real2\\\"\"\n"));
  EXPECT_THAT(point, HasSubstr("\n  ...\n"));
  // Nothing of a director's may stand at the start of a line, where it would be a test point.
  CaseResult sly = failed_case();
  sly.reason = "no\nok 2 - never ran";
  EXPECT_THAT(tap_point(1, sly), Not(HasSubstr("\nok 2")));
}

TEST(Annotations, PointAtTheLineThatFailed) {
  const auto lines = lines_of(github_annotations(failed_case()));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], StartsWith("::error file=suites/pcc/pcc_test.cc,line=41,title=pcc.same-client-all-ports on "
                                   "bundled%3A FAIL::A port-zero service"));
  EXPECT_THAT(lines[0], HasSubstr("%0Aexpected: served by \"real2\"%0Aactual: "));
  EXPECT_THAT(lines[1], HasSubstr(",line=44,"));
}

TEST(Annotations, AreWarningsBelowMustAndNothingForWhatHolds) {
  CaseResult should = failed_case();
  should.info.level = Level::kShould;
  EXPECT_THAT(github_annotations(should), StartsWith("::warning file="));
  EXPECT_THAT(github_annotations(with(Verdict::kInconclusive, "3 of 4")), StartsWith("::warning title="));
  EXPECT_THAT(github_annotations(with(Verdict::kHarnessError, "100%\r::error::")),
              AllOf(StartsWith("::error title="), HasSubstr("%0A100%25"), Not(HasSubstr("\r"))));
  EXPECT_THAT(github_annotations(with(Verdict::kPass, "", 0)), HasSubstr("not one assertion"));
  for (const Verdict verdict :
       {Verdict::kPass, Verdict::kInfo, Verdict::kXfail, Verdict::kEnvSkip, Verdict::kUnsupported})
    EXPECT_THAT(github_annotations(with(verdict, "why")), IsEmpty()) << name_of(verdict);
}

TEST(Conformance, HasStatisticsForEachProfileAndLevel) {
  const auto run = sample_run();
  const json report = conformance_report(run, run.directors[0], "");
  EXPECT_EQ(report["kind"], "ConformanceReport");
  EXPECT_EQ(report["result"], "does not conform");
  EXPECT_EQ(report["implementation"]["name"], "bundled");
  EXPECT_EQ(report["provenance"]["command"], run.rerun);
  int passed = 0, failed = 0, skipped = 0, not_judged = 0;
  for (const json& profile : report["profiles"]) {
    for (const char* level : {"must", "should", "info"}) {
      if (!profile.contains(level)) continue;
      const json& counts = profile[level]["statistics"];
      passed += counts["Passed"].get<int>();
      failed += counts["Failed"].get<int>();
      skipped += counts["Skipped"].get<int>();
      not_judged += counts["NotJudged"].get<int>();
      EXPECT_EQ(profile[level].value("failedCases", json::array()).size(), counts["Failed"]);
    }
    if (profile["name"] == "pcc") {
      EXPECT_EQ(profile["must"]["result"], "failure");
      EXPECT_EQ(profile["must"]["failedCases"][0]["name"], "pcc.same-client-all-ports");
    }
    if (profile["name"] == "fwmark") {
      EXPECT_EQ(profile["must"]["result"], "notJudged");
    }
  }
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(skipped, 1);
  EXPECT_EQ(not_judged, 2);
  int bundled = 0;
  for (const CaseResult& result : run.cases) bundled += result.director == "bundled";
  EXPECT_EQ(passed + failed + skipped + not_judged + 1, bundled);  // and one that failed as announced
}

TEST(Conformance, APartialRunGetsNoWord) {
  auto run = clean_run();
  EXPECT_EQ(conformance_report(run, run.directors[0], "")["result"], "conforms");
  run.catalogue = 34;
  const json report = conformance_report(run, run.directors[0], "");
  EXPECT_FALSE(report.contains("result"));
  EXPECT_EQ(report["partial"], json({{"selected", 3}, {"catalogue", 34}}));
  for (const json& profile : report["profiles"])
    for (const auto& [name, level] : profile.items()) EXPECT_FALSE(level.is_object() && level.contains("result"));
}

}  // namespace
}  // namespace lvspec
