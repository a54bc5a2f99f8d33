#include "harness/fuzz/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "harness/fuzz/generator.h"

namespace lvspec::fuzz {
namespace {

using ::testing::HasSubstr;

TEST(Replay, WhatIsWrittenIsRead) {
  for (std::uint64_t seed = 1; seed < 100; ++seed) {
    const Replay replay{"answers \"differ\"", "VAL-21", generate(seed, 60, whole_alphabet())};
    const Result<Replay> read = read_replay(write_replay(replay), "x.json");
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(*read, replay) << seed;
  }
}

struct Malformed {
  const char *text, *complaint;
};

class MalformedReplay : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedReplay, IsRefusedByPlace) {
  const Result<Replay> read = read_replay(GetParam().text, "x.json");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(read.error().message, ::testing::StartsWith("x.json: "));
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedReplay,
    ::testing::Values(
        Malformed{"", "parse error"}, Malformed{"[]", "no replay"}, Malformed{"{}", "no replay"},
        Malformed{R"({"lvspec_replay": 2, "steps": []})", "version 2; this program reads 1"},
        Malformed{R"({"lvspec_replay": 1})", "steps: must be an array"},
        Malformed{R"({"lvspec_replay": 1, "title": 7, "steps": []})", "title: must be a text"},
        Malformed{R"({"lvspec_replay": 1, "seed": -1, "steps": []})", "seed: "},
        Malformed{R"({"lvspec_replay": 1, "steps": [7]})", "steps[0]: must be an object"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"pause": 1}, {"rest": 1}]})", "steps[1]: is no step"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"pause": 0}]})",
                  "steps[0]: pause: must be a whole number from 1"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"pause": 1.5}]})", "whole number"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"ipvsadm": "-A -t x"}]})", "steps[0]: ipvsadm: "},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"ipvsadm": "-L"}]})", "steps[0]: ipvsadm: "},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"sysctl": "../x", "value": 1}]})", "is no name of a setting"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"sysctl": "drop_entry"}]})", "value: is missing"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"timeouts": [1, 2]}]})", "must be an array of 3"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"marks": [1]}]})", "marks: must hold texts"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"marks": ["iptables -X"]}]})", "steps[0]: marks: "},
        Malformed{
            R"({"lvspec_replay": 1, "steps": [{"connect": "192.0.2.1", "to": "198.51.100.10:80", "shape": "syn"}]})",
            "steps[0]: connect: "},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"connect": "192.0.2.1:1", "shape": "syn"}]})",
                  "to: must be a text"},
        Malformed{R"({"lvspec_replay": 1, "steps": [{"connect": "192.0.2.1:1", "to": "[::1]:80", "shape": "syn"}]})",
                  "to: is of another family"},
        Malformed{
            R"({"lvspec_replay": 1, "steps": [{"connect": "192.0.2.1:1", "to": "192.0.2.9:80", "shape": "x"}]})",
            "\"x\" is no shape; there are syn, open"},
        Malformed{
            R"({"lvspec_replay": 1, "steps": [{"segment": "192.0.2.1:1", "to": "192.0.2.9:80", "flags": "SX"}]})",
            "flags: "}));

// Every trace that is kept can be played.
TEST(Replay, TheTracesAreReplays) {
  const char* fixtures = getenv("LVSPEC_FIXTURES");
  ASSERT_NE(fixtures, nullptr);
  int traces = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(fixtures) + "/traces")) {
    if (file.path().extension() != ".json") continue;
    const Result<Replay> read = read_replay_file(file.path());
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_FALSE(read->title.empty()) << file.path();
    EXPECT_FALSE(read->clause.empty()) << file.path();
    ++traces;
  }
  EXPECT_GT(traces, 0);
}

}  // namespace
}  // namespace lvspec::fuzz
