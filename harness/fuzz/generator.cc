#include "harness/fuzz/generator.h"

#include <algorithm>
#include <optional>

#include "harness/fuzz/random.h"
#include "harness/fuzz/wire.h"

namespace lvspec::fuzz {
namespace {

constexpr std::uint16_t kReusedPort = 40000;  // and the next ones
constexpr std::uint16_t kFreshPort = 50000;
constexpr std::uint16_t kFtpData = 20, kFtp = 21;

/// Makes one program, and remembers what its director has been told so far.
class Generator {
 public:
  Generator(std::uint64_t seed, const Alphabet& alphabet) : random_(seed), alphabet_(alphabet) {
    program_.seed = seed;
    const int die = random_.between(1, 10);
    if (die <= 8) families_.push_back(AF_INET);
    if (die >= 7) families_.push_back(AF_INET6);
    const int crowd = random_.percent(10) ? random_.between(20, 60) : random_.between(2, 6);
    // Some are neighbours in a /28, others share a /24 only.
    for (int i = 0; i < crowd; ++i) hosts_.push_back(i % 3 == 2 ? 130 + i : 2 + i);
  }

  Program make(std::size_t steps) {
    if (random_.percent(40)) set_marks();
    if (random_.percent(30)) set_sysctl();
    for (int i = random_.between(1, 3); i > 0; --i) add_service();
    while (program_.steps.size() < steps) one_more();
    return std::move(program_);
  }

 private:
  struct Flow {
    Endpoint client, target;
  };

  void one_more() {
    const int die = random_.between(1, 1000);
    if (die <= 330) return connect();
    if (die <= 450) return segment();
    if (die <= 550) return datagram();
    if (die <= 740) return pause();
    if (die <= 790) return add_server();
    if (die <= 850) return edit_server();
    if (die <= 890) return remove_server();
    if (die <= 905) return add_service();
    if (die <= 940) return edit_service();
    if (die <= 955) return remove_service();
    if (die <= 960) return clear();
    if (die <= 980) return set_sysctl();
    if (die <= 990) return set_timeouts();
    set_marks();
  }

  void add(Step step) {
    if (const Command* command = std::get_if<Command>(&step)) (void)apply_command(*command, &ruleset_);
    program_.steps.push_back(std::move(step));
  }

  // Addresses and ports.

  IpAddress vip(int family) {
    static const IpAddress kVip = IpAddress::of("198.51.100.10"), kVip6 = IpAddress::of("2001:db8:51::10");
    return (family == AF_INET6 ? kVip6 : kVip).plus(random_.percent(25) ? 1 : 0);
  }
  IpAddress client(int family) {
    const auto& prefix = family == AF_INET6 ? addresses::kClients6 : addresses::kClients;
    return prefix.address.plus(static_cast<std::uint64_t>(random_.of(hosts_)));
  }
  std::uint16_t client_port() {
    if (random_.percent(2)) return kFtpData;
    if (random_.percent(45)) return static_cast<std::uint16_t>(kReusedPort + random_.below(3));
    return static_cast<std::uint16_t>(kFreshPort + fresh_++ % 10000);
  }
  std::uint16_t any_port(Protocol protocol) {
    if (protocol == Protocol::kUdp) return random_.of<std::uint16_t>({53, 53, 80, 5060});
    return random_.of<std::uint16_t>({80, 80, 443, kFtp, kFtpData, 8080, 2121});
  }

  /// Where a packet of this protocol may go: mostly somewhere that a service takes.
  std::optional<Endpoint> target(Protocol protocol) {
    std::vector<const VirtualService*> candidates;
    for (const VirtualService& service : ruleset_.services)
      if (service.id.is_mark() || service.id.protocol == protocol) candidates.push_back(&service);
    if (candidates.empty() && !random_.percent(5)) return std::nullopt;
    if (candidates.empty() || random_.percent(8)) return Endpoint{vip(random_.of(families_)), any_port(protocol)};
    const ServiceId& id = random_.of(candidates)->id;
    if (id.is_mark()) return Endpoint{vip(id.family), any_port(protocol)};
    if (id.port == kAnyPort || (id.port == kFtp && random_.percent(50)))
      return Endpoint{id.address, any_port(protocol)};
    return Endpoint{id.address, id.port};
  }

  std::optional<Flow> flow(Protocol protocol) {
    const std::optional<Endpoint> to = target(protocol);
    if (!to) return std::nullopt;
    return Flow{{client(to->address.family()), client_port()}, *to};
  }

  // Packets.

  void connect() {
    const auto flow = this->flow(Protocol::kTcp);
    if (!flow) return datagram();
    const Shape shape = static_cast<Shape>(random_.percent(35) ? 3 : random_.between(0, kShapes - 1));
    if (shape == Shape::kOpen) open_.push_back(*flow);
    add(Connect{flow->client, flow->target, shape});
  }

