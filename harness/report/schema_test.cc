// Validates every JSON document of a run against its schema with a real validator; built where libvalijson-dev is
// installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/schema_judge.h"
#include "harness/report/conformance.h"
#include "harness/report/diff.h"
#include "harness/report/digests.h"
#include "harness/report/events.h"
#include "harness/report/json.h"
#include "harness/report/sample_run.h"

namespace lvspec {
namespace {

using ::nlohmann::json;

std::string judge(const json& value) { return judge_by_schema(LVSPEC_SCHEMAS "results.schema.json", value); }

json written(const Run& run) { return json::parse(to_text(to_json(run))); }

TEST(Schema, HoldsForEveryKindOfRun) {
  EXPECT_EQ(judge(written(sample_run())), "valid");
  EXPECT_EQ(judge(written(clean_run())), "valid");
  auto nothing = clean_run();
  nothing.cases.clear();
  nothing.selected = 0;
  EXPECT_EQ(judge(written(nothing)), "valid");
}

TEST(Schema, RefusesWhatLvspecNeverWrites) {
  const json good = written(sample_run());
  const auto with = [&](const json::json_pointer& place, const json& value) {
    json bad = good;
    bad[place] = value;
    return bad;
  };
  using Pointer = json::json_pointer;
  EXPECT_NE(judge(with(Pointer("/invented"), 1)), "valid");
  EXPECT_NE(judge(with(Pointer("/cases/0/invented"), 1)), "valid");
  EXPECT_NE(judge(with(Pointer("/cases/0/verdict"), "OK")), "valid");
  EXPECT_NE(judge(with(Pointer("/cases/0/assertions"), "7")), "valid");
  EXPECT_NE(judge(with(Pointer("/cases/0/evidence"), "/etc")), "valid");
  EXPECT_NE(judge(with(Pointer("/summary/directors/bundled/must/FINE"), 1)), "valid");
  EXPECT_NE(judge(with(Pointer("/started_at"), "yesterday")), "valid");
  const std::string last = "/cases/" + std::to_string(good["cases"].size() - 1) + "/measurements/0";
  EXPECT_EQ(good.value(Pointer(last + "/table"), ""), "passport");
  EXPECT_NE(judge(with(Pointer(last + "/invented"), 1)), "valid");
  EXPECT_NE(judge(with(Pointer(last + "/at"), json::array())), "valid");
  EXPECT_NE(judge(with(Pointer(last + "/parts/points"), 7)), "valid");
  EXPECT_NE(judge(with(Pointer("/directors/0/passport/key"), 7)), "valid");
  EXPECT_NE(judge(with(Pointer("/schema_version"), 2)), "valid");
  EXPECT_NE(judge(with(Pointer("/shard/index"), 0)), "valid");
  json incomplete = good;
  incomplete["cases"][0].erase("rerun");
  EXPECT_NE(judge(incomplete), "valid");
}

TEST(Schema, HoldsForEveryEvent) {
  const auto judge_event = [](const json& event) {
    return judge_by_schema(LVSPEC_SCHEMAS "event.schema.json", event);
  };
  const auto run = sample_run();
  const json begin = json::parse(run_begin_event(run, run.cases.size())), end = json::parse(run_end_event(run));
  EXPECT_EQ(judge_event(begin), "valid");
  EXPECT_EQ(judge_event(end), "valid");
  for (std::size_t i = 0; i < run.cases.size(); ++i)
    EXPECT_EQ(judge_event(json::parse(case_end_event(i + 1, run.cases[i]))), "valid") << run.cases[i].info.id;
  json bad = json::parse(case_end_event(1, run.cases[0]));
  bad["case"]["verdict"] = "OK";
  EXPECT_NE(judge_event(bad), "valid");
  bad = end;
  bad["event"] = "run-over";
  EXPECT_NE(judge_event(bad), "valid");
  bad = begin;
  bad.erase("suite_digest");
  EXPECT_NE(judge_event(bad), "valid");
}

TEST(Schema, HoldsForDiffs) {
  const auto judge_diff = [](const json& diff) { return judge_by_schema(LVSPEC_SCHEMAS "diff.schema.json", diff); };
  const auto before = sample_run(), after = clean_run();
  const auto between = [](const auto& a, const auto& b) { return diff_json(diff_runs(a, b), a, b); };
  EXPECT_EQ(judge_diff(between(before, before)), "valid");
  EXPECT_EQ(judge_diff(between(after, before)), "valid");
  auto other = sample_run();
  for (CaseResult& result : other.cases) {
    result.verdict = Verdict::kInconclusive;
    for (Measurement& cell : result.measurements) cell.value = "another";
  }
  json diff = between(before, other);
  EXPECT_FALSE(diff["regressions"].empty());
  EXPECT_FALSE(diff["fixes"].empty());
  EXPECT_FALSE(diff["other"].empty());
  EXPECT_FALSE(diff["measurements"].empty());
  EXPECT_EQ(judge_diff(diff), "valid");
  diff["regressions"][0].erase("old");
  EXPECT_NE(judge_diff(diff), "valid");
  EXPECT_NE(judge_diff(json::object()), "valid");
}

TEST(Schema, HoldsForConformanceDocuments) {
  const auto judge_report = [](const json& report) {
    return judge_by_schema(LVSPEC_SCHEMAS "conformance.schema.json", report);
  };
  const auto run = sample_run();
  for (const DirectorInfo& director : run.directors)
    EXPECT_EQ(judge_report(conformance_report(run, director, sha256_of("x"))), "valid") << director.name;
  auto partial = clean_run();
  partial.catalogue = 34;
  json report = conformance_report(partial, partial.directors[0], sha256_of("x"));
  EXPECT_EQ(judge_report(report), "valid");
  report["result"] = "conforms";  // of a part nothing is said
  EXPECT_NE(judge_report(report), "valid");
  report.erase("result");
  report["provenance"].erase("command");
  EXPECT_NE(judge_report(report), "valid");
}

}  // namespace
}  // namespace lvspec
