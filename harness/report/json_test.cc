#include "harness/report/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "harness/report/sample_run.h"

namespace lvspec {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string message_of(const json& value) {
  const auto run = read_run(to_text(value), "old.json");
  return run.ok() ? "no error" : run.error().message;
}

TEST(Json, ReadsBackWhatItWrote) {
  const json written = to_json(sample_run());
  const auto read = read_run(to_text(written), "results.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  // Compared as text, where both have the U+FFFD that stands for the sample's invalid byte.
  EXPECT_EQ(to_text(to_json(*read)), to_text(written));
}

TEST(Json, HasTheMembersThatTheDesignPromises) {
  const json value = to_json(sample_run());
  EXPECT_EQ(value["tool"], "lvspec");
  EXPECT_EQ(value["directors"][0]["passport"]["window renewed by"], "each new connection");
  EXPECT_EQ(value["summary"]["exit_status"], 1);
  EXPECT_EQ(value["summary"]["directors"]["bundled"]["must"]["HARNESS-ERROR"], 1);
  EXPECT_EQ(value["summary"]["directors"]["ipvs"]["must"].count("FAIL"), 0u);
  const json& first = value["cases"][0];
  for (const char* key : {"id", "suite", "title", "level", "clauses", "field_reports", "director", "verdict",
                          "reason", "assertions", "failures", "virtual_s", "wall_ms", "evidence", "rerun"})
    EXPECT_TRUE(first.contains(key)) << key;
}

TEST(Json, SurvivesTextsAndNumbersThatJsonCannotHold) {
  auto run = clean_run();
  run.cases[0].reason = "daemon said \xff\xfe";
  run.wall_s = std::numeric_limits<double>::quiet_NaN();
  const std::string text = to_text(to_json(run));
  EXPECT_THAT(text, HasSubstr("daemon said \uFFFD"));
  const auto read = read_run(text, "results.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->wall_s, 0);
}

TEST(Json, NamesTheFileAndThePlaceOfAnError) {
  const json good = to_json(sample_run());
  json value = good;
  value["cases"][3]["verdict"] = "PAS";
  EXPECT_EQ(message_of(value), "old.json: cases[3].verdict: \"PAS\" is not a verdict");
  value = good;
  value["cases"][0]["failures"] = json::array({json::object()});
  EXPECT_EQ(message_of(value), "old.json: cases[0].failures[0].what: is missing");
  value = good;
  value["environment"].erase("kernel");
  EXPECT_EQ(message_of(value), "old.json: environment.kernel: is missing");
  value = good;
  value["cases"][0]["assertions"] = -1;
  EXPECT_EQ(message_of(value), "old.json: cases[0].assertions: is out of range");
  value = good;
  value["cases"][1] = 5;
  EXPECT_EQ(message_of(value), "old.json: cases[1]: is not an object");
  value = good;
  value["tool"] = "other";
  EXPECT_EQ(message_of(value), "old.json: tool: \"other\" is not lvspec");
  value = good;
  value["schema_version"] = 2;
  EXPECT_EQ(message_of(value), "old.json: schema_version: 2; this lvspec reads 1");
  value["schema_version"] = "1";
  EXPECT_EQ(message_of(value), "old.json: schema_version: is not a whole number");
  value = good;
  value["shard"] = {{"index", 3}, {"of", 2}};
  EXPECT_EQ(message_of(value), "old.json: shard: 3/2 is no part of a whole");
  EXPECT_EQ(message_of(json::array()), "old.json: is not an object");
}

TEST(Json, SaysWhereATextStopsBeingJson) {
  const auto run = read_run("{\n  \"tool\": }", "old.json");
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(run.error().message, ::testing::StartsWith("old.json: not JSON: line 2, column 11:"));
}

TEST(Json, NamesTheFileWhoseNumbersNoDoubleHolds) {
  const auto run = read_run("{\"wall_s\": 1e999}", "old.json");
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(run.error().message, ::testing::StartsWith("old.json: "));
}

TEST(Json, IgnoresWhatANewerToolAdds) {
  json value = to_json(clean_run());
  value["invented"] = 1;
  value["cases"][0]["invented"] = json::object();
  EXPECT_EQ(message_of(value), "no error");
}

TEST(Line, CarriesACaseFromAWorkerToItsParent) {
  CaseResult sent = failed_case();
  sent.reason = "two\nlines";
  const std::string line = to_line(sent);
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  const Result<CaseResult> received = from_line(line);
  ASSERT_TRUE(received.ok()) << received.error().message;
  EXPECT_EQ(to_line(*received), line);
  EXPECT_EQ(received->reason, "two\nlines");
  EXPECT_EQ(received->failures.size(), 2u);
}

TEST(Line, OfHalfACaseIsAnError) {
  const std::string line = to_line(failed_case());
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, line.size() / 2, line.size() - 1}) {
    const Result<CaseResult> received = from_line(line.substr(0, length));
    ASSERT_FALSE(received.ok()) << length;
    EXPECT_THAT(received.error().message, HasSubstr("a worker's line: "));
  }
}

/// The schema and the writer must list the same members, or one of them was forgotten: checked by hand here, so that
/// it is checked also where no validator is installed.
void expect_same_members(const json& schema, const json& value, const std::string& place) {
  if (schema.contains("items")) {
    for (const json& item : value) expect_same_members(schema["items"], item, place + "[]");
  } else if (place == "run.cases[].timeline[]") {
    // Of a moment what is empty, zero or one is left out: there are dozens of them in every case.
    for (const auto& [key, member] : value.items()) {
      ASSERT_TRUE(schema["properties"].contains(key)) << place << "." << key;
      expect_same_members(schema["properties"][key], member, place + "." + key);
    }
  } else if (schema.contains("properties")) {
    EXPECT_EQ(schema["additionalProperties"], false) << place;
    EXPECT_EQ(schema["required"].size(), schema["properties"].size()) << place;
    for (const auto& [key, member] : schema["properties"].items()) {
      ASSERT_TRUE(value.contains(key)) << place << "." << key;
      expect_same_members(member, value[key], place + "." + key);
    }
    EXPECT_EQ(value.size(), schema["properties"].size()) << place;
  } else if (schema.contains("type")) {
    const std::string type = schema["type"];
    EXPECT_TRUE(type == "string"    ? value.is_string()
                : type == "number"  ? value.is_number()
                : type == "integer" ? value.is_number_integer()
                : type == "boolean" ? value.is_boolean()
                                    : value.is_object())
        << place << " is no " << type;
  }
}

TEST(Schema, HasTheMembersThatAreWritten) {
  std::ifstream in(LVSPEC_SCHEMAS "results.schema.json");
  const json schema = json::parse(in, nullptr, false);
  ASSERT_FALSE(schema.is_discarded()) << LVSPEC_SCHEMAS;
  expect_same_members(schema, json::parse(to_text(to_json(sample_run()))), "run");
}

}  // namespace
}  // namespace lvspec
