#include "harness/doctor/keepalived.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "harness/ruleset/words.h"

namespace lvspec::doctor {
namespace {

/// One address, mark or range that a virtual_server is for.
struct Front {
  ServiceId id;
  bool port_said = false;
  Place place;
};

/// The words of one virtual_server or sorry_server that say how packets are forwarded.
struct Method {
  ForwardMethod method = ForwardMethod::kMasquerade;
  Tunnel tunnel{};
};

class KeepalivedReader {
 public:
  Configuration read(const std::vector<Statement>& statements) {
    // Groups may stand behind the virtual servers that use them.
    for (const Statement& one : statements) {
      const std::string& word = one.words[0];
      if (word == "virtual_server_group") read_group(one);
      if (word == "global_defs") read_globals(one);
      if (word == "vrrp_instance" && !result_.fail_over) result_.fail_over = one.place;
    }
    for (const Statement& one : statements)
      if (one.words[0] == "virtual_server") read_virtual_server(one);
    return std::move(result_);
  }

 private:
  void refuse(const Place& place, const std::string& token, const std::string& message, const std::string& advice) {
    result_.refusals.push_back({place, fmt::format("{}: {}; {}", ruleset::quoted(token), message, advice)});
  }
  void refuse(const Statement& at, const std::string& message, const std::string& advice) {
    refuse(at.place, at.words.back(), message, advice);
  }

  /// The number in the second word, or a refusal.
  std::optional<std::uint32_t> number(const Statement& at, std::size_t word, std::uint32_t min, std::uint32_t max) {
    std::uint32_t value = 0;
    if (word < at.words.size()) {
      const std::string& text = at.words[word];
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc() && end == text.data() + text.size() && value >= min && value <= max) return value;
    }
    const std::string& token = word < at.words.size() ? at.words[word] : at.words[0];
    refuse(at.place, token, fmt::format("{} takes a number", at.words[0]), fmt::format("from {} to {}", min, max));
    return std::nullopt;
  }

  void read_globals(const Statement& globals) {
    if (!globals.block) return;
    for (const Statement& one : *globals.block) {
      if (one.words[0] == "lvs_sync_daemon") result_.sync_daemon = one.place;
      if (one.words[0] != "lvs_timeouts") continue;
      for (std::size_t i = 1; i < one.words.size(); i += 2) {
        const auto seconds = number(one, i + 1, 0, 2678400);
        if (!seconds || *seconds == 0) continue;  // 0 keeps
        if (one.words[i] == "tcpfin") result_.tcp_fin_s = *seconds;
        if (one.words[i] == "udp") result_.udp_s = *seconds;
      }
    }
  }

  /// "198.51.100.10 80", "198.51.100.10-20 80", "198.51.100.8/29 80", "fwmark 8 inet6"; from word `first` on.
  std::optional<Front> front(const Statement& at, std::size_t first) {
    if (first >= at.words.size()) {
      refuse(at, "an address or a mark is expected", "write ADDRESS PORT, fwmark NUMBER or group NAME");
      return std::nullopt;
    }
    if (at.words[first] == "fwmark") {
      const auto mark = number(at, first + 1, 1, 0xffffffff);
      if (!mark) return std::nullopt;
      const bool six = first + 2 < at.words.size() && at.words[first + 2] == "inet6";
      return Front{ServiceId::of_mark(*mark, six ? AF_INET6 : AF_INET), false, at.place};
    }
    std::string text = at.words[first];
    text = text.substr(0, text.find_first_of("-/"));
    const auto address = IpAddress::parse(text);
    if (!address.ok()) {
      refuse(at.place, at.words[first], "no address", "write it in numbers: names are not resolved");
      return std::nullopt;
    }
    Front front{ServiceId::of(Protocol::kTcp, *address, 0), first + 1 < at.words.size(), at.place};
    if (front.port_said) {
      const auto port = number(at, first + 1, 0, 65535);
      if (!port) return std::nullopt;
      front.id.port = static_cast<std::uint16_t>(*port);
    }
    return front;
  }

