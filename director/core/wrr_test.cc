#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

// SCH-23, worked out from SCH-20..22 and seen on Linux 6.1.176.
TEST(WeightedRoundRobin, ServesEveryoneOnceBeforeWeightsCount) {
  EXPECT_EQ(SchedulerPool("wrr", {1, 2, 3}).picks(14), "r3 r2 r1 r3 r3 r2 r3 r2 r1 r3 r3 r2 r3 r2");
  EXPECT_EQ(SchedulerPool("wrr", {3, 2, 1}).picks(14), "r3 r2 r1 r1 r2 r1 r3 r2 r1 r1 r2 r1 r3 r2");
  EXPECT_EQ(SchedulerPool("wrr", {4, 2, 2}).picks(10), "r3 r2 r1 r1 r3 r2 r1 r1 r3 r2");
  EXPECT_EQ(SchedulerPool("wrr", {6, 3, 0}).picks(8), "r2 r1 r1 r2 r1 r1 r2 r1");
  EXPECT_EQ(SchedulerPool("wrr", {5, 1, 1}).picks(14), "r3 r2 r1 r1 r1 r1 r1 r3 r2 r1 r1 r1 r1 r1");
}

// SCH-24, EDT-06
TEST(WeightedRoundRobin, BeginsAtTheTopWhenServersWereThereFirst) {
  SchedulerPool pool("rr", {1, 2, 3});
  pool.use("wrr");
  EXPECT_EQ(pool.picks(12), "r3 r3 r2 r3 r2 r1 r3 r3 r2 r3 r2 r1");
}

// SCH-25
TEST(WeightedRoundRobin, AnyEditRestartsTheList) {
  SchedulerPool even("wrr", {2, 4, 6});
  EXPECT_EQ(even.picks(8), "r3 r2 r1 r3 r3 r2 r3 r2");
  even.edit(2, 5);
  EXPECT_EQ(even.picks(15), "r3 r2 r1 r3 r3 r2 r3 r2 r3 r2 r3 r2 r1 r3 r2");

  SchedulerPool gap("wrr", {3, 0, 1});
  EXPECT_EQ(gap.picks(8), "r3 r1 r1 r1 r3 r1 r1 r1");
  gap.edit(2, 2);
  EXPECT_EQ(gap.picks(9), "r2 r1 r3 r2 r1 r1 r2 r1 r3");

  SchedulerPool same("wrr", {1, 2, 3});
  EXPECT_EQ(same.picks(4), "r3 r2 r1 r3");
  same.edit(2, 2);
  EXPECT_EQ(same.picks(8), "r3 r3 r2 r3 r2 r1 r3 r3");
}

// SCH-22: the search ends also when it began in the middle of the list.
TEST(WeightedRoundRobin, FindsNobodyWhenAllAreFull) {
  SchedulerPool pool("wrr", {1, 2, 3});
  EXPECT_EQ(pool.picks(2), "r3 r2");
  for (int n : {1, 2, 3}) pool.overload(n, true);
  EXPECT_EQ(pool.picks(3), "- - -");
  pool.overload(1, false);
  EXPECT_EQ(pool.picks(2), "r1 r1");
  EXPECT_EQ(SchedulerPool("wrr", {0, 0}).picks(1), "-");
  EXPECT_EQ(SchedulerPool("wrr", {}).picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
