#include "director/control/translate.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

Protocol protocol_of(const std::string& text) {
  if (text == "tcp") return Protocol::kTcp;
  if (text == "udp") return Protocol::kUdp;
  if (text == "sctp") return Protocol::kSctp;
  if (text.empty()) return Protocol::kNone;
  throw BadRequest(fmt::format("protocol \"{}\": only tcp, udp and sctp are known", text));
}

const char* text_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
    case Protocol::kAh:
    case Protocol::kEsp:  // of no entry: their packets follow UDP
    case Protocol::kNone:
      break;
  }
  return "ip";
}

Family family_of(const std::string& text) {
  if (text == "ipv4") return Family::kIpv4;
  if (text == "ipv6") return Family::kIpv6;
  throw BadRequest(fmt::format("family \"{}\": neither ipv4 nor ipv6", text));
}

const char* text_of(Family family) { return family == Family::kIpv4 ? "ipv4" : "ipv6"; }

int prefix_length_of(const std::string& text, int widest) {
  int length = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length < 0 || length > widest)
    throw BadRequest(fmt::format("prefix length \"{}\": not 0..{}", text, widest));
  return length;
}

void read_prefix(const std::string& text, const char* what, Family family, Address* address, AddressMask* mask) {
  if (text.empty()) return;
  const auto slash = text.find('/');
  Family found = family;
  *address = address_of(text.substr(0, slash), what, &found);
  if (found != family) throw BadRequest(fmt::format("{} \"{}\": of the other family", what, text));
  const int widest = family == Family::kIpv4 ? 32 : 128;
  *mask = AddressMask::prefix(slash == std::string::npos ? widest : prefix_length_of(text.substr(slash + 1), widest));
}

protocol::ServiceId id_of(const ServiceKey& key) {
  protocol::ServiceId id;
  id.family = text_of(key.family);
  id.fwmark = key.fwmark;
  if (key.fwmark != 0) return id;
  id.protocol = text_of(key.protocol);
  id.address = text_of(key.family, key.address);
  id.port = key.port;
  return id;
}

std::string netmask_text(const AddressMask& mask, Family family) {
  if (family == Family::kIpv4) return text_of(family, Address{mask.bits});
  int length = 0;
  for (const std::uint8_t byte : mask.bits) length += __builtin_popcount(byte);
  return std::to_string(length);
}

const char* text_of(ForwardMethod method) {
  switch (method) {
    case ForwardMethod::kDirectRoute:
      return "route";
    case ForwardMethod::kMasquerade:
      return "masq";
    case ForwardMethod::kTunnel:
      break;
  }
  return "tunnel";
}

/// Every sysctl by its name: the one list from which both directions are made.
std::map<std::string, int*> fields_of(Sysctls& sysctls) {
  return {
      {"am_droprate", &sysctls.am_droprate},
      {"amemthresh", &sysctls.amemthresh},
      {"backup_only", &sysctls.backup_only},
      {"cache_bypass", &sysctls.cache_bypass},
      {"conn_reuse_mode", &sysctls.conn_reuse_mode},
      {"drop_entry", &sysctls.drop_entry},
      {"drop_packet", &sysctls.drop_packet},
      {"expire_nodest_conn", &sysctls.expire_nodest_conn},
      {"expire_quiescent_template", &sysctls.expire_quiescent_template},
      {"ignore_tunneled", &sysctls.ignore_tunneled},
      {"lblc_expiration", &sysctls.lblc_expiration},
      {"lblcr_expiration", &sysctls.lblcr_expiration},
      {"nat_icmp_send", &sysctls.nat_icmp_send},
      {"pmtu_disc", &sysctls.pmtu_disc},
      {"run_estimation", &sysctls.run_estimation},
      {"schedule_icmp", &sysctls.schedule_icmp},
      {"secure_tcp", &sysctls.secure_tcp},
      {"sloppy_sctp", &sysctls.sloppy_sctp},
      {"sloppy_tcp", &sysctls.sloppy_tcp},
      {"sync_persist_mode", &sysctls.sync_persist_mode},
      {"sync_ports", &sysctls.sync_ports},
      {"sync_qlen_max", &sysctls.sync_qlen_max},
      {"sync_refresh_period", &sysctls.sync_refresh_period},
      {"sync_retries", &sysctls.sync_retries},
      {"sync_sock_size", &sysctls.sync_sock_size},
      {"sync_threshold", &sysctls.sync_threshold},
      {"sync_period", &sysctls.sync_period},
      {"sync_version", &sysctls.sync_version},
  };
}

// Of counters and of rates, whose fields are the same.
template <typename Five>
protocol::Counters counters_of(const Five& counters) {
  return {counters.connections, counters.in_packets, counters.out_packets, counters.in_bytes, counters.out_bytes};
}

