#pragma once

#include <chrono>
#include <cstdint>

#include "director/core/time.h"
#include "director/table/timed.h"

namespace lvspec::director {

/// How late timers fire. The director's own are exact; a wheel makes them late exactly as those of a Linux kernel
/// are, and fire in its order, so that the two can be compared tick by tick, also in the slack in which both answers
/// would be right (TIM-02, TIM-03). Tick n is the instant n / HZ of the director's clock; the kernel's jiffies count
/// it. Source: Linux kernel/time/timer.c, calc_wheel_index(), calc_index(), __mod_timer(), __run_timers().
class TimerWheel {
 public:
  /// @param hz  ticks a second; 0: exact timers
  explicit TimerWheel(int hz = 0) : tick_(hz == 0 ? 0 : 1'000'000'000 / hz) {}

  bool is_exact() const { return tick_ == 0; }

  /// What a timer becomes that is armed at `now` to run out after `timeout`.
  /// @param before   what it was
  /// @param arming   rises with every arming; its lower 26 bits count with a wheel
  table::Due arm(DirectorTime now, Duration timeout, const table::Due& before, std::uint32_t arming) const {
    if (is_exact()) return {(now + timeout).time_since_epoch().count(), arming};
    const auto [level, expires, fires] = slot(now, timeout);
    // A slot is a list with insertion at its head, so of one slot who came last goes first; but who is armed again
    // and meets the slot that it is in keeps its place.
    std::uint32_t place = ~arming & kPlaces;
    if (before.deadline != table::kNever.deadline && before.deadline / tick_ == fires && level_of(before) == level)
      place = place_of(before);
    return {fires * tick_ + ((kLevels - 1 - level) << kHighBits) + (place >> kLowBits),
            (place & ((1U << kLowBits) - 1)) << kLateBits | static_cast<std::uint32_t>(fires - expires - 1)};
  }

  /// When a timer of no entry fires that is armed at `now`.
  DirectorTime fires(DirectorTime now, Duration timeout) const {
    return is_exact() ? now + timeout : DirectorTime(Duration(slot(now, timeout).fires * tick_));
  }

  /// When the timer has run out.
  DirectorTime deadline(const table::Due& due) const {
    if (is_exact()) return DirectorTime(Duration(due.deadline));
    return fires(due) - Duration(((due.order & ((1U << kLateBits) - 1)) + 1) * tick_);
  }
  /// When it fires.
  DirectorTime fires(const table::Due& due) const {
    return DirectorTime(Duration(is_exact() ? due.deadline : due.deadline / tick_ * tick_));
  }
  /// Every timer whose Due::deadline is not later than this fires by `now`.
  std::int64_t horizon(DirectorTime now) const {
    const std::int64_t ns = now.time_since_epoch().count();
    return is_exact() ? ns : (ns / tick_ + 1) * tick_ - 1;
  }

 private:
  // Who goes first of one tick: the higher level, then the earlier place. Both stand in Due behind the tick, as parts
  // of it too small to matter; its last bits hold the lateness in ticks, less one.
  static constexpr int kLevels = 8;                 // at HZ=100; a ninth would be for timeouts of months
  static constexpr std::int64_t kBeyondLevel = 63;  // of 64 slots the last is left for rounding up
  static constexpr int kHighBits = 15, kLowBits = 11, kLateBits = 21;
  static constexpr std::uint32_t kPlaces = (1U << (kHighBits + kLowBits)) - 1;

  struct Slot {
    int level;
    std::int64_t expires, fires;  // ticks
  };
  Slot slot(DirectorTime now, Duration timeout) const {
    const std::int64_t delta = timeout.count() / tick_;
    const std::int64_t expires = now.time_since_epoch().count() / tick_ + delta;
    int level = 0;
    while (level < kLevels - 1 && delta >= kBeyondLevel << (3 * level)) ++level;
    return {level, expires, ((expires >> (3 * level)) + 1) << (3 * level)};
  }

  int level_of(const table::Due& due) const {
    return kLevels - 1 - static_cast<int>(due.deadline % tick_ >> kHighBits);
  }
  std::uint32_t place_of(const table::Due& due) const {
    const auto high = static_cast<std::uint32_t>(due.deadline % tick_) & ((1U << kHighBits) - 1);
    return high << kLowBits | due.order >> kLateBits;
  }

  std::int64_t tick_;
};

}  // namespace lvspec::director
