#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

// SCH-11, DST-05
TEST(RoundRobin, BeginsWithTheServerAddedLast) {
  EXPECT_EQ(SchedulerPool("rr", {1, 1, 1}).picks(7), "r3 r2 r1 r3 r2 r1 r3");
}

// SCH-12
TEST(RoundRobin, ItsPlaceSurvivesDeletingAndAdding) {
  SchedulerPool pool("rr", {1, 1, 1});
  EXPECT_EQ(pool.picks(2), "r3 r2");
  pool.remove(2);
  EXPECT_EQ(pool.picks(3), "r1 r3 r1");
  pool.add(2);
  EXPECT_EQ(pool.picks(5), "r2 r3 r1 r2 r3");
}

// SCH-12: an edit moves nothing; the value of a weight plays no role, only 0 does.
TEST(RoundRobin, KnowsNoWeightsExceptZero) {
  SchedulerPool pool("rr", {1, 5, 1});
  EXPECT_EQ(pool.picks(1), "r3");
  pool.edit(2, 0);
  EXPECT_EQ(pool.picks(3), "r1 r3 r1");
  pool.edit(2, 9);
  EXPECT_EQ(pool.picks(3), "r3 r2 r1");
}

// SCH-10
TEST(RoundRobin, FindsNobodyWhenAllAreQuiescentOrFull) {
  SchedulerPool pool("rr", {1, 1});
  EXPECT_EQ(pool.picks(1), "r2");
  pool.edit(1, 0);
  pool.overload(2, true);
  EXPECT_EQ(pool.picks(2), "- -");
  pool.overload(2, false);
  EXPECT_EQ(pool.picks(2), "r2 r2");  // the pointer stood at r2, and r2 is the last one tried
  EXPECT_EQ(SchedulerPool("rr", {}).picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
