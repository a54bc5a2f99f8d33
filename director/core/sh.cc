#include <array>

#include "director/core/address_hash.h"
#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

std::int64_t buckets_of(const RealServer& server) {
  if (fault(Fault::kShIgnoresWeights)) return 1;
  return std::max<std::int64_t>(server.settings.weight, 1);  // quiescent servers keep a bucket too
}

/// Source hashing: the client's address, with flag sh-port also its port, names the server (SCH-52..55).
/// Source: Linux net/netfilter/ipvs/ip_vs_sh.c.
class SourceHashing : public Scheduler {
 public:
  explicit SourceHashing(const VirtualService& service) { fill(service); }

  std::string_view name() const override { return "sh"; }

  RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime) override {
    const bool fallback = service.settings.flags.first && !fault(Fault::kShFallbackIgnored);
    const bool with_port = service.settings.flags.second && !fault(Fault::kShPortIgnored);
    const std::uint32_t port = with_port ? packet.source_port : 0;
    const std::uint32_t home = multiplicative_hash(port + fold(service.key.family, packet.source), kBits);
    RealServer* const server = buckets_[home];
    if (server == nullptr || is_usable(*server)) return server;
    if (!fallback) return nullptr;
    // From the home bucket counted twice, as the kernel does: it adds the hash to an offset that contains it.
    for (std::uint32_t offset = 0; offset < buckets_.size(); ++offset) {
      RealServer* const other = buckets_[(offset + 2 * home) % buckets_.size()];
      if (is_usable(*other)) return other;
    }
    return nullptr;
  }

  void server_added(const VirtualService& service, std::size_t) override { fill(service); }
  void server_edited(const VirtualService& service) override { fill(service); }
  void server_removed(const VirtualService& service, std::size_t) override { fill(service); }

 private:
  static constexpr int kBits = 8;

  // SCH-52: each server in turn takes as many buckets as it has weight, round and round until the table is full.
  void fill(const VirtualService& service) {
    const auto& servers = service.servers;
    std::size_t at = 0;
    std::int64_t taken = 0;
    for (RealServer*& bucket : buckets_) {
      bucket = servers.empty() ? nullptr : servers[at];
      if (bucket == nullptr || ++taken < buckets_of(*bucket)) continue;
      at = (at + 1) % servers.size();
      taken = 0;
    }
  }

  std::array<RealServer*, 1 << kBits> buckets_;
};

}  // namespace

std::unique_ptr<Scheduler> make_sh(const VirtualService& service) { return std::make_unique<SourceHashing>(service); }

}  // namespace lvspec::director
