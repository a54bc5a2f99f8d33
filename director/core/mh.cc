#include <bit>
#include <numeric>
#include <vector>

#include "director/core/address_hash.h"
#include "director/core/scheduler.h"
#include "director/core/siphash.h"

namespace lvspec::director {
namespace {

constexpr std::uint32_t kSlots = 4093;       // a prime: every step reaches every slot
constexpr int kMostTurnsBits = 6;            // half the index of that prime in the kernel's list of table sizes
constexpr std::uint64_t kKey1 = 2654435761;  // where a server begins and a client looks
constexpr std::uint64_t kKey2 = 2654446892;  // how far a server steps

// The weight that counts is the last one that was not zero: quiescing a server moves no client of another (DST-13).
std::int64_t share_of(const RealServer& server) {
  if (fault(Fault::kMhIgnoresWeights)) return server.last_weight == 0 ? 0 : 1;
  return fault(Fault::kMhQuiescentLeaves) ? server.settings.weight : server.last_weight;
}

/// Maglev hashing: a table of slots that servers fill in turns, each along a permutation of its own, so that a change
/// of servers moves few clients; the client's address, with flag mh-port also its port, names the slot (SCH-60..63).
/// Source: Linux net/netfilter/ipvs/ip_vs_mh.c; Eisenbud et al., "Maglev" (2016), section 3.4.
class Maglev : public Scheduler {
 public:
  explicit Maglev(const VirtualService& service) : slots_(kSlots) { fill(service); }

  std::string_view name() const override { return "mh"; }

  RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime) override {
    const bool fallback = service.settings.flags.first && !fault(Fault::kMhFallbackIgnored);
    const bool with_port = service.settings.flags.second && !fault(Fault::kMhPortIgnored);
    const std::uint32_t client = fold(service.key.family, packet.source) + (with_port ? packet.source_port : 0);
    const std::uint32_t home = siphash13(kKey1, client) % kSlots;
    RealServer* const server = slots_[home];
    if (server == nullptr || is_usable(*server)) return server;
    if (!fallback) return nullptr;
    for (std::uint32_t offset = 0; offset < kSlots; ++offset) {
      RealServer* const other = slots_[siphash13(kKey1, (offset + home) % kSlots + client) % kSlots];
      if (is_usable(*other)) return other;  // slots are all empty or all filled
    }
    return nullptr;
  }

  void server_added(const VirtualService& service, std::size_t) override { fill(service); }
  void server_edited(const VirtualService& service) override { fill(service); }
  void server_removed(const VirtualService& service, std::size_t) override { fill(service); }

 private:
  struct Turn {
    RealServer* server;
    std::uint32_t next, step;
    std::int64_t count;  // slots that it takes before the next server's turn
  };

  // SCH-61. Source: ip_vs_mh_permutate(), ip_vs_mh_populate().
  void fill(const VirtualService& service) {
    std::fill(slots_.begin(), slots_.end(), nullptr);
    std::int64_t divisor = 0, heaviest = 0;
    for (const RealServer* server : service.servers) {
      divisor = std::gcd(divisor, share_of(*server));
      heaviest = std::max(heaviest, share_of(*server));
    }
    if (divisor == 0) return;
    const auto most = static_cast<std::uint64_t>(heaviest / divisor);
    const int shift = std::max(0, static_cast<int>(std::bit_width(most)) - kMostTurnsBits);

    std::vector<Turn> turns;
    for (RealServer* server : service.servers) {
      if (share_of(*server) == 0) continue;
      const std::uint32_t name = server->key.port + fold(service.key.family, server->key.address);
      turns.push_back({.server = server,
                       .next = siphash13(kKey1, name) % kSlots,
                       .step = siphash13(kKey2, name) % (kSlots - 1) + 1,
                       .count = std::max<std::int64_t>(share_of(*server) / divisor >> shift, 1)});
    }
    for (std::uint32_t filled = 0;;) {
      for (Turn& turn : turns) {
        for (std::int64_t i = 0; i < turn.count; ++i) {
          while (slots_[turn.next] != nullptr) turn.next = (turn.next + turn.step) % kSlots;
          slots_[turn.next] = turn.server;
          if (++filled == kSlots) return;
        }
      }
    }
  }

  std::vector<RealServer*> slots_;
};

}  // namespace

std::unique_ptr<Scheduler> make_mh(const VirtualService& service) { return std::make_unique<Maglev>(service); }

}  // namespace lvspec::director
