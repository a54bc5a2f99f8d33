#include "harness/ipvs/genl_messages.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/ip_vs.h>  // after the C library's headers, which it makes way for

#include <array>
#include <cstring>

namespace lvspec::genl {
namespace {

constexpr std::size_t kAddressBytes = 16;

/// Our messages are far smaller than the page that a message has: no room is a bug.
template <typename T>
void put(nl_msg* message, int type, const T& value) {
  LVSPEC_CHECK_EQ(nla_put(message, type, sizeof value, &value), 0);
}
void put(nl_msg* message, int type, const std::string& text) {
  LVSPEC_CHECK_EQ(nla_put(message, type, static_cast<int>(text.size() + 1), text.c_str()), 0);
}

/// Always 16 bytes, an IPv4 address in the first four (NLK-10).
void put(nl_msg* message, int type, const IpAddress& address) {
  std::array<std::uint8_t, kAddressBytes> bytes{};
  std::memcpy(bytes.data(), address.bytes(), address.size());
  put(message, type, bytes);
}

template <typename Function>
void put_nest(nl_msg* message, int type, Function fill) {
  nlattr* nest = nla_nest_start(message, type);
  LVSPEC_CHECK(nest != nullptr);
  fill();
  LVSPEC_CHECK_EQ(nla_nest_end(message, nest), 0);
}

/// The attributes inside a nest, by number.
template <int max>
class Attributes {
 public:
  explicit Attributes(const nlattr* nest) {
    valid_ = nla_parse(all_.data(), max, static_cast<nlattr*>(nla_data(nest)), nla_len(nest), nullptr) == 0;
  }

  bool valid() const { return valid_; }
  bool has(int type) const { return nest(type) != nullptr; }
  const nlattr* nest(int type) const { return all_.at(static_cast<std::size_t>(type)); }

  /// `fallback` where the attribute is missing or too short.
  template <typename T>
  T get(int type, T fallback = T{}) const {
    const nlattr* attribute = nest(type);
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof(T))) return fallback;
    T value;
    std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
  }

  std::string text(int type) const {
    const nlattr* attribute = nest(type);
    if (attribute == nullptr) return "";
    const auto size = static_cast<std::size_t>(nla_len(attribute));
    const char* begin = static_cast<const char*>(nla_data(attribute));
    return {begin, strnlen(begin, size)};
  }

  IpAddress address(int type, int family) const {
    const auto bytes = get<std::array<std::uint8_t, kAddressBytes>>(type);
    return IpAddress::from_bytes(family, bytes.data());
  }

 private:
  std::array<nlattr*, static_cast<std::size_t>(max) + 1> all_{};
  bool valid_ = false;
};

/// STATS64 and STATS have the same numbers and other widths.
template <typename Width>
IpvsStats read_stats(const nlattr* nest) {
  const Attributes<IPVS_STATS_ATTR_MAX> in(nest);
  const auto narrow = [&in](int type) { return static_cast<std::uint64_t>(in.template get<Width>(type)); };
  IpvsStats stats;
  stats.connections = narrow(IPVS_STATS_ATTR_CONNS);
  stats.in_packets = narrow(IPVS_STATS_ATTR_INPKTS);
  stats.out_packets = narrow(IPVS_STATS_ATTR_OUTPKTS);
  stats.in_bytes = in.template get<std::uint64_t>(IPVS_STATS_ATTR_INBYTES);
  stats.out_bytes = in.template get<std::uint64_t>(IPVS_STATS_ATTR_OUTBYTES);
  stats.connections_per_s = narrow(IPVS_STATS_ATTR_CPS);
  stats.in_packets_per_s = narrow(IPVS_STATS_ATTR_INPPS);
  stats.out_packets_per_s = narrow(IPVS_STATS_ATTR_OUTPPS);
  stats.in_bytes_per_s = narrow(IPVS_STATS_ATTR_INBPS);
  stats.out_bytes_per_s = narrow(IPVS_STATS_ATTR_OUTBPS);
  return stats;
}

template <int max>
IpvsStats stats_of(const Attributes<max>& in, int stats64, int stats) {
  if (in.has(stats64)) return read_stats<std::uint64_t>(in.nest(stats64));
  if (in.has(stats)) return read_stats<std::uint32_t>(in.nest(stats));
  return {};
}