  void segment() {
    if (open_.empty() || random_.percent(15)) {
      const auto flow = this->flow(Protocol::kTcp);
      if (!flow) return pause();
      return add(Segment{flow->client, flow->target, random_.of<const char*>({"A", "S", "R", "FA", "SA", "PA"})});
    }
    const std::size_t which = random_.below(open_.size());
    const Flow flow = open_[which];
    const std::string flags = random_.of<const char*>({"PA", "PA", "PA", "FA", "FA", "R", "A"});
    if (flags == "FA" || flags == "R") {
      // Most clients are through with it then.
      if (random_.percent(80)) open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
    }
    add(Segment{flow.client, flow.target, flags});
  }

  void datagram() {
    const auto flow = this->flow(Protocol::kUdp);
    if (!flow) return pause();
    add(Datagram{flow->client, flow->target});
  }

  void pause() {
    const int die = random_.between(1, 100);
    const auto seconds = [&](int low, int high) {
      add(Pause{static_cast<std::uint32_t>(random_.between(low, high))});
    };
    if (die <= 35) return seconds(1, 5);
    if (die <= 60) return seconds(6, 30);
    if (die <= 75) return seconds(50, 70);
    if (die <= 90) return seconds(90, 140);
    if (die <= 97) return seconds(200, 400);
    seconds(600, 1200);
  }

  // Orders.

  VirtualService settings(const ServiceId& id) {
    VirtualService service;
    service.id = id;
    service.scheduler = random_.of(alphabet_.schedulers);
    if (id.port == kAnyPort && !id.is_mark() ? true : random_.percent(65)) {
      service.persistent_s =
          random_.of<std::uint32_t>({1, 5, 10, 30, 45, 50, 60, 90, 100, 120, 150, 300, 330, 360, 600, 1800});
      if (random_.percent(25)) {
        service.netmask = IpAddress::of(random_.of<const char*>(
            {"255.255.255.0", "255.255.255.240", "0.0.0.0", "255.255.0.255", "255.255.255.254"}));
        service.prefix_length = random_.of<int>({64, 124, 120, 1, 127});
        // The mask of the other family is not this service's.
        const VirtualService defaults;
        if (id.family == AF_INET6) {
          service.netmask = defaults.netmask;
        } else {
          service.prefix_length = defaults.prefix_length;
        }
      }
    }
    if ((id.is_mark() || id.protocol == Protocol::kUdp) && random_.percent(20)) service.one_packet = true;
    if (service.scheduler == "sh" || service.scheduler == "mh") {
      if (random_.percent(40)) service.sched_flags.push_back(service.scheduler + "-fallback");
      if (random_.percent(40)) service.sched_flags.push_back(service.scheduler + "-port");
    }
    return service;
  }

  void add_service() {
    const int family = random_.of(families_);
    ServiceId id;
    if (random_.percent(20)) {
      id = ServiceId::of_mark(random_.of<std::uint32_t>({1, 8, 8, 4000000000}), family);
    } else if (random_.percent(25)) {
      id = ServiceId::of(Protocol::kUdp, vip(family), random_.of<std::uint16_t>({53, 53, 53, kAnyPort}));
    } else {
      id = ServiceId::of(Protocol::kTcp, vip(family), random_.of<std::uint16_t>({80, 80, 80, 443, kFtp, kAnyPort}));
    }
    add(Command(AddService{settings(id)}));
    for (int i = random_.between(random_.percent(95) ? 1 : 0, Wire::kServers); i > 0; --i) add_server_to(id);
  }

  void edit_service() {
    if (const VirtualService* service = some_service()) add(Command(EditService{settings(service->id)}));
  }
  void remove_service() {
    const VirtualService* service = some_service();
    if (service == nullptr) return add_service();
    const VirtualService gone = *service;
    add(Command(DeleteService{gone.id}));
    if (!random_.percent(60)) return;
    // It comes back, often as it was (EDT-11).
    if (random_.percent(40)) pause();
    VirtualService again = random_.percent(50) ? gone : settings(gone.id);
    again.servers.clear();
    add(Command(AddService{again}));
    for (const RealServer& server : gone.servers)
      if (random_.percent(80)) add(Command(AddServer{gone.id, server}));
  }
  void clear() { add(Command(ClearServices{})); }

  const VirtualService* some_service() {
    return ruleset_.services.empty() ? nullptr : &ruleset_.services[random_.below(ruleset_.services.size())];
  }
  const VirtualService* some_service_with_servers() {
    std::vector<const VirtualService*> candidates;
    for (const VirtualService& service : ruleset_.services)
      if (!service.servers.empty()) candidates.push_back(&service);
    return candidates.empty() ? nullptr : random_.of(candidates);
  }

  void thresholds(RealServer* server) {
    if (!random_.percent(20)) return;
    server->upper = static_cast<std::uint32_t>(random_.between(1, 5));
    if (random_.percent(40))
      server->lower = static_cast<std::uint32_t>(random_.between(1, static_cast<int>(server->upper)));
  }
  void choose_method(RealServer* server) {
    server->method = random_.of(alphabet_.methods);
    server->tunnel = {};
    if (server->method != ForwardMethod::kTunnel) return;
    server->tunnel.type = random_.of(alphabet_.tunnels);
    if (server->tunnel.type == TunnelType::kGue) server->tunnel.port = 6080;
    if (server->tunnel.type != TunnelType::kIpip && random_.percent(30))
      server->tunnel.checksum = TunnelChecksum::kFull;
  }
  void weigh(RealServer* server) { server->weight = random_.of<int>({0, 1, 1, 1, 1, 2, 3, 4, 10}); }

