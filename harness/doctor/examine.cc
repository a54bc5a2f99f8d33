#include "harness/doctor/examine.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "harness/doctor/findings.h"

namespace lvspec::doctor {

std::string as_option(const ServiceId& id) {
  if (id.is_mark()) return fmt::format("-f {}{}", id.fwmark, id.family == AF_INET6 ? " -6" : "");
  const char* option = id.protocol == Protocol::kTcp ? "-t" : id.protocol == Protocol::kUdp ? "-u" : "--sctp-service";
  return fmt::format("{} {}", option, Endpoint{id.address, id.port}.str());
}

namespace {

constexpr std::uint16_t kFtp = 21;

/// All that can be said of one service by itself.
class ServiceExaminer {
 public:
  ServiceExaminer(const Configuration& all, const PlacedService& placed, Findings* findings)
      : all_(all), placed_(placed), service_(placed.service), id_(placed.id()), name_(id_.str()), out_(*findings) {}

  void examine() {
    if (placed_.persistent()) {
      examine_window();
      examine_mask();
    } else {
      examine_without_persistence();
    }
    examine_port();
    examine_servers();
    examine_scheduler();
    examine_datagrams();
    examine_engine();
  }

 private:
  bool keepalived() const { return all_.source == Source::kKeepalived; }
  bool live() const { return all_.source == Source::kLive; }
  bool six() const { return id_.family == AF_INET6; }
  bool tcp() const { return id_.is_mark() || id_.protocol == Protocol::kTcp; }
  bool udp() const { return !id_.is_mark() && id_.protocol == Protocol::kUdp; }
  bool uses(ForwardMethod method) const {
    return std::any_of(placed_.servers.begin(), placed_.servers.end(),
                       [&](const PlacedServer& one) { return one.server.method == method; });
  }
  /// The -A line with more behind it, or the keepalived word.
  std::string write(const std::string& options, const std::string& word) const {
    return keepalived() ? word : fmt::format("ipvsadm -E {} -s {} {}", as_option(id_), service_.scheduler, options);
  }
  void say(std::string_view trap_id, std::string text, std::string instead) {
    out_.say(trap_id, placed_.place, std::move(text), std::move(instead));
  }

  void say_at(const std::optional<Place>& place, std::string_view trap_id, std::string text, std::string instead) {
    out_.say(trap_id, place.value_or(placed_.place), std::move(text), std::move(instead));
  }

  void examine_window() {
    const std::uint32_t window = *service_.persistent_s;
    switch (placed_.window_from) {
      case WindowFrom::kBareOption:
        say_at(placed_.window_place, "default-window",
               fmt::format("{} is persistent without a number: a client is kept for 360 s, not for the 300 s of the "
                           "manual page and of most notes",
                           name_),
               write("-p 300 (or -p 360, if you mean it)", "persistence_timeout 300 (or 360, if you mean it)"));
        break;
      case WindowFrom::kGranularity:
      case WindowFrom::kPortZero:
        say_at(placed_.window_place, "window-nobody-asked-for",
               fmt::format(
                   "{} has no persistence_timeout, but {} switches persistence on by itself: clients are kept for "
                   "360 s",
                   name_, placed_.window_from == WindowFrom::kPortZero ? "port 0" : "persistence_granularity"),
               "write the persistence_timeout that you want");
        break;
      case WindowFrom::kNumber:
        break;
    }
    if (service_.one_packet) return;  // no entry is left that could hold the template
    if (tcp() && window <= all_.tcp_fin_s)
      say_at(
          placed_.window_place, "short-window",
          fmt::format("{}: a client is kept for at least {} s, not for {}: its finished connection stays in {} for "
                      "{} s and holds "
                      "the template, which goes on in steps of 60 s",
                      name_, shortest_stay(window, all_.tcp_fin_s), window,
                      uses(ForwardMethod::kMasquerade) ? "TIME_WAIT" : "FIN_WAIT", all_.tcp_fin_s),
          keepalived() ? fmt::format("a window of more than {0} s, or lvs_timeouts tcpfin below {1} in global_defs",
                                     all_.tcp_fin_s, window)
                       : fmt::format("a window of more than {0} s, or shorten what holds it: ipvsadm --set 0 {1} 0",
                                     all_.tcp_fin_s, std::max(window / 2, 1U)));
    if (udp() && window <= all_.udp_s)
      say_at(
          placed_.window_place, "short-udp-window",
          fmt::format("{}: a client is kept for at least {} s after its last datagram, not for {}: each datagram's "
                      "entry lives {} "
                      "s and holds the template",
                      name_, shortest_stay(window, all_.udp_s), window, all_.udp_s),
          keepalived() ? fmt::format("a window of more than {} s, lvs_timeouts udp {}, or ops", all_.udp_s, window)
                       : fmt::format("a window of more than {} s, ipvsadm --set 0 0 {}, or -o", all_.udp_s, window));
  }