  void read_group(const Statement& group) {
    if (group.words.size() != 2 || !group.block)
      return refuse(group, "a name and a block are expected", "write virtual_server_group NAME { ... }");
    std::vector<Front>& fronts = groups_[group.words[1]];
    for (const Statement& one : *group.block)
      if (const auto front_of_one = front(one, 0)) fronts.push_back(*front_of_one);
  }

  static const Statement* find(const Statement& block, std::initializer_list<std::string_view> words) {
    const Statement* found = nullptr;
    for (const Statement& one : *block.block)
      if (std::find(words.begin(), words.end(), one.words[0]) != words.end()) found = &one;
    return found;
  }

  std::vector<Front> fronts_of(const Statement& server) {
    if (server.words.size() > 1 && server.words[1] == "group") {
      const auto found = server.words.size() > 2 ? groups_.find(server.words[2]) : groups_.end();
      if (found != groups_.end()) return found->second;
      refuse(server, "no such virtual_server_group", "define it with virtual_server_group NAME { ... }");
      return {};
    }
    const auto only = front(server, 1);
    return only ? std::vector{*only} : std::vector<Front>{};
  }

  Method method(const Statement& at, Method method) {
    if (at.words.size() < 2 || !(at.words[1] == "NAT" || at.words[1] == "DR" || at.words[1] == "TUN")) {
      refuse(at, "no forwarding method", "one of NAT DR TUN");
      return method;
    }
    method.tunnel = {};
    method.method = at.words[1] == "NAT"  ? ForwardMethod::kMasquerade
                    : at.words[1] == "DR" ? ForwardMethod::kDirectRoute
                                          : ForwardMethod::kTunnel;
    for (std::size_t i = 2; i < at.words.size(); ++i) {
      const std::string& word = at.words[i];
      if (word == "gue") method.tunnel.type = TunnelType::kGue;
      if (word == "gre") method.tunnel.type = TunnelType::kGre;
      if (word == "csum") method.tunnel.checksum = TunnelChecksum::kFull;
      if (word == "remcsum") method.tunnel.checksum = TunnelChecksum::kRemote;
      if (word == "port")
        if (const auto port = number(at, i + 1, 1, 65535)) method.tunnel.port = static_cast<std::uint16_t>(*port);
    }
    return method;
  }

  /// The words of a virtual_server that make its service; the protocol counts for addresses only.
  PlacedService read_service(const Statement& server, Method* forwarding) {
    PlacedService placed;
    VirtualService& service = placed.service;
    placed.place = server.place;
    for (const Statement& one : *server.block) {
      const std::string& word = one.words[0];
      const std::string value = one.words.size() > 1 ? one.words[1] : "";
      if (word == "lb_algo" || word == "lvs_sched") {
        service.scheduler = value;
        placed.scheduler_place = one.place;
      } else if (word == "lb_kind" || word == "lvs_method") {
        *forwarding = method(one, *forwarding);
      } else if (word == "persistence_timeout") {
        placed.window_place = one.place;
        placed.window_from = value.empty() ? WindowFrom::kBareOption : WindowFrom::kNumber;
        if (value.empty())
          service.persistent_s = kDefaultPersistence.count();
        else if (const auto s = number(one, 1, 1, kLongestPersistence.count()))
          service.persistent_s = s;
      } else if (word == "persistence_granularity") {
        read_granularity(one, &placed);
      } else if (word == "persistence_engine") {
        service.pe = value;
      } else if (word == "ops") {
        service.one_packet = true;
      } else if (word.starts_with("sh-") || word.starts_with("mh-") || word.starts_with("flag-")) {
        service.sched_flags.push_back(word);
      } else if (word == "protocol") {
        static const std::map<std::string, Protocol> kProtocols = {
            {"TCP", Protocol::kTcp}, {"UDP", Protocol::kUdp}, {"SCTP", Protocol::kSctp}};
        const auto found = kProtocols.find(value);
        if (found == kProtocols.end())
          refuse(one, "no protocol", "one of TCP UDP SCTP");
        else
          service.id.protocol = found->second;
      } else if (word == "ip_family" && value == "inet6") {
        service.id.family = AF_INET6;
      }
    }
    return placed;
  }

