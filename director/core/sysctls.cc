#include "director/core/sysctls.h"

#include <limits>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

constexpr int kMostSeconds = std::numeric_limits<int>::max() / 100;

bool in(int value, int low, int high) { return low <= value && value <= high; }
bool power_of_two(int value) { return value > 0 && (value & (value - 1)) == 0; }

}  // namespace

bool are_accepted(const Sysctls& wanted, const Sysctls& current) {
  if (fault(Fault::kSysctlRangeIgnored)) return true;
  const auto modes = {&Sysctls::drop_entry, &Sysctls::drop_packet, &Sysctls::secure_tcp};
  for (const auto mode : modes) {
    if (wanted.*mode != current.*mode && !in(wanted.*mode, 0, 3)) return false;
  }
  // In jiffies they must fit an int; HZ is 100.
  for (const int seconds : {wanted.lblc_expiration, wanted.lblcr_expiration, wanted.sync_refresh_period}) {
    if (!in(seconds, -kMostSeconds, kMostSeconds)) return false;
  }
  if (!in(wanted.sync_retries, 0, 3) || !in(wanted.sync_version, 0, 1)) return false;
  if (!power_of_two(wanted.sync_ports) || wanted.sync_qlen_max < 0) return false;
  if (wanted.sync_threshold < 0 || wanted.sync_period < 0) return false;
  return wanted.sync_period == 0 || wanted.sync_threshold < wanted.sync_period;
}

}  // namespace lvspec::director