  /// Until which second a client is kept: the first window + 60 k after the end of what holds it, which is a little
  /// later than `held` because it begins when the connection ends (TPL-36). For windows of at most `held`.
  static std::uint32_t shortest_stay(std::uint32_t window, std::uint32_t held) {
    return window + ((held - window) / 60 + 1) * 60;
  }

  /// Whether the mask was surely meant as a prefix length, also where 0.0.0.24 has been saved by ipvsadm.
  bool is_a_length(std::uint32_t mask) const {
    const bool bare = !placed_.mask_text.empty() && placed_.mask_text.find('.') == std::string::npos;
    return bare || (mask >= 8 && mask <= 32);
  }

  void examine_mask() {
    if (six()) {
      if (service_.prefix_length == 128)
        say_at(placed_.mask_place, "mask-of-one-ipv6-address",
               fmt::format(
                   "{}: a client is one IPv6 address (/128), and most clients change theirs every day or oftener "
                   "(privacy addresses): then they are new clients",
                   name_),
               write(fmt::format("-p {} -M 64", *service_.persistent_s), "persistence_granularity 64"));
      return;
    }
    const std::uint32_t mask = service_.netmask.v4_host_order();
    const std::string right = fmt::format("-p {} -M 255.255.255.0", *service_.persistent_s);
    if (mask == 0) {
      if (service_.pe.empty())
        say_at(placed_.mask_place, "mask-of-everybody",
               fmt::format(
                   "{}: under the mask 0.0.0.0 all clients are one client: all go to one server until it is removed",
                   name_),
               write(right, "persistence_granularity 255.255.255.0") + ", or no mask");
    } else if (is_a_length(mask)) {
      say_at(placed_.mask_place, "mask-without-dots",
             fmt::format(
                 "{}: the mask {} is read as the address {}: which of the last bits a client has decides its server, "
                 "not its network",
                 name_, mask, service_.netmask.str()),
             write(right, "persistence_granularity 255.255.255.0"));
    } else if (std::countl_one(mask) + std::countr_zero(mask) < 32) {
      say_at(placed_.mask_place, "mask-with-holes",
             fmt::format("{}: the mask {} has holes: clients are one client if these bits agree, wherever they are",
                         name_, service_.netmask.str()),
             "a mask of a network, unless holes are what you want");
    } else if (mask == 0xffffffff) {
      out_.say_once(
          "mask-of-one-address", placed_.place,
          fmt::format("{}: a client is one address (/32): people behind one NAT or proxy are one client, and a "
                      "person whose address changes is a new one",
                      name_),
          write(right, "persistence_granularity 255.255.255.0") + ", if a whole network should stay together");
    }
  }

  void examine_without_persistence() {
    if (id_.is_mark())
      say("mark-without-persistence",
          fmt::format(
              "{} is not persistent: its ports share one pool of servers, but a client's next connection, on the "
              "same port or another, may go to another server",
              name_),
          write("-p 600", "persistence_timeout 600"));
    if (!placed_.mask_text.empty() && !keepalived())
      say("mask-without-persistence",
          fmt::format("{} has a mask but no -p: the mask has no effect, and ipvsadm -S does not save it", name_),
          write(fmt::format("-p 600 -M {}", six() ? std::to_string(service_.prefix_length) : service_.netmask.str()),
                ""));
    if (!id_.is_mark() && id_.port == 0)
      say("port-zero-without-persistence",
          fmt::format("{} takes every port, but without persistence it schedules nothing: clients are refused",
                      name_),
          write("-p 600", "persistence_timeout 600"));
    if (!id_.is_mark() && id_.port == kFtp && id_.protocol == Protocol::kTcp && !uses(ForwardMethod::kMasquerade))
      say("ftp-without-persistence",
          fmt::format(
              "{} is FTP without persistence: passive data connections, to ports from 1024 on, are not balanced "
              "but left to the director's own stack, which refuses them",
              name_),
          write("-p 600", "persistence_timeout 600"));
  }

