#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

// SCH-40: load is ignored; of equal weights the first in the list, which was added last.
TEST(Failover, SendsAllToTheHeaviest) {
  EXPECT_EQ(SchedulerPool("fo", {2, 3, 3}).picks(4, kHeldOpen), "r3 r3 r3 r3");
  EXPECT_EQ(SchedulerPool("fo", {2, 3, 1}).picks(4, kHeldOpen), "r2 r2 r2 r2");
}

// SCH-40
TEST(Failover, FailsOverWhenTheHeaviestIsQuiescentOrFull) {
  SchedulerPool pool("fo", {1, 2, 3});
  pool.edit(3, 0);
  EXPECT_EQ(pool.picks(2), "r2 r2");
  pool.overload(2, true);
  EXPECT_EQ(pool.picks(2), "r1 r1");
  pool.edit(1, 0);
  EXPECT_EQ(pool.picks(1), "-");
  pool.edit(3, 3);
  EXPECT_EQ(pool.picks(1), "r3");
}

}  // namespace
}  // namespace lvspec::director
