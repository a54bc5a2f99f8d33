#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

std::int64_t load_of(const RealServer& server) {
  if (fault(Fault::kWeightsDivided)) return overhead_of(server) / weight_of(server) * weight_of(server);
  return fault(Fault::kWlcIgnoresWeights) ? overhead_of(server) * weight_of(server) : overhead_of(server);
}

/// Weighted least connections: the usable server with the smallest overhead per weight (SCH-31).
/// Source: Linux net/netfilter/ipvs/ip_vs_wlc.c, ip_vs_wlc_schedule().
class WeightedLeastConnections : public Scheduler {
 public:
  std::string_view name() const override { return "wlc"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    return least_loaded(service.servers, load_of);
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_wlc() { return std::make_unique<WeightedLeastConnections>(); }

}  // namespace lvspec::director
