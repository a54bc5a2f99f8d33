#include "harness/cli/wire_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace lvspec {
namespace {

constexpr std::uint16_t kDefaultPort = 80;

Result<IpAddress> ipv4_in(const char* option, const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address || address->is_v6())
    return usage_error(fmt::format("{} {}: not an IPv4 address, as in 192.0.2.1", option, text));
  return *address;
}

/// "198.51.100.10", "198.51.100.10:443", "198.51.100.10:53/udp".
Result<ServiceId> service_in(const std::string& text) {
  const auto wrong = [&](const char* why) {
    return usage_error(fmt::format("--vip {}: {}; it is ADDRESS[:PORT][/udp], as in 198.51.100.10:443", text, why));
  };
  std::string rest = text;
  Protocol protocol = Protocol::kTcp;
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    const std::string word = rest.substr(slash + 1);
    if (word != "udp" && word != "tcp") return wrong("after / comes tcp or udp");
    if (word == "udp") protocol = Protocol::kUdp;
    rest.erase(slash);
  }
  std::uint16_t port = kDefaultPort;
  if (const auto colon = rest.find(':'); colon != std::string::npos) {
    const char* end = rest.data() + rest.size();
    const auto read = std::from_chars(rest.data() + colon + 1, end, port);
    if (read.ec != std::errc() || read.ptr != end || port == 0) return wrong("the port is none of 1 to 65535");
    rest.erase(colon);
  }
  LVSPEC_ASSIGN(const IpAddress address, ipv4_in("--vip", rest));
  return ServiceId::of(protocol, address, port);
}

/// "203.0.113.11" or "203.0.113.11/24"; what is after the slash goes to *length.
Result<IpAddress> server_in(const std::string& text, int* length) {
  const auto slash = text.find('/');
  if (slash != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, *length);
    if (read.ec != std::errc() || read.ptr != end || *length < 8 || *length > 30)
      return usage_error(fmt::format("--servers {}: the prefix length is none of 8 to 30", text));
  }
  return ipv4_in("--servers", text.substr(0, slash));
}

Status read_declaration(const std::string& text, Affinity* affinity) {
  using Set = void (*)(Affinity*);
  static const std::map<std::string, Set> known = {
      {"key=source-address", [](Affinity* a) { a->key = Affinity::Key::kSourceAddress; }},
      {"key=source-address-and-port", [](Affinity* a) { a->key = Affinity::Key::kSourceAddressAndPort; }},
      {"scope=service", [](Affinity* a) { a->scope = Affinity::Scope::kService; }},
      {"scope=all-services", [](Affinity* a) { a->scope = Affinity::Scope::kAllServices; }},
      {"window=as-configured", [](Affinity* a) { a->window = Affinity::Window::kAsConfigured; }},
      {"window=for-ever", [](Affinity* a) { a->window = Affinity::Window::kForEver; }},
      {"renewed-by=connection", [](Affinity* a) { a->renewed_by = Affinity::RenewedBy::kConnection; }},
      {"renewed-by=packet", [](Affinity* a) { a->renewed_by = Affinity::RenewedBy::kPacket; }},
      {"renewed-by=nothing", [](Affinity* a) { a->renewed_by = Affinity::RenewedBy::kNothing; }}};
  const auto found = known.find(text);
  if (found == known.end()) {
    std::string words;
    for (const auto& [word, set] : known) words += (words.empty() ? "" : ", ") + word;
    return usage_error(fmt::format("--declare {}: it is one of {}", text, words));
  }
  found->second(affinity);
  return {};
}

}  // namespace

bool WireOptions::any() const { return !words_of(*this).empty(); }

