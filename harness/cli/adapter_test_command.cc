// lvspec adapter-test exec:CMD: the contract itself, and whether what a program claims is so.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "harness/adapters/exec/contract.h"
#include "harness/adapters/exec/exec_director.h"
#include "harness/base/world_error.h"
#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/lab/bench.h"
#include "harness/lab/uml/guest_init.h"
#include "harness/lab/uml/uml_guest.h"
#include "harness/netns/namespace.h"
#include "harness/protocol_words/say.h"

namespace lvspec {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::string_view kLine = "lvspec-check: ";  // what a guest's console lines for people begin with
const IpAddress kVip = IpAddress::of("198.51.100.10"), kVip6 = IpAddress::of("2001:db8:51::10");
constexpr int kClients = 6;

struct Options {
  std::string director, lab = "host", folder;
  std::vector<std::string> checks;  ///< globs; empty: all
  int patience_ms = 5000;
  bool guest = false;
};

/// What a check found wrong; absent: nothing.
using Finding = std::optional<std::string>;

class AdapterTest {
 public:
  AdapterTest(Options options, Lab lab) : options_(std::move(options)), lab_(std::move(lab)) {
    exec_ = exec_options(options_.director);
    exec_.patience = std::chrono::milliseconds(options_.patience_ms);
    exec_.ask_all = true;
  }

  int run() {
    if (!hello()) return conclude();
    check("contract.not-json", "a line that is no JSON is refused, and the talk goes on", [&] { return not_json(); });
    check("contract.unknown-verb", "an unknown verb is refused as unknown-verb, and the talk goes on",
          [&] { return unknown_verb(); });
    check("contract.stdin-closes", "it ends when its stdin closes, and leaves nothing behind",
          [&] { return stdin_closes(); });
    if (!check("contract.start", "it starts in a world, and stops", [&] { return starts(); })) return conclude();
    check("contract.clean-up", "after stop nothing is left: no process, no namespace, no file",
          [&] { return clean_up(); });
    if (!check("contract.idempotence", "the same ruleset applied twice is taken twice, and is one",
               [&] { return twice(); })) {
      line("-", "(the rest)", "not looked at: whoever does not take a ruleset has nothing to show");
      return conclude();
    }
    check("contract.refusal", "what it cannot do is refused in its own words, and changes nothing",
          [&] { return refusal(); });
    check("contract.empty", "an empty ruleset is applied, and serves nobody", [&] { return empty(); });
    capability("tables", "dump is what was applied, and shows the template of a client", [&] { return tables(); });
    std::vector<std::string> ways = {"ipv4", "tcp"};
    // Whoever names no method forwards in its own way, and is asked for none.
    if (exec::claims(identity_, "dr") || exec::claims(identity_, "nat") || exec::claims(identity_, "tun"))
      ways.insert(ways.end(), {"dr", "nat", "tun"});
    for (const std::string& word : ways)
      capability(word, "connections are answered by more than one server", [&] { return forwards(word); });
    capability("ipv6", "the same over IPv6", [&] { return forwards("ipv6"); });
    capability("udp", "datagrams are answered by more than one server", [&] { return datagrams(); });
    for (const char* word :
         {"rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh", "lblc", "lblcr", "fo", "ovf", "twos"})
      capability(word, "the scheduler is taken, and clients are answered", [&] { return scheduler(word); });
    capability("affinity", "a client stays on its server, and clients are not all on one",
               [&] { return affinity(); });
    if (const auto said = identity_.affinity; said && exec::claims(identity_, "affinity"))
      check("affinity.window",
            said->window == Affinity::Window::kForEver ? "for ever: after 400 s a client of -p 300 is where it was"
                                                       : "as configured: after 400 s a client of -p 300 is free",
            [&] { return window(said->window == Affinity::Window::kForEver); });
    capability("port0", "with port 0 a client is on one server on every port", [&] { return port_zero(); });
    capability("marks", "ports of one mark are one service", [&] { return marks(); });
    capability("mask", "clients of one network are on one server", [&] { return mask(); });
    capability("edit", "single orders are taken", [&] { return edit(); });
    capability("edit-keeps-clients", "a new server moves no client", [&] { return edit_keeps_clients(); });
    capability("clock", "advance moves its clock", [&] { return clock(); });
    return conclude();
  }

