#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Round robin: the next usable server after the last one chosen (SCH-10..12).
/// Source: Linux net/netfilter/ipvs/ip_vs_rr.c, ip_vs_rr_schedule(), ip_vs_rr_del_dest().
class RoundRobin : public Scheduler {
 public:
  std::string_view name() const override { return "rr"; }

  RealServer* pick(const VirtualService& service, const Packet&, DirectorTime) override {
    const auto& servers = service.servers;
    // As many steps as there are servers: from the head each is met once, from a server it is met itself last.
    for (std::size_t step = 0; step < servers.size(); ++step) {
      const std::size_t candidate = (next_ + step) % servers.size();
      if (!is_usable(*servers[candidate])) continue;
      next_ = candidate + 1;
      return servers[candidate];
    }
    return nullptr;
  }

  // The pointer belongs to a server, not to a place: it follows its server as places shift (SCH-12).
  void server_added(const VirtualService&, std::size_t position) override {
    if (next_ > position) ++next_;
  }
  void server_removed(const VirtualService&, std::size_t position) override {
    if (next_ > position) --next_;  // also when its own server goes: then the predecessor has the pointer
  }

 private:
  std::size_t next_ = 0;  // one past the last server chosen; 0: the pointer is at the list head
};

}  // namespace

std::unique_ptr<Scheduler> make_rr() { return std::make_unique<RoundRobin>(); }

}  // namespace lvspec::director
