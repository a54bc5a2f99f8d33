#include "harness/adapters/bundled.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "director/control/protocol.h"
#include "harness/adapters/hear.h"
#include "harness/protocol_words/say.h"

namespace lvspec {
namespace {

using nlohmann::json;
namespace protocol = director::protocol;

constexpr int kControlFd = 3;
constexpr int kNamespaceFd = 4;
constexpr int kStackNamespaceFd = 5;

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

/// What a process has had of the CPUs so far; zero if it is no more.
std::chrono::nanoseconds cpu_time_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
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
  FileDescriptor theirs(ends[1]);
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
  theirs = FileDescriptor();  // so that its end closes the socket, and one that does not start is not waited for

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
  const auto worked_before = cpu_time_of(child_.pid());
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
  auto deadline = std::chrono::steady_clock::now() + patience_;
  auto worked = worked_before;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string reply = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return reply;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) {
      // On a machine with a dozen others who want its CPUs it may be at work and get little of them. It hangs if it
      // has done nothing for so long, or has had as much of a CPU as it may need.
      const auto now_worked = cpu_time_of(child_.pid());
      if (now_worked == worked || now_worked - worked_before >= patience_)
        return lost(verb, fmt::format("no answer within {} ms: it hangs", patience_.count()));
      worked = now_worked;
      deadline = std::chrono::steady_clock::now() + patience_;
      continue;
    }
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
  return Conversation(*this, "set_marks").with("marks", say_marks(rules)).done();
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
    sort_entries(&tables.entries);
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