const char* text_of(TunnelType type) {
  switch (type) {
    case TunnelType::kGue:
      return "gue";
    case TunnelType::kGre:
      return "gre";
    case TunnelType::kIpip:
      break;
  }
  return "ipip";
}

TunnelType tunnel_type_of(const std::string& text) {
  if (text == "ipip") return TunnelType::kIpip;
  if (text == "gue") return TunnelType::kGue;
  if (text == "gre") return TunnelType::kGre;
  throw BadRequest(fmt::format("tunnel \"{}\": not ipip, gue or gre", text));
}

const char* text_of(TunnelChecksum checksum) {
  switch (checksum) {
    case TunnelChecksum::kFull:
      return "csum";
    case TunnelChecksum::kRemote:
      return "remcsum";
    case TunnelChecksum::kNone:
      break;
  }
  return "nocsum";
}

TunnelChecksum tunnel_checksum_of(const std::string& text) {
  if (text == "nocsum") return TunnelChecksum::kNone;
  if (text == "csum") return TunnelChecksum::kFull;
  if (text == "remcsum") return TunnelChecksum::kRemote;
  throw BadRequest(fmt::format("tunnel_checksum \"{}\": not nocsum, csum or remcsum", text));
}

SchedulerFlags flags_of(const std::vector<int>& set) {
  SchedulerFlags flags;
  for (const int flag : set) {
    if (flag < 1 || flag > 3) throw BadRequest(fmt::format("flags: {}: not 1, 2 or 3", flag));
    (flag == 1 ? flags.first : flag == 2 ? flags.second : flags.third) = true;
  }
  return flags;
}

std::vector<int> words_of(const SchedulerFlags& flags) {
  std::vector<int> set;
  if (flags.first) set.push_back(1);
  if (flags.second) set.push_back(2);
  if (flags.third) set.push_back(3);
  return set;
}

protocol::ServerRow row_of(const RealServer& server) {
  protocol::ServerRow row;
  row.id = {text_of(server.key.family, server.key.address), server.key.port};
  const RealServerSettings& settings = server.settings;
  row.settings = {
      text_of(settings.method),      settings.weight,      settings.upper_threshold,         settings.lower_threshold,
      text_of(settings.tunnel.type), settings.tunnel.port, text_of(settings.tunnel.checksum)};
  row.active = server.active;
  row.inactive = server.inactive;
  row.persistent = server.persistent;
  row.stats = counters_of(server.statistics.shown());
  row.rates = counters_of(server.statistics.rates());
  return row;
}

protocol::ServiceRow row_of(const VirtualService& service) {
  protocol::ServiceRow row;
  row.id = id_of(service.key);
  const ServiceSettings& settings = service.settings;
  row.settings = {settings.scheduler,  settings.persistent,
                  settings.timeout_s,  netmask_text(settings.netmask, service.key.family),
                  settings.one_packet, words_of(settings.flags),
                  settings.engine};
  for (const RealServer* server : service.servers) row.servers.push_back(row_of(*server));
  row.stats = counters_of(service.statistics.shown());
  row.rates = counters_of(service.statistics.rates());
  return row;
}

protocol::EntryRow row_of(const EntryView& entry) {
  protocol::EntryRow row;
  row.protocol = text_of(entry.protocol);
  row.client = text_of(entry.family, entry.client);
  row.virtual_address = text_of(entry.family, entry.virtual_address);
  row.server = text_of(entry.server_family, entry.server);
  row.client_port = entry.client_port;
  row.virtual_port = entry.virtual_port;
  row.server_port = entry.server_port;
  row.is_template = entry.is_template;
  row.state = entry.state;
  row.expires_in_ns = entry.expires_in.count();
  row.timeout_ns = entry.timeout.count();
  row.controlled = entry.controlled;
  row.origin = entry.learned ? "SYNC" : "LOCAL";
  row.engine = entry.engine;
  row.engine_data = protocol::text_of_bytes(entry.engine_data);
  return row;
}

}  // namespace

std::string text_of(Family family, const Address& address) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family == Family::kIpv4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

Address address_of(const std::string& text, const char* what, Family* family) {
  Address address;
  *family = text.find(':') == std::string::npos ? Family::kIpv4 : Family::kIpv6;
  if (inet_pton(*family == Family::kIpv4 ? AF_INET : AF_INET6, text.c_str(), address.bytes.data()) != 1)
    throw BadRequest(fmt::format("{} \"{}\": not an IPv4 or IPv6 address", what, text));
  return address;
}

