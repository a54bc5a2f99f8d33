#include "harness/adapters/exec/contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "director/control/protocol.h"
#include "harness/adapters/hear.h"
#include "harness/protocol_words/say.h"

namespace lvspec::exec {
namespace {

using nlohmann::json;
namespace protocol = director::protocol;

// In the order of the enums of Affinity.
constexpr std::array<const char*, 2> kKeys{"source-address", "source-address-and-port"};
constexpr std::array<const char*, 2> kScopes{"service", "all-services"};
constexpr std::array<const char*, 2> kWindows{"as-configured", "for-ever"};
constexpr std::array<const char*, 3> kRenewals{"connection", "packet", "nothing"};

template <typename Enum, std::size_t N>
Status read_word(const json& from, const char* field, const std::array<const char*, N>& words, Enum* value) {
  const auto found = from.find(field);
  if (found == from.end()) return {};
  for (std::size_t i = 0; i < N; ++i)
    if (*found == words[i]) {
      *value = static_cast<Enum>(i);
      return {};
    }
  return Error{fmt::format("/affinity/{}: {} is none of the contract's words", field, found->dump())};
}

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* known) { return word == known; });
}

/// An object of the protocol with what was given, and defaults for the rest.
template <typename T>
T filled(const json& given) {
  json whole = T{};
  whole.merge_patch(given);
  return whole.get<T>();
}

Status check_address(const std::string& address, const std::string& place) {
  if (IpAddress::parse(address)) return {};
  return Error{fmt::format("{}: \"{}\" is not an IP address", place, address)};
}

Result<ServiceState> service_in(const json& given, const std::string& place) {
  if (!given.is_object()) return Error{place + ": not an object"};
  json row = given;
  const json servers = row.value("servers", json::array());
  row["servers"] = json::array();
  auto service = filled<protocol::ServiceRow>(row);
  if (service.id.fwmark == 0) LVSPEC_TRY(check_address(service.id.address, place + "/id/address"));
  if (!one_of(service.id.family, {"ipv4", "ipv6"}))
    return Error{fmt::format("{}/id/family: \"{}\" is not ipv4 or ipv6", place, service.id.family)};
  if (service.settings.netmask.empty())
    service.settings.netmask = service.id.family == "ipv6" ? "128" : "255.255.255.255";
  if (service.id.family == "ipv4") LVSPEC_TRY(check_address(service.settings.netmask, place + "/settings/netmask"));
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const std::string at = fmt::format("{}/servers/{}", place, i);
    const auto server = filled<protocol::ServerRow>(servers[i]);
    LVSPEC_TRY(check_address(server.id.address, at + "/id/address"));
    if (!one_of(server.settings.method, {"route", "masq", "tunnel"}))
      return Error{
          fmt::format("{}/settings/method: \"{}\" is not route, masq or tunnel", at, server.settings.method)};
    if (!one_of(server.settings.tunnel, {"ipip", "gue", "gre"}) ||
        !one_of(server.settings.tunnel_checksum, {"nocsum", "csum", "remcsum"}))
      return Error{at + "/settings: not a tunnel of the contract"};
    service.servers.push_back(server);
  }
  return hear(service);
}

Result<Entry> entry_in(const json& given, const std::string& place) {
  const auto row = filled<protocol::EntryRow>(given);
  LVSPEC_TRY(check_address(row.client, place + "/client"));
  LVSPEC_TRY(check_address(row.virtual_address, place + "/virtual_address"));
  LVSPEC_TRY(check_address(row.server, place + "/server"));
  return hear(row);
}

}  // namespace

const std::vector<std::string>& capability_words() {
  static const std::vector<std::string> words = {
      "ipv4",  "ipv6",  "tcp",    "udp",      "sctp",       "dr",        "nat",
      "masq",  "tun",   "tunnel", "local",    "ppc",        "pcc",       "port0",
      "mark",  "marks", "mask",   "edit",     "tables",     "sysctl",    "clock",
      "stats", "ftp",   "sip",    "affinity", "one-packet", "rr",        "wrr",
      "lc",    "wlc",   "lblc",   "lblcr",    "dh",         "sh",        "mh",
      "sed",   "nq",    "fo",     "ovf",      "twos",       "threshold", "edit-keeps-clients"};
  return words;
}