  void examine_port() {
    if (id_.is_mark() || !placed_.persistent()) return;
    if (id_.port == 0)
      say("all-ports-are-taken",
          fmt::format(
              "{} takes every port of the address, the director's own (ssh) too; a port that the client's server "
              "does not serve is refused and tried nowhere else",
              name_),
          "mark the ports that you mean, and balance the mark");
    if (id_.port == kFtp && id_.protocol == Protocol::kTcp)
      say("ftp-takes-high-ports",
          fmt::format(
              "{} takes port 20 and every port from 1024 on that has no service of its own, not FTP's data alone",
              name_),
          "if other services live on high ports of this address, mark port 21 and the servers' range of passive "
          "ports");
  }

  void examine_servers() {
    const bool usable = std::any_of(placed_.servers.begin(), placed_.servers.end(),
                                    [](const PlacedServer& one) { return one.server.weight > 0; });
    if (!usable)
      say("no-server",
          fmt::format("{} has {}: new clients are refused at once", name_,
                      placed_.servers.empty() ? "no server" : "only servers of weight 0"),
          keepalived() ? "a real_server with a weight"
                       : fmt::format("ipvsadm -a {} -r SERVER -g -w 1", as_option(id_)));
    for (const PlacedServer& one : placed_.servers) examine_server(one);
    if (placed_.persistent() && placed_.sorry && placed_.sorry->inhibit_on_failure)
      out_.say(
          "sorry-server-keeps-clients", placed_.sorry->place,
          fmt::format("{}: the sorry server stays at weight 0 when the others are back, and clients that came in "
                      "between stay on it as long as they keep coming",
                      name_),
          "leave sorry_server_inhibit out, or sysctl -w net.ipv4.vs.expire_quiescent_template=1");
    if (!placed_.persistent()) return;
    if (keepalived())
      out_.say_once(
          "removal-hangs-clients", placed_.place,
          "when a check fails keepalived removes the server, and by default the open connections to it hang: "
          "their packets are dropped silently",
          "sysctl -w net.ipv4.vs.expire_nodest_conn=1");
    else
      out_.say_once(
          "dead-servers-are-not-noticed", placed_.place,
          fmt::format("{}: IPVS checks no server: clients of a dead one are sent there for the rest of their "
                      "window, and every retry renews it",
                      name_),
          "let something check the servers (keepalived), remove dead ones, and set "
          "net.ipv4.vs.expire_nodest_conn=1");
  }

  void examine_server(const PlacedServer& one) {
    const RealServer& server = one.server;
    const std::string who = fmt::format("{} of {}", server.endpoint().str(), name_);
    const auto say_here = [&](std::string_view trap_id, std::string text, std::string instead) {
      out_.say(trap_id, one.place, std::move(text), std::move(instead));
    };
    if (server.weight == 0 && placed_.persistent())
      say_here(
          "weight-zero-is-no-drain",
          fmt::format("{} has weight 0: new clients avoid it, but those it knows stay with new connections too, for "
                      "ever if they come back within {} s",
                      who, *service_.persistent_s),
          "sysctl -w net.ipv4.vs.expire_quiescent_template=1 lets them go at their next connection");
    if (one.inhibit_on_failure && placed_.persistent())
      say_here(
          "inhibit-pins-clients",
          fmt::format("{}: when its check fails, inhibit_on_failure sets weight 0, and its persistent clients go on "
                      "being sent to the dead server; each retry renews their window",
                      who),
          "sysctl -w net.ipv4.vs.expire_quiescent_template=1, or leave inhibit_on_failure out");
    const std::uint16_t said = one.typed_port.value_or(server.port);
    if (placed_.persistent() && (id_.is_mark() || id_.port == 0) && said != 0)
      say_here(
          "server-port-ignored",
          fmt::format("{}: the port {} is not used: a persistent {} service delivers every connection to the port "
                      "that the client asked for",
                      fmt::format("{} of {}", server.address.str(), name_), said, id_.is_mark() ? "mark" : "port-0"),
          "leave the port out, and let the server listen on the client's port");
    else if (!id_.is_mark() && server.method != ForwardMethod::kMasquerade && said != id_.port)
      say_here(
          "server-port-replaced",
          fmt::format(
              "{} of {}: the port {} is not used: with direct routing and tunnels a packet keeps its port{}",
              server.address.str(), name_, said,
              live() ? ", whatever is listed"
                     : fmt::format(", and {} writes {} instead", keepalived() ? "keepalived" : "ipvsadm", id_.port)),
          keepalived() ? fmt::format("port {}, or lvs_method NAT", id_.port)
                       : fmt::format("port {}, or -m", id_.port));
    if (server.address.family() == id_.family &&
        (server.address == id_.address || (!six() && server.address.v4_host_order() >> 24 == 127)) && !id_.is_mark())
      say_here(
          "director-is-a-server",
          fmt::format("{} is the director itself: its packets go to the director's own stack, whatever the method "
                      "that is listed, and its states are those of both directions",
                      who),
          "nothing, if that is meant");
    examine_threshold(one, who);
  }

