#include <chrono>
#include <vector>

#include "director/core/director.h"
#include "director/core/locality_cache.h"
#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// The servers that share one address, newest first.
struct ServerSet {
  std::vector<ServerReference> members;
  DirectorTime changed;

  void insert(RealServer& server, DirectorTime now) {
    const auto same = [&](const ServerReference& member) { return &*member == &server; };
    if (std::any_of(members.begin(), members.end(), same)) return;
    members.emplace(members.begin(), server);
    changed = now;
  }

  // The one with the most overhead per weight goes, of equals the newest. Unlike the best one it need not be
  // available, only not quiescent.
  void erase_most_loaded(DirectorTime now) {
    auto most = members.end();
    for (auto member = members.begin(); member != members.end(); ++member) {
      if (weight_of(**member) <= 0) continue;
      if (most == members.end() ||
          overhead_of(**most) * weight_of(**member) < overhead_of(**member) * weight_of(**most)) {
        most = member;
      }
    }
    if (most == members.end()) return;
    members.erase(most);
    changed = now;
  }
};

/// Locality-based least connections with replication: an address has a set of servers, which grows while its best
/// one is busy and another server is idle, and shrinks by one when it has not changed for `lblcr_expiration`
/// (SCH-72). Source: Linux net/netfilter/ipvs/ip_vs_lblcr.c, ip_vs_lblcr_schedule().
class LocalityBasedReplicated : public Scheduler {
 public:
  explicit LocalityBasedReplicated(const SchedulerContext& context)
      : sysctls_(context.sysctls), cache_(context.now) {}

  std::string_view name() const override { return "lblcr"; }

  // Allocates where the kernel does: for a new address, and for a new member of its set.
  RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime now) override {
    expire(now);
    ServerSet* const set = cache_.find(service.key.family, packet.destination, now);
    if (set != nullptr) {
      RealServer* const best = least_loaded(set->members, overhead_of);
      if (set->members.size() > 1 && now > set->changed + lifetime()) set->erase_most_loaded(now);
      if (best != nullptr && !is_busy(*best, service)) return best;
    }
    RealServer* const chosen = least_loaded(service.servers, overhead_of);
    if (chosen == nullptr) return nullptr;
    if (set != nullptr) {
      if (fault(Fault::kLblcrReplaces)) set->members.clear();
      set->insert(*chosen, now);
    } else {
      ServerSet first;
      first.insert(*chosen, now);
      cache_.insert(service.key.family, packet.destination, now, std::move(first));
    }
    return chosen;
  }

  void expire(DirectorTime now) override { cache_.expire(now, lifetime()); }

 private:
  Duration lifetime() const { return std::chrono::seconds(sysctls_.lblcr_expiration); }

  const Sysctls& sysctls_;
  LocalityCache<ServerSet> cache_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lblcr(const SchedulerContext& context) {
  return std::make_unique<LocalityBasedReplicated>(context);
}

}  // namespace lvspec::director
