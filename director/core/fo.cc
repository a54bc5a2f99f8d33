#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Failover: the usable server with the highest weight, whatever its load; ties go to the first in list order
/// (SCH-40). Source: Linux net/netfilter/ipvs/ip_vs_fo.c, ip_vs_fo_schedule().
class Failover : public Scheduler {
 public:
  std::string_view name() const override { return "fo"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    RealServer* best = nullptr;
    for (RealServer* server : service.servers) {
      if (!is_usable(*server)) continue;
      if (best == nullptr || weight_of(*server) > weight_of(*best)) best = server;
      if (fault(Fault::kFoFirstUsable)) break;
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_fo() { return std::make_unique<Failover>(); }

}  // namespace lvspec::director
