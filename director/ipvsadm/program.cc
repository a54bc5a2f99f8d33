#include "director/ipvsadm/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "director/control/protocol.h"
#include "director/ipvsadm/listing.h"
#include "director/ipvsadm/usage.h"
#include "harness/protocol_words/say.h"
#include "harness/ruleset/ipvsadm_command.h"

namespace lvspec::ipvsadm {
namespace {

using nlohmann::json;
namespace protocol = director::protocol;

constexpr int kNotFound = 1, kWrong = 2, kRefused = 255;

/// What became of a command line.
struct Outcome {
  int status = 0;
  bool ends_restore = false;
};

const char* role_word(DaemonRole role) { return role == DaemonRole::kMaster ? "master" : "backup"; }

/// Carries out one command; one overload for each.
class Executor {
 public:
  Executor(const std::string& program, const Surroundings& around, bool restoring)
      : program_(program), around_(around), restoring_(restoring) {}

  Outcome operator()(const Command& command) { return std::visit(*this, command); }

  Outcome operator()(const AddService& command) {
    return order(
        {{"verb", "add_service"}, {"service", say(command.service.id)}, {"settings", say_settings(command.service)}});
  }
  Outcome operator()(const EditService& command) {
    return order({{"verb", "edit_service"},
                  {"service", say(command.service.id)},
                  {"settings", say_settings(command.service)}});
  }
  Outcome operator()(const DeleteService& command) {
    return order({{"verb", "remove_service"}, {"service", say(command.service)}});
  }
  Outcome operator()(const AddServer& command) {
    return server_order({{"verb", "add_server"},
                         {"service", say(command.service)},
                         {"server", say_id(command.server)},
                         {"settings", say_settings(command.server)}});
  }
  Outcome operator()(const EditServer& command) {
    return server_order({{"verb", "edit_server"},
                         {"service", say(command.service)},
                         {"server", say_id(command.server)},
                         {"settings", say_settings(command.server)}});
  }
  Outcome operator()(const DeleteServer& command) {
    return server_order({{"verb", "remove_server"},
                         {"service", say(command.service)},
                         {"server", protocol::ServerId{command.address.str(), command.port}}});
  }
  Outcome operator()(const ClearServices&) { return order({{"verb", "clear"}}); }

  Outcome operator()(const ZeroCounters& command) {
    json request = {{"verb", "zero"}};
    if (command.service) request["service"] = say(*command.service);
    return order(request);
  }

  Outcome operator()(const SetTimeouts& command) {
    return order(
        {{"verb", "set_timeouts"}, {"timeouts", protocol::Timeouts{command.tcp, command.tcp_fin, command.udp}}});
  }

  Outcome operator()(const StartDaemon& command) {
    protocol::Daemon daemon;
    daemon.role = role_word(command.role);
    daemon.interface = command.interface;
    daemon.sync_id = command.sync_id;
    daemon.max_length = command.max_length.value_or(daemon.max_length);
    if (command.group) daemon.group = command.group->str();
    daemon.port = command.port.value_or(daemon.port);
    daemon.ttl = command.ttl.value_or(daemon.ttl);
    return order({{"verb", "start_daemon"}, {"daemon", daemon}});
  }
  Outcome operator()(const StopDaemon& command) {
    return order({{"verb", "stop_daemon"}, {"role", role_word(command.role)}});
  }

  Outcome operator()(const ListTables& list) {
    Result<Snapshot> snapshot = dump();
    if (!snapshot.ok()) return unreachable(snapshot.error());
    const NamesOf names = list.numeric ? NamesOf{} : around_.names;
    if (list.connections) {
      around_.out << list_entries(snapshot->tables.entries, list.persistent_connections, names);
    } else if (list.timeouts) {
      around_.out << list_timeouts(snapshot->timeouts);
    } else if (list.daemons) {
      around_.out << list_daemons(snapshot->daemons);
    } else {
      return list_services(list, names, *std::move(snapshot));
    }
    return {};
  }

  Outcome operator()(const SaveServices& save) {
    Result<Snapshot> snapshot = dump();
    if (!snapshot.ok()) return unreachable(snapshot.error());
    sort_services(&snapshot->tables.services);
    around_.out << save_services(snapshot->tables.services, save.numeric ? NamesOf{} : around_.names);
    return {};
  }

  /// ADM-38.
  Outcome operator()(const RestoreServices&);

  Outcome operator()(const ShowHelp&) {
    around_.out << usage_text(program_);
    return {0, true};
  }
  Outcome operator()(const ShowVersion&) {
    around_.out << version_line();
    return {0, true};
  }

 private:
  Outcome complain(const std::string& line, Outcome outcome) {
    around_.err << line << "\n";
    return outcome;
  }

  /// Without a director nothing that follows can succeed either.
  Outcome unreachable(const Error& error) {
    return complain(fmt::format("Can't initialize ipvs: {}\nAre you sure that lvspec-director runs in this network "
                                "namespace, or that LVSPEC_CONTROL names its control socket?",
                                error.message),
                    {kWrong, true});
  }

