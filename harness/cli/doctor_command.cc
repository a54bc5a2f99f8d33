#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "harness/adapters/bundled.h"
#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/cli/doctor_file.h"
#include "harness/cli/try_in_child.h"
#include "harness/lab/bench.h"
#include "harness/netns/namespace.h"

namespace lvspec {
namespace {

/// One thing that this machine can or cannot do.
struct Finding {
  std::string what;
  bool needed;          ///< for a run with the bundled director
  std::string trouble;  ///< empty: fine
  std::string detail;   ///< what was found, or what to do
};

Finding check_programs() {
  Finding finding{"director", true, {}, program_folder() + "/lvspec-director"};
  for (const char* program : {"lvspec-director", "lvspec-director-faulty"})
    if (access((program_folder() + "/" + program).c_str(), X_OK) != 0)
      finding.trouble = errno_text(errno) + ": build the whole project: cmake --build build";
  return finding;
}

Status build_a_world() {
  LVSPEC_TRY(become_able_to_create_namespaces());
  LVSPEC_ASSIGN(const World world, World::build(Topology{}));
  return {};
}

Status build_a_bench() {
  LVSPEC_TRY(become_able_to_create_namespaces());
  LVSPEC_ASSIGN(const DirectorFactory director, director_named("bundled"));
  LVSPEC_ASSIGN(Bench bench, BenchPlan().build(host_lab(), director));
  return {};
}

std::string trouble_of(Status (*attempt)()) {
  const Status status = try_in_child(attempt);
  return status.ok() ? "" : status.error().message;
}

Finding check_ipvs() {
  Finding finding{"kernel IPVS", false, {}, "/proc/net/ip_vs is there"};
  if (access("/proc/net/ip_vs", F_OK) != 0)
    finding.trouble = "the running kernel has none loaded; neither the bundled director nor guests need it";
  return finding;
}

/// A guest kernel or emulator that the labs start.
Finding check_guest(const char* lab, const char* program, const char* package) {
  Finding finding{lab, false, {}, program};
  if (access(program, X_OK) != 0)
    finding.trouble = fmt::format("no {}: install Debian's package {} to judge ipvs there", program, package);
  return finding;
}

int doctor() {
  utsname name{};
  uname(&name);
  fmt::print("lvspec {} on {} {} ({}), {} CPUs, {}\n\n", LVSPEC_VERSION, name.sysname, name.release, name.machine,
             std::thread::hardware_concurrency(),
             geteuid() == 0 ? "root" : fmt::format("user {} (worlds are built in a user namespace)", geteuid()));
  const std::string world = trouble_of(build_a_world);
  const std::vector<Finding> findings = {
      check_programs(),
      {"worlds", true, world, "namespaces, veth and bridge can be made"},
      {"bench", true, world.empty() ? trouble_of(build_a_bench) : "needs worlds",
       "the bundled director runs in a world and answers"},
      check_guest("uml lab", "/usr/bin/linux.uml", "user-mode-linux"),
      check_guest("qemu lab", "/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
      check_ipvs(),
  };
  bool able = true;
  for (const Finding& finding : findings) {
    const bool fine = finding.trouble.empty();
    fmt::print("{:<7} {:<12} {}\n", fine ? "ok" : (finding.needed ? "MISSING" : "-"), finding.what,
               fine ? finding.detail : finding.trouble);
    able = able && (fine || !finding.needed);
  }
  fmt::print("\n{}\n", able ? "This machine can run: lvspec run --director bundled"
                            : "This machine cannot run the suites yet; see MISSING above.");
  return able ? kConforms : kHarness;
}

}  // namespace

Action add_doctor_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "doctor",
      "say what this machine can do; or, of a configuration, what it leans on and which traps it steps into");
  auto options = std::make_shared<DoctorFileOptions>();
  auto* file = command->add_option(
      "FILE", options->file,
      "what ipvsadm-save and iptables-save print, a script of both, or a keepalived.conf; - is standard input");
  auto* live = command->add_flag("--live", options->live, "the tables of the running kernel")->excludes(file);
  auto* list = command->add_flag("--list", options->list, "every finding that there can be")->excludes(file, live);
  command->add_flag("--json", options->json, "for machines");
  command->add_option("--format", options->format, "what FILE is; auto looks at its words")
      ->check(CLI::IsMember({"auto", "ipvsadm", "keepalived"}))
      ->needs(file);
  command->add_option("--config-id", options->config_id, "keepalived's own, for lines that begin with @")
      ->needs(file);
  command->footer(
      "Include lines of a keepalived.conf are followed.\n"
      "Examples:\n  lvspec doctor\n  lvspec doctor /etc/keepalived/keepalived.conf\n"
      "  (ipvsadm -S -n; iptables-save -t mangle) | lvspec doctor -\n  lvspec doctor --json lvs.sh\n"
      "  lvspec doctor --live\n"
      "Exit status: of a configuration 0 no trap, 1 traps, 2 usage or lines that cannot be read, 4 no IPVS to look "
      "at;\n"
      "of this machine 0 the suites can run here, 4 they cannot.");
  return [=] {
    const bool machine = file->count() + live->count() + list->count() == 0;
    if (machine && options->json) return complain(usage_error("--json: name a FILE, --live or --list"));
    return machine ? doctor() : doctor_file(*options);
  };
}

}  // namespace lvspec