void add_wire_options(CLI::App* command, WireOptions* options) {
  const auto add = [command](const char* name, auto& value, const char* text) {
    return command->add_option(name, value, text)->group("An appliance between two interfaces (--lab wire)");
  };
  add("--client-if", options->client_interface, "interface that clients are put behind; ours alone while we run");
  add("--server-if", options->server_interface, "interface for the real servers; the same one: one arm");
  add("--vip", options->vips, "ADDRESS[:PORT][/udp] with affinity, as its owner has set it up; may be repeated");
  add("--clients", options->clients, "PREFIX of addresses that may be clients, each used once, as 192.0.2.64/26");
  add("--servers", options->servers, "RIP[/LENGTH] of each real server, in one list: 203.0.113.11/24,203.0.113.12")
      ->delimiter(',');
  add("--client-gateway", options->client_gateway, "the clients' way to the VIP (default: it is on their link)");
  add("--server-gateway", options->server_gateway, "the servers' way to clients (default: they are on the link)");
  command->add_flag("--direct-routing", options->direct_routing, "the real servers have the VIP themselves")
      ->group("An appliance between two interfaces (--lab wire)");
  add("--window", options->window_s, "seconds of affinity that its owner has set; the run takes some 5 of them")
      ->check(CLI::Range(2, 86400))
      ->capture_default_str();
  add("--settle", options->settle_s,
      "seconds in which its health checks find all servers of a new case (0: it has none)")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  add("--declare", options->declared,
      "what its maker says: key=source-address[-and-port], scope=service|all-services,\n"
      "window=as-configured|for-ever, renewed-by=connection|packet|nothing; the first of each is assumed")
      ->delimiter(',');
}

std::vector<std::string> words_of(const WireOptions& options) {
  std::vector<std::string> words;
  const auto add = [&words](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  add("--client-if", options.client_interface);
  add("--server-if", options.server_interface);
  for (const std::string& vip : options.vips) add("--vip", vip);
  add("--clients", options.clients);
  std::string servers;
  for (const std::string& server : options.servers) servers += (servers.empty() ? "" : ",") + server;
  add("--servers", servers);
  add("--client-gateway", options.client_gateway);
  add("--server-gateway", options.server_gateway);
  if (options.direct_routing) words.emplace_back("--direct-routing");
  if (options.window_s != WireOptions().window_s) add("--window", std::to_string(options.window_s));
  if (options.settle_s != 0) add("--settle", std::to_string(options.settle_s));
  for (const std::string& one : options.declared) add("--declare", one);
  return words;
}

Result<WirePlan> plan_of(const WireOptions& options, const std::string& appliance) {
  WirePlan plan;
  plan.appliance = appliance;
  const std::pair<const char*, bool> needed[] = {{"--client-if", !options.client_interface.empty()},
                                                 {"--server-if", !options.server_interface.empty()},
                                                 {"--vip", !options.vips.empty()},
                                                 {"--clients", !options.clients.empty()},
                                                 {"--servers", !options.servers.empty()}};
  for (const auto& [option, given] : needed)
    if (!given) return usage_error(fmt::format("--lab wire: {} is missing (lvspec run --help)", option));
  plan.wire.client_interface = options.client_interface;
  plan.wire.server_interface = options.server_interface;
  for (const std::string& text : options.vips) {
    LVSPEC_ASSIGN(const ServiceId service, service_in(text));
    if (!plan.services.empty() && plan.services.front().address != service.address)
      return usage_error(fmt::format("--vip {}: one address in a run, and {} is another", text,
                                     plan.services.front().address.str()));
    plan.services.push_back(service);
  }
  const auto clients = Prefix::parse(options.clients);
  if (!clients.ok() || clients->address.is_v6() || clients->length < 8 || clients->length > 28)
    return usage_error(fmt::format("--clients {}: not an IPv4 prefix of /8 to /28, as in 192.0.2.0/24{}",
                                   options.clients, clients.ok() ? "" : "; " + clients.error().message));
  plan.wire.clients = *clients;
  for (const std::string& text : options.servers) {
    LVSPEC_ASSIGN(const IpAddress server, server_in(text, &plan.wire.server_prefix_length));
    if (std::find(plan.wire.servers.begin(), plan.wire.servers.end(), server) != plan.wire.servers.end())
      return usage_error(fmt::format("--servers: {} is there twice", server.str()));
    plan.wire.servers.push_back(server);
  }
  if (plan.wire.servers.size() < 2)
    return usage_error("--servers: at least two, or every client would stay where it is by itself");
  if (!options.client_gateway.empty()) {
    LVSPEC_ASSIGN(plan.wire.client_gateway, ipv4_in("--client-gateway", options.client_gateway));
  }
  if (!options.server_gateway.empty()) {
    LVSPEC_ASSIGN(plan.wire.server_gateway, ipv4_in("--server-gateway", options.server_gateway));
  }
  plan.direct_routing = options.direct_routing;
  plan.window = std::chrono::seconds(options.window_s);
  plan.settle = std::chrono::seconds(options.settle_s);
  for (const std::string& text : options.declared) LVSPEC_TRY(read_declaration(text, &plan.affinity));
  return plan;
}

}  // namespace lvspec
