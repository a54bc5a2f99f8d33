#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "director/core/director.h"
#include "director/core/service.h"
#include "director/core/timer_wheel.h"

namespace lvspec::director {

/// Virtual services, their real servers, and the trash: servers that were removed and may come back (DST-01..03).
/// Source: Linux net/netfilter/ipvs/ip_vs_ctl.c.
class ServiceTable {
 public:
  /// What the table reads of the director around it, as it is at each moment.
  struct Context {
    const Sysctls& sysctls;
    const EstimationTimer& estimation;
    const TimerWheel& wheel;
    const DirectorTime& now;
    std::uint32_t& armings;  ///< see ConnTable
  };
  /// @param context  outlives the table.
  /// @param seed     from which services draw the seeds of their schedulers.
  explicit ServiceTable(const Context& context, std::uint64_t seed = 1);
  ~ServiceTable();

  VirtualService* find(const ServiceKey& key) const;
  /// The service that a marked packet belongs to, or null. First hit of: the mark; the exact address and port; for
  /// TCP to port 20 or an unprivileged port the FTP service of the address; its port-0 service (SVC-04..09).
  /// Source: ip_vs_ctl.c, ip_vs_service_find().
  VirtualService* match(const Packet& packet) const;
  /// Are the hooks of this family registered? They go with its last service, and with them everything that IPVS does
  /// for the family, established connections included (SVC-18).
  bool has_hooks(Family family) const;
  /// The server behind NAT that sends this packet, the last one added if several do; null if none does.
  /// Source: ip_vs_ctl.c, ip_vs_find_real_service().
  RealServer* masqueraded(const Packet& packet) const;

  Outcome add(const ServiceKey& key, const ServiceSettings& settings);
  Outcome edit(VirtualService& service, const ServiceSettings& settings);
  void remove(VirtualService& service);
  Outcome add_server(VirtualService& service, const RealServerKey& key, const RealServerSettings& settings);
  Outcome edit_server(VirtualService& service, const RealServerKey& key, const RealServerSettings& settings);
  Outcome remove_server(VirtualService& service, const RealServerKey& key);

  /// What entries are bound to that lead to a server of none of our services (SYN-10), so that they need no second
  /// kind of reference: never available, and in the trash from the beginning.
  RealServer& stand_in(Family family, const Address& address, ForwardMethod method);

  /// When the trash is looked at next; far away while it is empty.
  const table::Due& trash_check() const { return trash_check_; }
  /// Looks at it, as of that moment: what has been without references for two minutes is freed (DST-02).
  /// Source: ip_vs_ctl.c, ip_vs_dest_trash_expire().
  void check_trash();

  /// Brings all statistics to the present round of the estimation timer.
  void settle_statistics();
  /// `-Z`, of the service and its servers (CON-77). Source: ip_vs_ctl.c, ip_vs_zero_service().
  void zero(VirtualService& service);

  /// In the order they were added.
  const std::vector<std::unique_ptr<VirtualService>>& all() const { return services_; }

 private:
  struct KeyHash {
    std::size_t operator()(const ServiceKey& key) const;
  };

  std::unique_ptr<Scheduler> new_scheduler(const std::string& name, const VirtualService& service);
  void link_server(VirtualService& service, RealServer& server, const RealServerSettings& settings);
  void unlink_server(VirtualService& service, std::size_t position);
  void trash(RealServer& server);
  void arm_trash_check(DirectorTime now, const table::Due& before);

  const Context context_;
  std::uint64_t seed_;

  // Before the services, whose schedulers may refer to servers to the end.
  std::vector<std::unique_ptr<RealServer>> servers_;  // listed and in the trash
  std::size_t trashed_ = 0;
  table::Due trash_check_;
  std::vector<std::unique_ptr<VirtualService>> services_;
  std::unordered_map<ServiceKey, VirtualService*, KeyHash> by_key_;
  std::array<std::size_t, 2> of_family_{};
  std::uint64_t serials_ = 0;
};

}  // namespace lvspec::director