  void examine_threshold(const PlacedServer& one, const std::string& who) {
    const std::uint32_t upper = one.server.upper;
    if (upper == 0) return;
    if (udp() && !service_.one_packet)
      out_.say(
          "threshold-counts-udp", one.place,
          fmt::format("{}: the threshold {} counts every UDP source port of the last {} s", who, upper, all_.udp_s),
          "a threshold that allows for that, or none");
    else if (tcp())
      out_.say("threshold-counts-closed", one.place,
               fmt::format("{}: the threshold {} counts finished connections too, each for {} s more: at {} new "
                           "connections a second it is reached with none open",
                           who, upper, all_.tcp_fin_s, std::max(upper / std::max(all_.tcp_fin_s, 1U), 1U)),
               fmt::format("connections a second times {} s, plus those open at once", all_.tcp_fin_s));
    if (placed_.persistent())
      out_.say(
          "threshold-spares-known-clients", one.place,
          fmt::format("{}: the threshold {} keeps new clients out; clients it knows go on connecting and push it "
                      "above",
                      who, upper),
          "limit them on the server itself");
    if (!keepalived())
      out_.say_once(
          "threshold-is-not-saved", one.place,
          fmt::format("{}: ipvsadm -S does not save thresholds: after a restore there is none", who),
          live() ? "set it again after a restore" : "keep this script as the source, not what ipvsadm-save prints");
  }

  void examine_scheduler() {
    const std::string& name = service_.scheduler;
    std::vector<std::int32_t> weights;
    for (const PlacedServer& one : placed_.servers)
      if (one.server.weight > 0) weights.push_back(one.server.weight);
    const bool unequal = std::adjacent_find(weights.begin(), weights.end(), std::not_equal_to<>()) != weights.end();
    if (unequal && (name == "rr" || name == "lc" || name == "dh"))
      say_at(placed_.scheduler_place, "weights-ignored",
             fmt::format("{}: the scheduler {} does not look at weights: its servers share alike", name_, name),
             name == "lc" ? "wlc" : "wrr");
    if (unequal && name == "wrr")
      say_at(placed_.scheduler_place, "wrr-order",
             fmt::format(
                 "{}: wrr does not begin with the heaviest server: the first round serves each once, the last added "
                 "first, and any change of a server starts it again",
                 name_),
             "expect shares, not an order");
    if (weights.size() < 2) return;
    if (name == "dh" && !id_.is_mark())
      say_at(
          placed_.scheduler_place, "dh-is-one-server",
          fmt::format("{}: dh chooses by the destination address, and here that is one: all clients go to one server",
                      name_),
          "sh, to choose by client, or persistence with wlc");
    if ((name == "lblc" || name == "lblcr") && !id_.is_mark())
      say_at(
          placed_.scheduler_place, "lblc-is-one-server",
          fmt::format("{}: {} chooses by the destination address, and here that is one: all clients go to one server "
                      "until that is busy while another is idle",
                      name_, name),
          "wlc; lblc is for caches behind a mark");
    if (name == "sh" || name == "mh") examine_hash(name);
    if ((name == "sed" || name == "nq") && tcp())
      say_at(placed_.scheduler_place, "short-requests-pile-up",
             fmt::format(
                 "{}: {} does not count finished connections: short requests, one after the other, all go to one "
                 "server",
                 name_, name),
             "wlc, if requests are short");
    if (name == "ovf")
      say_at(placed_.scheduler_place, "ovf-takes-one-more",
             fmt::format(
                 "{}: ovf gives a server of weight N up to N + 1 open connections, and refuses when all are full",
                 name_),
             "weights one smaller than what the server bears");
    if (name == "fo")
      say_at(placed_.scheduler_place, "fo-is-one-server",
             fmt::format("{}: fo sends all clients to the heaviest server; the others wait for it to go", name_),
             "wlc or wrr, if the load is to be shared");
  }

