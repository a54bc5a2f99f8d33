#include "director/control/translate.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace lvspec::director {
namespace {

Protocol protocol_of(const std::string& text) {
  if (text == "tcp") return Protocol::kTcp;
  if (text == "udp") return Protocol::kUdp;
  if (text.empty()) return Protocol::kNone;
  throw BadRequest(fmt::format("protocol \"{}\": only tcp and udp are known", text));
}

const char* text_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
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

protocol::ServerRow row_of(const RealServer& server) {
  protocol::ServerRow row;
  row.id = {text_of(server.key.family, server.key.address), server.key.port};
  row.settings = {text_of(server.settings.method), server.settings.weight, server.settings.upper_threshold,
                  server.settings.lower_threshold};
  row.active = server.active;
  row.inactive = server.inactive;
  row.persistent = server.persistent;
  row.connections = server.counters.connections;
  row.in_packets = server.counters.in_packets;
  row.in_bytes = server.counters.in_bytes;
  return row;
}

protocol::ServiceRow row_of(const VirtualService& service) {
  protocol::ServiceRow row;
  row.id = id_of(service.key);
  row.settings = {service.settings.scheduler, service.settings.persistent, service.settings.timeout_s,
                  netmask_text(service.settings.netmask, service.key.family), service.settings.one_packet};
  for (const RealServer* server : service.servers) row.servers.push_back(row_of(*server));
  row.connections = service.counters.connections;
  return row;
}

protocol::EntryRow row_of(const EntryView& entry) {
  protocol::EntryRow row;
  row.protocol = text_of(entry.protocol);
  row.client = text_of(entry.family, entry.client);
  row.virtual_address = text_of(entry.family, entry.virtual_address);
  row.server = text_of(entry.family, entry.server);
  row.client_port = entry.client_port;
  row.virtual_port = entry.virtual_port;
  row.server_port = entry.server_port;
  row.is_template = entry.is_template;
  row.state = entry.state;
  row.expires_in_ns = entry.expires_in.count();
  row.timeout_ns = entry.timeout.count();
  row.controlled = entry.controlled;
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

protocol::Tables tables_of(const Director& director, DirectorTime now) {
  protocol::Tables tables;
  tables.now_ns = now.time_since_epoch().count();
  for (const VirtualService* service : director.services()) tables.services.push_back(row_of(*service));
  for (const EntryView& entry : director.entries(now)) tables.entries.push_back(row_of(entry));
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
    case Outcome::kUnsupported:
      break;
  }
  return "not supported by this director";
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
    case Outcome::kUnsupported:
      break;
  }
  return "unsupported";
}

}  // namespace lvspec::director
