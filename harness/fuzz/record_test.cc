#include "harness/fuzz/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::fuzz {
namespace {

using ::testing::HasSubstr;

TEST(Records, WhatIsWrittenIsRead) {
  StepRecord step{.acted_at = 4294937300, .looked_at = 4294937303, .blurred = true};
  step.outcome = {"real1", "RST", ""};
  step.services = {"TCP 198.51.100.10:80 rr", "  203.0.113.11:80"};
  step.entries = {"TCP x"};
  step.counts = {"c"};
  const std::vector<Record> records = {
      {}, {77, {step, StepRecord{}}}, {78, {StepRecord{.acted_at = 1, .looked_at = 2}}}};
  const Result<std::vector<Record>> read = read_records(write_records(records));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, records);
}

TEST(Records, MalformedLinesAreToldByNumber) {
  for (const char* text :
       {"x\n", "oreal1\n", "=1 2 0\n", "P\n", "Px\n", "P1\noreal1\n", "P1\n=1 2\n", "P1\n=1 2 0 4\n", "P1\n\n", "P1"})
    EXPECT_FALSE(read_records(text).ok()) << text;
  EXPECT_THAT(read_records("P1\n=1 2 0\nzzz\n").error().message, HasSubstr("line 3"));
}

}  // namespace
}  // namespace lvspec::fuzz
