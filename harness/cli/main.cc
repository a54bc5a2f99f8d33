#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>

#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/cli/guest_pool.h"
#include "harness/cli/wire_options.h"
#include "harness/lab/lab.h"
#include "harness/lab/qemu/qemu_init.h"
#include "harness/testing/case.h"
#include "harness/testing/worker.h"
#include "suites/law.h"

namespace lvspec {

int complain(const Error& error) {
  fmt::print(stderr, "lvspec: {}\n", error.message);
  return error.kind == ErrorKind::kUsage ? kUsage : kHarness;
}

namespace {

constexpr int kWorkerFd = 3, kWireClientsFd = 4;  // as pool.cc has them

/// What the pools start (pool.cc, guest_pool.cc); not for people, so not in --help.
Action add_worker_command(CLI::App& app, const Catalogue& catalogue) {
  auto* command = app.add_subcommand("worker", "")->group("");
  auto options = std::make_shared<testing::WorkerOptions>();
  auto orders = std::make_shared<GuestOrders>();
  auto places = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  auto* guest = command->add_flag("--guest");
  command->add_option("--director", orders->director)->needs(guest);
  command->add_option("--fault", orders->fault)->needs(guest);
  command->add_option("--cases", *places)->needs(guest);
  command->add_option("--folder", *folder)->needs(guest);
  auto wire = std::make_shared<WireOptions>();
  auto* on_wire = command->add_flag("--wire");
  add_wire_options(command, wire.get());
  command->add_option("--cpu", options->cpu);
  command->add_option("--out", options->report_dir);
  command->add_flag("--verdict-only", options->verdict_only);
  command->add_flag("--keep-evidence", options->keep_evidence);
  return [=, &catalogue] {
    options->lab = guest->count() == 0 ? host_lab() : is_qemu_init() ? qemu_lab() : uml_lab();
    options->director = [](const auto& name, const auto& fault) { return director_named(name, fault); };
    if (on_wire->count() > 0) {
      const auto plan = plan_of(*wire, "appliance");
      if (!plan.ok()) return complain(plan.error());
      const auto clients = std::make_shared<WireClients>(kWireClientsFd);
      options->lab = wire_lab(*plan, clients);
      options->director = [plan = *plan, clients](const auto& name, const auto&) mutable {
        plan.appliance = name;
        return Result<DirectorFactory>(appliance_on(plan, clients));
      };
    }
    if (guest->count() > 0) {
      const auto cases = read_places(*places);
      if (!cases.ok()) return complain(cases.error());
      orders->cases = *cases;
      if (!folder->empty() && chdir(folder->c_str()) != 0)
        return complain(system_error(fmt::format("chdir({})", *folder)));
      live_in_guest(*orders, catalogue, [options] {
        auto worker = std::make_shared<testing::Worker>(*options);
        return [worker](const CaseInfo& info, const std::string& director, const std::string& fault) {
          return worker->run(info, director, fault);
        };
      });
    }
    return testing::work_for(kWorkerFd, *options);
  };
}

int main(int argc, char** argv) {
  CLI::App app{
      "lvspec tells whether a load-balancing director keeps each client on its real server the way LVS says it must.",
      "lvspec"};
  app.set_version_flag("--version", "lvspec " LVSPEC_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n  lvspec doctor\n  lvspec list\n  lvspec run --out report\nEach command has its own --help.");
  const Catalogue& catalogue = testing::catalogue();
  const std::map<std::string, Action> actions = {{"run", add_run_command(app, catalogue, law())},
                                                 {"list", add_list_command(app, catalogue, law())},
                                                 {"explain", add_explain_command(app, catalogue, law())},
                                                 {"mutants", add_mutants_command(app, catalogue)},
                                                 {"doctor", add_doctor_command(app)},
                                                 {"compare", add_compare_command(app, law())},
                                                 {"diff", add_diff_command(app)},
                                                 {"merge", add_merge_command(app)},
                                                 {"verify", add_verify_command(app)},
                                                 {"fuzz", add_fuzz_command(app)},
                                                 {"adapter-test", add_adapter_test_command(app)},
                                                 {"fuzz-player", add_fuzz_player_command(app)},
                                                 {"worker", add_worker_command(app, catalogue)}};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kConforms : kUsage;
  }
  return actions.at(app.get_subcommands().front()->get_name())();
}

}  // namespace
}  // namespace lvspec

int main(int argc, char** argv) { return lvspec::main(argc, argv); }
