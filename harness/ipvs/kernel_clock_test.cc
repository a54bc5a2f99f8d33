#include "harness/ipvs/kernel_clock.h"

#include <gtest/gtest.h>

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(KernelClock, KnowsTheTickOfThisKernel) {
  EXPECT_GE(kernel_hz(), 24);
  EXPECT_LE(kernel_hz(), 1200);
}

// The figures of TIM-02.
TEST(KernelClock, GranulesGrowWithTheInterval) {
  EXPECT_EQ(timer_granule(10ms, 100), 10ms);
  EXPECT_EQ(timer_granule(620ms, 100), 10ms);
  EXPECT_EQ(timer_granule(630ms, 100), 80ms);
  EXPECT_EQ(timer_granule(5s, 100), 80ms);
  EXPECT_EQ(timer_granule(10s, 100), 640ms);
  EXPECT_EQ(timer_granule(300s, 100), 5120ms);
  EXPECT_EQ(timer_granule(322s, 100), 5120ms);
  EXPECT_EQ(timer_granule(323s, 100), 40960ms);
  EXPECT_EQ(timer_granule(10s, 250), 256ms);
  EXPECT_EQ(timer_granule(300s, 250), 16384ms);
  EXPECT_EQ(timer_granule(300s, 1000), 32768ms);
}

TEST(KernelClock, GranulesOfTheLastLevelDoNotGrow) {
  EXPECT_EQ(timer_granule(24h * 1000, 100), 10ms * (1 << 21));
  EXPECT_EQ(timer_granule(24h * 1000, 1000), 1ms * (1 << 24));
}

TEST(KernelClock, AShownSecondIsReportedByItsUpperEnd) {
  EXPECT_EQ(longest_shown_as(299, 100), nanoseconds(299990ms));
  EXPECT_EQ(longest_shown_as(0, 250), nanoseconds(996ms));
}

}  // namespace
}  // namespace lvspec
