#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

int share(const std::string& picks, const std::string& name) {
  int count = 0;
  for (std::size_t at = 0; (at = picks.find(name, at)) != std::string::npos; ++at) ++count;
  return count;
}

// SCH-80: with unequal load of two servers the lighter one is missed only if both draws are the other's. The total is
// 2, so a draw is 0, 1 or 2, and the first in the list, r2, has 0 and 1: it is drawn twice in 4 of 9 cases.
TEST(TwoChoices, TakesTheLighterOfTwoServersDrawnByWeight) {
  SchedulerPool pool("twos", {1, 1});
  pool.server(2).active = 10;
  EXPECT_NEAR(share(pool.picks(9000), "r2"), 4000, 200);  // standard deviation 47
}

// SCH-80: without load the first draw wins; r3 has 0 and 1 of 0..6, r2 has 2 and 3, r1 has 4 to 6 less none.
TEST(TwoChoices, DrawsByWeight) {
  SchedulerPool pool("twos", {4, 1, 1});
  const std::string picks = pool.picks(7000);
  EXPECT_NEAR(share(picks, "r3"), 2000, 200);  // 0, 1
  EXPECT_NEAR(share(picks, "r2"), 1000, 200);  // 2
  EXPECT_NEAR(share(picks, "r1"), 4000, 200);  // 3 to 6
}

TEST(TwoChoices, IsRepeatable) {
  EXPECT_EQ(SchedulerPool("twos", {1, 2, 3}).picks(50, kHeldOpen),
            SchedulerPool("twos", {1, 2, 3}).picks(50, kHeldOpen));
}

TEST(TwoChoices, SkipsQuiescentAndFullServers) {
  SchedulerPool pool("twos", {1, 0, 3});
  pool.overload(3, true);
  EXPECT_EQ(pool.picks(5), "r1 r1 r1 r1 r1");
  pool.edit(1, 0);
  EXPECT_EQ(pool.picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
