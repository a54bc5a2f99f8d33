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
  /// Forgets what should have been forgotten by `now`. pick() does so by itself; others ask before they look at the
  /// references of servers.
  virtual void expire(DirectorTime /*now*/) {}
};

/// What a scheduler may know beyond its service.
struct SchedulerContext {
  const Sysctls& sysctls;  ///< those of the director, read whenever they are needed; outlives the scheduler
  DirectorTime now;        ///< the scheduler's birth
  std::uint64_t seed;      ///< of its random numbers, if it draws any
};

/// A new scheduler for `service` with the servers that it has now (SCH-04); "none" is one that finds nobody (NLK).
/// @return null for a name that no kernel has.
std::unique_ptr<Scheduler> make_scheduler(std::string_view name, const VirtualService& service,
                                          const SchedulerContext& context);

std::unique_ptr<Scheduler> make_rr();
std::unique_ptr<Scheduler> make_wrr(const VirtualService& service);
std::unique_ptr<Scheduler> make_lc();
std::unique_ptr<Scheduler> make_wlc();
std::unique_ptr<Scheduler> make_sed();
std::unique_ptr<Scheduler> make_nq();
std::unique_ptr<Scheduler> make_fo();
std::unique_ptr<Scheduler> make_ovf();
std::unique_ptr<Scheduler> make_dh(const VirtualService& service);
std::unique_ptr<Scheduler> make_sh(const VirtualService& service);
std::unique_ptr<Scheduler> make_mh(const VirtualService& service);
std::unique_ptr<Scheduler> make_lblc(const SchedulerContext& context);
std::unique_ptr<Scheduler> make_lblcr(const SchedulerContext& context);
std::unique_ptr<Scheduler> make_twos(std::uint64_t seed);

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

/// What sed and nq divide by the weight: the connections that an arriving one would be served among (SCH-32).
/// Source: Linux net/netfilter/ipvs/ip_vs_sed.c, ip_vs_sed_dest_overhead().
inline std::int64_t expected_delay_of(const RealServer& server) { return std::int64_t{server.active} + 1; }

/// Of `servers` (pointers, or what else `*` makes a RealServer& of) the usable one with the smallest load per weight,
/// compared crosswise so that nothing is divided; ties go to the first (SCH-01, SCH-03). Null if none is usable.
template <typename Servers, typename Load>
RealServer* least_loaded(const Servers& servers, Load load_of) {
  RealServer* best = nullptr;
  for (const auto& member : servers) {
    RealServer& server = *member;
    if (!server.available || !is_usable(server)) continue;
    if (best == nullptr || load_of(*best) * weight_of(server) > load_of(server) * weight_of(*best)) best = &server;
  }
  return best;
}

/// More active connections than weight, while some server has less than half as many as its weight (SCH-70).
/// Source: Linux net/netfilter/ipvs/ip_vs_lblc.c, is_overloaded().
inline bool is_busy(const RealServer& server, const VirtualService& service) {
  const auto idle = [](const RealServer* other) { return 2 * std::int64_t{other->active} < other->settings.weight; };
  return std::int64_t{server.active} > server.settings.weight &&
         std::any_of(service.servers.begin(), service.servers.end(), idle);
}

}  // namespace lvspec::director
