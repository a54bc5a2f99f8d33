#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

// SCH-33
TEST(NeverQueue, FillsIdleServersFirstThenIsSed) {
  EXPECT_EQ(SchedulerPool("nq", {1, 2, 3}).picks(12, kHeldOpen), "r3 r2 r1 r3 r3 r2 r3 r2 r3 r3 r2 r1");
}

// SCH-33: idle means no active connection, however many are finished; the first idle one in list order, not the best.
TEST(NeverQueue, TakesTheFirstIdleServer) {
  EXPECT_EQ(SchedulerPool("nq", {9, 9, 1}).picks(3, kFinished), "r3 r3 r3");
}

TEST(NeverQueue, SkipsQuiescentAndFullServers) {
  SchedulerPool pool("nq", {1, 0, 3});
  pool.overload(3, true);
  EXPECT_EQ(pool.picks(2, kHeldOpen), "r1 r1");
  pool.overload(1, true);
  EXPECT_EQ(pool.picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