  void add_server_to(const ServiceId& id) {
    RealServer server;
    server.address = Wire::rip(random_.between(1, Wire::kServers), id.family);
    // A server on the director itself: nobody listens there, and its stack's RST is a reply that passes the director.
    if (alphabet_.local_servers && random_.percent(6))
      server.address = IpAddress::of(id.family == AF_INET6 ? "2001:db8:113::1" : "203.0.113.1");
    choose_method(&server);
    // ipvsadm forces the port of direct routing (DST-10), except under a mark.
    server.port = !id.is_mark() ? id.port : random_.percent(30) ? 80 : 0;
    if (server.method == ForwardMethod::kMasquerade && random_.percent(40)) server.port = 8080;
    weigh(&server);
    thresholds(&server);
    add(Command(AddServer{id, server}));
  }
  void add_server() {
    if (const VirtualService* service = some_service()) return add_server_to(ServiceId(service->id));
    add_service();
  }
  void edit_server() {
    const VirtualService* service = some_service_with_servers();
    if (service == nullptr) return add_server();
    RealServer server = random_.of(service->servers);
    weigh(&server);
    if (random_.percent(20)) {
      RealServer other = server;
      choose_method(&other);
      // DST-10: only NAT may have another port than the service.
      if (other.method == ForwardMethod::kMasquerade || service->id.is_mark() || server.port == service->id.port)
        server = other;
    }
    server.upper = server.lower = 0;
    thresholds(&server);
    add(Command(EditServer{service->id, server}));
  }
  void remove_server() {
    const VirtualService* service = some_service_with_servers();
    if (service == nullptr) return add_server();
    const RealServer server = random_.of(service->servers);
    const ServiceId id = service->id;
    add(Command(DeleteServer{id, server.address, server.port}));
    if (!random_.percent(50)) return;
    if (random_.percent(50)) one_more();
    add(Command(AddServer{id, server}));
  }

  void set_sysctl() {
    const auto& [name, values] = random_.of(alphabet_.sysctls);
    add(SetSysctl{name, random_.of(values)});
  }
  void set_timeouts() {
    const auto some = [&](std::initializer_list<std::uint32_t> values) {
      return random_.percent(40) ? 0 : random_.of<std::uint32_t>(values);
    };
    add(SetTimeouts{some({900, 60, 7200}), some({120, 10, 30, 200}), some({300, 20, 90})});
  }
  void set_marks() {
    SetMarks marks;
    for (int i = random_.between(0, 3); i > 0; --i) {
      MarkRule rule;
      rule.family = random_.of(families_);
      const bool v6 = rule.family == AF_INET6;
      rule.in_interface = "eth0";
      if (random_.percent(70)) rule.destination = Prefix{vip(rule.family), v6 ? 128 : 32};
      if (random_.percent(20)) rule.source = v6 ? Prefix::of("2001:db8:2::80/121") : Prefix::of("192.0.2.128/25");
      if (random_.percent(70)) {
        rule.protocol = random_.percent(70) ? Protocol::kTcp : Protocol::kUdp;
        if (random_.percent(70)) {
          rule.destination_ports = {{80, 80}};
          if (random_.percent(50)) rule.destination_ports.push_back({443, 443});
          if (*rule.protocol == Protocol::kUdp) rule.destination_ports = {{53, 53}};
        }
      }
      rule.mark = random_.of<std::uint32_t>({1, 8, 8, 4000000000});
      marks.rules.push_back(rule);
    }
    add(marks);
  }

  Random random_;
  const Alphabet& alphabet_;
  Program program_;
  Ruleset ruleset_;
  std::vector<int> families_, hosts_;
  std::vector<Flow> open_;
  std::size_t fresh_ = 0;
};

}  // namespace

Alphabet whole_alphabet() {
  return {.schedulers = {"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr"},
          .methods = {ForwardMethod::kDirectRoute, ForwardMethod::kDirectRoute, ForwardMethod::kMasquerade,
                      ForwardMethod::kTunnel},
          .tunnels = {TunnelType::kIpip, TunnelType::kGue, TunnelType::kGre},
          .sysctls = {{"conn_reuse_mode", {0, 1, 2, 3}},
                      {"expire_nodest_conn", {0, 1, 1}},
                      {"expire_quiescent_template", {0, 1, 1}},
                      {"sloppy_tcp", {0, 1, 1}}}};
}

Program generate(std::uint64_t seed, std::size_t steps, const Alphabet& alphabet) {
  Program program = Generator(seed, alphabet).make(steps);
  return program;
}

}  // namespace lvspec::fuzz
