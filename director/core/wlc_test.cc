#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using Connections = SchedulerPool::Connections;

// SCH-31, seen on Linux 6.1.176 with short connections and with open ones.
TEST(WeightedLeastConnections, FollowsOverheadPerWeight) {
  for (const Connections left : {Connections::kFinished, Connections::kHeldOpen}) {
    EXPECT_EQ(SchedulerPool("wlc", {1, 1, 1}).picks(9, left), "r3 r2 r1 r3 r2 r1 r3 r2 r1");
    EXPECT_EQ(SchedulerPool("wlc", {1, 2, 3}).picks(12, left), "r3 r2 r1 r3 r2 r3 r3 r2 r1 r3 r2 r3");
  }
}

// SCH-03
TEST(WeightedLeastConnections, WeightZeroNeverWins) {
  EXPECT_EQ(SchedulerPool("wlc", {1, 0, 2}).picks(4, Connections::kHeldOpen), "r3 r1 r3 r3");
  EXPECT_EQ(SchedulerPool("wlc", {0, 0}).picks(1), "-");
}

// The products are compared in 64 bits.
TEST(WeightedLeastConnections, LargeWeightsDoNotOverflow) {
  SchedulerPool pool("wlc", {2147483647, 1});
  EXPECT_EQ(pool.picks(3, Connections::kHeldOpen), "r2 r1 r1");
}

}  // namespace
}  // namespace lvspec::director
