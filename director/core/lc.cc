#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Least connections: the usable server with the smallest overhead; ties go to the first in list order (SCH-01,
/// SCH-30). Source: Linux net/netfilter/ipvs/ip_vs_lc.c, ip_vs_lc_schedule().
class LeastConnections : public Scheduler {
 public:
  std::string_view name() const override { return "lc"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    RealServer* best = nullptr;
    for (RealServer* server : service.servers) {
      if (!is_usable(*server)) continue;
      if (best == nullptr || overhead_of(*server) < overhead_of(*best)) best = server;
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_lc() { return std::make_unique<LeastConnections>(); }

}  // namespace lvspec::director
