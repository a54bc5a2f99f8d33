#include "harness/adapters/bundled.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "director/control/protocol.h"
#include "harness/protocol_words/say.h"

namespace lvspec {
namespace {

using nlohmann::json;
namespace protocol = director::protocol;

constexpr int kControlFd = 3;
constexpr int kNamespaceFd = 4;
constexpr int kStackNamespaceFd = 5;

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

const char* word_of(SyncRole role) { return role == SyncRole::kMaster ? "master" : "backup"; }

SyncDaemon hear(const protocol::Daemon& daemon) {
  return {daemon.role == "master" ? SyncRole::kMaster : SyncRole::kBackup,
          daemon.interface,
          daemon.sync_id,
          daemon.max_length,
          IpAddress::of(daemon.group),
          daemon.port,
          daemon.ttl};
}

DirectorIdentity identity_in(const json& hello) {
  return {"bundled", hello.value("version", ""), hello.value("capabilities", std::vector<std::string>{}), Affinity{}};
}

}  // namespace

Result<DirectorIdentity> bundled_identity(const std::string& program) {
  LVSPEC_ASSIGN(Child child, Child::start({.argv = {program, "--describe"}, .fds = {}, .environment = {}}));
  child.wait(std::chrono::seconds(5));
  const json hello = json::parse(child.output(), nullptr, false);
  if (!hello.is_object()) return Error{fmt::format("{} --describe {}: {}", program, child.stop(), child.output())};
  return identity_in(hello);
}

/// One request in the making: a verb, its fields, then to whom.
class Bundled::Conversation {
 public:
  Conversation(Bundled& director, const char* verb) : director_(director), verb_(verb), body_{{"verb", verb}} {}

  template <typename T>
  Conversation& with(const char* field, const T& value) {
    body_[field] = value;
    return *this;
  }

  Result<json> reply() {
    LVSPEC_ASSIGN(const std::string line, director_.exchange(body_.dump(), verb_));
    json reply = json::parse(line, nullptr, false);
    if (reply.is_discarded() || !reply.contains("ok"))
      return director_.lost(verb_, fmt::format("answered \"{}\", which is not the protocol", line));
    if (reply["ok"] == true) return reply;
    const std::string code = reply.value("code", "");
    const std::string text = reply.value("error", "");
    if (code == "unsupported" || code == "unknown-verb") return unsupported(fmt::format("{}: {}", verb_, text));
    return director_error(fmt::format("{}: {}", verb_, text));
  }

  Status done() {
    LVSPEC_ASSIGN(const json ignored, reply());
    return {};
  }

 private:
  Bundled& director_;
  std::string verb_;
  json body_;
};

Result<std::unique_ptr<Bundled>> Bundled::start(const DirectorSite& site, const BundledOptions& options) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error("socketpair(director)");
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  ChildCommand command;
  command.argv = {options.program,
                  "--netns",
                  fmt::format("/proc/self/fd/{}", kNamespaceFd),
                  "--control",
                  fmt::format("fd:{}", kControlFd),
                  "--stack",
                  site.stack_interface,
                  "--clock",
                  "manual"};
  command.fds = {{theirs.get(), kControlFd}, {site.netns->fd(), kNamespaceFd}};
  if (site.stack_netns != nullptr) {
    command.argv.insert(command.argv.end(), {"--stack-netns", fmt::format("/proc/self/fd/{}", kStackNamespaceFd)});
    command.fds.emplace_back(site.stack_netns->fd(), kStackNamespaceFd);
  }
  for (const IpAddress& address : site.addresses)
    command.argv.insert(command.argv.end(), {"--address", address.str()});
  if (options.timers_hz != 0)
    command.argv.insert(command.argv.end(), {"--timers-hz", std::to_string(options.timers_hz)});
  if (!options.fault.empty()) command.argv.insert(command.argv.end(), {"--fault", options.fault});
  LVSPEC_ASSIGN(Child child, Child::start(command));

  std::unique_ptr<Bundled> director(new Bundled(std::move(child), std::move(ours), options.patience));
  LVSPEC_ASSIGN(const json hello, Conversation(*director, "hello").reply());
  director->identity_ = identity_in(hello);
  return director;
}

Error Bundled::lost(const std::string& verb, const std::string& how) {
  const std::string log = child_.output();
  const std::size_t tail = log.size() > 400 ? log.size() - 400 : 0;
  return {fmt::format("director bundled (pid {}): {}: {}; the process {}; its last words: {}", child_.pid(), verb,
                      how, child_.status_text(), log.empty() ? "(none)" : log.substr(tail))};
}

Result<std::string> Bundled::exchange(const std::string& request, const std::string& verb) {
  const std::string line = request + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      child_.wait(std::chrono::milliseconds(200));  // so that we can say how it ended
      return lost(verb, "cannot be told: " + errno_text(error));
    }
    sent += static_cast<std::size_t>(count);
  }
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string reply = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return reply;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0)
      return lost(verb, fmt::format("no answer within {} ms: it hangs", patience_.count()));
    char chunk[65536];
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      child_.wait(std::chrono::milliseconds(200));
      return lost(verb, "no answer, the control socket is closed");
    }
    unread_.append(chunk, static_cast<std::size_t>(count));
  }
}