  void examine_hash(const std::string& name) {
    const std::string flag = name + "-fallback";
    const auto& flags = service_.sched_flags;
    const bool falls_back = std::find(flags.begin(), flags.end(), flag) != flags.end() ||
                            std::find(flags.begin(), flags.end(), "flag-1") != flags.end();
    if (placed_.persistent())
      say_at(placed_.scheduler_place, "hash-only-for-newcomers",
             fmt::format(
                 "{}: with persistence {} decides only where a new client goes; after that its template does, also "
                 "when servers have come or gone",
                 name_, name),
             "one of both: the hash without persistence, or persistence with wlc");
    if (!falls_back)
      say_at(placed_.scheduler_place, name == "sh" ? "sh-refuses" : "mh-refuses",
             fmt::format(
                 "{}: clients that {} gives to a server of weight 0, or to a full one, are refused, although others "
                 "have room",
                 name_, name),
             write(fmt::format("-b {}", flag), flag));
  }

  void examine_datagrams() {
    if (service_.one_packet && placed_.persistent())
      say("one-packet-renews",
          fmt::format(
              "{}: each datagram is scheduled alone and renews the client's window: it lasts as long as datagrams "
              "come within {} s",
              name_, *service_.persistent_s),
          "nothing, if that is meant");
    if (udp() && !service_.one_packet && !placed_.persistent())
      say("udp-flow-is-one-connection",
          fmt::format(
              "{}: a client that keeps its source port stays on one server as long as its datagrams are less than "
              "{} s apart, also when that server is gone",
              name_, all_.udp_s),
          keepalived() ? "ops, to schedule each datagram" : "-o, to schedule each datagram");
  }

  void examine_engine() {
    if (service_.pe != "sip") return;
    if (!placed_.persistent())
      return say("sip-without-persistence",
                 fmt::format("{}: the engine sip needs persistence; without it it changes nothing", name_),
                 write("-p 600 -M 0.0.0.0 --pe sip", "persistence_timeout 600"));
    if (!udp())
      say("sip-drops-the-rest",
          fmt::format("{}: what is not a UDP datagram with a Call-ID is dropped without an answer, all TCP too",
                      name_),
          "a UDP service for SIP, and another one for the rest");
    const bool everybody = six() ? false : service_.netmask.v4_host_order() == 0;
    if (!everybody)
      say("sip-per-address",
          fmt::format(
              "{}: the client's address stays in the key beside the Call-ID: both ends of one call, or a phone "
              "whose address changes, may meet different servers",
              name_),
          six() ? "IPv4: an IPv6 mask is at least 1"
                : write(fmt::format("-p {} -M 0.0.0.0 --pe sip", *service_.persistent_s),
                        "persistence_granularity 0.0.0.0"));
    if (!service_.one_packet && udp())
      say("sip-flow-wins",
          fmt::format(
              "{}: only the first datagram of a source port is looked at: all calls of a proxy that sends from one "
              "port go to one server",
              name_),
          write(fmt::format("-p {} --pe sip -o", *service_.persistent_s), "ops"));
  }

