#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

Packet to(int n) { return packet_of({.from = client(1), .to = vip(n)}); }

// SCH-71
TEST(LocalityBased, OneAddressMovesOnWhenItsServerIsBusy) {
  EXPECT_EQ(SchedulerPool("lblc", {2, 2, 2}).picks(12, kHeldOpen), "r3 r3 r3 r2 r2 r2 r1 r1 r1 r1 r1 r1");
}

// SCH-70, SCH-71: each address has a server of its own, to which it returns.
TEST(LocalityBased, EachAddressHasItsServer) {
  SchedulerPool pool("lblc", {1, 1, 1});
  EXPECT_EQ(pool.pick(to(1)), "r3");
  pool.server(3).active = 1;
  EXPECT_EQ(pool.pick(to(2)), "r2");
  pool.server(2).active = 1;
  EXPECT_EQ(pool.pick(to(1)) + pool.pick(to(2)) + pool.pick(to(1)), "r3r2r3");
}

// SCH-71: a full server keeps its addresses; a quiescent one and one that is gone do not.
TEST(LocalityBased, LeavesAQuiescentOrRemovedServerButNotAFullOne) {
  SchedulerPool pool("lblc", {1, 1, 1});
  EXPECT_EQ(pool.pick(to(1)), "r3");
  pool.overload(3, true);
  EXPECT_EQ(pool.pick(to(1)), "r3");
  pool.edit(3, 0);
  EXPECT_EQ(pool.pick(to(1)), "r2");
  pool.edit(3, 1);
  EXPECT_EQ(pool.pick(to(1)), "r2");
  pool.remove(2);
  pool.overload(3, false);
  EXPECT_EQ(pool.pick(to(1)), "r3");
  for (const int n : {1, 3}) pool.edit(n, 0);
  EXPECT_EQ(pool.pick(to(1)), "-");
}

// DST-02: a server that the cache knows stays in the trash, counters and all, until the cache forgets it.
TEST(LocalityBased, ItsCacheKeepsARemovedServer) {
  SchedulerPool pool("lblc", {1, 1});
  pool.sysctls().lblc_expiration = 3600;
  EXPECT_EQ(pool.pick(to(1)), "r2");
  EXPECT_EQ(pool.server(2).references, 1u);
  pool.server(2).persistent = 7;  // as a mark by which the object can be told
  pool.remove(2);
  pool.elapse(59min);
  pool.add(2);
  EXPECT_EQ(pool.server(2).persistent, 7u);
  EXPECT_EQ(pool.server(2).references, 1u);
}

// SCH-73: every 30th check, one a minute, drops what was not used for lblc_expiration; then the trash lets go.
TEST(LocalityBased, ItsCacheForgetsWhatNobodyUses) {
  SchedulerPool pool("lblc", {1, 1});
  pool.sysctls().lblc_expiration = 1000;
  EXPECT_EQ(pool.pick(to(1)), "r2");
  EXPECT_EQ(pool.server(2).references, 1u);
  pool.elapse(29min);
  pool.pick(to(2));  // the address of another packet makes the checks fire
  EXPECT_EQ(pool.server(2).references, 2u);
  pool.elapse(1min);
  pool.pick(to(2));
  EXPECT_EQ(pool.server(2).references, 1u);
  pool.server(2).persistent = 7;
  pool.remove(2);
  pool.pick(to(2));  // now r1's
  pool.elapse(3min);
  pool.add(2);
  EXPECT_EQ(pool.server(2).persistent, 0u);
}

// EDT-06: the old scheduler takes its references with it.
TEST(LocalityBased, ItsCacheGoesWithIt) {
  SchedulerPool pool("lblc", {1, 1});
  EXPECT_EQ(pool.pick(to(1)), "r2");
  pool.use("wlc");
  EXPECT_EQ(pool.server(2).references, 0u);
}

}  // namespace
}  // namespace lvspec::director
