#include "director/ipvsadm/listing.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace lvspec::ipvsadm {
namespace {

namespace protocol = director::protocol;
using protocol::Counters;
using protocol::ServerRow;
using protocol::ServiceRow;

constexpr std::size_t kNameWidth = 28;

IpAddress address_of(const std::string& text) {
  return IpAddress::parse(text).ok() ? *IpAddress::parse(text) : IpAddress();
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// Which columns stand behind the names. Of several that were asked for, the first wins.
enum class Columns { kStats, kRates, kThresholds, kPersistent, kTunnels, kPlain };

Columns columns_of(const ListTables& how) {
  if (how.stats) return Columns::kStats;
  if (how.rates) return Columns::kRates;
  if (how.thresholds) return Columns::kThresholds;
  if (how.persistent_connections) return Columns::kPersistent;
  return how.tunnels ? Columns::kTunnels : Columns::kPlain;
}

std::string titles(Columns columns) {
  constexpr char kService[] = "Prot LocalAddress:Port", kServer[] = "  -> RemoteAddress:Port";
  switch (columns) {
    case Columns::kStats:
      return fmt::format("{:<33} {:>8} {:>8} {:>8} {:>8} {:>8}\n{}\n", kService, "Conns", "InPkts", "OutPkts",
                         "InBytes", "OutBytes", kServer);
    case Columns::kRates:
      return fmt::format("{:<33} {:>8} {:>8} {:>8} {:>8} {:>8}\n{}\n", kService, "CPS", "InPPS", "OutPPS", "InBPS",
                         "OutBPS", kServer);
    case Columns::kThresholds:
      return fmt::format("{:<33} {:<10} {:<10} {:<10} {:<10}\n{}\n", kService, "Uthreshold", "Lthreshold",
                         "ActiveConn", "InActConn", kServer);
    case Columns::kPersistent:
      return fmt::format("{:<33} {:<9} {:<11} {:<10} {:<10}\n{}\n", kService, "Weight", "PersistConn", "ActiveConn",
                         "InActConn", kServer);
    case Columns::kTunnels:
      return fmt::format("{} Scheduler Flags\n{:<33} Forward TunnelInfo    Weight ActiveConn InActConn\n", kService,
                         kServer);
    case Columns::kPlain:
      break;
  }
  return fmt::format("{} Scheduler Flags\n{:<33} Forward Weight ActiveConn InActConn\n", kService, kServer);
}

std::string numbers(const Counters& counters, bool exact) {
  std::string text;
  for (const std::uint64_t value :
       {counters.connections, counters.in_packets, counters.out_packets, counters.in_bytes, counters.out_bytes})
    text += large_number(value, exact);
  return text;
}

/// The mark as the program prints it, signed (FWM-02).
std::int32_t mark_text(std::uint32_t fwmark) { return static_cast<std::int32_t>(fwmark); }

bool is_v6(const ServiceRow& service) { return service.id.family == "ipv6"; }

/// "TCP  198.51.100.10:80", "FWM  9 IPv6".
std::string service_name(const ServiceRow& service, const NamesOf& names) {
  if (service.id.fwmark != 0)
    return fmt::format("FWM  {}{}", mark_text(service.id.fwmark), is_v6(service) ? " IPv6" : "");
  return fmt::format(
      "{:<4} {}", upper(service.id.protocol),
      endpoint_text(address_of(service.id.address), service.id.port, service.id.protocol, names, kNameWidth));
}

/// The persistence mask, if it is not every bit of an address.
std::string mask_of(const ServiceRow& service) {
  const std::string& mask = service.settings.netmask;
  return mask == (is_v6(service) ? "128" : "255.255.255.255") ? "" : mask;
}

std::string flags_of(const ServiceRow& service) {
  // Of a scheduler that has names for its flags the third, which has none, is not shown.
  const bool named = service.settings.scheduler == "sh" || service.settings.scheduler == "mh";
  std::string text;
  for (const std::string& name : scheduler_flag_names(service.settings.flags, service.settings.scheduler))
    if (!named || name != "flag-3") text += (text.empty() ? "" : ",") + name;
  return text;
}

std::string service_line(const ServiceRow& service, Columns columns, bool exact, const NamesOf& names) {
  const std::string name = service_name(service, names);
  if (columns == Columns::kStats) return fmt::format("{:<33}{}\n", name, numbers(service.stats, exact));
  if (columns == Columns::kRates) return fmt::format("{:<33}{}\n", name, numbers(service.rates, exact));
  std::string line = name + " " + service.settings.scheduler;
  if (const std::string flags = flags_of(service); !flags.empty()) line += fmt::format(" ({})", flags);
  if (service.settings.persistent) {
    line += fmt::format(" persistent {}", service.settings.timeout_s);
    if (const std::string mask = mask_of(service); !mask.empty()) line += " mask " + mask;
    if (!service.settings.engine.empty()) line += " pe " + service.settings.engine;
  }
  return line + (service.settings.one_packet ? " ops\n" : "\n");
}

const char* method_name(const std::string& method) {
  return method == "masq" ? "Masq" : method == "tunnel" ? "Tunnel" : "Route";
}

/// "ipip", "gue:6080:+c", "gre:r+c"; "n/a" for the other methods.
std::string tunnel_info(const protocol::ServerSettings& server) {
  if (server.method != "tunnel") return "n/a";
  if (server.tunnel == "ipip") return "ipip";
  const char* checksum = server.tunnel_checksum == "csum" ? "+c" : server.tunnel_checksum == "remcsum" ? "r+c" : "-c";
  return server.tunnel == "gue" ? fmt::format("gue:{}:{}", server.tunnel_port, checksum)
                                : fmt::format("{}:{}", server.tunnel, checksum);
}

/// Whose service names the ports of a service's servers have: none behind a mark.
std::string port_names_of(const ServiceRow& service) { return service.id.fwmark != 0 ? "" : service.id.protocol; }

std::string server_line(const ServiceRow& service, const ServerRow& server, Columns columns, bool exact,
                        const NamesOf& names) {
  const protocol::ServerSettings& settings = server.settings;
  const std::string name = fmt::format("  -> {:<28}", endpoint_text(address_of(server.id.address), server.id.port,
                                                                    port_names_of(service), names, kNameWidth));
  switch (columns) {
    case Columns::kStats:
      return fmt::format("{}{}\n", name, numbers(server.stats, exact));
    case Columns::kRates:
      // Rates of packets are not scaled here, whatever their size.
      return fmt::format("{} {:>8} {:>8} {:>8}{}{}\n", name, server.rates.connections, server.rates.in_packets,
                         server.rates.out_packets, large_number(server.rates.in_bytes, exact),
                         large_number(server.rates.out_bytes, exact));
    case Columns::kThresholds:
      return fmt::format("{} {:<10} {:<10} {:<10} {:<10}\n", name, settings.upper_threshold, settings.lower_threshold,
                         server.active, server.inactive);
    case Columns::kPersistent:
      return fmt::format("{} {:<9} {:<11} {:<10} {:<10}\n", name, settings.weight, server.persistent, server.active,
                         server.inactive);
    case Columns::kTunnels:
      return fmt::format("{} {:<7} {:<13} {:<6} {:<10} {:<10}\n", name, method_name(settings.method),
                         tunnel_info(settings), settings.weight, server.active, server.inactive);
    case Columns::kPlain:
      break;
  }
  return fmt::format("{} {:<7} {:<6} {:<10} {:<10}\n", name, method_name(settings.method), settings.weight,
                     server.active, server.inactive);
}

/// "-t 198.51.100.10:80", "-f 9 -6".
std::string service_option(const ServiceRow& service, const NamesOf& names) {
  if (service.id.fwmark != 0)
    return fmt::format("-f {}{}", mark_text(service.id.fwmark), is_v6(service) ? " -6" : "");
  const char* option = service.id.protocol == "udp" ? "-u" : service.id.protocol == "sctp" ? "--sctp-service" : "-t";
  return fmt::format("{} {}", option,
                     endpoint_text(address_of(service.id.address), service.id.port, service.id.protocol, names));
}

std::string add_service(const ServiceRow& service, const NamesOf& names) {
  const protocol::ServiceSettings& settings = service.settings;
  std::string line = fmt::format("-A {} -s {}", service_option(service, names), settings.scheduler);
  if (settings.persistent) {
    line += fmt::format(" -p {}", settings.timeout_s);
    if (const std::string mask = mask_of(service); !mask.empty()) line += " -M " + mask;
    if (!settings.engine.empty()) line += " --pe " + settings.engine;
  }
  if (settings.one_packet) line += " -o";
  if (const std::string flags = flags_of(service); !flags.empty()) line += " -b " + flags;
  return line + "\n";
}

std::string add_server(const ServiceRow& service, const ServerRow& server, const NamesOf& names) {
  const protocol::ServerSettings& settings = server.settings;
  const char* method = settings.method == "masq" ? "-m" : settings.method == "tunnel" ? "-i" : "-g";
  std::string line =
      fmt::format("-a {} -r {} {} -w {}", service_option(service, names),
                  endpoint_text(address_of(server.id.address), server.id.port, port_names_of(service), names), method,
                  settings.weight);
  if (settings.method == "tunnel") {
    line += " --tun-type " + settings.tunnel;
    if (settings.tunnel == "gue") line += fmt::format(" --tun-port {}", settings.tunnel_port);
    if (settings.tunnel != "ipip") line += " --tun-" + settings.tunnel_checksum;
  }
  return line + "\n";
}

/// As the program compares: the difference in 32 bits, with its sign.
int signed_difference(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }

/// Word by word, each by its signed difference; of an IPv4 address the other words are zero.
int compare(const IpAddress& a, const IpAddress& b) {
  for (std::size_t at = 0; at < 16; at += 4) {
    std::uint32_t of_a = 0, of_b = 0;
    std::memcpy(&of_a, a.bytes() + at, 4);
    std::memcpy(&of_b, b.bytes() + at, 4);
    if (of_a != of_b) return signed_difference(ntohl(of_a), ntohl(of_b));
  }
  return 0;
}

int compare(const ServiceRow& a, const ServiceRow& b) {
  if (a.id.fwmark != b.id.fwmark) return signed_difference(a.id.fwmark, b.id.fwmark);
  if (is_v6(a) != is_v6(b)) return is_v6(a) ? 1 : -1;
  const auto number = [](const std::string& word) { return word == "tcp" ? 6 : word == "udp" ? 17 : 132; };
  if (a.id.protocol != b.id.protocol) return number(a.id.protocol) - number(b.id.protocol);
  if (const int order = compare(address_of(a.id.address), address_of(b.id.address)); order != 0) return order;
  return a.id.port - b.id.port;
}

int compare(const ServerRow& a, const ServerRow& b) {
  if (const int order = compare(address_of(a.id.address), address_of(b.id.address)); order != 0) return order;
  return a.id.port - b.id.port;
}

/// The order is none in the strict sense (three marks may each come before the next), so it has to be C's qsort,
/// which takes any and is what the program uses.
template <typename Row>
void sort_rows(std::vector<Row>* rows) {
  if (rows->empty()) return;  // qsort wants an array even for none
  std::vector<const Row*> order;
  for (const Row& row : *rows) order.push_back(&row);
  std::qsort(order.data(), order.size(), sizeof(const Row*), [](const void* a, const void* b) {
    return compare(**static_cast<const Row* const*>(a), **static_cast<const Row* const*>(b));
  });
  std::vector<Row> sorted;
  for (const Row* row : order) sorted.push_back(*row);
  *rows = std::move(sorted);
}

}  // namespace

Result<Snapshot> snapshot_of(const nlohmann::json& dump) {
  Snapshot snapshot;
  try {
    dump.at("info").get_to(snapshot.info);
    dump.at("tables").get_to(snapshot.tables);
    dump.at("timeouts").get_to(snapshot.timeouts);
    if (dump.contains("daemons")) dump["daemons"].get_to(snapshot.daemons);
  } catch (const nlohmann::json::exception& error) {
    return Error{fmt::format("the director's dump: {}", error.what())};
  }
  return snapshot;
}

void sort_services(std::vector<ServiceRow>* services) {
  sort_rows(services);
  for (ServiceRow& service : *services) sort_rows(&service.servers);
}

std::string list_services(const std::vector<ServiceRow>& services, const std::optional<protocol::Info>& info,
                          const ListTables& how, const NamesOf& names) {
  std::string text;
  if (info)
    text = fmt::format("IP Virtual Server version {} (size={})\n", info->version, info->connection_table_size);
  const Columns columns = columns_of(how);
  text += titles(columns);
  for (const ServiceRow& service : services) {
    text += service_line(service, columns, how.exact, names);
    for (const ServerRow& server : service.servers) text += server_line(service, server, columns, how.exact, names);
  }
  return text;
}

std::string list_entries(const std::vector<protocol::EntryRow>& entries, bool engine_data, const NamesOf& names) {
  std::string text = "IPVS connection entries\n";
  text += engine_data
              ? fmt::format("pro expire {:<11} {:<18} {:<18} {:<18} {:<16} {}\n", "state", "source", "virtual",
                            "destination", "pe name", "pe_data")
              : fmt::format("pro expire {:<11} {:<18} {:<18} {}\n", "state", "source", "virtual", "destination");
  for (const protocol::EntryRow& entry : entries) {
    const auto name = [&](const std::string& address, std::uint16_t port) {
      return endpoint_text(address_of(address), port, entry.protocol, names);
    };
    const std::int64_t seconds = std::max<std::int64_t>(entry.expires_in_ns, 0) / 1'000'000'000;
    const std::string server = name(entry.server, entry.server_port);
    text += fmt::format("{:<3} {:<6} {:<11} {:<18} {:<18} ", upper(entry.protocol),
                        fmt::format("{:02}:{:02}", seconds / 60, seconds % 60), entry.state,
                        name(entry.client, entry.client_port), name(entry.virtual_address, entry.virtual_port));
    text += engine_data && !entry.engine.empty()
                ? fmt::format("{:<16} {:<18} {}\n", server, entry.engine, entry.engine_data)
                : server + "\n";
  }
  return text;
}

std::string list_timeouts(const protocol::Timeouts& timeouts) {
  return fmt::format("Timeout (tcp tcpfin udp): {} {} {}\n", timeouts.tcp_s, timeouts.tcp_fin_s, timeouts.udp_s);
}

std::string list_daemons(const std::vector<protocol::Daemon>& daemons) {
  std::string text;
  for (const char* role : {"master", "backup"})
    for (const protocol::Daemon& daemon : daemons)
      if (daemon.role == role)
        text +=
            fmt::format("{} sync daemon (mcast={}, syncid={}, maxlen={}, group={}, port={}, ttl={})\n", role,
                        daemon.interface, daemon.sync_id, daemon.max_length, daemon.group, daemon.port, daemon.ttl);
  return text;
}

std::string save_services(const std::vector<ServiceRow>& services, const NamesOf& names) {
  std::string text;
  for (const ServiceRow& service : services) {
    text += add_service(service, names);
    for (const ServerRow& server : service.servers) text += add_server(service, server, names);
  }
  return text;
}

std::string large_number(std::uint64_t value, bool exact) {
  if (exact) return fmt::format("{:>{}}", value, std::max<std::size_t>(9, std::to_string(value).size() + 1));
  if (value < 100'000'000) return fmt::format("{:>9}", value);
  if (value < 1'000'000'000) return fmt::format("{:>8}K", value / 1'000);
  if (value < 100'000'000'000) return fmt::format("{:>8}M", value / 1'000'000);
  if (value < 100'000'000'000'000) return fmt::format("{:>8}G", value / 1'000'000'000);
  return fmt::format("{:>8}T", value / 1'000'000'000'000);
}

}  // namespace lvspec::ipvsadm