  /// @param no_service  ipvsadm's words where the service is only the server's place (ADM-53); else the director's
  Outcome order(const json& request, const char* no_service = nullptr) {
    const Result<json> reply = around_.ask(request);
    if (!reply.ok()) return unreachable(reply.error());
    if (reply->value("ok", false)) return {};
    const bool missing = no_service != nullptr && reply->value("code", "") == "no-such-service";
    const std::string said = reply->value("error", "the director refused, and does not say why");
    return complain(missing ? no_service : said, {kRefused, false});
  }
  Outcome server_order(const json& request) { return order(request, "Service not defined"); }

  Result<Snapshot> dump() {
    LVSPEC_ASSIGN(const json reply, around_.ask({{"verb", "dump"}}));
    if (!reply.value("ok", false)) return Error{reply.value("error", "the director does not dump its tables")};
    return snapshot_of(reply);
  }

  Outcome list_services(const ListTables& list, const NamesOf& names, Snapshot snapshot) {
    std::vector<protocol::ServiceRow>& services = snapshot.tables.services;
    std::optional<protocol::Info> info = snapshot.info;
    if (list.service) {
      const json wanted = say(*list.service);
      std::erase_if(services, [&](const protocol::ServiceRow& row) { return json(row.id) != wanted; });
      if (services.empty()) return complain("No such service", {kNotFound, true});
      info.reset();
    }
    if (list.sorted) sort_services(&services);
    around_.out << ipvsadm::list_services(services, info, list, names);
    return {};
  }

  const std::string& program_;
  const Surroundings& around_;
  bool restoring_;
};

Outcome run_line(const std::string& program, std::vector<std::string> words, const Surroundings& around,
                 bool restoring) {
  auto parsed = parse_ipvsadm_words(std::move(words), around.lookup, program);
  if (const auto* complaint = std::get_if<Complaint>(&parsed)) {
    around.err << complaint->said << "\n";
    return {complaint->status, complaint->ends_restore};
  }
  return std::visit(Executor(program, around, restoring), std::get<IpvsadmCommand>(parsed));
}

/// The words of a line as -R splits it: blanks separate, nothing quotes, and a zero byte hides the rest of its word.
std::vector<std::string> restore_words(const std::string& line) {
  std::vector<std::string> words;
  constexpr char kBlanks[] = " \t\r\n";
  for (std::size_t from = line.find_first_not_of(kBlanks); from != std::string::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, from), line.size());
    words.emplace_back(line.substr(from, end - from).c_str());
    from = line.find_first_not_of(kBlanks, end);
  }
  if (!words.empty() && words.front() == "ipvsadm") words.erase(words.begin());
  return words;
}

Outcome Executor::operator()(const RestoreServices&) {
  if (restoring_)
    return complain(fmt::format("Try `{0} -h' or '{0} --help' for more information.", program_), {kRefused, true});
  Outcome last;
  for (std::string line; !last.ends_restore && std::getline(around_.in, line);) {
    std::vector<std::string> words = restore_words(line);
    if (words.empty()) continue;
    last = run_line(program_, std::move(words), around_, true);
    around_.out.flush();  // so that both streams keep their order, line by line
  }
  return last;
}

/// ipvsadm-save [-n].
int save(const std::string& name, const std::vector<std::string>& arguments, const Surroundings& around) {
  bool numeric = false;
  for (const std::string& argument : arguments) {
    numeric |= argument == "-n";
    if (argument == "-n" || !argument.starts_with("-")) continue;
    around.err << name
               << ": Script to save the IPVS table to stdout.\n"
                  "   With the -n option, prints out the table in numeric format.\n";
    return 1;
  }
  return run_line("ipvsadm", numeric ? std::vector<std::string>{"-S", "-n"} : std::vector<std::string>{"-S"}, around,
                  false)
      .status;
}

/// ipvsadm-restore: clears first, and knows comments.
int restore(const Surroundings& around) {
  std::stringstream lines;
  for (std::string line; std::getline(around.in, line);)
    if (!line.starts_with("#")) lines << line << "\n";
  run_line("ipvsadm", {"-C"}, around, false);
  const Surroundings without_comments{lines, around.out, around.err, around.ask, around.lookup, around.names};
  return run_line("ipvsadm", {"-R"}, without_comments, false).status;
}

}  // namespace

int run(const std::string& program, const std::vector<std::string>& arguments, const Surroundings& around) {
  const std::string name = program.substr(program.rfind('/') + 1);
  if (name == "ipvsadm-save") return save(name, arguments, around);
  if (name == "ipvsadm-restore") return restore(around);
  return run_line(program, arguments.empty() ? std::vector<std::string>{"-L"} : arguments, around, false).status;
}

}  // namespace lvspec::ipvsadm
