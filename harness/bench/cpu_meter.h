#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// CPU time, user and system, of everything that carries a benchmark's traffic: this process (clients and real
/// servers), its child processes (the directors), and the kernel's ksoftirqd threads. By the scheduler's own clocks
/// (clock_getcpuclockid), so to the nanosecond, and other programs on the machine do not count, as they would in
/// /proc/stat.
///
/// Packets on veth are carried on by the softirq that runs at the end of the sender's system call, in the sender's
/// time: so only the total can be compared, and no process's share. On kernels with CONFIG_IRQ_TIME_ACCOUNTING that
/// softirq is charged to nobody; there a director in user space looks dearer, against none, than it is.
class CpuMeter {
 public:
  /// Of the children that run now. Error: /proc cannot be read.
  static Result<CpuMeter> create();

  /// Since some moment in the past. Error: a child has ended.
  Result<std::chrono::nanoseconds> total() const;

 private:
  explicit CpuMeter(std::vector<clockid_t> clocks) : clocks_(std::move(clocks)) {}

  std::vector<clockid_t> clocks_;
};

}  // namespace lvspec
