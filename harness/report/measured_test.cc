#include "harness/report/measured.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness/report/html.h"
#include "harness/report/json.h"
#include "harness/report/markdown.h"
#include "harness/report/sample_run.h"
#include "harness/report/text.h"

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

CaseResult measured(const std::string& id, const std::string& director, const std::string& property,
                    const std::string& value) {
  CaseResult result;
  result.info.id = id;
  result.info.level = Level::kInfo;
  result.director = director;
  result.verdict = Verdict::kInfo;
  result.reason = "measured";
  result.assertions = 1;
  result.measurements = {{.table = "passport", .at = {{"property", property}}, .value = value, .parts = {}}};
  return result;
}

Run two_directors() {
  Run run = clean_run();
  run.directors = {{.name = "a", .version = "", .capabilities = {}, .passport = {}},
                   {.name = "b", .version = "", .capabilities = {}, .passport = {}}};
  run.cases = {measured("passport.key", "a", "key: port", "in the key"),
               measured("passport.window", "a", "window: -p 5", "kept to 4 s"),
               measured("passport.key", "b", "key: port", "not in the key")};
  return run;
}

std::vector<CaseInfo> catalogue() {
  std::vector<CaseInfo> rows(3);
  rows[0].id = "passport.key";
  rows[1].id = "passport.window";
  rows[2].id = "ppc.other";
  return rows;
}

TEST(MeasuredTables, LayDirectorsSideBySide) {
  const auto run = two_directors();
  const auto tables = measured_tables(run);
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_THAT(tables[0].heads, ElementsAre("property"));
  EXPECT_THAT(tables[0].directors, ElementsAre("a", "b"));
  ASSERT_EQ(tables[0].rows.size(), 2U);
  EXPECT_TRUE(tables[0].rows[0].differs());
  EXPECT_FALSE(tables[0].rows[1].differs());
  EXPECT_EQ(tables[0].rows[1].cells[1].text(), "not measured");
  EXPECT_EQ(table_text(tables[0]),
            "passport\n"
            "  property      a            b\n"
            "  key: port     in the key   not in the key\n"
            "  window: -p 5  kept to 4 s  not measured\n");
  EXPECT_THAT(table_markdown(tables[0]), HasSubstr("| not in the key |"));
}

TEST(Passport, SaysWhatWasNotMeasuredAndWhy) {
  auto run = two_directors();
  run.cases.push_back(measured("passport.window", "b", "window: -p 5", "kept to 4 s"));
  run.cases.back().verdict = Verdict::kEnvSkip;
  run.cases.back().reason = "needs ip_vs";
  run.cases.back().measurements.clear();
  fill_passports(catalogue(), &run);
  EXPECT_THAT(run.directors[0].passport,
              ElementsAre(Pair("key: port", "in the key"), Pair("window: -p 5", "kept to 4 s")));
  EXPECT_THAT(run.directors[1].passport, ElementsAre(Pair("key: port", "not in the key"),
                                                     Pair("passport.window", "not measured: ENV-SKIP: needs ip_vs")));
  run.cases.pop_back();
  run.directors[1].passport.clear();
  fill_passports(catalogue(), &run);
  EXPECT_THAT(run.directors[1].passport, ::testing::Contains(Pair("passport.window", "not measured: not selected")));
}

TEST(Passport, IsAbsentWhereNobodyAskedForIt) {
  auto run = clean_run();
  run.directors[0].passport.clear();
  fill_passports(catalogue(), &run);
  EXPECT_THAT(run.directors[0].passport, IsEmpty());
}

TEST(Passport, HasALineForEachPropertyInSortedOrder) {
  auto run = two_directors();
  fill_passports(catalogue(), &run);
  EXPECT_EQ(passport_text(run.directors[0]),
            "{\n  \"key: port\": \"in the key\",\n  \"window: -p 5\": \"kept to 4 s\"\n}\n");
}

TEST(Measurements, SurviveTheWayThroughJson) {
  const auto run = sample_run();
  const auto again = read_run(to_text(to_json(run)), "results.json");
  ASSERT_TRUE(again.ok());
  const Measurement& read = again->cases.back().measurements.at(0);
  EXPECT_EQ(read.table, "passport");
  EXPECT_THAT(read.at, ElementsAre(Pair("property", "window: -p 10")));
  EXPECT_EQ(read.value, run.cases.back().measurements[0].value);
  EXPECT_THAT(read.parts, ElementsAre(Pair("points", "60+ 119+ 142-")));
}

TEST(Measurements, AreShownInEveryReport) {
  const auto run = sample_run();
  const std::string html = to_html(run);
  EXPECT_THAT(html, HasSubstr("<a href=\"#case-expiry.granule\">kept to 119 s, gone from 142 s &lt;by FIN&gt;</a>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"#table-passport\">passport</a>"));
  EXPECT_THAT(html, HasSubstr("<svg "));
  EXPECT_THAT(to_markdown(run), HasSubstr("## Measured: passport"));
  EXPECT_THAT(summary_text(run, ""), Not(HasSubstr("window: -p 10")));  // several suites: not in the way
}

}  // namespace
}  // namespace lvspec
