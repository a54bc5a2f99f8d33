#include "director/core/statistics.h"

#include <iterator>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

struct Field {
  std::uint64_t Counters::*counter;
  std::uint64_t Rates::*rate;
  int scale_bits;
};

constexpr Field kFields[] = {
    {&Counters::connections, &Rates::connections, 10}, {&Counters::in_packets, &Rates::in_packets, 10},
    {&Counters::out_packets, &Rates::out_packets, 10}, {&Counters::in_bytes, &Rates::in_bytes, 5},
    {&Counters::out_bytes, &Rates::out_bytes, 5},
};

constexpr Rates kNothing{};

}  // namespace

// CON-78: each round moves a rate by a quarter of its distance to the sample, rounded down, so with nothing counted
// it falls to zero and stays there.
void Statistics::catch_up(std::uint64_t round) {
  if (paused_) return;
  for (; round_ < round; ++round_) {
    if (snapshot_ == live_ && scaled_ == kNothing) break;
    for (const Field& field : kFields) {
      const std::uint64_t counted = live_.*field.counter - snapshot_.*field.counter;
      const auto sample = static_cast<std::int64_t>(counted << (field.scale_bits - 1));  // over two seconds
      const auto before = static_cast<std::int64_t>(scaled_.*field.rate);
      scaled_.*field.rate = static_cast<std::uint64_t>(before + ((sample - before) >> 2));
    }
    snapshot_ = live_;
  }
  round_ = round;
}

void Statistics::zero(std::uint64_t round) {
  settle(round);
  zero_ = snapshot_;
  scaled_ = {};
}

Counters Statistics::shown() const {
  Counters result;
  const Counters& taken = fault(Fault::kStatisticsLive) ? live_ : snapshot_;
  for (const Field& field : kFields) result.*field.counter = taken.*field.counter - zero_.*field.counter;
  return result;
}

Rates Statistics::rates() const {
  Rates result;
  for (const Field& field : kFields) {
    const std::uint64_t half = (std::uint64_t{1} << (field.scale_bits - 1)) - 1;
    result.*field.rate = (scaled_.*field.rate + half) >> field.scale_bits;
  }
  return result;
}

}  // namespace lvspec::director
