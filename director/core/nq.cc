#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Never queue: the first idle server in list order, however small; if none is idle, as sed (SCH-33).
/// Source: Linux net/netfilter/ipvs/ip_vs_nq.c, ip_vs_nq_schedule().
class NeverQueue : public Scheduler {
 public:
  std::string_view name() const override { return "nq"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    for (RealServer* server : service.servers) {
      if (fault(Fault::kNqQueues)) break;
      if (is_usable(*server) && server->active == 0) return server;
    }
    return least_loaded(service.servers, expected_delay_of);
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_nq() { return std::make_unique<NeverQueue>(); }

}  // namespace lvspec::director
