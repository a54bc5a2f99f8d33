#include "director/core/conn_entry.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

std::uint8_t index_of(Protocol protocol) {
  const auto found = std::find(ConnEntry::kProtocols.begin(), ConnEntry::kProtocols.end(), protocol);
  if (found == ConnEntry::kProtocols.end()) {
    std::fprintf(stderr, "lvspec director: there are no entries of protocol %d\n", static_cast<int>(protocol));
    std::abort();
  }
  return static_cast<std::uint8_t>(found - ConnEntry::kProtocols.begin());
}

// Both halves of the product: every bit of each side reaches every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t mix(const Address& address, std::uint64_t more, std::uint64_t odd) {
  std::uint64_t high, low;
  std::memcpy(&high, address.bytes.data(), sizeof high);
  std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
  return mix(high ^ odd, low ^ more ^ 0x9e3779b97f4a7c15);
}

template <typename Bytes>
Address widened(const Bytes& narrow) {
  Address address;
  std::memcpy(address.bytes.data(), narrow.bytes, sizeof narrow);
  return address;
}

// What the parts behind ConnEntry are depends on the family, and for the controller on the kind.
template <typename Visit>
auto with_addresses(const ConnEntry& entry, Visit visit) {
  if (entry.family == Family::kIpv4) return visit(static_cast<const TemplateEntry<Ipv4Bytes>&>(entry));
  return visit(static_cast<const TemplateEntry<Ipv6Bytes>&>(entry));
}

}  // namespace

std::uint64_t hash_of(const ConnKey& key) {
  const std::uint64_t kind = static_cast<std::uint64_t>(key.protocol) << 8 | static_cast<std::uint64_t>(key.family);
  std::uint64_t hash = mix(key.client, kind << 16 | key.client_port, 0xd6e8feb86659fd93);
  if (key.is_template) {
    const std::uint64_t more = std::uint64_t{key.engine_data} << 16 | key.virtual_port;
    hash ^= mix(key.virtual_address, more, 0xa0761d6478bd642f);
  }
  return mix(hash ^ 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3);
}

ConnKey connection_key(const Packet& packet) {
  constexpr std::uint16_t kIsakmpPort = 500;
  const bool ipsec =
      (packet.protocol == Protocol::kAh || packet.protocol == Protocol::kEsp) && !fault(Fault::kIpsecOnItsOwn);
  return {.family = packet.family,
          .protocol = ipsec ? Protocol::kUdp : packet.protocol,
          .is_template = false,
          .client_port = ipsec ? kIsakmpPort : packet.source_port,
          .virtual_port = ipsec ? kIsakmpPort : packet.destination_port,
          .client = packet.source,
          .virtual_address = packet.destination};
}

ConnEntry::ConnEntry(const ConnKey& key)
    : client_port(key.client_port),
      virtual_port(key.virtual_port),
      controlled(0),
      family(key.family),
      is_template(key.is_template),
      method(ForwardMethod::kDirectRoute),
      protocol_(index_of(key.protocol)),
      packets(0),
      state(TcpState::kNone),
      sctp_state(SctpState::kNone),
      told_state(0),
      hashed(false),
      renamed(false),
      active(false),
      assured(false),
      reply_unseen(false),
      learned(false),
      has_ftp(false),
      has_engine(key.engine_data != EngineData::kNone) {}

Address ConnEntry::client() const {
  return with_addresses(*this, [](const auto& entry) { return widened(entry.client); });
}
Address ConnEntry::virtual_address() const {
  return with_addresses(*this, [](const auto& entry) { return widened(entry.virtual_address); });
}

ConnKey ConnEntry::key() const {
  return {.family = family,
          .protocol = protocol(),
          .is_template = is_template,
          .client_port = client_port,
          .virtual_port = virtual_port,
          .client = client(),
          .virtual_address = virtual_address(),
          .engine_data = engine_data()};
}

ConnEntry* ConnEntry::controller() const {
  if (is_template) return nullptr;
  if (family == Family::kIpv4) return static_cast<const ConnectionEntry<Ipv4Bytes>&>(*this).controller;
  return static_cast<const ConnectionEntry<Ipv6Bytes>&>(*this).controller;
}

EngineData::Id ConnEntry::engine_data() const {
  if (!has_engine) return EngineData::kNone;
  if (family == Family::kIpv4) return static_cast<const EngineTemplateEntry<Ipv4Bytes>&>(*this).engine_data;
  return static_cast<const EngineTemplateEntry<Ipv6Bytes>&>(*this).engine_data;
}

void ConnEntry::set_controller(ConnEntry* controller) {
  if (family == Family::kIpv4) {
    static_cast<ConnectionEntry<Ipv4Bytes>&>(*this).controller = controller;
  } else {
    static_cast<ConnectionEntry<Ipv6Bytes>&>(*this).controller = controller;
  }
}

}  // namespace lvspec::director
