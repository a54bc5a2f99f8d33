#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/doctor/findings.h"

namespace lvspec::doctor {
namespace {

constexpr std::uint16_t kFtpData = 20;

bool names_port(const std::vector<PortRange>& ranges, std::uint16_t port) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const PortRange& one) { return one.contains(port); });
}

bool meet(const std::optional<Prefix>& a, const std::optional<Prefix>& b) {
  if (!a || !b) return true;
  return a->contains(b->address) || b->contains(a->address);
}

bool meet(const std::vector<PortRange>& a, const std::vector<PortRange>& b) {
  if (a.empty() || b.empty()) return true;
  return std::any_of(a.begin(), a.end(), [&](const PortRange& one) {
    return std::any_of(b.begin(), b.end(),
                       [&](const PortRange& other) { return one.first <= other.last && other.first <= one.last; });
  });
}

/// Whether some packet fits both rules.
bool meet(const MarkRule& a, const MarkRule& b) {
  const bool interfaces = a.in_interface.empty() || b.in_interface.empty() || a.in_interface == b.in_interface;
  return a.family == b.family && interfaces && (!a.protocol || !b.protocol || *a.protocol == *b.protocol) &&
         meet(a.source, b.source) && meet(a.destination, b.destination) && meet(a.source_ports, b.source_ports) &&
         meet(a.destination_ports, b.destination_ports);
}

bool whole(const MarkRule& rule) { return rule.mask == 0xffffffff; }

class MarkExaminer {
 public:
  MarkExaminer(const Configuration& all, Findings* findings) : all_(all), out_(*findings) {}

  void examine() {
    for (const PlacedMark& one : all_.marks) examine_rule(one);
    examine_addresses();
    examine_overlaps();
    for (const PlacedService& one : all_.services)
      if (one.id().is_mark()) examine_service(one);
  }

 private:
  void examine_rule(const PlacedMark& one) {
    const MarkRule& rule = one.rule;
    if (names_port(rule.source_ports, kFtpData))
      out_.say(
          "client-port-20", one.place,
          "the rule marks packets from client port 20, but IPVS never schedules a packet from that port, whatever "
          "its mark",
          "leave it out; active FTP's data comes from the server, and needs no balancing");
    if (!whole(rule)) return;  // what the mark is depends on what it was
    if (rule.mark == 0)
      return out_.say("mark-zero", one.place, "mark 0 is no mark: no service can be for it",
                      "a number from 1 to 4294967295");
    const bool own = all_.find(ServiceId::of_mark(rule.mark, rule.family)) != nullptr;
    if (own) return;
    const int other = rule.family == AF_INET6 ? AF_INET : AF_INET6;
    if (all_.find(ServiceId::of_mark(rule.mark, other)) != nullptr)
      out_.say("mark-of-the-other-family", one.place,
               fmt::format(
                   "mark {} is put on {} packets, and its service is for {} only: these packets are not balanced",
                   rule.mark, rule.family == AF_INET6 ? "IPv6" : "IPv4", rule.family == AF_INET6 ? "IPv4" : "IPv6"),
               fmt::format("ipvsadm -A {} -s wlc -p 600, a service of its own",
                           as_option(ServiceId::of_mark(rule.mark, rule.family))));
    else if (all_.source == Source::kScript && !all_.services.empty())
      out_.say("mark-without-service", one.place,
               fmt::format("mark {} has no service: its packets are balanced as if they had no mark, or not at all",
                           rule.mark),
               fmt::format("ipvsadm -A {} -s wlc -p 600", as_option(ServiceId::of_mark(rule.mark, rule.family))));
  }

