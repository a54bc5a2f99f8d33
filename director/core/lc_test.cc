#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using Connections = SchedulerPool::Connections;

// SCH-30
TEST(LeastConnections, WeightZeroIsOutAndOtherWeightsAreEqual) {
  EXPECT_EQ(SchedulerPool("lc", {1, 5, 0}).picks(6, Connections::kFinished), "r2 r1 r2 r1 r2 r1");
  EXPECT_EQ(SchedulerPool("lc", {1, 5, 0}).picks(6, Connections::kHeldOpen), "r2 r1 r2 r1 r2 r1");
}

// SCH-02: one active connection outweighs 256 inactive ones, not 257 and the tie rule.
TEST(LeastConnections, AnActiveConnectionWeighs257) {
  SchedulerPool pool("lc", {1, 1});
  pool.overload(1, true);
  pool.picks(257, Connections::kFinished);  // all on r2
  pool.overload(1, false);
  EXPECT_EQ(pool.picks(1, Connections::kHeldOpen), "r1");     // 0 < 257
  EXPECT_EQ(pool.picks(2, Connections::kFinished), "r2 r1");  // 257 = 257: first in the list; then 257 < 258
}

TEST(LeastConnections, FullServersAreSkipped) {
  SchedulerPool pool("lc", {1, 1});
  pool.overload(2, true);
  EXPECT_EQ(pool.picks(2, Connections::kHeldOpen), "r1 r1");
  pool.overload(1, true);
  EXPECT_EQ(pool.picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
