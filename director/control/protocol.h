#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What is said over the director's control socket: one JSON object a line, a request and then its reply.
///
///   -> {"verb":"add_service","service":{"family":"ipv4","protocol":"tcp","address":"198.51.100.10","port":80,
///       "fwmark":0},"settings":{"scheduler":"rr","persistent":true,"timeout_s":300,"netmask":"255.255.255.255",
///       "one_packet":false}}
///   <- {"ok":true}
///   <- {"ok":false,"code":"service-exists","error":"Service already exists"}
///
/// This header is all that the harness knows of the director; the replies use ipvsadm's words (ADM-50..58).
namespace lvspec::director::protocol {

/// A virtual service's identity: by mark if `fwmark` is not 0, else by protocol, address and port.
struct ServiceId {
  std::string family = "ipv4";  ///< "ipv4" or "ipv6"
  std::string protocol;         ///< "tcp", "udp" or "sctp"; empty with a mark
  std::string address;          ///< empty with a mark
  std::uint16_t port = 0;
  std::uint32_t fwmark = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ServiceId, family, protocol, address, port, fwmark)

struct ServiceSettings {
  std::string scheduler = "wlc";
  bool persistent = false;
  std::uint32_t timeout_s = 0;
  std::string netmask;  ///< IPv4: "255.255.255.0"; IPv6: the prefix length, "64"; empty: every bit
  bool one_packet = false;
  std::vector<int> flags{};  ///< scheduler flags that are set: 1, 2, 3
  std::string engine{};      ///< "sip" or empty
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ServiceSettings, scheduler, persistent, timeout_s, netmask,
                                                one_packet, flags, engine)

struct ServerId {
  std::string address;
  std::uint16_t port = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ServerId, address, port)

struct ServerSettings {
  std::string method = "route";  ///< "route", "masq" or "tunnel"
  std::int32_t weight = 1;
  std::uint32_t upper_threshold = 0, lower_threshold = 0;
  std::string tunnel = "ipip";             ///< "ipip", "gue" or "gre"
  std::uint16_t tunnel_port = 0;           ///< GUE
  std::string tunnel_checksum = "nocsum";  ///< "nocsum", "csum" or "remcsum"
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ServerSettings, method, weight, upper_threshold, lower_threshold,
                                                tunnel, tunnel_port, tunnel_checksum)

/// One `-j MARK` rule of the mangle table. Empty strings match everything.
struct Mark {
  std::string family = "ipv4";
  std::string protocol;             ///< "tcp", "udp" or empty
  std::string source, destination;  ///< "192.0.2.0/24" or empty
  std::uint16_t source_port_low = 0, source_port_high = 65535;
  std::uint16_t destination_port_low = 0, destination_port_high = 65535;
  std::uint32_t mark = 0, mask = 0xffffffff;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Mark, family, protocol, source, destination, source_port_low, source_port_high,
                                   destination_port_low, destination_port_high, mark, mask)

/// net.ipv4.vs.NAME to value; "sync_threshold" and "sync_period" are the two integers of sync_threshold. Of a request
/// only the names that it has are set.
using Sysctls = std::map<std::string, int>;

struct Timeouts {
  std::uint32_t tcp_s = 0, tcp_fin_s = 0, udp_s = 0;  ///< 0 keeps the value
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Timeouts, tcp_s, tcp_fin_s, udp_s)

/// As `--stats` (totals) and `--rate` (a second) show it. The order "zero" {"service":...}, or without a service for
/// all of them, is `ipvsadm -Z`.
struct Counters {
  std::uint64_t connections = 0, in_packets = 0, out_packets = 0, in_bytes = 0, out_bytes = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Counters, connections, in_packets, out_packets, in_bytes, out_bytes)

struct ServerRow {
  ServerId id;
  ServerSettings settings;
  std::uint32_t active = 0, inactive = 0, persistent = 0;
  Counters stats, rates;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ServerRow, id, settings, active, inactive, persistent, stats, rates)

struct ServiceRow {
  ServiceId id;
  ServiceSettings settings;
  std::vector<ServerRow> servers;  ///< list order: most recently added first
  Counters stats, rates;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ServiceRow, id, settings, servers, stats, rates)

/// What a client has sent need not be UTF-8, and JSON must be: bytes are said as the Latin-1 characters they would
/// be.
inline std::string text_of_bytes(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}
/// The way back, for what text_of_bytes() made.
inline std::string bytes_of_text(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool pair = byte >= 0x80 && i + 1 < text.size();
    bytes += pair ? static_cast<char>((byte << 6) | (static_cast<unsigned char>(text[++i]) & 0x3f)) : text[i];
  }
  return bytes;
}

/// A connection entry or a template, as in `ipvsadm -L -n -c`.
struct EntryRow {
  std::string protocol;  ///< "tcp", "udp", "sctp", "ip" (templates of marks)
  std::string client, virtual_address, server;
  std::uint16_t client_port = 0, virtual_port = 0, server_port = 0;
  bool is_template = false;
  std::string state;
  std::int64_t expires_in_ns = 0, timeout_ns = 0;
  std::uint32_t controlled = 0;
  std::string engine, engine_data;  ///< "sip" and a Call-ID, as text_of_bytes(); empty for other entries
  std::string origin = "LOCAL";     ///< or "SYNC": learned from a sync master (SYN-09)
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EntryRow, protocol, client, virtual_address, server, client_port, virtual_port,
                                   server_port, is_template, state, expires_in_ns, timeout_ns, controlled, engine,
                                   engine_data, origin)

/// A sync daemon (SYN-01). Orders "start_daemon" {"daemon":...} and "stop_daemon" {"role":...}; listed by "dump".
struct Daemon {
  std::string role = "master";  ///< or "backup"
  std::string interface = "eth0";
  std::uint32_t sync_id = 0;     ///< 0 to 255; 0: all
  std::uint16_t max_length = 0;  ///< bytes of a message; 0: as the kernel would
  std::string group = "224.0.0.81";
  std::uint16_t port = 8848;
  std::uint8_t ttl = 1;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Daemon, role, interface, sync_id, max_length, group, port, ttl)

/// What `ipvsadm -L` says of the director itself: the version of IPVS that it is, and its connection table's size.
/// "dump" has it as "info".
struct Info {
  std::string version = "1.2.1";
  std::uint32_t connection_table_size = 4096;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Info, version, connection_table_size)

struct Tables {
  std::int64_t now_ns = 0;
  std::vector<ServiceRow> services;
  std::vector<EntryRow> entries;
  Counters totals;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tables, now_ns, services, entries, totals)

/// Where a director listens if nobody says otherwise. An abstract socket belongs to the network namespace that it was
/// bound in, as the kernel's IPVS tables do: in each namespace, the director there answers.
inline constexpr char kDefaultControl[] = "@lvspec-director";

/// A frame of this EtherType (IEEE 802 local experimental) on the wire is a fence: eight bytes of token follow. Since
/// frames keep their order, a fence seen means that everything sent before it has been handled ("await_fence").
inline constexpr std::uint16_t kFenceEtherType = 0x88b5;

}  // namespace lvspec::director::protocol
