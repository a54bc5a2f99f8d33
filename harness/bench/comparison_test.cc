#include "harness/bench/comparison.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace lvspec {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Spread, MedianIsTheMiddleRoundOrTheMeanOfTheMiddleTwo) {
  const Spread odd = Spread::of({9, 1, 4});
  EXPECT_EQ(odd.median, 4);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 9);
  EXPECT_EQ(Spread::of({9, 1, 4, 6}).median, 5);
  EXPECT_EQ(Spread::of({7}).median, 7);
}

// The machine is three times slower in the second round, and both contenders meet that: the ratio stays. The ratio of
// the medians is another number, 30 / 10 in the second line.
TEST(Ratios, AreTakenRoundByRound) {
  EXPECT_THAT(ratios({200, 66, 180}, {100, 33, 90}), ElementsAre(DoubleEq(2), DoubleEq(2), DoubleEq(2)));
  EXPECT_EQ(Spread::of(ratios({10, 40, 30}, {10, 10, 15})).median, 2);
}

TEST(Goal, LimitItselfMeetsIt) {
  EXPECT_TRUE(at_least(1.5).met_by(1.5));
  EXPECT_FALSE(at_least(1.5).met_by(1.49));
  EXPECT_TRUE(at_most(1.3).met_by(1.3));
  EXPECT_FALSE(at_most(1.3).met_by(1.31));
  EXPECT_EQ(at_least(1.5).str(), ">= 1.5");
}

TEST(Comparison, AMeasureMayHaveAGoalOfItsOwn) {
  Comparison comparison("core", "bytes");
  for (const double bytes : {62.0, 64.0, 63.0}) comparison.record("table", "bytes", bytes);
  comparison.require("bytes", "table", at_most(63));
  EXPECT_TRUE(comparison.all_goals_met());
  EXPECT_THAT(comparison.text(), HasSubstr("table: bytes           63.0 (62.0..64.0)  <= 63  met"));
  comparison.require("bytes", "table", at_most(62));
  EXPECT_FALSE(comparison.all_goals_met());
}

Comparison director_against_proxy() {
  Comparison comparison("forward", "the same connections through each");
  for (const double proxy : {1000.0, 1100.0, 900.0}) {
    comparison.record("proxy", "connections/s", proxy);
    comparison.record("director", "connections/s", proxy * 2);
  }
  comparison.record("director", "bulk, Gbit/s", 8.25);
  comparison.compare("connections/s", "director", "proxy", at_least(1.5));
  return comparison;
}

TEST(Comparison, TableShowsMeasuresRatiosAndGoals) {
  EXPECT_EQ(director_against_proxy().text(),
            "forward: the same connections through each\n"
            "\n"
            "  median (min..max)             proxy           director\n"
            "  connections/s      1000 (900..1100)  2000 (1800..2200)\n"
            "  bulk, Gbit/s                      -  8.25 (8.25..8.25)\n"
            "\n"
            "  ratio, round by round            median (min..max)    goal\n"
            "  director / proxy: connections/s  2.00 (2.00..2.00)  >= 1.5  met\n");
}

TEST(Comparison, MissedGoalIsSaid) {
  Comparison comparison = director_against_proxy();
  EXPECT_TRUE(comparison.all_goals_met());
  EXPECT_THAT(comparison.text(), Not(HasSubstr("MISSED")));
  comparison.compare("connections/s", "director", "proxy", at_most(1.9));
  EXPECT_FALSE(comparison.all_goals_met());
  EXPECT_THAT(comparison.text(), HasSubstr("MISSED"));
}

TEST(Comparison, JsonHasEveryRound) {
  const nlohmann::json json = director_against_proxy().json();
  EXPECT_EQ(json.at("name"), "forward");
  const auto& proxy = json.at("measures").at(0).at("contenders").at("proxy");
  EXPECT_EQ(proxy.at("rounds"), nlohmann::json({1000.0, 1100.0, 900.0}));
  EXPECT_EQ(proxy.at("median"), 1000.0);
  const auto& ratio = json.at("ratios").at(0);
  EXPECT_EQ(ratio.at("over"), "director");
  EXPECT_EQ(ratio.at("median"), 2.0);
  EXPECT_EQ(ratio.at("goal"), nlohmann::json({{"at_least", 1.5}}));
  EXPECT_EQ(ratio.at("met"), true);
}

}  // namespace
}  // namespace lvspec
