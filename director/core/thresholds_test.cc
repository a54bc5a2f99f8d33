#include "director/core/thresholds.h"

#include <gtest/gtest.h>

namespace lvspec::director {
namespace {

// DST-21
TEST(Thresholds, BetweenThemNothingChanges) {
  RealServer server;
  const auto rise_to = [&](std::uint32_t connections) {
    server.inactive = connections;
    check_upper_threshold(server);
    return server.overloaded;
  };
  const auto fall_to = [&](std::uint32_t connections) {
    server.inactive = connections;
    check_lower_threshold(server);
    return server.overloaded;
  };
  EXPECT_FALSE(rise_to(1000));
  server.settings.upper_threshold = 5;
  EXPECT_TRUE(rise_to(5));
  EXPECT_TRUE(fall_to(4));  // 4 * 4 >= 5 * 3
  EXPECT_FALSE(fall_to(3));
  EXPECT_FALSE(rise_to(4));
  server.settings.lower_threshold = 2;
  EXPECT_TRUE(rise_to(6));
  EXPECT_TRUE(fall_to(2));
  EXPECT_FALSE(fall_to(1));
}

// DST-23: an edit never sets the flag, and clears it if the limit is raised or lifted.
TEST(Thresholds, AnEditOnlyClears) {
  RealServer server;
  server.active = 4;
  const auto edit = [&](std::uint32_t upper) {
    const RealServerSettings settings{.upper_threshold = upper};
    edit_thresholds(server, settings);
    server.settings = settings;
    return server.overloaded;
  };
  EXPECT_FALSE(edit(2));
  check_upper_threshold(server);
  EXPECT_TRUE(server.overloaded);
  EXPECT_TRUE(edit(2));
  EXPECT_TRUE(edit(1));
  EXPECT_FALSE(edit(3));  // although there are four
  check_upper_threshold(server);
  EXPECT_FALSE(edit(0));
}

}  // namespace
}  // namespace lvspec::director
