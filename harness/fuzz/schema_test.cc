// Validates replay files against their schema with a real validator; built where libvalijson-dev is installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/base/schema_judge.h"
#include "harness/fuzz/generator.h"
#include "harness/fuzz/replay.h"

namespace lvspec::fuzz {
namespace {

using ::nlohmann::json;

std::string judge(const json& value) { return judge_by_schema(LVSPEC_SCHEMA, value); }

TEST(ReplaySchema, HoldsForEveryKindOfStep) {
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    EXPECT_EQ(judge(json::parse(write_replay({"title", "TPL-01", generate(seed, 60, whole_alphabet())}))), "valid");
  EXPECT_EQ(judge(json::parse(write_replay({}))), "valid");
}

TEST(ReplaySchema, HoldsForTheTraces) {
  const char* fixtures = getenv("LVSPEC_FIXTURES");
  ASSERT_NE(fixtures, nullptr);
  for (const auto& file : std::filesystem::directory_iterator(std::string(fixtures) + "/traces")) {
    std::ifstream in(file.path());
    EXPECT_EQ(judge(json::parse(in)), "valid") << file.path();
  }
}

TEST(ReplaySchema, RefusesWhatIsNoReplay) {
  const json good = json::parse(write_replay({"title", "", {0, {Pause{1}}}}));
  const auto with = [&](const char* place, const json& value) {
    json bad = good;
    bad[json::json_pointer(place)] = value;
    return judge(bad);
  };
  EXPECT_EQ(judge(good), "valid");
  EXPECT_NE(with("/lvspec_replay", 2), "valid");
  EXPECT_NE(with("/invented", 1), "valid");
  EXPECT_NE(with("/steps/0/pause", 0), "valid");
  EXPECT_NE(with("/steps/0", json{{"connect", "192.0.2.1:1"}, {"to", "192.0.2.1:1"}, {"shape", "round"}}), "valid");
  EXPECT_NE(with("/steps/0", json{{"datagram", "somewhere"}, {"to", "192.0.2.1:1"}}), "valid");
}

}  // namespace
}  // namespace lvspec::fuzz
