#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "director/control/control.h"
#include "director/control/server.h"
#include "director/control/translate.h"
#include "director/core/director.h"
#include "director/core/faults.h"
#include "director/io/forwarder.h"
#include "director/io/sync_daemon.h"

namespace lvspec::director {
namespace {

struct Options {
  std::string netns;
  std::string control = protocol::kDefaultControl;
  std::string clock = "real";
  std::vector<std::string> addresses;
  std::string fault;
  int timers_hz = 0;
  std::size_t max_entries = std::size_t{1} << 24;
  bool list_faults = false, describe = false;
  Forwarder::Options forwarder;
};

[[noreturn]] void fail(const std::string& attempt) {
  throw std::system_error(errno, std::generic_category(), attempt);
}

void enter_namespace(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("--netns " + path + ": open");
  if (setns(fd, CLONE_NEWNET) != 0) fail("--netns " + path + ": setns(CLONE_NEWNET)");
  close(fd);
}

/// SIGTERM and SIGINT as something to poll for, so that they end the loop between two frames.
int stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) fail("signalfd");
  return fd;
}

/// How long poll may sleep: until the next timer with a real clock, for ever with a manual one.
int patience_ms(const Director& director, const Forwarder& forwarder, const SyncDaemon& sync, const Clock& clock) {
  auto next = director.next_deadline();
  for (const auto other : {forwarder.next_deadline(), sync.next_flush()})
    if (other && (!next || *other < *next)) next = other;
  if (clock.manual() || !next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - clock.now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void serve(Director& director, Clock& clock, const Options& options) {
  const int signals = stop_signals();
  Control control(director, clock);
  control.log = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  ControlServer server(control, options.control);
  // After the socket: an abstract one belongs to the namespace of whoever started us, where its users are.
  if (!options.netns.empty()) enter_namespace(options.netns);
  Forwarder forwarder(director, clock, options.forwarder);
  forwarder.log = control.log;
  constexpr const char* kNoRoom = "no room for an entry";
  control.frame_counts = [&] {
    auto counts = forwarder.counters().all();
    counts[kNoRoom] = director.refused_entries();
    return counts;
  };
  bool full_said = false;
  SyncDaemon sync(director, clock, options.forwarder.own_addresses);
  sync.log = control.log;
  control.sync = &sync;
  clock.on_advance = [&] { forwarder.expire(clock.now()); };
  // A sync message that came before the fence waits in another socket.
  forwarder.on_fence = [&](std::uint64_t token) {
    sync.receive();
    server.fence(token);
  };

  while (!control.stopped() && !server.orphaned()) {
    std::vector<pollfd> fds = {{forwarder.wire_fd(), POLLIN, 0},
                               {forwarder.stack_fd(), POLLIN, 0},
                               {signals, POLLIN, 0},
                               {forwarder.routes_fd(), POLLIN, 0}};
    const auto control_fds = server.interests();
    fds.insert(fds.end(), control_fds.begin(), control_fds.end());
    for (const int fd : sync.fds()) fds.push_back({fd, POLLIN, 0});
    if (poll(fds.data(), fds.size(), patience_ms(director, forwarder, sync, clock)) < 0 && errno != EINTR)
      fail("poll");
    if (fds[3].revents != 0) forwarder.refresh_routes();
    // Frames first: a command that moves the clock or reads the tables comes after what was on the wire before it.
    const bool commanded = std::any_of(fds.begin() + 2, fds.end(), [](const pollfd& fd) { return fd.revents != 0; });
    while (forwarder.run_once(/*stack_waits=*/fds[1].revents != 0 || commanded)) {
    }
    sync.receive();
    if (!full_said && director.refused_entries() != 0) {
      control.log(fmt::format("{}: dropped, as will be others; see --max-entries", kNoRoom));
      full_said = true;
    }
    director.expire(clock.now());
    forwarder.expire(clock.now());
    sync.flush_due(clock.now());
    if (fds[2].revents != 0) return;
    for (std::size_t i = 4; i < 4 + control_fds.size(); ++i)
      if (fds[i].revents != 0) server.serve(fds[i].fd);
  }
}

#ifdef LVSPEC_FAULTS
void print_faults() {
  nlohmann::json list = nlohmann::json::array();
  for (const FaultInfo& info : kFaults)
    list.push_back({{"name", info.name}, {"text", info.text}, {"reports", info.reports}});
  fmt::print("{}\n", list.dump());
}
#endif

int run(int argc, char** argv) {
  CLI::App app{"A director that balances like Linux IPVS, in user space.", "lvspec-director"};
  app.footer(
      "The machine's own stack sits behind the director, so its addresses must not be on the wire's namespace. To "
      "put\n"
      "a director before a namespace LVS with an ordinary eth0 (then addresses and routes are set on eth0 as ever):\n"
      "  ip netns add wire; ip -n LVS link set eth0 netns wire; ip -n wire link set eth0 up\n"
      "  ip -n wire link add stack0 type veth peer name eth0 address MAC-OF-THE-WIRE netns LVS\n"
      "  ip -n wire link set stack0 up; ip -n LVS link set eth0 up\n"
      "  ip netns exec LVS lvspec-director --netns /run/netns/wire --address 203.0.113.1 &\n"
      "  ip netns exec LVS lvspec-ipvsadm -L -n\n"
      "fixtures/scripts/lvs.sh does all of it. The control socket takes one JSON object a line: "
      "{\"verb\":\"hello\"}, {\"verb\":\"dump\"}, ...");
  Options options;
  app.add_option(
      "--netns", options.netns,
      "network namespace of wire and stack, as a path (default: the caller's, which keeps the control socket)");
  auto* control =
      app.add_option("--control", options.control,
                     "Unix socket to listen on: a path, @name in the network namespace, or fd:N for an inherited one")
          ->capture_default_str();
  app.add_option("--wire", options.forwarder.wire, "interface that clients and real servers are on")
      ->capture_default_str();
  app.add_option("--stack", options.forwarder.stack, "interface that leads to this machine's own stack")
      ->capture_default_str();
  app.add_option("--address", options.addresses,
                 "an address of this machine, VIPs included; the first of each family asks for MACs");
  app.add_option(
      "--stack-netns", options.forwarder.stack_netns,
      "network namespace that the machine's addresses and routes are in, as a path (default: --address names all "
      "of its addresses, and everybody else is on the wire)");
  app.add_option("--clock", options.clock, "real, or manual: time moves by the verb \"advance\" alone")
      ->check(CLI::IsMember({"real", "manual"}))
      ->capture_default_str();
  app.add_option(
         "--timers-hz", options.timers_hz,
         "timers are late as those of a Linux kernel with this HZ (100, 250, 1000), for comparisons; 0: exact")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--max-entries", options.max_entries,
                 "connection entries and templates, together, beyond which a packet that needs a new one is dropped; "
                 "0: as many as memory holds")
      ->check(CLI::Range(std::size_t{0}, std::numeric_limits<std::size_t>::max()))
      ->capture_default_str();
  app.add_flag("--describe", options.describe, "print what this director can do, as JSON, and end")
      ->excludes(control);
#ifdef LVSPEC_FAULTS
  app.add_option("--fault", options.fault, "switch one deliberate fault on (this is the test-only build)");
  app.add_flag("--list-faults", options.list_faults, "print the faults as JSON and end")->excludes(control);
#endif
  app.set_version_flag("--version", "lvspec-director " LVSPEC_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

#ifdef LVSPEC_FAULTS
  if (options.list_faults) {
    print_faults();
    return 0;
  }
#endif
  if (options.describe) {
    Director director;
    Clock clock(true);
    fmt::print("{}\n", Control(director, clock).answer(0, R"({"verb":"hello"})"));
    return 0;
  }
  for (const std::string& text : options.addresses) {
    Family family{};
    const Address address = address_of(text, "--address", &family);
    options.forwarder.own_addresses.push_back({family, address});
  }
#ifdef LVSPEC_FAULTS
  if (!options.fault.empty()) {
    const FaultInfo* found = nullptr;
    for (const FaultInfo& info : kFaults)
      if (info.name == options.fault) found = &info;
    if (found == nullptr) throw BadRequest(fmt::format("--fault {}: no such fault", options.fault));
    set_fault(found->fault);
  }
#endif
  Director director;
  director.set_timer_wheel(options.timers_hz);
  director.limit_entries(options.max_entries);
  std::vector<std::pair<Family, Address>> own;
  for (const auto& [family, address] : options.forwarder.own_addresses) own.emplace_back(family, address);
  director.set_own_addresses(std::move(own));
  Clock clock(options.clock == "manual");
  serve(director, clock, options);
  return 0;
}

}  // namespace
}  // namespace lvspec::director

int main(int argc, char** argv) {
  try {
    return lvspec::director::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lvspec-director: {}\n", error.what());
    return 1;
  }
}