 private:
  // How lines look: "PASS        contract.hello          what was looked at".
  void line(const char* word, const std::string& id, const std::string& text) {
    const std::string shown = fmt::format("{:<11} {:<24} {}", word, id, text);
    fmt::print("{}{}\n", options_.guest ? kLine : "", shown);
    std::fflush(stdout);
  }

  bool is_wanted(const std::string& id) const {
    return options_.checks.empty() ||
           std::any_of(options_.checks.begin(), options_.checks.end(),
                       [&](const auto& glob) { return fnmatch(glob.c_str(), id.c_str(), 0) == 0; });
  }

  /// One that every adapter must pass. One that is not wanted passes.
  bool check(const std::string& id, const std::string& what, const std::function<Finding()>& look) {
    if (!is_wanted(id)) return true;
    const Finding wrong = guarded(look);
    if (unjudged_) {
      line("SKIP", id, *std::exchange(unjudged_, std::nullopt));
      return true;
    }
    line(wrong ? "FAIL" : "PASS", id, wrong ? fmt::format("{}: {}", what, *wrong) : what);
    ++(wrong ? failed_ : passed_);
    return !wrong;
  }

  /// One that must work if it is claimed, and is shown if it works all the same.
  void capability(const std::string& word, const std::string& what, const std::function<Finding()>& look) {
    const std::string id = "capability." + word;
    if (!is_wanted(id)) return;
    if (exec::claims(identity_, word)) {
      check(id, what, look);
      return;
    }
    const Finding wrong = guarded(look);
    unjudged_.reset();
    if (wrong) {
      line("-", id, "not declared");
    } else {
      line("UNDECLARED", id, what + ": it works, and is not declared");
      ++undeclared_;
    }
  }

  static Finding guarded(const std::function<Finding()>& look) {
    try {
      return look();
    } catch (const WorldError& error) {
      return std::string(error.what());
    }
  }

  int conclude() {
    const std::string text = fmt::format("{} passed, {} failed, {} undeclared: {}", passed_, failed_, undeclared_,
                                         failed_ > 0               ? "does not keep the contract"
                                         : options_.checks.empty() ? "keeps the contract"
                                                                   : "no word on the rest");
    fmt::print("{}{}\n", options_.guest ? kLine : "", text);
    std::fflush(stdout);
    if (passed_ + failed_ == 0)
      return complain(
          usage_error(fmt::format("--check {}: no check of that name was made; a run without it lists them",
                                  fmt::join(options_.checks, ", "))));
    return failed_ == 0 ? kConforms : kDeviates;
  }

  // The talk, without a world.

  bool hello() {
    // Asked even where the check itself is not wanted: all others go by what it says.
    auto identity = exec_identity(exec_);
    if (identity.ok()) identity_ = *identity;
    const bool passed = check("contract.hello", "it says who it is and what it can",
                              [&]() -> Finding { return identity.ok() ? Finding() : identity.error().message; });
    return passed && identity.ok();
  }

  Finding refused_line(const std::string& text, const char* code) {
    auto session = ExecSession::start(exec_, nullptr);
    if (!session.ok()) return session.error().message;
    const auto answer = (*session)->exchange_text(text, "(a test)");
    if (!answer.ok()) return answer.error().message;
    const json reply = json::parse(*answer, nullptr, false);
    if (!reply.is_object() || !reply.contains("ok")) return "answered " + *answer;
    if (reply["ok"] != false) return "it says yes: " + *answer;
    if (code != nullptr && reply.value("code", "") != code)
      return fmt::format("its code is \"{}\", not {}", reply.value("code", ""), code);
    const auto again = (*session)->order({{"verb", "hello"}, {"lvspec_adapter", exec::kContractVersion}});
    return again.ok() ? Finding() : Finding("after it: " + again.error().message);
  }
  Finding not_json() { return refused_line("{\"verb\": lvspec-nonsense", nullptr); }
  Finding unknown_verb() { return refused_line(R"({"verb":"lvspec-sing"})", "unknown-verb"); }