  const Configuration& all_;
  const PlacedService& placed_;
  const VirtualService& service_;
  const ServiceId& id_;
  const std::string name_;
  Findings& out_;
};

/// What services of one address do to each other.
void examine_neighbours(const Configuration& all, Findings* out) {
  std::map<std::pair<IpAddress, Protocol>, std::vector<const PlacedService*>> by_address;
  std::map<IpAddress, std::vector<const PlacedService*>> persistent_port_zero;
  for (const PlacedService& one : all.services) {
    if (one.id().is_mark()) continue;
    by_address[{one.id().address, one.id().protocol}].push_back(&one);
    if (one.id().port == 0 && one.persistent()) persistent_port_zero[one.id().address].push_back(&one);
  }
  for (const auto& [address, services] : by_address) {
    const PlacedService* zero = nullptr;
    const PlacedService* first_sticky = nullptr;
    for (const PlacedService* one : services)
      if (one->id().port == 0) zero = one;
    for (const PlacedService* one : services) {
      if (one == zero) continue;
      const bool ftp = one->id().port == kFtp && one->id().protocol == Protocol::kTcp;
      if (zero != nullptr && ftp)
        out->say("ftp-beside-all-ports", one->place,
                 fmt::format(
                     "{} stands beside {} ({}): port 20 and all ports from 1024 on go to the FTP service{}, not to "
                     "port 0; and both share templates, so a client may be sent to the other one's server",
                     one->id().str(), zero->id().str(), zero->place.str(),
                     one->persistent() ? "" : ", which refuses them because it is not persistent"),
                 "one of both, or marks");
      else if (zero != nullptr)
        out->say(
            "exact-port-beside-all-ports", one->place,
            fmt::format("port {} goes to {}, not to {} ({}): a client's connections to it and to other ports are not "
                        "kept on one server",
                        one->id().port, one->id().str(), zero->id().str(), zero->place.str()),
            "port 0 alone, or a mark for the ports that belong together");
      if (!one->persistent() || ftp || zero != nullptr) continue;
      if (first_sticky == nullptr) {
        first_sticky = one;
      } else {
        out->say("ports-apart", one->place,
                 fmt::format("{} and {} ({}) remember clients apart: one client may have a server for each port",
                             one->id().str(), first_sticky->id().str(), first_sticky->place.str()),
                 "mark both ports and balance the mark with persistence, if they belong together (http and https)");
      }
    }
  }
  const PlacedService* first_zero = nullptr;
  for (const auto& [address, services] : persistent_port_zero) {
    if (services.size() > 1)
      out->say(
          "protocols-apart", services[1]->place,
          fmt::format("{} and {} ({}) remember clients apart: TCP and UDP of one client may go to different servers",
                      services[1]->id().str(), services[0]->id().str(), services[0]->place.str()),
          "mark both protocols and balance the mark with persistence");
    if (first_zero != nullptr && first_zero->id().family == services[0]->id().family)
      out->say_once(
          "addresses-apart", services[0]->place,
          fmt::format("{} and {} ({}) remember clients apart: one client may have a server for each address",
                      services[0]->id().str(), first_zero->id().str(), first_zero->place.str()),
          "mark both addresses and balance the mark with persistence, if they belong together");
    if (first_zero == nullptr) first_zero = services[0];
  }
}

void examine_fail_over(const Configuration& all, Findings* out) {
  if (!all.fail_over) return;
  const auto sticky = std::find_if(all.services.begin(), all.services.end(),
                                   [](const PlacedService& one) { return one.persistent(); });
  if (sticky == all.services.end()) return;
  if (!all.sync_daemon)
    out->say("fail-over-forgets-clients", *all.fail_over,
             "VRRP moves the addresses to another director, but nothing tells that one which server each client has: "
             "after a fail-over all clients are scheduled anew",
             "global_defs { lvs_sync_daemon INTERFACE VRRP_INSTANCE }");
  else
    out->say(
        "fail-over-restarts-windows", *all.sync_daemon,
        "the other director learns each client's server, and its window as a whole: after a fail-over windows begin "
        "again",
        "nothing, if that is meant");
}

/// The trap that a refusal is an example of, by the words that ipvsadm and keepalived have for it.
std::string_view kind_of(const std::string& refusal) {
  static const std::vector<std::pair<std::string_view, std::string_view>> kKinds = {
      {"Zero port specified", "port-zero-refused"},
      {"One-Packet Scheduling is only", "one-packet-refused"},
      {"Numerical result out of range", "lower-threshold-refused"},
      {"invalid fwmark value", "mark-refused"},
      {"fwmark takes a number", "mark-refused"},
      {"Different address family", "family-refused"},
      {"invalid timeout value", "window-refused"},
      {"persistence_timeout takes a number", "window-refused"},
      {"unknown option", "unknown-option"},
      {"unknown command", "unknown-command"},
  };
  for (const auto& [words, id] : kKinds)
    if (refusal.find(words) != std::string::npos) return id;
  return "refused-line";
}

}  // namespace

std::vector<Finding> examine(const Configuration& configuration) {
  Findings findings;
  for (const Refusal& one : configuration.refusals) findings.say(kind_of(one.text), one.place, one.text, "");
  for (const PlacedService& one : configuration.services) ServiceExaminer(configuration, one, &findings).examine();
  examine_neighbours(configuration, &findings);
  examine_marks(configuration, &findings);
  examine_changes(configuration, &findings);
  examine_fail_over(configuration, &findings);
  std::vector<Finding> all = findings.take();
  std::stable_sort(all.begin(), all.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.place.file, a.place.line) < std::tie(b.place.file, b.place.line);
  });
  return all;
}

}  // namespace lvspec::doctor
