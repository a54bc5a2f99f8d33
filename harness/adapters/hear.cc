#include "harness/adapters/hear.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "harness/protocol_words/say.h"

namespace lvspec {
namespace {

namespace protocol = director::protocol;

// In the order of enum TunnelType and enum TunnelChecksum.
constexpr std::array<const char*, 3> kTunnels{"ipip", "gue", "gre"};
constexpr std::array<const char*, 3> kTunnelChecksums{"nocsum", "csum", "remcsum"};

template <typename Enum>
Enum enum_of(const std::array<const char*, 3>& words, const std::string& word) {
  return static_cast<Enum>(std::find(words.begin(), words.end(), word) - words.begin());
}

/// An iptables interface pattern, "eth0" or "eth+", against the only interface that the director hears.
bool is_wire(const std::string& pattern) {
  const std::string wire = "eth0";
  if (pattern.empty()) return true;
  if (pattern.back() == '+') return wire.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == wire;
}

/// One rule with several port ranges is said as one rule for each pair of ranges.
void say_rule(const MarkRule& rule, std::vector<protocol::Mark>* said) {
  if (!is_wire(rule.in_interface)) return;
  const std::vector<PortRange> any = {PortRange{}};
  for (const PortRange& source : rule.source_ports.empty() ? any : rule.source_ports) {
    for (const PortRange& destination : rule.destination_ports.empty() ? any : rule.destination_ports) {
      protocol::Mark mark;
      mark.family = family_word(rule.family);
      mark.protocol = rule.protocol ? protocol_word(*rule.protocol) : "";
      mark.source = rule.source ? rule.source->str() : "";
      mark.destination = rule.destination ? rule.destination->str() : "";
      mark.source_port_low = source.first;
      mark.source_port_high = source.last;
      mark.destination_port_low = destination.first;
      mark.destination_port_high = destination.last;
      mark.mark = rule.mark;
      mark.mask = rule.mask;
      said->push_back(mark);
    }
  }
}

}  // namespace

ServiceId hear(const protocol::ServiceId& id) {
  const int family = id.family == "ipv6" ? AF_INET6 : AF_INET;
  if (id.fwmark != 0) return ServiceId::of_mark(id.fwmark, family);
  const Protocol protocol = id.protocol == "udp"    ? Protocol::kUdp
                            : id.protocol == "sctp" ? Protocol::kSctp
                                                    : Protocol::kTcp;
  return ServiceId::of(protocol, IpAddress::of(id.address), id.port);
}

ServerState hear(const protocol::ServerRow& row) {
  ServerState state;
  state.server.address = IpAddress::of(row.id.address);
  state.server.port = row.id.port;
  state.server.method = row.settings.method == "masq"     ? ForwardMethod::kMasquerade
                        : row.settings.method == "tunnel" ? ForwardMethod::kTunnel
                                                          : ForwardMethod::kDirectRoute;
  state.server.weight = row.settings.weight;
  state.server.upper = row.settings.upper_threshold;
  state.server.lower = row.settings.lower_threshold;
  state.server.tunnel = {enum_of<TunnelType>(kTunnels, row.settings.tunnel), row.settings.tunnel_port,
                         enum_of<TunnelChecksum>(kTunnelChecksums, row.settings.tunnel_checksum)};
  state.active = row.active;
  state.inactive = row.inactive;
  state.persistent = row.persistent;
  state.connections = row.stats.connections;
  state.traffic = {row.stats.in_packets, row.stats.out_packets, row.stats.in_bytes, row.stats.out_bytes};
  return state;
}

ServiceState hear(const protocol::ServiceRow& row) {
  ServiceState state;
  state.service.id = hear(row.id);
  state.service.scheduler = row.settings.scheduler;
  if (row.settings.persistent) state.service.persistent_s = row.settings.timeout_s;
  if (state.service.id.family == AF_INET6) {
    state.service.prefix_length = std::stoi(row.settings.netmask);
  } else {
    state.service.netmask = IpAddress::of(row.settings.netmask);
  }
  state.service.one_packet = row.settings.one_packet;
  state.service.pe = row.settings.engine;
  state.service.sched_flags = scheduler_flag_names(row.settings.flags, row.settings.scheduler);
  state.connections = row.stats.connections;
  state.traffic = {row.stats.in_packets, row.stats.out_packets, row.stats.in_bytes, row.stats.out_bytes};
  for (const protocol::ServerRow& server : row.servers) {
    state.servers.push_back(hear(server));
    state.service.servers.push_back(state.servers.back().server);
  }
  return state;
}

Entry hear(const protocol::EntryRow& row) {
  Entry entry;
  entry.protocol = row.protocol;
  std::transform(entry.protocol.begin(), entry.protocol.end(), entry.protocol.begin(), ::toupper);
  entry.client = {IpAddress::of(row.client), row.client_port};
  entry.target = {IpAddress::of(row.virtual_address), row.virtual_port};
  entry.server = {IpAddress::of(row.server), row.server_port};
  entry.is_template = row.is_template;
  entry.state = row.state;
  entry.engine = row.engine;
  entry.engine_data = protocol::bytes_of_text(row.engine_data);
  entry.expires_in = std::chrono::nanoseconds(row.expires_in_ns);
  entry.origin = row.origin;
  return entry;
}

std::vector<protocol::Mark> say_marks(const std::vector<MarkRule>& rules) {
  std::vector<protocol::Mark> said;
  for (const MarkRule& rule : rules) say_rule(rule, &said);
  return said;
}

void sort_entries(std::vector<Entry>* entries) {
  std::sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.is_template, a.client, a.target, a.protocol) <
           std::tie(b.is_template, b.client, b.target, b.protocol);
  });
}

}  // namespace lvspec