  void read_granularity(const Statement& one, PlacedService* placed) {
    const std::string value = one.words.size() > 1 ? one.words[1] : "";
    placed->mask_text = value;
    placed->mask_place = one.place;
    const auto length = ruleset::decimal(value, 1, 128);
    if (length) placed->service.prefix_length = static_cast<int>(*length);
    const auto mask = ruleset::classic_v4(value);
    if (mask) placed->service.netmask = *mask;
    if (!length && !mask) refuse(one, "no mask", "IPv4: in dots, 255.255.255.0; IPv6: a prefix length from 1 to 128");
    if (placed->service.persistent_s) return;
    placed->service.persistent_s = kDefaultPersistence.count();
    placed->window_from = WindowFrom::kGranularity;
    placed->window_place = one.place;
  }

  std::optional<PlacedServer> read_server(const Statement& at, const Front& front, const Method& method) {
    if (at.words.size() < 2) {
      refuse(at, "an address is expected", fmt::format("write {} ADDRESS PORT", at.words[0]));
      return std::nullopt;
    }
    const auto address = IpAddress::parse(at.words[1]);
    if (!address.ok()) {
      refuse(at.place, at.words[1], "no address", "write it in numbers: names are not resolved");
      return std::nullopt;
    }
    PlacedServer placed{{.address = *address, .port = front.id.port}, at.place};
    if (at.words.size() > 2) {
      const auto port = number(at, 2, 0, 65535);
      if (!port) return std::nullopt;
      placed.typed_port = static_cast<std::uint16_t>(*port);
      placed.server.port = *placed.typed_port;
    }
    placed.server.method = method.method;
    placed.server.tunnel = method.tunnel;
    return placed;
  }

  static bool is_on(const Statement& at) {
    static const std::set<std::string> kOff = {"off", "false", "no"};
    return at.words.size() < 2 || kOff.count(at.words[1]) == 0;
  }

  std::optional<PlacedServer> read_real_server(const Statement& at, const Front& front, Method forwarding,
                                               bool inhibit) {
    if (at.block)
      if (const Statement* one = find(at, {"lvs_method"})) forwarding = method(*one, forwarding);
    auto placed = read_server(at, front, forwarding);
    if (!placed) return placed;
    placed->inhibit_on_failure = inhibit;
    if (at.block) {
      for (const Statement& one : *at.block) {
        const std::string& word = one.words[0];
        if (word == "inhibit_on_failure") placed->inhibit_on_failure = is_on(one);
        if (word == "weight")
          if (const auto weight = number(one, 1, 0, 65535))
            placed->server.weight = static_cast<std::int32_t>(*weight);
        if (word == "uthreshold")
          if (const auto upper = number(one, 1, 0, 0x7fffffff)) placed->server.upper = *upper;
        if (word == "lthreshold")
          if (const auto lower = number(one, 1, 0, 0x7fffffff)) placed->server.lower = *lower;
      }
    }
    // What keepalived resets, and says in its log (DST-10).
    if (!front.id.is_mark() && placed->server.method != ForwardMethod::kMasquerade)
      placed->server.port = front.id.port;
    return placed;
  }

