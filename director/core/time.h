#pragma once

#include <chrono>
#include <cstdint>

namespace lvspec::director {

/// The clock of the director under test. It has no now(): whoever calls the core tells it the time, so passing
/// steady_clock::now() does not compile.
struct DirectorClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<DirectorClock>;
  static constexpr bool is_steady = true;
};

using DirectorTime = DirectorClock::time_point;
using Duration = DirectorClock::duration;

}  // namespace lvspec::director
