// Validates results.json against its schema with a real validator; built where libvalijson-dev is installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/base/schema_judge.h"
#include "harness/report/json.h"
#include "harness/report/sample_run.h"

namespace lvspec {
namespace {

using ::nlohmann::json;

std::string judge(const json& value) { return judge_by_schema(LVSPEC_SCHEMA, value); }

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
  json incomplete = good;
  incomplete["cases"][0].erase("rerun");
  EXPECT_NE(judge(incomplete), "valid");
}

}  // namespace
}  // namespace lvspec
