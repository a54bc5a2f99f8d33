#pragma once

#include <array>
#include <cstdint>

#include "director/core/time.h"

namespace lvspec::director {

struct Counters {
  std::uint64_t connections = 0, in_packets = 0, in_bytes = 0, out_packets = 0, out_bytes = 0;

  bool operator==(const Counters&) const = default;
};

/// The same a second, as `ipvsadm -L --rate` shows it.
struct Rates {
  std::uint64_t connections = 0, in_packets = 0, in_bytes = 0, out_packets = 0, out_bytes = 0;

  bool operator==(const Rates&) const = default;
};

/// The kernel's estimation timer: every 2 s of director time it takes a snapshot of all statistics (CON-76). Here it
/// only counts its rounds; statistics catch up with them when they are touched, so nothing is done for those that
/// nobody uses. Source: Linux net/netfilter/ipvs/ip_vs_est.c, estimation_timer().
class EstimationTimer {
 public:
  /// Other rounds than at 2 s, 4 s and so on.
  void begin(DirectorTime first, Duration period) {
    next_ = first;
    period_ = period;
  }
  /// @param running  `run_estimation` during the time since the last call: if not, no round is made (CTL).
  void advance(DirectorTime now, bool running) {
    if (now < next_) return;
    const std::int64_t rounds = (now - next_) / period_ + 1;
    next_ += rounds * period_;
    if (running) rounds_ += static_cast<std::uint64_t>(rounds);
  }
  std::uint64_t rounds() const { return rounds_; }

  static constexpr Duration kPeriod = std::chrono::seconds(2);

 private:
  DirectorTime next_{kPeriod};
  Duration period_ = kPeriod;
  std::uint64_t rounds_ = 0;
};

/// What is counted of a service, of a server, or in total; and what of it is shown: a snapshot, less what `-Z` has
/// taken as the zero point, and rates (CON-75..78). `round` is always the timer's count of rounds now.
/// Source: Linux net/netfilter/ipvs/ip_vs_est.c; ip_vs_ctl.c, ip_vs_zero_stats(), ip_vs_copy_stats().
class Statistics {
 public:
  void count_connection(std::uint64_t round) {
    settle(round);
    ++live_.connections;
  }
  void count_packet(std::uint64_t round, std::uint32_t bytes, bool is_reply) {
    settle(round);
    ++(is_reply ? live_.out_packets : live_.in_packets);
    (is_reply ? live_.out_bytes : live_.in_bytes) += bytes;
  }

  /// Makes up for the rounds since the last call.
  void settle(std::uint64_t round) {
    if (round != round_) catch_up(round);
  }
  /// Rounds while nobody lists the server do not count: the snapshot and the rates stay (DST-04).
  void pause(std::uint64_t round) {
    settle(round);
    paused_ = true;
  }
  void resume(std::uint64_t round) {
    paused_ = false;
    round_ = round;
  }
  /// `-Z`: the snapshot is the new zero, so what was counted after it appears again; rates begin anew (CON-77).
  void zero(std::uint64_t round);

  /// As of the last settle().
  Counters shown() const;
  Rates rates() const;

 private:
  void catch_up(std::uint64_t round);

  Counters live_, snapshot_, zero_;
  Rates scaled_;  // connections and packets times 1024, bytes times 32
  std::uint64_t round_ = 0;
  bool paused_ = false;
};

}  // namespace lvspec::director
