#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "director/core/director.h"
#include "director/core/service.h"

namespace lvspec::director {

/// Virtual services, their real servers, and the trash: servers that were removed while entries or templates are
/// still bound to them (DST-01..03). Source: Linux net/netfilter/ipvs/ip_vs_ctl.c.
class ServiceTable {
 public:
  /// @param sysctls  of the director; outlive the table.
  /// @param seed     from which services draw the seeds of their schedulers.
  explicit ServiceTable(const Sysctls& sysctls, std::uint64_t seed = 1);
  ~ServiceTable();

  VirtualService* find(const ServiceKey& key) const;
  /// The service that a marked packet belongs to, or null. First hit of: the mark; the exact address and port; for
  /// TCP to port 20 or an unprivileged port the FTP service of the address; its port-0 service (SVC-04..09).
  /// Source: ip_vs_ctl.c, ip_vs_service_find().
  VirtualService* match(const Packet& packet) const;
  /// Are the hooks of this family registered? They go with its last service, and with them everything that IPVS does
  /// for the family, established connections included (SVC-18).
  bool has_hooks(Family family) const;

  Outcome add(const ServiceKey& key, const ServiceSettings& settings, DirectorTime now);
  Outcome edit(VirtualService& service, const ServiceSettings& settings, DirectorTime now);
  void remove(VirtualService& service);
  Outcome add_server(VirtualService& service, const RealServerKey& key, const RealServerSettings& settings);
  Outcome edit_server(VirtualService& service, const RealServerKey& key, const RealServerSettings& settings);
  Outcome remove_server(VirtualService& service, const RealServerKey& key);

  /// Frees a server that is not available and to which nothing is bound. The kernel keeps it for two minutes more
  /// (DST-02); only the statistics of a server that comes back within them could tell.
  void release(RealServer& server);

  /// In the order they were added.
  const std::vector<std::unique_ptr<VirtualService>>& all() const { return services_; }

 private:
  struct KeyHash {
    std::size_t operator()(const ServiceKey& key) const;
  };

  std::unique_ptr<Scheduler> new_scheduler(const std::string& name, const VirtualService& service, DirectorTime now);
  void unlink_server(VirtualService& service, std::size_t position);

  const Sysctls& sysctls_;
  std::uint64_t seed_;

  std::vector<std::unique_ptr<VirtualService>> services_;
  std::unordered_map<ServiceKey, VirtualService*, KeyHash> by_key_;
  std::vector<std::unique_ptr<RealServer>> servers_;  // listed and in the trash
  std::array<std::size_t, 2> of_family_{};
  std::uint64_t serials_ = 0;
};

}  // namespace lvspec::director