  Finding left_by(ExecSession& session) {
    const auto end = session.close(2s);
    if (!end.ok()) return end.error().message;
    if (!end->left.empty()) return fmt::format("left behind: {}", fmt::join(end->left, ", "));
    return {};
  }

  Finding stdin_closes() {
    auto session = ExecSession::start(exec_, nullptr);
    if (!session.ok()) return session.error().message;
    if (const auto said = (*session)->order({{"verb", "hello"}, {"lvspec_adapter", exec::kContractVersion}});
        !said.ok())
      return said.error().message;
    return left_by(**session);
  }

  // In a world.

  /// The way that it forwards: the first that it claims, direct routing if it names none.
  std::string method() const {
    for (const char* word : {"dr", "nat", "tun"})
      if (exec::claims(identity_, word)) return word;
    return "dr";
  }

  Bench bench(const std::string& way = "") const {
    BenchPlan plan;
    plan.clients(kClients).real_servers(3, {.tcp = {80, 443}, .udp = {80}});
    const std::string how = way.empty() ? method() : way;
    if (how == "nat") plan.masquerading();
    if (how == "tun") plan.tunnelling();
    const DirectorFactory factory{options_.director, DirectorPlace::kStack,
                                  [this](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
                                    LVSPEC_ASSIGN(auto director, ExecDirector::start(site, exec_));
                                    return std::unique_ptr<DirectorUnderTest>(std::move(director));
                                  }};
    return must(plan.build(lab_, factory));
  }
  static ExecDirector& director_of(Bench& bench) { return static_cast<ExecDirector&>(bench.director()); }

  VirtualService sticky(std::uint16_t port = 80) const {
    return TcpService(kVip, port).scheduler("rr").persistent(300s);
  }

  /// The service with all real servers, as Bench::add would give it them.
  static VirtualService furnished(Bench& bench, VirtualService service) {
    const ServerOptions how = bench.server_options();
    for (int i = 1; i <= 3; ++i) {
      RealServer server;
      server.address = bench.rip(i, service.id.family);
      server.port = service.id.port;
      server.method = how.method;
      server.tunnel = how.tunnel;
      server.weight = i;
      service.servers.push_back(server);
    }
    return service;
  }

  Finding starts() {
    bench();
    return {};
  }

  Finding clean_up() {
    Bench world = bench();
    ExecSession& session = director_of(world).session();
    if (const auto stopped = session.order({{"verb", "stop"}}); !stopped.ok()) return stopped.error().message;
    return left_by(session);
  }

  Finding twice() {
    Bench world = bench();
    Ruleset ruleset;
    ruleset.services = {furnished(world, sticky())};
    for (int i = 0; i < 2; ++i)
      if (const Status status = director_of(world).apply_whole(ruleset); !status.ok()) return status.error().message;
    return served_by_several(world, [&](int i) { return world.client(i).connect(kVip, 80); });
  }

  Finding refusal() {
    Bench world = bench();
    Ruleset ruleset;
    ruleset.services = {furnished(world, sticky())};
    if (const Status status = director_of(world).apply_whole(ruleset); !status.ok()) return status.error().message;
    ruleset.services.push_back(furnished(world, TcpService(kVip, 443).scheduler("lvspec-none")));
    const auto reply = director_of(world).session().exchange({{"verb", "apply"}, {"ruleset", exec::say(ruleset)}});
    if (!reply.ok()) return reply.error().message;
    if ((*reply)["ok"] == true) return "a scheduler \"lvspec-none\" is taken";
    if (const Finding wrong = served_by_several(world, [&](int i) { return world.client(i).connect(kVip, 80); }))
      return "after the refusal: " + *wrong;
    return {};
  }

  Finding empty() {
    Bench world = bench();
    Ruleset ruleset;
    ruleset.services = {furnished(world, sticky())};
    for (const Ruleset& next : {ruleset, Ruleset{}})
      if (const Status status = director_of(world).apply_whole(next); !status.ok()) return status.error().message;
    if (const Answer answer = world.client(1).connect(kVip, 80); !answer.server.empty())
      return "a client is still answered, by " + answer.server;
    return {};
  }

