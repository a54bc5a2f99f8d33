#include "harness/ruleset/ruleset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

namespace lvspec {
namespace {

struct ProtocolNames {
  int number;
  const char* name;    // in listings
  const char* option;  // to iptables
};

// In the order of enum Protocol.
constexpr std::array<ProtocolNames, 3> kProtocols{
    {{IPPROTO_TCP, "TCP", "tcp"}, {IPPROTO_UDP, "UDP", "udp"}, {IPPROTO_SCTP, "SCTP", "sctp"}}};
constexpr std::array<const char*, 3> kMethods{"Route", "Masq", "Tunnel"};
constexpr std::array<const char*, 3> kTunnelTypes{"ipip", "gue", "gre"};
constexpr std::array<const char*, 3> kTunnelChecksums{"-c", "+c", "r+c"};  // as ADM-11 shows them

const ProtocolNames& names(Protocol protocol) { return kProtocols.at(static_cast<std::size_t>(protocol)); }

/// As the column of `ipvsadm -L --tun-info` (ADM-11): "ipip", "gue:6080:-c", "gre:+c".
std::string tunnel_info(const Tunnel& tunnel) {
  const std::string type = kTunnelTypes.at(static_cast<std::size_t>(tunnel.type));
  const char* checksum = kTunnelChecksums.at(static_cast<std::size_t>(tunnel.checksum));
  if (tunnel.type == TunnelType::kIpip) return type;
  if (tunnel.type == TunnelType::kGre) return fmt::format("{}:{}", type, checksum);
  return fmt::format("{}:{}:{}", type, tunnel.port, checksum);
}

std::string port_list(const std::vector<PortRange>& ranges) {
  std::string text;
  for (const PortRange& range : ranges) text += (text.empty() ? "" : ",") + range.str();
  return text;
}

}  // namespace

std::vector<std::string> scheduler_flag_names(const std::vector<int>& flags, const std::string& scheduler) {
  std::vector<std::string> names;
  for (const int flag : flags) {
    const bool named = flag <= 2 && (scheduler == "sh" || scheduler == "mh");
    names.push_back(named ? scheduler + (flag == 1 ? "-fallback" : "-port") : fmt::format("flag-{}", flag));
  }
  return names;
}

std::vector<int> scheduler_flags(const std::vector<std::string>& names) {
  std::vector<int> flags;
  for (const std::string& name : names)
    flags.push_back(name == "flag-1" || name.ends_with("-fallback") ? 1
                    : name == "flag-2" || name.ends_with("-port")   ? 2
                                                                    : 3);
  return flags;
}

int protocol_number(Protocol protocol) { return names(protocol).number; }
std::string protocol_name(Protocol protocol) { return names(protocol).name; }
std::string method_name(ForwardMethod method) { return kMethods.at(static_cast<std::size_t>(method)); }

ServiceId ServiceId::of(Protocol protocol, const IpAddress& address, std::uint16_t port) {
  return {.family = address.family(), .fwmark = 0, .protocol = protocol, .address = address, .port = port};
}

ServiceId ServiceId::of_mark(std::uint32_t fwmark, int family) { return {.family = family, .fwmark = fwmark}; }

std::string ServiceId::str() const {
  if (is_mark()) return fmt::format("FWM {}{}", fwmark, family == AF_INET6 ? " IPv6" : "");
  return fmt::format("{} {}", protocol_name(protocol), Endpoint{address, port}.str());
}

std::string RealServer::str() const {
  std::string text = fmt::format("{} {} weight {}", endpoint().str(), method_name(method), weight);
  if (upper != 0) text += fmt::format(" upper {}", upper);
  if (lower != 0) text += fmt::format(" lower {}", lower);
  if (tunnel != Tunnel{}) text += " " + tunnel_info(tunnel);
  return text;
}

const RealServer* VirtualService::find(const IpAddress& address, std::uint16_t port) const {
  const auto found = std::find_if(servers.begin(), servers.end(), [&](const RealServer& server) {
    return server.address == address && server.port == port;
  });
  return found == servers.end() ? nullptr : &*found;
}

RealServer* VirtualService::find(const IpAddress& address, std::uint16_t port) {
  return const_cast<RealServer*>(std::as_const(*this).find(address, port));
}

std::string VirtualService::title() const {
  const std::string identity = id.str();
  const auto blank = identity.find(' ');
  std::string text = fmt::format("{:<4} {} {}", identity.substr(0, blank), identity.substr(blank + 1), scheduler);
  if (!sched_flags.empty()) {
    std::string flags;
    for (const std::string& flag : sched_flags) flags += (flags.empty() ? "" : ",") + flag;
    text += fmt::format(" ({})", flags);
  }
  if (persistent_s) text += fmt::format(" persistent {}", *persistent_s);
  if (id.family == AF_INET6) {
    if (prefix_length != 128) text += fmt::format(" mask {}", prefix_length);
  } else if (netmask != IpAddress::v4(0xffffffff)) {
    text += fmt::format(" mask {}", netmask.str());
  }
  if (!pe.empty()) text += " pe " + pe;
  if (one_packet) text += " ops";
  return text;
}

std::string VirtualService::str() const {
  std::string text = title();
  for (const RealServer& server : servers) text += "\n  -> " + server.str();
  return text;
}

std::string PortRange::str() const {
  return first == last ? fmt::format("{}", first) : fmt::format("{}:{}", first, last);
}

std::string MarkRule::str() const {
  std::string text = family == AF_INET6 ? "IPv6 " : "";
  if (source) text += fmt::format("-s {} ", source->str());
  if (destination) text += fmt::format("-d {} ", destination->str());
  if (!in_interface.empty()) text += fmt::format("-i {} ", in_interface);
  if (protocol) text += fmt::format("-p {} ", names(*protocol).option);
  if (!source_ports.empty()) text += fmt::format("--sport {} ", port_list(source_ports));
  if (!destination_ports.empty()) text += fmt::format("--dport {} ", port_list(destination_ports));
  text += fmt::format("-> mark {}", mark);
  if (mask != 0xffffffff) text += fmt::format(" under mask {:#x}", mask);
  return text;
}

const VirtualService* Ruleset::find(const ServiceId& id) const {
  const auto found =
      std::find_if(services.begin(), services.end(), [&](const VirtualService& service) { return service.id == id; });
  return found == services.end() ? nullptr : &*found;
}

VirtualService* Ruleset::find(const ServiceId& id) {
  return const_cast<VirtualService*>(std::as_const(*this).find(id));
}

std::string Ruleset::str() const {
  if (services.empty() && marks.empty()) return "no services, no marks";
  std::string text;
  for (const MarkRule& rule : marks) text += (text.empty() ? "" : "\n") + rule.str();
  for (const VirtualService& service : services) text += (text.empty() ? "" : "\n") + service.str();
  return text;
}

std::ostream& operator<<(std::ostream& out, Protocol protocol) { return out << protocol_name(protocol); }
std::ostream& operator<<(std::ostream& out, ForwardMethod method) { return out << method_name(method); }
std::ostream& operator<<(std::ostream& out, const ServiceId& id) { return out << id.str(); }
std::ostream& operator<<(std::ostream& out, const RealServer& server) { return out << server.str(); }
std::ostream& operator<<(std::ostream& out, const VirtualService& service) { return out << service.str(); }
std::ostream& operator<<(std::ostream& out, const PortRange& range) { return out << range.str(); }
std::ostream& operator<<(std::ostream& out, const MarkRule& rule) { return out << rule.str(); }
std::ostream& operator<<(std::ostream& out, const Ruleset& ruleset) { return out << ruleset.str(); }

ServiceBuilder& ServiceBuilder::scheduler(std::string name) {
  service_.scheduler = std::move(name);
  return *this;
}

ServiceBuilder& ServiceBuilder::persistent(std::chrono::seconds timeout) {
  service_.persistent_s = static_cast<std::uint32_t>(timeout.count());
  return *this;
}

ServiceBuilder& ServiceBuilder::mask(std::string_view dotted) {
  service_.netmask = IpAddress::of(dotted);
  return *this;
}

ServiceBuilder& ServiceBuilder::mask(int prefix_length) {
  service_.prefix_length = prefix_length;
  return *this;
}

ServiceBuilder& ServiceBuilder::one_packet() {
  service_.one_packet = true;
  return *this;
}

ServiceBuilder& ServiceBuilder::pe(std::string name) {
  service_.pe = std::move(name);
  return *this;
}

ServiceBuilder& ServiceBuilder::flags(std::vector<std::string> sched_flags) {
  service_.sched_flags = std::move(sched_flags);
  return *this;
}

ServiceBuilder& ServiceBuilder::server(const IpAddress& address, const ServerOptions& options) {
  service_.servers.push_back({.address = address,
                              .port = options.port.value_or(service_.id.port),
                              .method = options.method,
                              .weight = options.weight,
                              .upper = options.upper,
                              .lower = options.lower,
                              .tunnel = options.tunnel});
  return *this;
}

ServiceBuilder& ServiceBuilder::server(std::string_view address, const ServerOptions& options) {
  return server(IpAddress::of(address), options);
}

ServiceBuilder TcpService(const IpAddress& address, std::uint16_t port) {
  return ServiceBuilder(ServiceId::of(Protocol::kTcp, address, port));
}
ServiceBuilder TcpService(std::string_view address, std::uint16_t port) {
  return TcpService(IpAddress::of(address), port);
}
ServiceBuilder UdpService(const IpAddress& address, std::uint16_t port) {
  return ServiceBuilder(ServiceId::of(Protocol::kUdp, address, port));
}
ServiceBuilder UdpService(std::string_view address, std::uint16_t port) {
  return UdpService(IpAddress::of(address), port);
}
ServiceBuilder SctpService(const IpAddress& address, std::uint16_t port) {
  return ServiceBuilder(ServiceId::of(Protocol::kSctp, address, port));
}
ServiceBuilder SctpService(std::string_view address, std::uint16_t port) {
  return SctpService(IpAddress::of(address), port);
}
ServiceBuilder MarkService(std::uint32_t fwmark, int family) {
  return ServiceBuilder(ServiceId::of_mark(fwmark, family));
}

}  // namespace lvspec
