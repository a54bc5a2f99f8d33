#include "harness/fuzz/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/fuzz/generator.h"
#include "harness/fuzz/lines.h"

namespace lvspec::fuzz {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::vector<std::uint32_t> pauses(const Program& program) {
  std::vector<std::uint32_t> found;
  for (const Step& step : program.steps)
    if (const Pause* pause = std::get_if<Pause>(&step)) found.push_back(pause->seconds);
  return found;
}

/// A director that fails a program which `fails` says, and counts how often it is asked.
struct Fake {
  std::function<bool(const Program&)> fails;
  int asked = 0;

  Oracle oracle() {
    return [this](const std::vector<Program>& programs) -> Result<std::vector<bool>> {
      ++asked;
      std::vector<bool> shows;
      for (const Program& program : programs) shows.push_back(fails(program));
      return shows;
    };
  }
};

Program long_program() {
  Program program;
  for (std::uint32_t i = 1; i <= 100; ++i)
    program.steps.emplace_back(Pause{i == 40 ? 700 : i == 90 ? 65 : 2 + i % 7});
  return program;
}

TEST(Shrink, FindsTheTwoStepsOfAHundred) {
  // A pause of a minute at least, and one of a second at least somewhere behind it.
  Fake fake{[](const Program& program) {
    const auto all = pauses(program);
    const auto first = std::find_if(all.begin(), all.end(), [](auto s) { return s >= 60; });
    return first != all.end() && first + 1 != all.end();
  }};
  const Result<Program> small = shrink(long_program(), fake.oracle());
  ASSERT_TRUE(small.ok());
  EXPECT_THAT(pauses(*small), ElementsAre(::testing::AnyOf(60, 65), 1));
  EXPECT_LT(fake.asked, 60);
}

TEST(Shrink, AProgramThatNeedsEverythingStays) {
  const Program all = long_program();
  Fake fake{[&](const Program& program) { return program == all; }};
  const Result<Program> small = shrink(all, fake.oracle());
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(*small, all);
}

TEST(Shrink, StopsWhenItMayNotAskAnyMore) {
  Fake fake{[](const Program& program) { return program.steps.size() >= 3; }};
  const Result<Program> small = shrink(long_program(), fake.oracle(), 3);
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(fake.asked, 3);
  EXPECT_TRUE(fake.fails(*small));
}

TEST(Shrink, AnOracleThatCannotAnswerIsAnError) {
  const Oracle oracle = [](const std::vector<Program>&) -> Result<std::vector<bool>> { return Error{"no guest"}; };
  const Result<Program> small = shrink(long_program(), oracle);
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().message, "no guest");
}

TEST(Shrink, ArgumentsBecomePlain) {
  const auto step = [](const char* line) { return Step(*parse_ipvsadm_line(line)); };
  Program program;
  program.steps = {step("-A -t 198.51.100.10:80 -s wrr -p 90 -M 255.255.255.0"),
                   step("-a -t 198.51.100.10:80 -r 203.0.113.11:80 -g -w 7 -x 5 -y 3")};
  Fake fake{[](const Program& candidate) {
    return candidate.steps.size() == 2 &&
           std::get<AddService>(std::get<Command>(candidate.steps[0])).service.persistent_s.has_value();
  }};
  const Result<Program> small = shrink(program, fake.oracle());
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(script_of(small->steps),
            "ipvsadm -A -t 198.51.100.10:80 -s rr -p 300\n"
            "ipvsadm -a -t 198.51.100.10:80 -r 203.0.113.11:80 -g -w 1\n");
}

// Else a shrinker would go round in circles.
TEST(Shrink, WhatIsSimplerIsNeverTheSame) {
  for (std::uint64_t seed = 1; seed < 100; ++seed)
    for (const Step& step : generate(seed, 60, whole_alphabet()).steps)
      for (const Step& simpler : simplifications(step)) {
        EXPECT_NE(simpler, step);
        for (const Step& simplest : simplifications(simpler)) EXPECT_NE(simplest, step);
      }
}

}  // namespace
}  // namespace lvspec::fuzz