  Finding tables() {
    Bench world = bench();
    Ruleset ruleset;
    ruleset.services = {furnished(world, sticky()), furnished(world, TcpService(kVip, 443).scheduler("rr"))};
    if (const Status status = director_of(world).apply_whole(ruleset); !status.ok()) return status.error().message;
    const Answer answer = world.client(1).connect(kVip, 80);
    const auto shown = director_of(world).tables();
    if (!shown.ok()) return shown.error().message;
    if (shown->services.size() != 2) return fmt::format("2 services applied, {} shown", shown->services.size());
    for (const VirtualService& wanted : ruleset.services) {
      const auto found = std::find_if(shown->services.begin(), shown->services.end(),
                                      [&](const ServiceState& state) { return state.service.id == wanted.id; });
      if (found == shown->services.end()) return wanted.id.str() + " is not shown";
      if (const std::string has = in_order(found->service), should = in_order(wanted); has != should)
        return fmt::format("applied \"{}\", shown \"{}\"", should, has);
    }
    const bool has_template = std::any_of(shown->entries.begin(), shown->entries.end(), [&](const Entry& entry) {
      return entry.is_template && entry.client.address == world.client(1).cip() &&
             world.name_of(entry.server.address) == answer.server;
    });
    if (!has_template) return fmt::format("no template of {} on {}", world.client(1).cip().str(), answer.server);
    return {};
  }

  /// Title and servers on one line; in which order a director lists servers is its own affair.
  static std::string in_order(VirtualService service) {
    std::sort(service.servers.begin(), service.servers.end());
    std::string text = service.title();
    for (const RealServer& server : service.servers) text += ", " + server.str();
    return text;
  }

  /// Asks as each client; all must be answered, by more than one server.
  Finding served_by_several(Bench&, const std::function<Answer(int)>& ask) {
    std::set<std::string> servers;
    for (int i = 1; i <= kClients; ++i) {
      const Answer answer = ask(i);
      if (answer.server.empty()) return fmt::format("client {} got no answer", i);
      servers.insert(answer.server);
    }
    if (servers.size() < 2) return fmt::format("all of {} clients are answered by {}", kClients, *servers.begin());
    return {};
  }

  Finding forwards(const std::string& word) {
    const bool is_method = word == "dr" || word == "nat" || word == "tun";
    Bench world = bench(is_method ? word : "");
    const IpAddress vip = word == "ipv6" ? kVip6 : kVip;
    if (const Status status = world.add(TcpService(vip, 80).scheduler("rr")); !status.ok())
      return status.error().message;
    return served_by_several(world, [&](int i) { return world.client(i, vip.family()).connect(vip, 80); });
  }

  Finding datagrams() {
    Bench world = bench();
    if (const Status status = world.add(UdpService(kVip, 80).scheduler("rr")); !status.ok())
      return status.error().message;
    return served_by_several(world, [&](int i) { return world.client(i).udp(kVip, 80); });
  }

  Finding scheduler(const std::string& word) {
    Bench world = bench();
    if (const Status status = world.add(TcpService(kVip, 80).scheduler(word)); !status.ok())
      return status.error().message;
    for (int i = 1; i <= kClients; ++i)
      if (world.client(i).connect(kVip, 80).server.empty()) return fmt::format("client {} got no answer", i);
    return {};
  }

  /// Each client is on one server by all the ways of `ask`, and clients are on more than one.
  Finding sticks(Bench& world, int ways, const std::function<Answer(int client, int way)>& ask) {
    std::set<std::string> servers;
    for (int i = 1; i <= kClients; ++i) {
      const std::string first = ask(i, 0).server;
      if (first.empty()) return fmt::format("client {} got no answer", i);
      servers.insert(first);
      for (int way = 1; way < ways; ++way)
        if (const std::string next = ask(i, way).server; next != first)
          return fmt::format("client {}, {}, was on {} and then on {}", i, world.client(i).cip().str(), first,
                             next.empty() ? "none" : next);
    }
    if (servers.size() < 2) return fmt::format("all of {} clients are on {}", kClients, *servers.begin());
    return {};
  }

