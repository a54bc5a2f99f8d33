#include "harness/ipvs/kernel_clock.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "harness/base/check.h"

namespace lvspec {

using std::chrono::nanoseconds;
using std::chrono::seconds;

int kernel_hz() {
  timespec tick{};
  LVSPEC_CHECK_EQ(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
  // TICK_NSEC is rounded to whole nanoseconds: 3333333 at HZ=300.
  return static_cast<int>(
      std::lround(1e9 / (1e9 * static_cast<double>(tick.tv_sec) + static_cast<double>(tick.tv_nsec))));
}

nanoseconds tick_of(int hz) { return nanoseconds(seconds(1)) / hz; }

nanoseconds timer_granule(nanoseconds interval, int hz) {
  constexpr std::int64_t kSlots = 63;       // of 64 in a level; the last is left for rounding up
  const int last_level = hz > 100 ? 8 : 7;  // LVL_DEPTH is 9 above HZ=100, else 8
  const std::int64_t ticks = interval / tick_of(hz);
  std::int64_t granule = 1;
  for (int level = 0; level < last_level && ticks >= kSlots * granule; ++level) granule *= 8;
  return granule * tick_of(hz);
}

nanoseconds longest_shown_as(std::uint32_t shown_s, int hz) { return seconds(shown_s) + seconds(1) - tick_of(hz); }

}  // namespace lvspec