Status Bundled::add_service(const VirtualService& service) {
  LVSPEC_TRY(Conversation(*this, "add_service")
                 .with("service", say(service.id))
                 .with("settings", say_settings(service))
                 .done());
  for (const RealServer& server : service.servers) LVSPEC_TRY(add_server(service.id, server));
  return {};
}

Status Bundled::edit_service(const VirtualService& service) {
  return Conversation(*this, "edit_service")
      .with("service", say(service.id))
      .with("settings", say_settings(service))
      .done();
}

Status Bundled::remove_service(const ServiceId& id) {
  return Conversation(*this, "remove_service").with("service", say(id)).done();
}

Status Bundled::add_server(const ServiceId& service, const RealServer& server) {
  return Conversation(*this, "add_server")
      .with("service", say(service))
      .with("server", say_id(server))
      .with("settings", say_settings(server))
      .done();
}

Status Bundled::edit_server(const ServiceId& service, const RealServer& server) {
  return Conversation(*this, "edit_server")
      .with("service", say(service))
      .with("server", say_id(server))
      .with("settings", say_settings(server))
      .done();
}

Status Bundled::remove_server(const ServiceId& service, const Endpoint& server) {
  return Conversation(*this, "remove_server")
      .with("service", say(service))
      .with("server", protocol::ServerId{server.address.str(), server.port})
      .done();
}

Status Bundled::clear() { return Conversation(*this, "clear").done(); }

Status Bundled::set_marks(const std::vector<MarkRule>& rules) {
  std::vector<protocol::Mark> said;
  for (const MarkRule& rule : rules) say_rule(rule, &said);
  return Conversation(*this, "set_marks").with("marks", said).done();
}

Status Bundled::set_sysctl(const std::string& name, int value) {
  return Conversation(*this, "set_sysctls").with("sysctls", protocol::Sysctls{{name, value}}).done();
}

Status Bundled::set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) {
  return Conversation(*this, "set_timeouts").with("timeouts", protocol::Timeouts{tcp, tcp_fin, udp}).done();
}

Status Bundled::zero() { return Conversation(*this, "zero").done(); }

Status Bundled::start_daemon(const SyncDaemon& daemon) {
  protocol::Daemon said;  // with the director's own values where nothing is said
  said.role = word_of(daemon.role);
  said.interface = daemon.interface;
  said.sync_id = daemon.sync_id;
  said.max_length = daemon.max_length;
  if (daemon.group != IpAddress{}) said.group = daemon.group.str();
  if (daemon.port != 0) said.port = daemon.port;
  if (daemon.ttl != 0) said.ttl = daemon.ttl;
  return Conversation(*this, "start_daemon").with("daemon", said).done();
}

Status Bundled::stop_daemon(SyncRole role) {
  return Conversation(*this, "stop_daemon").with("role", std::string(word_of(role))).done();
}

Result<std::map<std::string, std::string>> Bundled::settings() {
  LVSPEC_ASSIGN(const json reply, Conversation(*this, "dump").reply());
  try {
    std::map<std::string, std::string> settings;
    const auto sysctls = reply.at("sysctls").get<protocol::Sysctls>();
    for (const auto& [name, value] : sysctls) settings["net.ipv4.vs." + name] = std::to_string(value);
    // The kernel has both in one file (CTL-27).
    if (const auto period = settings.extract("net.ipv4.vs.sync_period"); !period.empty())
      settings["net.ipv4.vs.sync_threshold"] += " " + period.mapped();
    const auto timeouts = reply.at("timeouts").get<protocol::Timeouts>();
    settings["timeout tcp"] = std::to_string(timeouts.tcp_s);
    settings["timeout tcpfin"] = std::to_string(timeouts.tcp_fin_s);
    settings["timeout udp"] = std::to_string(timeouts.udp_s);
    return settings;
  } catch (const json::exception& error) {
    return lost("dump", error.what());
  }
}

Result<Tables> Bundled::tables() {
  LVSPEC_ASSIGN(const json reply, Conversation(*this, "dump").reply());
  try {
    const auto said = reply.at("tables").get<protocol::Tables>();
    Tables tables;
    for (const protocol::ServiceRow& row : said.services) tables.services.push_back(hear(row));
    for (const protocol::EntryRow& row : said.entries) tables.entries.push_back(hear(row));
    for (const auto& daemon : reply.at("daemons").get<std::vector<protocol::Daemon>>())
      tables.daemons.push_back(hear(daemon));
    std::sort(tables.entries.begin(), tables.entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.is_template, a.client, a.target, a.protocol) <
             std::tie(b.is_template, b.client, b.target, b.protocol);
    });
    return tables;
  } catch (const json::exception& error) {
    return lost("dump", error.what());
  }
}

Status Bundled::await_fence(std::uint64_t token) {
  return Conversation(*this, "await_fence").with("token", token).done();
}

Status Bundled::advance(std::chrono::nanoseconds step) {
  return Conversation(*this, "advance").with("ns", step.count()).done();
}

Status apply(DirectorUnderTest& director, const Ruleset& ruleset) {
  LVSPEC_TRY(director.set_marks(ruleset.marks));
  for (const VirtualService& service : ruleset.services)
    if (Status status = director.add_service(service); !status.ok()) return status.error().in(service.id.str());
  return {};
}

}  // namespace lvspec
