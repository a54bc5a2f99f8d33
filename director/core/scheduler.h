#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "director/core/faults.h"
#include "director/core/packet.h"
#include "director/core/service.h"
#include "director/core/time.h"

namespace lvspec::director {

struct Sysctls;

/// Chooses a real server for one new connection; for a persistent service only when no valid template exists
/// (TPL-01). Holds the data of one service (SCH-04). The connection is counted after the decision.
/// Source: Linux net/netfilter/ipvs/ip_vs_sched.c, struct ip_vs_scheduler.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// As after `ipvsadm -s`.
  virtual std::string_view name() const = 0;
  /// @param packet  the one to be scheduled: hash schedulers read its addresses and ports, lblc its destination.
  /// @return one of `service.servers`, or null: nobody is usable (SVC-21). The service's flags count as they are now
  ///         (EDT-07).
  virtual RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime now) = 0;

  /// `service.servers[position]` has just been linked, was edited, or has just been unlinked from there.
  virtual void server_added(const VirtualService&, std::size_t /*position*/) {}
  virtual void server_edited(const VirtualService&) {}
  virtual void server_removed(const VirtualService&, std::size_t /*position*/) {}
};

/// What a scheduler may know beyond its service.
struct SchedulerContext {
  const Sysctls& sysctls;  ///< those of the director, read whenever they are needed; outlives the scheduler
  DirectorTime now;        ///< the scheduler's birth
  std::uint64_t seed;      ///< of its random numbers, if it draws any
};

/// A new scheduler for `service` with the servers that it has now (SCH-04). @return null for an unknown name.
std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const VirtualService& service,
                                          const SchedulerContext& context);
/// Schedulers that a Linux 6.1 kernel has and this director has not.
bool is_kernel_scheduler(std::string_view name);

std::unique_ptr<Scheduler> make_rr();
std::unique_ptr<Scheduler> make_wrr(const VirtualService& service);
std::unique_ptr<Scheduler> make_lc();
std::unique_ptr<Scheduler> make_wlc();

/// Weight as schedulers see it; 0 is quiescent.
inline std::int64_t weight_of(const RealServer& server) {
  if (fault(Fault::kWeightZeroChosen)) return std::max(server.settings.weight, 1);
  return server.settings.weight;
}

/// Above its upper threshold and not yet back below the lower one (DST-21).
inline bool is_overloaded(const RealServer& server) {
  if (fault(Fault::kThresholdIgnored)) return false;
  return server.overloaded;
}

/// May a new client be sent there? (SCH, "common conventions")
inline bool is_usable(const RealServer& server) { return weight_of(server) > 0 && !is_overloaded(server); }

/// Load as lc and wlc count it: an active connection weighs 257, an inactive one 1 (SCH-02).
/// Source: Linux include/net/ip_vs.h, ip_vs_dest_conn_overhead().
inline std::int64_t overhead_of(const RealServer& server) {
  return 257 * std::int64_t{server.active} + server.inactive;
}

}  // namespace lvspec::director