Result<DirectorIdentity> identity_in(const json& hello) {
  const auto version = hello.find("lvspec_adapter");
  if (version == hello.end()) return Error{"/lvspec_adapter: missing; it is the version of the contract, 1"};
  if (*version != kContractVersion)
    return Error{fmt::format("/lvspec_adapter: {}, and we speak {}", version->dump(), kContractVersion)};
  DirectorIdentity identity;
  for (const auto& [field, value] : {std::pair{"name", &identity.name}, std::pair{"version", &identity.version}}) {
    const auto found = hello.find(field);
    if (found == hello.end() || !found->is_string())
      return Error{fmt::format("/{}: missing, or not a string", field)};
    *value = found->get<std::string>();
  }
  const bool plain = !identity.name.empty() && identity.name.size() <= 40 &&
                     identity.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
  if (!plain)
    return Error{fmt::format("/name: \"{}\" is not 1 to 40 of a-z 0-9 . - _ (it heads a column and names folders)",
                             identity.name)};
  const auto capabilities = hello.find("capabilities");
  if (capabilities == hello.end() || !capabilities->is_array()) return Error{"/capabilities: missing, or not a list"};
  for (std::size_t i = 0; i < capabilities->size(); ++i) {
    const json& word = (*capabilities)[i];
    const auto& known = capability_words();
    if (!word.is_string() || std::find(known.begin(), known.end(), word.get<std::string>()) == known.end())
      return Error{fmt::format("/capabilities/{}: {} is no capability of this contract", i, word.dump())};
    identity.capabilities.push_back(word);
  }
  if (const auto said = hello.find("affinity"); said != hello.end()) {
    if (!said->is_object()) return Error{"/affinity: not an object"};
    Affinity affinity;
    LVSPEC_TRY(read_word(*said, "key", kKeys, &affinity.key));
    LVSPEC_TRY(read_word(*said, "scope", kScopes, &affinity.scope));
    LVSPEC_TRY(read_word(*said, "window", kWindows, &affinity.window));
    LVSPEC_TRY(read_word(*said, "renewed_by", kRenewals, &affinity.renewed_by));
    identity.affinity = affinity;
  }
  return identity;
}

json say(const Affinity& affinity) {
  return {{"key", kKeys.at(static_cast<std::size_t>(affinity.key))},
          {"scope", kScopes.at(static_cast<std::size_t>(affinity.scope))},
          {"window", kWindows.at(static_cast<std::size_t>(affinity.window))},
          {"renewed_by", kRenewals.at(static_cast<std::size_t>(affinity.renewed_by))}};
}

bool claims(const DirectorIdentity& identity, const std::string& capability) {
  static const std::vector<std::vector<std::string>> same = {
      {"nat", "masq"}, {"tun", "tunnel"}, {"mark", "marks"}, {"port0", "pcc"}};
  const auto has = [&](const std::string& word) {
    return std::find(identity.capabilities.begin(), identity.capabilities.end(), word) != identity.capabilities.end();
  };
  if (has(capability)) return true;
  for (const auto& words : same)
    if (std::find(words.begin(), words.end(), capability) != words.end())
      return std::any_of(words.begin(), words.end(), has);
  return false;
}

std::string not_claimed(const DirectorIdentity& identity, const VirtualService& service) {
  const auto lacks = [&](const std::string& capability) { return !claims(identity, capability); };
  if (service.id.is_mark()) {
    if (lacks("marks")) return "firewall marks";
  } else {
    if (lacks(protocol_word(service.id.protocol))) return protocol_name(service.id.protocol);
    if (service.id.port == kAnyPort && lacks("port0")) return "port 0";
  }
  if (lacks(family_word(service.id.family))) return service.id.family == AF_INET6 ? "IPv6" : "IPv4";
  if (lacks(service.scheduler)) return "scheduler " + service.scheduler;
  if (service.persistent_s && lacks("affinity")) return "persistence";
  const bool masked = service.netmask != IpAddress::v4(0xffffffff) || service.prefix_length != 128;
  if (masked && lacks("mask")) return "a netmask of persistence";
  if (service.one_packet && lacks("one-packet")) return "one-packet scheduling";
  if (!service.pe.empty() && lacks(service.pe)) return "the persistence engine " + service.pe;
  const bool any_method = !lacks("dr") || !lacks("nat") || !lacks("tun");
  for (const RealServer& server : service.servers) {
    if (any_method && server.method == ForwardMethod::kDirectRoute && lacks("dr")) return "direct routing";
    if (any_method && server.method == ForwardMethod::kMasquerade && lacks("nat")) return "NAT";
    if (any_method && server.method == ForwardMethod::kTunnel && lacks("tun")) return "tunnels";
    if ((server.upper != 0 || server.lower != 0) && lacks("threshold")) return "connection thresholds";
  }
  return "";
}

json say(const Ruleset& ruleset) {
  json services = json::array();
  for (const VirtualService& service : ruleset.services) {
    json servers = json::array();
    for (const RealServer& server : service.servers)
      servers.push_back({{"id", say_id(server)}, {"settings", say_settings(server)}});
    services.push_back(
        {{"id", lvspec::say(service.id)}, {"settings", say_settings(service)}, {"servers", std::move(servers)}});
  }
  return {{"services", std::move(services)}, {"marks", say_marks(ruleset.marks)}};
}

Result<Tables> tables_in(const json& reply) {
  const auto said = reply.find("tables");
  if (said == reply.end() || !said->is_object()) return Error{"/tables: missing, or not an object"};
  Tables tables;
  std::string place;
  try {
    const json services = said->value("services", json::array()), entries = said->value("entries", json::array());
    for (std::size_t i = 0; i < services.size(); ++i) {
      place = fmt::format("/tables/services/{}", i);
      LVSPEC_ASSIGN(ServiceState service, service_in(services[i], place));
      tables.services.push_back(std::move(service));
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      place = fmt::format("/tables/entries/{}", i);
      LVSPEC_ASSIGN(Entry entry, entry_in(entries[i], place));
      tables.entries.push_back(std::move(entry));
    }
  } catch (const std::exception& error) {  // of nlohmann-json, and of numbers in text
    return Error{fmt::format("{}: {}", place, error.what())};
  }
  sort_entries(&tables.entries);
  return tables;
}

}  // namespace lvspec::exec
