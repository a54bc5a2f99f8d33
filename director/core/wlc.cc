#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

std::int64_t share_of(const RealServer& server) {
  if (fault(Fault::kWlcIgnoresWeights)) return 1;
  return weight_of(server);
}

/// Weighted least connections: the usable server with the smallest overhead per weight, compared crosswise so that
/// nothing is divided; ties go to the first in list order (SCH-01, SCH-03, SCH-31).
/// Source: Linux net/netfilter/ipvs/ip_vs_wlc.c, ip_vs_wlc_schedule().
class WeightedLeastConnections : public Scheduler {
 public:
  std::string_view name() const override { return "wlc"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    RealServer* best = nullptr;
    for (RealServer* server : service.servers) {
      if (!is_usable(*server)) continue;
      if (best == nullptr || overhead_of(*best) * share_of(*server) > overhead_of(*server) * share_of(*best)) {
        best = server;
      }
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_wlc() { return std::make_unique<WeightedLeastConnections>(); }

}  // namespace lvspec::director