  Finding affinity() {
    Bench world = bench();
    if (const Status status = world.add(sticky()); !status.ok()) return status.error().message;
    return sticks(world, 4, [&](int i, int) { return world.client(i).connect(kVip, 80); });
  }

  Finding port_zero() {
    Bench world = bench();
    if (const Status status = world.add(sticky(kAnyPort)); !status.ok()) return status.error().message;
    return sticks(world, 4, [&](int i, int way) { return world.client(i).connect(kVip, way % 2 == 0 ? 80 : 443); });
  }

  Finding marks() {
    Bench world = bench();
    std::vector<MarkRule> rules(1);
    rules[0].protocol = Protocol::kTcp;
    rules[0].destination = Prefix::of(kVip.str() + "/32");
    rules[0].destination_ports = {{80, 80}, {443, 443}};
    rules[0].mark = 8;
    if (const Status status = world.set_marks(rules); !status.ok()) return status.error().message;
    if (const Status status = world.add(MarkService(8).scheduler("rr").persistent(300s)); !status.ok())
      return status.error().message;
    return sticks(world, 4, [&](int i, int way) { return world.client(i).connect(kVip, way % 2 == 0 ? 80 : 443); });
  }

  Finding mask() {
    Bench world = bench();
    if (const Status status = world.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.0"));
        !status.ok())
      return status.error().message;
    std::set<std::string> servers;
    for (int i = 1; i <= kClients; ++i) servers.insert(world.client(i).connect(kVip, 80).server);
    if (servers.contains("")) return "a client got no answer";
    if (servers.size() != 1) return fmt::format("the clients of one network are on {}", fmt::join(servers, ", "));
    // The control: without the mask they are not.
    return affinity();
  }

  Finding edit() {
    Bench world = bench();
    ExecSession& session = director_of(world).session();
    const VirtualService service = furnished(world, sticky());
    if (const auto reply = session.order({{"verb", "edit"},
                                          {"order", "add_service"},
                                          {"service", say(service.id)},
                                          {"settings", say_settings(service)}});
        !reply.ok())
      return reply.error().message;
    for (const RealServer& server : service.servers)
      if (const auto reply = session.order({{"verb", "edit"},
                                            {"order", "add_server"},
                                            {"service", say(service.id)},
                                            {"server", say_id(server)},
                                            {"settings", say_settings(server)}});
          !reply.ok())
        return reply.error().message;
    return served_by_several(world, [&](int i) { return world.client(i).connect(kVip, 80); });
  }

  Finding edit_keeps_clients() {
    Bench world = bench();
    VirtualService service = furnished(world, sticky());
    const RealServer late = service.servers.back();
    service.servers.pop_back();
    if (const Status status = world.add(service); !status.ok()) return status.error().message;
    std::map<int, std::string> before;
    for (int i = 1; i <= kClients; ++i) before[i] = world.client(i).connect(kVip, 80).server;
    if (const Status status = world.add_server(service.id, late); !status.ok()) return status.error().message;
    return sticks(world, 2, [&](int i, int way) {
      Answer answer = world.client(i).connect(kVip, 80);
      if (way == 0 && answer.server != before[i])
        throw WorldError(director_error(
            fmt::format("client {} was on {}, and is on {} since a server was added", i, before[i], answer.server)));
      return answer;
    });
  }

  /// Whether the six clients are where they were after 400 s, each try in a rotation that one connection has turned.
  Finding window(bool for_ever) {
    Bench world = bench();
    if (const Status status = world.add(sticky()); !status.ok()) return status.error().message;
    std::map<int, std::string> before;
    for (int i = 1; i <= kClients; ++i) before[i] = world.client(i).connect(kVip, 80).server;
    if (const Status status = lab_.elapse(world.director(), 400s); !status.ok()) {
      if (status.error().kind == ErrorKind::kEnvironment) unjudged_ = status.error().message;
      return status.error().message;
    }
    // A seventh client turns the rotation, so that free clients go elsewhere.
    world.client(kClients + 1).connect(kVip, 80);
    int moved = 0;
    for (int i = 1; i <= kClients; ++i) moved += world.client(i).connect(kVip, 80).server != before[i] ? 1 : 0;
    if (for_ever && moved > 0) return fmt::format("{} of {} clients have moved", moved, kClients);
    if (!for_ever && moved == 0) return fmt::format("all of {} clients are still where they were", kClients);
    return {};
  }