Result<Protocol> protocol_of(std::uint16_t number) {
  for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp})
    if (protocol_number(protocol) == number) return protocol;
  return Error{fmt::format("IPVS: a service of protocol {}, which is none of TCP, UDP and SCTP", number)};
}

std::uint32_t method_number(ForwardMethod method) {
  switch (method) {
    case ForwardMethod::kMasquerade:
      return IP_VS_CONN_F_MASQ;
    case ForwardMethod::kTunnel:
      return IP_VS_CONN_F_TUNNEL;
    case ForwardMethod::kDirectRoute:
      break;
  }
  return IP_VS_CONN_F_DROUTE;
}

ForwardMethod method_of(std::uint32_t flags) {
  switch (flags & IP_VS_CONN_F_FWD_MASK) {
    case IP_VS_CONN_F_MASQ:
      return ForwardMethod::kMasquerade;
    case IP_VS_CONN_F_TUNNEL:
      return ForwardMethod::kTunnel;
    default:
      return ForwardMethod::kDirectRoute;
  }
}

constexpr std::array<std::uint32_t, 3> kSchedFlags = {IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2, IP_VS_SVC_F_SCHED3};

}  // namespace

std::vector<std::string> sched_flag_names(std::uint32_t flags, const std::string& scheduler) {
  std::vector<int> numbers;
  for (std::size_t i = 0; i < kSchedFlags.size(); ++i)
    if ((flags & kSchedFlags[i]) != 0) numbers.push_back(static_cast<int>(i) + 1);
  return scheduler_flag_names(numbers, scheduler);
}

std::uint32_t sched_flag_bits(const std::vector<std::string>& names) {
  std::uint32_t bits = 0;
  for (const int number : scheduler_flags(names)) bits |= kSchedFlags.at(number - 1);
  return bits;
}

void put_service(nl_msg* message, const VirtualService& service, Detail detail) {
  const ServiceId& id = service.id;
  put_nest(message, IPVS_CMD_ATTR_SERVICE, [&] {
    put(message, IPVS_SVC_ATTR_AF, static_cast<std::uint16_t>(id.family));
    if (id.is_mark()) {
      put(message, IPVS_SVC_ATTR_FWMARK, id.fwmark);
    } else {
      put(message, IPVS_SVC_ATTR_PROTOCOL, static_cast<std::uint16_t>(protocol_number(id.protocol)));
      put(message, IPVS_SVC_ATTR_ADDR, id.address);
      put(message, IPVS_SVC_ATTR_PORT, htons(id.port));
    }
    if (detail == Detail::kIdentity) return;
    std::uint32_t flags = sched_flag_bits(service.sched_flags);
    if (service.persistent_s) flags |= IP_VS_SVC_F_PERSISTENT;
    if (service.one_packet) flags |= IP_VS_SVC_F_ONEPACKET;
    put(message, IPVS_SVC_ATTR_SCHED_NAME, service.scheduler);
    put(message, IPVS_SVC_ATTR_FLAGS, ip_vs_flags{flags, ~0U});
    put(message, IPVS_SVC_ATTR_TIMEOUT, service.persistent_s.value_or(0));
    put(message, IPVS_SVC_ATTR_NETMASK,
        id.family == AF_INET6 ? static_cast<std::uint32_t>(service.prefix_length)
                              : htonl(service.netmask.v4_host_order()));
    if (!service.pe.empty()) put(message, IPVS_SVC_ATTR_PE_NAME, service.pe);
  });
}

