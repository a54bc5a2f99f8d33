#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

// SCH-32
TEST(ShortestExpectedDelay, SharesHeldConnectionsByWeight) {
  EXPECT_EQ(SchedulerPool("sed", {1, 2, 3}).picks(12, kHeldOpen), "r3 r2 r3 r3 r2 r1 r3 r2 r3 r3 r2 r1");
}

// SCH-32: finished connections are nothing, so with equal weights the first in the list has them all.
TEST(ShortestExpectedDelay, DoesNotCountFinishedConnections) {
  EXPECT_EQ(SchedulerPool("sed", {1, 1, 1}).picks(5, kFinished), "r3 r3 r3 r3 r3");
  EXPECT_EQ(SchedulerPool("sed", {3, 2, 1}).picks(5, kFinished), "r1 r1 r1 r1 r1");
}

TEST(ShortestExpectedDelay, SkipsQuiescentAndFullServers) {
  SchedulerPool pool("sed", {1, 0, 3});
  pool.overload(3, true);
  EXPECT_EQ(pool.picks(3, kHeldOpen), "r1 r1 r1");
  pool.edit(1, 0);
  EXPECT_EQ(pool.picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