  Finding clock() {
    Bench world = bench();
    const auto reply = director_of(world).session().order({{"verb", "advance"}, {"ns", 1'000'000'000}});
    if (!reply.ok()) return reply.error().message;
    return {};
  }

  Options options_;
  Lab lab_;
  ExecOptions exec_;
  DirectorIdentity identity_;
  std::optional<std::string> unjudged_;
  int passed_ = 0, failed_ = 0, undeclared_ = 0;
};

int test_in_guest(const Options& options) {
  UmlOptions guest;
  guest.init = program_folder() + "/lvspec";
  guest.args = {"adapter-test", "--guest",      "--patience",    std::to_string(options.patience_ms),
                "--folder",     options.folder, options.director};
  for (const std::string& check : options.checks) guest.args.insert(guest.args.end(), {"--check", check});
  guest.on_line = [](std::string_view line) {
    if (line.starts_with(kLine)) fmt::print("{}\n", line.substr(kLine.size()));
    std::fflush(stdout);
  };
  auto started = UmlGuest::start(std::move(guest));
  if (!started.ok()) return complain(started.error());
  const auto end = started->wait();
  return end.ok() ? end->status : complain(end.error());
}

int adapter_test(Options options) {
  if (!is_exec(options.director))
    return complain(usage_error(
        fmt::format("adapter-test {}: it tests exec:CMD, as in exec:'python3 my_adapter.py'", options.director)));
  if (options.guest)
    run_guest_init({}, [&] {
      if (chdir(options.folder.c_str()) != 0) return complain(system_error("chdir(" + options.folder + ")"));
      return AdapterTest(options, uml_lab()).run();
    });
  if (options.lab == "uml") {
    char here[4096];
    options.folder = getcwd(here, sizeof here) != nullptr ? here : "/";
    return test_in_guest(options);
  }
  if (const Status able = become_able_to_create_namespaces(); !able.ok()) return complain(able.error());
  return AdapterTest(options, host_lab()).run();
}

}  // namespace

Action add_adapter_test_command(CLI::App& app) {
  auto* command = app.add_subcommand("adapter-test", "test an adapter of yours: the contract, and what it claims");
  command->footer(
      "Examples:\n"
      "  lvspec adapter-test 'exec:python3 fixtures/adapters/balancer.py'\n"
      "  lvspec adapter-test 'exec:sh fixtures/adapters/nftables.sh'\n"
      "  lvspec adapter-test --lab uml 'exec:./my_adapter --verbose'    in a guest, where IPVS is and time is "
      "virtual\n"
      "  lvspec adapter-test --check 'contract.*' --check capability.marks 'exec:./my_adapter'\n"
      "The contract: harness/adapters/exec/README.md\n"
      "A line each check: PASS; FAIL; SKIP, with the reason; UNDECLARED, which works though it is not declared; and "
      "-,\n"
      "not declared and not working.\n"
      "Exit status: 0 it keeps the contract, 1 it does not, 2 usage, 4 harness error");
  auto options = std::make_shared<Options>();
  command->add_option("director", options->director, "exec:CMD, a command line for /bin/sh")->required();
  command->add_option("--lab", options->lab, "where its worlds live: host, uml")
      ->check(CLI::IsMember({"host", "uml"}))
      ->capture_default_str();
  command->add_option("--check", options->checks,
                      "only the checks of this name, as in 'capability.*'; may be repeated");
  command->add_option("--patience", options->patience_ms, "how long a reply may take, in milliseconds")
      ->check(CLI::Range(50, 600'000))
      ->capture_default_str();
  command->add_flag("--guest", options->guest)->group("");
  command->add_option("--folder", options->folder)->group("");
  return [options] { return adapter_test(*options); };
}

}  // namespace lvspec