ServiceKey to_core(const protocol::ServiceId& id) {
  ServiceKey key;
  key.family = family_of(id.family);
  key.fwmark = id.fwmark;
  if (id.fwmark != 0) return key;
  key.protocol = protocol_of(id.protocol);
  if (key.protocol == Protocol::kNone) throw BadRequest("protocol: missing from a service without a mark");
  Family found = key.family;
  key.address = address_of(id.address, "service address", &found);
  if (found != key.family)
    throw BadRequest(fmt::format("service address \"{}\": not of family {}", id.address, id.family));
  key.port = id.port;
  return key;
}

ServiceSettings to_core(const protocol::ServiceSettings& settings, Family family) {
  ServiceSettings core;
  core.scheduler = settings.scheduler;
  core.persistent = settings.persistent;
  core.timeout_s = settings.timeout_s;
  core.one_packet = settings.one_packet;
  core.flags = flags_of(settings.flags);
  core.engine = settings.engine;
  if (settings.netmask.empty()) return core;
  if (family == Family::kIpv4) {
    Family found = family;
    core.netmask = AddressMask{address_of(settings.netmask, "netmask", &found).bytes};
  } else {
    core.netmask = AddressMask::prefix(prefix_length_of(settings.netmask, 128));
  }
  return core;
}

RealServerKey to_core(const protocol::ServerId& id) {
  RealServerKey key;
  key.address = address_of(id.address, "real server", &key.family);
  key.port = id.port;
  return key;
}

RealServerSettings to_core(const protocol::ServerSettings& settings) {
  RealServerSettings core;
  if (settings.method == "route") {
    core.method = ForwardMethod::kDirectRoute;
  } else if (settings.method == "masq") {
    core.method = ForwardMethod::kMasquerade;
  } else if (settings.method == "tunnel") {
    core.method = ForwardMethod::kTunnel;
  } else {
    throw BadRequest(fmt::format("method \"{}\": not route, masq or tunnel", settings.method));
  }
  core.weight = settings.weight;
  core.upper_threshold = settings.upper_threshold;
  core.lower_threshold = settings.lower_threshold;
  core.tunnel = {tunnel_type_of(settings.tunnel), settings.tunnel_port, tunnel_checksum_of(settings.tunnel_checksum)};
  return core;
}

MarkRule to_core(const protocol::Mark& mark) {
  MarkRule rule;
  rule.family = family_of(mark.family);
  rule.protocol = protocol_of(mark.protocol);
  read_prefix(mark.source, "source", rule.family, &rule.source, &rule.source_mask);
  read_prefix(mark.destination, "destination", rule.family, &rule.destination, &rule.destination_mask);
  rule.source_port_low = mark.source_port_low;
  rule.source_port_high = mark.source_port_high;
  rule.destination_port_low = mark.destination_port_low;
  rule.destination_port_high = mark.destination_port_high;
  rule.mark = mark.mark;
  rule.mark_mask = mark.mask;
  return rule;
}

Sysctls to_core(const protocol::Sysctls& said, Sysctls current) {
  const auto fields = fields_of(current);
  for (const auto& [name, value] : said) {
    const auto field = fields.find(name);
    if (field == fields.end() && fault(Fault::kSysctlUnknownTaken)) continue;
    if (field == fields.end()) throw BadRequest(fmt::format("sysctl \"{}\": unknown", name));
    *field->second = value;
  }
  return current;
}

protocol::Sysctls words_of(Sysctls sysctls) {
  protocol::Sysctls words;
  for (const auto& [name, field] : fields_of(sysctls)) words[name] = *field;
  return words;
}

protocol::Tables tables_of(const Director& director, DirectorTime now) {
  protocol::Tables tables;
  tables.now_ns = now.time_since_epoch().count();
  for (const VirtualService* service : director.services()) tables.services.push_back(row_of(*service));
  for (const EntryView& entry : director.entries(now)) tables.entries.push_back(row_of(entry));
  tables.totals = counters_of(director.totals());
  return tables;
}

const char* text_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kServiceExists:
      return "Service already exists";
    case Outcome::kNoSuchService:
      return "No such service";
    case Outcome::kServerExists:
      return "Destination already exists";
    case Outcome::kNoSuchServer:
      return "No such destination";
    case Outcome::kNoSuchScheduler:
      return "Scheduler or persistence engine not found";
    case Outcome::kOutOfRange:
      return "Numerical result out of range";
    case Outcome::kInvalid:
      break;
  }
  return "Invalid operation.  Possibly wrong module version, address not unicast, ...";
}

const char* code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kServiceExists:
      return "service-exists";
    case Outcome::kNoSuchService:
      return "no-such-service";
    case Outcome::kServerExists:
      return "server-exists";
    case Outcome::kNoSuchServer:
      return "no-such-server";
    case Outcome::kNoSuchScheduler:
      return "no-such-scheduler";
    case Outcome::kOutOfRange:
      return "out-of-range";
    case Outcome::kInvalid:
      break;
  }
  return "invalid";
}

}  // namespace lvspec::director
