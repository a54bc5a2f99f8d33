#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

std::int64_t delay_of(const RealServer& server) {
  return fault(Fault::kSedCountsInactive) ? overhead_of(server) + 257 : expected_delay_of(server);
}

/// Shortest expected delay: the usable server whose next connection would have the smallest share of its weight
/// (SCH-32). Source: Linux net/netfilter/ipvs/ip_vs_sed.c, ip_vs_sed_schedule().
class ShortestExpectedDelay : public Scheduler {
 public:
  std::string_view name() const override { return "sed"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    return least_loaded(service.servers, delay_of);
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_sed() { return std::make_unique<ShortestExpectedDelay>(); }

}  // namespace lvspec::director
