#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

// A weight of w is room for w + 1 connections: the one that is about to come is not counted yet.
bool is_full(const RealServer& server) {
  if (fault(Fault::kOvfOneLess)) return server.active >= weight_of(server);
  return server.active > weight_of(server);
}

/// Overflow: as failover, but a server whose active connections exceed its weight hands on to the next (SCH-41).
/// Source: Linux net/netfilter/ipvs/ip_vs_ovf.c, ip_vs_ovf_schedule().
class Overflow : public Scheduler {
 public:
  std::string_view name() const override { return "ovf"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    RealServer* best = nullptr;
    for (RealServer* server : service.servers) {
      if (!is_usable(*server) || is_full(*server)) continue;
      if (best == nullptr || weight_of(*server) > weight_of(*best)) best = server;
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_ovf() { return std::make_unique<Overflow>(); }

}  // namespace lvspec::director