void put_server(nl_msg* message, const RealServer& server, Detail detail) {
  put_nest(message, IPVS_CMD_ATTR_DEST, [&] {
    put(message, IPVS_DEST_ATTR_ADDR_FAMILY, static_cast<std::uint16_t>(server.address.family()));
    put(message, IPVS_DEST_ATTR_ADDR, server.address);
    put(message, IPVS_DEST_ATTR_PORT, htons(server.port));
    if (detail == Detail::kIdentity) return;
    put(message, IPVS_DEST_ATTR_FWD_METHOD, method_number(server.method));
    put(message, IPVS_DEST_ATTR_WEIGHT, server.weight);
    put(message, IPVS_DEST_ATTR_U_THRESH, server.upper);
    put(message, IPVS_DEST_ATTR_L_THRESH, server.lower);
    if (server.method != ForwardMethod::kTunnel) return;
    put(message, IPVS_DEST_ATTR_TUN_TYPE, static_cast<std::uint8_t>(server.tunnel.type));
    put(message, IPVS_DEST_ATTR_TUN_PORT, htons(server.tunnel.port));
    put(message, IPVS_DEST_ATTR_TUN_FLAGS, static_cast<std::uint16_t>(server.tunnel.checksum));
  });
}

void put_daemon(nl_msg* message, const SyncDaemon& daemon, Detail detail) {
  put_nest(message, IPVS_CMD_ATTR_DAEMON, [&] {
    put(message, IPVS_DAEMON_ATTR_STATE,
        static_cast<std::uint32_t>(daemon.role == SyncRole::kMaster ? IP_VS_STATE_MASTER : IP_VS_STATE_BACKUP));
    if (detail == Detail::kIdentity) return;
    put(message, IPVS_DAEMON_ATTR_MCAST_IFN, daemon.interface);
    put(message, IPVS_DAEMON_ATTR_SYNC_ID, daemon.sync_id);
    if (daemon.max_length != 0) put(message, IPVS_DAEMON_ATTR_SYNC_MAXLEN, daemon.max_length);
    if (daemon.group.is_v6()) {
      put(message, IPVS_DAEMON_ATTR_MCAST_GROUP6, daemon.group);
    } else if (daemon.group != IpAddress{}) {
      put(message, IPVS_DAEMON_ATTR_MCAST_GROUP, htonl(daemon.group.v4_host_order()));
    }
    if (daemon.port != 0) put(message, IPVS_DAEMON_ATTR_MCAST_PORT, daemon.port);  // host order, unlike all others
    if (daemon.ttl != 0) put(message, IPVS_DAEMON_ATTR_MCAST_TTL, daemon.ttl);
  });
}

void put_timeouts(nl_msg* message, const IpvsTimeouts& timeouts) {
  put(message, IPVS_CMD_ATTR_TIMEOUT_TCP, timeouts.tcp);
  put(message, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, timeouts.tcp_fin);
  put(message, IPVS_CMD_ATTR_TIMEOUT_UDP, timeouts.udp);
}

Result<IpvsService> read_service(const nlattr* nest) {
  const Attributes<IPVS_SVC_ATTR_MAX> in(nest);
  if (!in.valid() || !in.has(IPVS_SVC_ATTR_AF) || !in.has(IPVS_SVC_ATTR_SCHED_NAME))
    return Error{"IPVS: a service without family or scheduler"};
  IpvsService read;
  VirtualService& service = read.service;
  const int family = in.get<std::uint16_t>(IPVS_SVC_ATTR_AF);
  if (in.has(IPVS_SVC_ATTR_FWMARK)) {
    service.id = ServiceId::of_mark(in.get<std::uint32_t>(IPVS_SVC_ATTR_FWMARK), family);
  } else {
    LVSPEC_ASSIGN(const Protocol protocol, protocol_of(in.get<std::uint16_t>(IPVS_SVC_ATTR_PROTOCOL)));
    service.id = ServiceId::of(protocol, in.address(IPVS_SVC_ATTR_ADDR, family),
                               ntohs(in.get<std::uint16_t>(IPVS_SVC_ATTR_PORT)));
  }
  const std::uint32_t flags = in.get<ip_vs_flags>(IPVS_SVC_ATTR_FLAGS).flags;
  service.scheduler = in.text(IPVS_SVC_ATTR_SCHED_NAME);
  service.sched_flags = sched_flag_names(flags, service.scheduler);
  service.one_packet = (flags & IP_VS_SVC_F_ONEPACKET) != 0;
  if ((flags & IP_VS_SVC_F_PERSISTENT) != 0) service.persistent_s = in.get<std::uint32_t>(IPVS_SVC_ATTR_TIMEOUT);
  const auto mask = in.get<std::uint32_t>(IPVS_SVC_ATTR_NETMASK);
  if (family == AF_INET6) {
    service.prefix_length = static_cast<int>(mask);
  } else {
    service.netmask = IpAddress::v4(ntohl(mask));
  }
  service.pe = in.text(IPVS_SVC_ATTR_PE_NAME);
  read.stats = stats_of(in, IPVS_SVC_ATTR_STATS64, IPVS_SVC_ATTR_STATS);
  return read;
}

