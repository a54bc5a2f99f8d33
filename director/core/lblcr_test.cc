#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

// SCH-72
TEST(LocalityBasedReplicated, TheSetGrowsWhileItsBestServerIsBusy) {
  EXPECT_EQ(SchedulerPool("lblcr", {2, 2, 2}).picks(12, kHeldOpen), "r3 r3 r3 r2 r2 r2 r1 r1 r1 r1 r2 r3");
}

// SCH-72: with two members the one with less load is taken; after lblcr_expiration without a change the set loses the
// one with most, and only one at a time.
TEST(LocalityBasedReplicated, TheSetShrinksWhenItHasNotChanged) {
  SchedulerPool pool("lblcr", {2, 2, 2});
  pool.sysctls().lblcr_expiration = 100;
  EXPECT_EQ(pool.picks(9, kHeldOpen), "r3 r3 r3 r2 r2 r2 r1 r1 r1");
  EXPECT_EQ(pool.server(3).references + pool.server(2).references + pool.server(1).references, 3u);
  pool.elapse(100s);
  pool.picks(1);
  EXPECT_EQ(pool.server(3).references + pool.server(2).references + pool.server(1).references, 3u);
  pool.elapse(1s);
  EXPECT_EQ(pool.picks(1), "r1");  // all alike: the newest is the best, and the newest is the one that goes
  EXPECT_EQ(pool.server(1).references, 0u);
  EXPECT_EQ(pool.picks(1), "r2");
  EXPECT_EQ(pool.server(3).references + pool.server(2).references, 2u);
}

// SCH-72: quiescent, full and removed members are passed over, but they stay members.
TEST(LocalityBasedReplicated, PassesOverMembersThatAreNotUsable) {
  SchedulerPool pool("lblcr", {2, 2, 2});
  EXPECT_EQ(pool.picks(6, kHeldOpen), "r3 r3 r3 r2 r2 r2");
  EXPECT_EQ(pool.picks(3, kHeldOpen), "r1 r1 r1");
  pool.overload(1, true);
  EXPECT_EQ(pool.picks(1), "r2");
  pool.edit(2, 0);
  EXPECT_EQ(pool.picks(1), "r3");
  pool.remove(3);
  EXPECT_EQ(pool.picks(1), "-");
  pool.overload(1, false);
  EXPECT_EQ(pool.picks(1), "r1");
}

}  // namespace
}  // namespace lvspec::director
