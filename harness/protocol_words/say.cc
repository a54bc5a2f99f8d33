#include "harness/protocol_words/say.h"

#include <array>

namespace lvspec {
namespace {

namespace protocol = director::protocol;

// In the order of their enums.
constexpr std::array<const char*, 3> kProtocols{"tcp", "udp", "sctp"};
constexpr std::array<const char*, 3> kMethods{"route", "masq", "tunnel"};
constexpr std::array<const char*, 3> kTunnels{"ipip", "gue", "gre"};
constexpr std::array<const char*, 3> kTunnelChecksums{"nocsum", "csum", "remcsum"};

template <typename Enum>
const char* word_of(const std::array<const char*, 3>& words, Enum value) {
  return words.at(static_cast<std::size_t>(value));
}

}  // namespace

std::string protocol_word(Protocol protocol) { return word_of(kProtocols, protocol); }
std::string family_word(int family) { return family == AF_INET6 ? "ipv6" : "ipv4"; }

protocol::ServiceId say(const ServiceId& id) {
  protocol::ServiceId said;
  said.family = family_word(id.family);
  said.fwmark = id.fwmark;
  if (id.is_mark()) return said;
  said.protocol = protocol_word(id.protocol);
  said.address = id.address.str();
  said.port = id.port;
  return said;
}

protocol::ServiceSettings say_settings(const VirtualService& service) {
  const std::string mask =
      service.id.family == AF_INET6 ? std::to_string(service.prefix_length) : service.netmask.str();
  return {service.scheduler,
          service.persistent_s.has_value(),
          service.persistent_s.value_or(0),
          mask,
          service.one_packet,
          scheduler_flags(service.sched_flags),
          service.pe};
}

protocol::ServerId say_id(const RealServer& server) { return {server.address.str(), server.port}; }

protocol::ServerSettings say_settings(const RealServer& server) {
  protocol::ServerSettings said;
  said.method = word_of(kMethods, server.method);
  said.weight = server.weight;
  said.upper_threshold = server.upper;
  said.lower_threshold = server.lower;
  said.tunnel = word_of(kTunnels, server.tunnel.type);
  said.tunnel_port = server.tunnel.port;
  said.tunnel_checksum = word_of(kTunnelChecksums, server.tunnel.checksum);
  return said;
}

}  // namespace lvspec
