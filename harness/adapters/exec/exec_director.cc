#include "harness/adapters/exec/exec_director.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "director/control/protocol.h"
#include "harness/adapters/exec/contract.h"
#include "harness/protocol_words/say.h"

namespace lvspec {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What lvspec-keeper has at these numbers (keeper.cc).
constexpr int kRequestsFd = 3, kRepliesFd = 4, kReportFd = 5;

/// A reply longer than this is not a reply.
constexpr std::size_t kLongestReply = 64 << 20;

/// Longer than this nobody waits for a case whose time is real.
constexpr std::chrono::seconds kLongestRealWait{10};

std::string shown(const std::string& line) {
  std::string text = line.substr(0, 120);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text + (line.size() > 120 ? "..." : "");
}

/// The end of what it wrote to stderr, on one line.
std::string last_words(const std::string& log) {
  std::string text = log.substr(log.size() > 400 ? log.size() - 400 : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, " | ");
  return text.empty() ? "(none)" : text;
}

Result<std::pair<FileDescriptor, FileDescriptor>> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe2(adapter)");
  return std::pair(FileDescriptor(ends[0]), FileDescriptor(ends[1]));
}

}  // namespace

Result<std::unique_ptr<ExecSession>> ExecSession::start(const ExecOptions& options, const NetworkNamespace* netns) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error("socketpair(adapter)");
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  shutdown(theirs.get(), SHUT_WR);  // requests go one way
  LVSPEC_ASSIGN(auto replies, make_pipe());
  LVSPEC_ASSIGN(auto report, make_pipe());
  fcntl(replies.first.get(), F_SETFL, O_NONBLOCK);
  ChildCommand command;
  command.argv = {options.keeper, options.command};
  if (!options.folder.empty()) command.argv.push_back(options.folder);
  command.fds = {{theirs.get(), kRequestsFd}, {replies.second.get(), kRepliesFd}, {report.second.get(), kReportFd}};
  auto child = netns != nullptr ? netns->call([&] { return Child::start(command); }) : Child::start(command);
  if (!child.ok()) return child.error();
  return std::unique_ptr<ExecSession>(new ExecSession(options.command, std::move(*child), std::move(ours),
                                                      std::move(replies.first), std::move(report.first),
                                                      options.patience));
}

ExecSession::~ExecSession() { (void)close(milliseconds(500)); }

Error ExecSession::lost(const std::string& verb, const std::string& how) {
  lost_ = true;
  return {fmt::format("exec:{}: {}: {}; the program {}; its last words: {}", command_, verb, how,
                      child_.status_text(), last_words(child_.output()))};
}

Result<std::string> ExecSession::exchange_text(const std::string& request, const std::string& verb) {
  const auto hear = [&](std::string* text) {
    char chunk[65536];
    const ssize_t count = read(from_.get(), chunk, sizeof chunk);
    if (count > 0) text->append(chunk, static_cast<std::size_t>(count));
    return count;
  };
  // Whatever lies there now answers nothing that we have asked.
  hear(&unread_);
  if (!unread_.empty()) return lost(verb, fmt::format("it said \"{}\" without being asked", shown(unread_)));

  const std::string line = request + "\n";
  const auto deadline = steady_clock::now() + patience_;
  const auto left_ms = [&] {
    return static_cast<int>(std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count());
  };
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(to_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      const int error = errno;
      child_.wait(milliseconds(500));  // so that we can say how it ended
      return lost(verb, "cannot be told: " + errno_text(error));
    }
    pollfd waiting{to_.get(), POLLOUT, 0};
    if (left_ms() <= 0 || poll(&waiting, 1, left_ms()) == 0)
      return lost(verb, fmt::format("does not read its stdin for {} ms: it hangs", patience_.count()));
  }
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string reply = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return reply;
    }
    if (unread_.size() > kLongestReply) return lost(verb, "its answer has no end");
    pollfd waiting{from_.get(), POLLIN, 0};
    if (left_ms() <= 0 || poll(&waiting, 1, left_ms()) == 0)
      return lost(verb, fmt::format("no answer within {} ms: it hangs", patience_.count()));
    const ssize_t count = hear(&unread_);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) {
      child_.wait(milliseconds(500));
      return lost(verb, unread_.empty() ? "no answer, its stdout is closed"
                                        : fmt::format("\"{}\" and then no line end", shown(unread_)));
    }
  }
}

Result<json> ExecSession::exchange(const json& request) {
  const std::string verb = request.value("verb", "?");
  LVSPEC_ASSIGN(const std::string line, exchange_text(request.dump(), verb));
  json reply = json::parse(line, nullptr, false);
  const auto not_contract = [&](const char* why) {
    return lost(verb, fmt::format("answered \"{}\", which is not the contract: {}", shown(line), why));
  };
  if (!reply.is_object()) return not_contract("not a JSON object");
  const auto ok = reply.find("ok");
  if (ok == reply.end() || !ok->is_boolean()) return not_contract("no \"ok\" that is true or false");
  if (*ok == false) {
    const auto error = reply.find("error");
    if (error == reply.end() || !error->is_string() || error->get<std::string>().empty())
      return not_contract("a refusal without \"error\", a sentence that says why");
    if (reply.contains("code") && !reply["code"].is_string()) return not_contract("\"code\" is not a string");
  }
  return reply;
}