  /// A mark that several addresses share is one service with one template a client.
  void examine_addresses() {
    std::map<std::pair<int, std::uint32_t>, const PlacedMark*> first;
    std::set<std::pair<int, std::uint32_t>> said;
    for (const PlacedMark& one : all_.marks) {
      if (!whole(one.rule) || one.rule.mark == 0 || !one.rule.destination) continue;
      const std::pair key(one.rule.family, one.rule.mark);
      const auto [found, is_new] = first.emplace(key, &one);
      if (is_new || meet(found->second->rule.destination, one.rule.destination) || !said.insert(key).second) continue;
      out_.say(
          "mark-of-several-addresses", one.place,
          fmt::format("mark {} is given for {} and for {} ({}): that is one service, and a client has one server for "
                      "both",
                      one.rule.mark, one.rule.destination->str(), found->second->rule.destination->str(),
                      found->second->place.str()),
          "two marks, if they are two services");
    }
  }

  void examine_overlaps() {
    constexpr std::size_t kMany = 500;  // a comparison of all pairs; beyond that nobody reads the answer
    const std::size_t count = std::min(all_.marks.size(), kMany);
    for (std::size_t later = 1; later < count; ++later) {
      for (std::size_t earlier = 0; earlier < later; ++earlier) {
        const MarkRule& a = all_.marks[earlier].rule;
        const MarkRule& b = all_.marks[later].rule;
        if (!whole(a) || !whole(b) || a.mark == b.mark || !meet(a, b)) continue;
        out_.say(
            "marks-overlap", all_.marks[later].place,
            fmt::format("packets that fit this rule and that of {} leave with mark {}, not {}: MARK does not end the "
                        "walk, the last rule counts",
                        all_.marks[earlier].place.str(), b.mark, a.mark),
            "rules that exclude each other, or the special one last");
        break;
      }
    }
  }

  void examine_service(const PlacedService& one) {
    const ServiceId& id = one.id();
    if (id.fwmark >= 0x80000000 && all_.source != Source::kKeepalived)
      out_.say("mark-printed-negative", one.place,
               fmt::format("ipvsadm -S prints mark {} as {}, and does not read that back: saved, the service is lost",
                           id.fwmark, static_cast<std::int32_t>(id.fwmark)),
               "a mark below 2147483648");
    const auto gives = [&](const PlacedMark& rule) {
      return rule.rule.family == id.family && (!whole(rule.rule) || rule.rule.mark == id.fwmark);
    };
    if (!all_.marks.empty() && std::none_of(all_.marks.begin(), all_.marks.end(), gives))
      out_.say("service-without-mark", one.place,
               fmt::format("no rule here gives mark {} to {} packets: nothing reaches {}", id.fwmark,
                           id.family == AF_INET6 ? "IPv6" : "IPv4", id.str()),
               fmt::format("{} -t mangle -A PREROUTING -d VIP -p tcp --dport PORT -j MARK --set-mark {}",
                           id.family == AF_INET6 ? "ip6tables" : "iptables", id.fwmark));
    for (const PlacedMark& rule : all_.marks)
      if (whole(rule.rule) && rule.rule.mark == id.fwmark && rule.rule.family == id.family) shadow(rule, one);
  }

  /// Services by address whose packets a rule takes away.
  void shadow(const PlacedMark& rule, const PlacedService& mark_service) {
    for (const PlacedService& one : all_.services) {
      const ServiceId& id = one.id();
      if (id.is_mark() || id.family != rule.rule.family || !rule.rule.destination) continue;
      if (rule.rule.protocol && *rule.rule.protocol != id.protocol) continue;
      if (!rule.rule.destination->contains(id.address)) continue;
      if (id.port != 0 && !rule.rule.destination_ports.empty() && !names_port(rule.rule.destination_ports, id.port))
        continue;
      if (!shadowed_.insert({&one, &mark_service}).second) continue;
      out_.say(
          "mark-beats-address", one.place,
          fmt::format("packets for {} get mark {} ({}) and go to {} ({}), even if that has no server left", id.str(),
                      rule.rule.mark, rule.place.str(), mark_service.id().str(), mark_service.place.str()),
          "one of both");
    }
  }

  const Configuration& all_;
  Findings& out_;
  std::set<std::pair<const PlacedService*, const PlacedService*>> shadowed_;  ///< said already
};

}  // namespace

void examine_marks(const Configuration& configuration, Findings* findings) {
  MarkExaminer(configuration, findings).examine();
}

}  // namespace lvspec::doctor
