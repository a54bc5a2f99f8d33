#include <chrono>

#include "director/core/director.h"
#include "director/core/locality_cache.h"
#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Locality-based least connections: an address that clients ask for stays with its server until that is gone,
/// quiescent or busy while another is idle; then wlc chooses anew. A full server (thresholds) keeps its addresses
/// (SCH-70, SCH-71). Source: Linux net/netfilter/ipvs/ip_vs_lblc.c, ip_vs_lblc_schedule().
class LocalityBased : public Scheduler {
 public:
  explicit LocalityBased(const SchedulerContext& context) : sysctls_(context.sysctls), cache_(context.now) {}

  std::string_view name() const override { return "lblc"; }

  RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime now) override {
    expire(now);
    ServerReference* const known = cache_.find(service.key.family, packet.destination, now);
    if (known != nullptr && !fault(Fault::kLblcForgets)) {
      RealServer& server = **known;
      if (server.available && weight_of(server) > 0 && !is_busy(server, service)) return &server;
    }
    RealServer* const chosen = least_loaded(service.servers, overhead_of);
    if (chosen == nullptr) return nullptr;
    if (known != nullptr) {
      *known = ServerReference(*chosen);
    } else {
      cache_.insert(service.key.family, packet.destination, now, ServerReference(*chosen));
    }
    return chosen;
  }

  void expire(DirectorTime now) override { cache_.expire(now, std::chrono::seconds(sysctls_.lblc_expiration)); }

 private:
  const Sysctls& sysctls_;
  LocalityCache<ServerReference> cache_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lblc(const SchedulerContext& context) {
  return std::make_unique<LocalityBased>(context);
}

}  // namespace lvspec::director
