#include <array>

#include "director/core/address_hash.h"
#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

/// Destination hashing: the address that the client asked for names the server, so all traffic of one virtual address
/// goes to one server. The table deals out the servers in list order, whatever their weights; an edit leaves it as it
/// is (SCH-51). Source: Linux net/netfilter/ipvs/ip_vs_dh.c.
class DestinationHashing : public Scheduler {
 public:
  explicit DestinationHashing(const VirtualService& service) { fill(service); }

  std::string_view name() const override { return "dh"; }

  RealServer* pick(const VirtualService& service, const Packet& packet, DirectorTime) override {
    const Address& hashed = fault(Fault::kDhHashesClient) ? packet.source : packet.destination;
    RealServer* const server = buckets_[multiplicative_hash(fold(service.key.family, hashed), kBits)];
    return server != nullptr && is_usable(*server) ? server : nullptr;
  }

  void server_added(const VirtualService& service, std::size_t) override { fill(service); }
  void server_removed(const VirtualService& service, std::size_t) override { fill(service); }

 private:
  static constexpr int kBits = 8;

  void fill(const VirtualService& service) {
    const auto& servers = service.servers;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      buckets_[i] = servers.empty() ? nullptr : servers[i % servers.size()];
    }
  }

  std::array<RealServer*, 1 << kBits> buckets_;
};

}  // namespace

std::unique_ptr<Scheduler> make_dh(const VirtualService& service) {
  return std::make_unique<DestinationHashing>(service);
}

}  // namespace lvspec::director