Result<json> ExecSession::order(const json& request) {
  LVSPEC_ASSIGN(json reply, exchange(request));
  if (reply["ok"] == true) return reply;
  const std::string code = reply.value("code", "");
  const std::string text =
      fmt::format("{}: {}", request.value("order", request.value("verb", "")), reply["error"].get<std::string>());
  return code == "unsupported" || code == "unknown-verb" ? unsupported(text) : director_error(text);
}

Result<ExecSession::End> ExecSession::close(milliseconds patience) {
  to_.reset();
  const bool by_itself = child_.wait(patience);
  End end{child_.stop(), {}};
  std::string text;
  char chunk[4096];
  fcntl(report_.get(), F_SETFL, O_NONBLOCK);
  for (ssize_t count = 0; (count = read(report_.get(), chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(count));
  for (std::size_t at = 0, line_end = 0; (line_end = text.find('\n', at)) != std::string::npos; at = line_end + 1)
    end.left.push_back(text.substr(at, line_end - at));
  if (!by_itself)
    return Error{fmt::format("exec:{}: it runs on {} ms after its stdin was closed", command_, patience.count())};
  return end;
}

Result<DirectorIdentity> exec_identity(const ExecOptions& options) {
  LVSPEC_ASSIGN(const auto session, ExecSession::start(options, nullptr));
  LVSPEC_ASSIGN(const json hello, session->order({{"verb", "hello"}, {"lvspec_adapter", exec::kContractVersion}}));
  Result<DirectorIdentity> identity = exec::identity_in(hello);
  if (!identity.ok()) return identity.error().in(fmt::format("exec:{}: hello", options.command));
  return identity;
}

Result<std::unique_ptr<ExecDirector>> ExecDirector::start(const DirectorSite& site, const ExecOptions& options) {
  LVSPEC_ASSIGN(WireFence fence, WireFence::open(*site.netns));
  LVSPEC_ASSIGN(auto session, ExecSession::start(options, site.netns));
  LVSPEC_ASSIGN(const json hello, session->order({{"verb", "hello"}, {"lvspec_adapter", exec::kContractVersion}}));
  auto identity = exec::identity_in(hello);
  if (!identity.ok()) return identity.error().in(fmt::format("exec:{}: hello", options.command));
  json addresses = json::array();
  for (const IpAddress& address : site.addresses) addresses.push_back(address.str());
  const auto started =
      session->order({{"verb", "start"},
                      {"site", {{"netns", "/proc/self/ns/net"}, {"interface", "eth0"}, {"addresses", addresses}}}});
  if (!started.ok()) {
    // It will not run here, and its own log says more than we can.
    return Error{fmt::format("exec:{}: {}; its last words: {}", options.command, started.error().message,
                             last_words(session->log())),
                 started.error().kind == ErrorKind::kUnsupported ? ErrorKind::kUnsupported : ErrorKind::kWorld};
  }
  return std::unique_ptr<ExecDirector>(
      new ExecDirector(std::move(session), std::move(*identity), std::move(fence), options));
}

ExecDirector::~ExecDirector() {
  if (!session_->is_lost()) (void)session_->exchange({{"verb", "stop"}});
}

Error ExecDirector::unclaimed(const std::string& what) const {
  return unsupported(fmt::format("{} does not claim {}", identity_.name, what));
}

Status ExecDirector::apply_whole(const Ruleset& ruleset) {
  const json said = exec::say(ruleset);
  LVSPEC_TRY(session_->order({{"verb", "apply"}, {"ruleset", said}}));
  wanted_ = ruleset;
  configuration_ = said.dump(2) + "\n";
  return {};
}

Status ExecDirector::change(const Command& command, json edit) {
  Ruleset next = wanted_;
  const Status would_do = apply_command(command, &next);
  if (exec::claims(identity_, "edit")) {
    edit["verb"] = "edit";
    LVSPEC_TRY(session_->order(edit));
    if (!would_do.ok())
      return director_error(
          fmt::format("{}: taken, but it is \"{}\"", edit.value("order", ""), would_do.error().message));
    wanted_ = std::move(next);
    configuration_ = exec::say(wanted_).dump(2) + "\n";
    return {};
  }
  if (!would_do.ok()) return director_error(would_do.error().message);
  return apply_whole(next);
}

Status ExecDirector::add_service(const VirtualService& service) {
  if (const std::string what = exec::not_claimed(identity_, service); !what.empty() && !options_.ask_all)
    return unclaimed(what);
  if (!exec::claims(identity_, "edit")) {
    Ruleset next = wanted_;
    VirtualService bare = service;
    bare.servers.clear();
    if (const Status status = apply_command(AddService{bare}, &next); !status.ok())
      return director_error(status.error().message);
    for (const RealServer& server : service.servers)
      if (const Status status = apply_command(AddServer{service.id, server}, &next); !status.ok())
        return director_error(status.error().message);
    return apply_whole(next);
  }
  VirtualService bare = service;
  bare.servers.clear();
  LVSPEC_TRY(
      change(AddService{bare},
             {{"order", "add_service"}, {"service", lvspec::say(service.id)}, {"settings", say_settings(service)}}));
  for (const RealServer& server : service.servers) LVSPEC_TRY(add_server(service.id, server));
  return {};
}

Status ExecDirector::edit_service(const VirtualService& service) {
  if (const std::string what = exec::not_claimed(identity_, service); !what.empty() && !options_.ask_all)
    return unclaimed(what);
  VirtualService bare = service;
  bare.servers.clear();
  return change(
      EditService{bare},
      {{"order", "edit_service"}, {"service", lvspec::say(service.id)}, {"settings", say_settings(service)}});
}

Status ExecDirector::remove_service(const ServiceId& id) {
  return change(DeleteService{id}, {{"order", "remove_service"}, {"service", lvspec::say(id)}});
}

Status ExecDirector::add_server(const ServiceId& service, const RealServer& server) {
  return change(AddServer{service, server}, {{"order", "add_server"},
                                             {"service", lvspec::say(service)},
                                             {"server", say_id(server)},
                                             {"settings", say_settings(server)}});
}

Status ExecDirector::edit_server(const ServiceId& service, const RealServer& server) {
  return change(EditServer{service, server}, {{"order", "edit_server"},
                                              {"service", lvspec::say(service)},
                                              {"server", say_id(server)},
                                              {"settings", say_settings(server)}});
}

Status ExecDirector::remove_server(const ServiceId& service, const Endpoint& server) {
  RealServer gone;
  gone.address = server.address;
  gone.port = server.port;
  return change(DeleteServer{service, server.address, server.port},
                {{"order", "remove_server"}, {"service", lvspec::say(service)}, {"server", say_id(gone)}});
}

Status ExecDirector::clear() { return change(ClearServices{}, {{"order", "clear"}}); }

Status ExecDirector::set_marks(const std::vector<MarkRule>& rules) {
  if (rules.empty() && wanted_.marks.empty()) return {};
  if (!exec::claims(identity_, "marks") && !options_.ask_all) return unclaimed("firewall marks");
  Ruleset next = wanted_;
  next.marks = rules;
  if (!exec::claims(identity_, "edit")) return apply_whole(next);
  LVSPEC_TRY(session_->order({{"verb", "edit"}, {"order", "set_marks"}, {"marks", exec::say(next)["marks"]}}));
  wanted_ = std::move(next);
  return {};
}

Status ExecDirector::set_sysctl(const std::string& name, int value) {
  if (!exec::claims(identity_, "sysctl")) return unclaimed("sysctls");
  LVSPEC_TRY(session_->order({{"verb", "edit"}, {"order", "set_sysctls"}, {"sysctls", {{name, value}}}}));
  return {};
}

Status ExecDirector::set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) {
  if (!exec::claims(identity_, "sysctl")) return unclaimed("timeouts");
  LVSPEC_TRY(session_->order(
      {{"verb", "edit"}, {"order", "set_timeouts"}, {"timeouts", director::protocol::Timeouts{tcp, tcp_fin, udp}}}));
  return {};
}

Status ExecDirector::zero() {
  if (!exec::claims(identity_, "stats")) return unclaimed("counters");
  LVSPEC_TRY(session_->order({{"verb", "edit"}, {"order", "zero"}}));
  return {};
}

Status ExecDirector::start_daemon(const SyncDaemon&) { return unclaimed("state sync"); }
Status ExecDirector::stop_daemon(SyncRole) { return unclaimed("state sync"); }

Result<Tables> ExecDirector::tables() {
  if (!exec::claims(identity_, "tables") && !options_.ask_all) return unclaimed("tables that can be read");
  LVSPEC_ASSIGN(const json reply, session_->order({{"verb", "dump"}}));
  Result<Tables> tables = exec::tables_in(reply);
  if (!tables.ok()) return tables.error().in(fmt::format("exec:{}: dump", options_.command));
  return tables;
}

Status ExecDirector::await_fence(std::uint64_t token) {
  return fence_.await(token, options_.patience, "director " + identity_.name);
}

Status ExecDirector::advance(std::chrono::nanoseconds step) {
  if (exec::claims(identity_, "clock")) {
    LVSPEC_TRY(session_->order({{"verb", "advance"}, {"ns", step.count()}}));
    return {};
  }
  if (options_.real_time && step > kLongestRealWait)
    return environment_error(
        fmt::format("{} has no clock to be moved, and {} s are too long to wait for: use --lab uml", identity_.name,
                    std::chrono::duration_cast<std::chrono::seconds>(step).count()));
  return sleep_for(step);
}

std::chrono::nanoseconds ExecDirector::granule(std::chrono::nanoseconds) const {
  // Programs count whole seconds; so does what the kernel shows of its own.
  return exec::claims(identity_, "clock") ? std::chrono::nanoseconds(0) : std::chrono::seconds(1);
}

}  // namespace lvspec