  void read_virtual_server(const Statement& server) {
    if (!server.block) return refuse(server, "a block is expected", "write virtual_server ... { ... }");
    Method forwarding;
    PlacedService said = read_service(server, &forwarding);
    // A mark has no address; keepalived takes the family of its servers.
    if (const Statement* one = find(server, {"real_server"}); one != nullptr && one->words.size() > 1) {
      const auto address = IpAddress::parse(one->words[1]);
      if (address.ok() && address->is_v6()) said.service.id.family = AF_INET6;
    }
    const Statement* const inhibit = find(server, {"inhibit_on_failure"});
    const std::size_t refused_before = result_.refusals.size();
    for (const Front& front : fronts_of(server)) {
      PlacedService placed = said;
      identify(front, &placed.service);
      if (front.id.port == 0 && !front.id.is_mark() && !placed.persistent()) {
        placed.service.persistent_s = kDefaultPersistence.count();
        placed.window_from = WindowFrom::kPortZero;
      }
      if (!placed.persistent()) placed.window_from = WindowFrom::kNumber;
      if (!add(&placed)) continue;
      for (const Statement& one : *server.block) {
        if (one.words[0] == "real_server")
          if (auto real = read_real_server(one, front, forwarding, inhibit != nullptr && is_on(*inhibit)))
            add_server(&placed, std::move(*real));
        if (one.words[0] == "sorry_server") placed.sorry = read_sorry(server, one, front, forwarding);
      }
      result_.services.push_back(std::move(placed));
    }
    // What is wrong with a server is wrong for each front; it is said once.
    drop_repeated_refusals(refused_before);
  }

  std::optional<PlacedServer> read_sorry(const Statement& server, const Statement& at, const Front& front,
                                         Method forwarding) {
    if (const Statement* own = find(server, {"sorry_server_lvs_method"})) forwarding = method(*own, forwarding);
    auto sorry = read_server(at, front, forwarding);
    if (sorry) sorry->inhibit_on_failure = find(server, {"sorry_server_inhibit"}) != nullptr;
    return sorry;
  }

  void drop_repeated_refusals(std::size_t from) {
    std::vector<Refusal>& all = result_.refusals;
    for (std::size_t i = from; i < all.size();) {
      const bool repeated =
          std::any_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i),
                      [&](const auto& one) { return one.place == all[i].place && one.text == all[i].text; });
      if (repeated)
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
  }

  /// Gives the service the identity of a front, and the mask of that family only.
  static void identify(const Front& front, VirtualService* service) {
    const Protocol protocol = service->id.protocol;
    const int said_family = service->id.family;
    service->id = front.id;
    if (!front.id.is_mark())
      service->id.protocol = protocol;
    else if (said_family == AF_INET6)
      service->id.family = AF_INET6;
    if (service->id.family == AF_INET6)
      service->netmask = VirtualService{}.netmask;
    else
      service->prefix_length = 128;
  }

  bool add(PlacedService* placed) {
    const Status added = apply_command(AddService{placed->service}, &ruleset_);
    if (!added.ok()) result_.refusals.push_back({placed->place, added.error().message});
    return added.ok();
  }

  void add_server(PlacedService* placed, PlacedServer real) {
    if (real.server.address.family() != placed->id().family && real.server.method != ForwardMethod::kTunnel)
      return refuse(real.place, real.server.address.str(),
                    "Different address family is allowed only for tunneling servers",
                    "keepalived skips this server; use an address of the service's family, or lvs_method TUN");
    const Status added = apply_command(AddServer{placed->id(), real.server}, &ruleset_);
    if (!added.ok())
      result_.refusals.push_back({real.place, added.error().message});
    else
      placed->servers.push_back(std::move(real));
  }

  Configuration result_{.source = Source::kKeepalived};
  Ruleset ruleset_;
  std::map<std::string, std::vector<Front>> groups_;
};

std::string_view first_word(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  return line.substr(0, line.find_first_of(" \t\r{"));
}

}  // namespace

Result<Configuration> read_keepalived(std::string_view text, const std::string& file, const TreeOptions& options) {
  LVSPEC_ASSIGN(const std::vector<Statement> statements, read_keepalived_tree(text, file, options));
  return KeepalivedReader().read(statements);
}

bool looks_like_keepalived(std::string_view text) {
  static const std::set<std::string_view> kWords = {
      "virtual_server", "virtual_server_group", "real_server", "global_defs", "vrrp_instance",
      "vrrp_script",    "vrrp_sync_group",      "include",     "!",           "static_ipaddress"};
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::string_view word = first_word(line);
    const bool defines = word.starts_with('$') && word.find('=') != std::string_view::npos;
    if (kWords.count(word) > 0 || word.starts_with('!') || word.starts_with('@') || defines) return true;
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return false;
}

}  // namespace lvspec::doctor
