#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

using enum SchedulerPool::Connections;

// SCH-41: a server of weight w takes w + 1 connections.
TEST(Overflow, HandsOnWhatExceedsTheWeight) {
  EXPECT_EQ(SchedulerPool("ovf", {1, 2, 3}).picks(10, kHeldOpen), "r3 r3 r3 r3 r2 r2 r2 r1 r1 -");
}

// SCH-41: only active connections fill a server.
TEST(Overflow, DoesNotCountFinishedConnections) {
  EXPECT_EQ(SchedulerPool("ovf", {1, 1}).picks(4, kFinished), "r2 r2 r2 r2");
}

TEST(Overflow, SkipsQuiescentAndFullServers) {
  SchedulerPool pool("ovf", {1, 0, 3});
  pool.overload(3, true);
  EXPECT_EQ(pool.picks(3, kHeldOpen), "r1 r1 -");
}

}  // namespace
}  // namespace lvspec::director
