#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "director/core/conn_table.h"
#include "director/core/director.h"

namespace lvspec::director {

/// What the kernel does against floods, by the sysctls drop_entry, drop_packet and secure_tcp: 0 off, 3 always on, 1
/// and 2 on while memory is short. This director's memory never is: 1 stays 1 and is off, and a 2 becomes 1 as soon
/// as the kernel would look (CTL-32). Time is counted in whole seconds of director time, each a tick of the kernel's
/// defence_work_handler().
class Defence {
 public:
  /// @param seed  of the random choice of buckets: the same seed, the same choice.
  explicit Defence(std::uint64_t seed) : random_(seed) {}

  /// Takes up the levels, as the kernel does once a second and when one of the three is written; a change of
  /// am_droprate alone waits for the second. Source: Linux ip_vs_ctl.c, update_defense_level().
  void take_level(Sysctls& sysctls);
  /// Is secure_tcp on (CON-26)?
  bool secure_tcp() const { return secure_tcp_; }
  /// Counts a packet that is about to be scheduled. @return whether it is to be dropped (SVC-19): the first one, then
  /// every N-th. Source: include/net/ip_vs.h, ip_vs_todrop().
  bool drops_packet();
  /// Is thin() to be called every second?
  bool thins() const { return thins_; }
  /// Visits a 32nd of all buckets of the table, drawn at random, and removes what drop_entry may remove (TPL-50,
  /// CON-60).
  /// @return how many entries and templates. Source: ip_vs_conn.c, ip_vs_random_dropentry().
  std::size_t thin(DirectorTime now, ConnTable& connections);

 private:
  bool dooms(const ConnEntry& entry, Duration idle);
  bool dooms_idle(const ConnEntry& entry, Duration idle);

  std::mt19937_64 random_;
  int drop_rate_ = 0, drop_counter_ = 0;  // as the kernel has them: a negative rate drops everything
  bool thins_ = false, secure_tcp_ = false;
  std::vector<ConnEntry*> doomed_;
  std::array<int, 9> idle_counters_{};  // by the number of packets that the entry got
};

}  // namespace lvspec::director