Result<IpvsServer> read_server(const nlattr* nest, int family) {
  const Attributes<IPVS_DEST_ATTR_MAX> in(nest);
  if (!in.valid() || !in.has(IPVS_DEST_ATTR_ADDR) || !in.has(IPVS_DEST_ATTR_PORT))
    return Error{"IPVS: a server without address or port"};
  IpvsServer read;
  RealServer& server = read.server;
  const int own_family = in.get(IPVS_DEST_ATTR_ADDR_FAMILY, static_cast<std::uint16_t>(family));
  server.address = in.address(IPVS_DEST_ATTR_ADDR, own_family);
  server.port = ntohs(in.get<std::uint16_t>(IPVS_DEST_ATTR_PORT));
  server.method = method_of(in.get<std::uint32_t>(IPVS_DEST_ATTR_FWD_METHOD));
  server.weight = in.get<std::int32_t>(IPVS_DEST_ATTR_WEIGHT);
  server.upper = in.get<std::uint32_t>(IPVS_DEST_ATTR_U_THRESH);
  server.lower = in.get<std::uint32_t>(IPVS_DEST_ATTR_L_THRESH);
  if (server.method == ForwardMethod::kTunnel) {
    server.tunnel.type = static_cast<TunnelType>(in.get<std::uint8_t>(IPVS_DEST_ATTR_TUN_TYPE));
    server.tunnel.port = ntohs(in.get<std::uint16_t>(IPVS_DEST_ATTR_TUN_PORT));
    server.tunnel.checksum = static_cast<TunnelChecksum>(in.get<std::uint16_t>(IPVS_DEST_ATTR_TUN_FLAGS));
  }
  read.active = in.get<std::uint32_t>(IPVS_DEST_ATTR_ACTIVE_CONNS);
  read.inactive = in.get<std::uint32_t>(IPVS_DEST_ATTR_INACT_CONNS);
  read.persistent = in.get<std::uint32_t>(IPVS_DEST_ATTR_PERSIST_CONNS);
  read.stats = stats_of(in, IPVS_DEST_ATTR_STATS64, IPVS_DEST_ATTR_STATS);
  return read;
}

Result<SyncDaemon> read_daemon(const nlattr* nest) {
  const Attributes<IPVS_DAEMON_ATTR_MAX> in(nest);
  if (!in.valid() || !in.has(IPVS_DAEMON_ATTR_STATE)) return Error{"IPVS: a sync daemon without a state"};
  SyncDaemon daemon;
  daemon.role =
      in.get<std::uint32_t>(IPVS_DAEMON_ATTR_STATE) == IP_VS_STATE_BACKUP ? SyncRole::kBackup : SyncRole::kMaster;
  daemon.interface = in.text(IPVS_DAEMON_ATTR_MCAST_IFN);
  daemon.sync_id = in.get<std::uint32_t>(IPVS_DAEMON_ATTR_SYNC_ID);
  daemon.max_length = in.get<std::uint16_t>(IPVS_DAEMON_ATTR_SYNC_MAXLEN);
  if (in.has(IPVS_DAEMON_ATTR_MCAST_GROUP6)) {
    daemon.group = in.address(IPVS_DAEMON_ATTR_MCAST_GROUP6, AF_INET6);
  } else {
    daemon.group = IpAddress::v4(ntohl(in.get<std::uint32_t>(IPVS_DAEMON_ATTR_MCAST_GROUP)));
  }
  daemon.port = in.get<std::uint16_t>(IPVS_DAEMON_ATTR_MCAST_PORT);
  daemon.ttl = in.get<std::uint8_t>(IPVS_DAEMON_ATTR_MCAST_TTL);
  return daemon;
}

}  // namespace lvspec::genl
