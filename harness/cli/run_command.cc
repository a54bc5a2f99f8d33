#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "harness/adapters/kernel_ipvs.h"
#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/cli/guest_pool.h"
#include "harness/cli/pool.h"
#include "harness/cli/run_output.h"
#include "harness/cli/selection.h"
#include "harness/cli/try_in_child.h"
#include "harness/cli/wire_options.h"
#include "harness/lab/lab.h"
#include "harness/netns/namespace.h"
#include "harness/report/measured.h"
#include "harness/report/write.h"

namespace lvspec {
namespace {

struct RunOptions {
  std::vector<std::string> directors;
  std::string lab = "auto";
  std::string profile = "auto";
  std::string kernel, modules, accel = "tcg";
  Selection selection;
  std::string shard;
  std::string fault;
  int jobs = 0;
  int repeat = 1;
  std::string out;
  OutputFormat format = OutputFormat::kText;
  WireOptions wire;
};

/// Both of ours, each in its fastest lab; a named lab or fault narrows them to those that it suits.
std::vector<std::string> default_directors(const RunOptions& options) {
  if (options.lab == "wire") return {"appliance"};
  if (!options.fault.empty() || options.lab == "host") return {"bundled"};
  if (!options.kernel.empty() || options.lab == "qemu") return {"ipvs"};
  return {"bundled", "ipvs"};
}

/// The lab for a director: the fastest one in which it and virtual time both work.
std::string lab_for(const std::string& director, const RunOptions& options) {
  if (options.lab != "auto") return options.lab;
  if (!options.kernel.empty()) return "qemu";
  if (is_exec(director)) {
    // Virtual time is its own clock's, or a guest's.
    const auto identity = identity_of(director);
    const auto has_clock = [](const auto& words) { return std::count(words.begin(), words.end(), "clock") != 0; };
    return !identity.ok() || has_clock(identity->capabilities) ? "host" : "uml";
  }
  return best_lab(director);
}

Lab lab_named(const std::string& name) {
  if (name == "wire") return wire_lab(WirePlan(), nullptr);  // for its name and clock; workers have theirs
  return name == "uml" ? uml_lab() : name == "qemu" ? qemu_lab() : host_lab();
}

/// All labs of a run, the way they are named in the report: "host", "host and uml".
std::vector<Lab> labs_of(const RunOptions& options) {
  std::vector<Lab> labs;
  for (const std::string& director : options.directors) {
    const Lab lab = lab_named(lab_for(director, options));
    if (std::none_of(labs.begin(), labs.end(), [&](const Lab& known) { return known.name == lab.name; }))
      labs.push_back(lab);
  }
  return labs;
}

Profile profile_for(const std::string& director, const RunOptions& options) {
  if (options.lab == "wire") return Profile::kAffinity;
  return profile_of(options.profile).value_or(default_profile(director));
}

std::size_t place_of(const CaseInfo& info, const Catalogue& catalogue) {
  const auto found =
      std::find_if(catalogue.begin(), catalogue.end(), [&](const CaseInfo& row) { return row.id == info.id; });
  return static_cast<std::size_t>(found - catalogue.begin());
}

/// Lab -> the kernels of its guests, "Linux 6.1.176".
using GuestKernels = std::map<std::string, std::set<std::string>>;

/// Runs each job in the lab of its director, and brings the results back in the order of the jobs.
Result<std::vector<CaseResult>> run_in_labs(const std::vector<Job>& jobs, PoolOptions pool, const RunOptions& options,
                                            GuestKernels* kernels,
                                            const std::function<void(const CaseResult&)>& done) {
  std::map<std::string, std::vector<std::size_t>> by_lab;
  std::vector<CaseResult> results(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    // A program that does not even say hello would cost each of its cases the same wait, and tell the same.
    if (is_exec(jobs[i].director) && !identity_of(jobs[i].director).ok()) {
      results[i] = lost_result(jobs[i], identity_of(jobs[i].director).error().message);
      results[i].rerun = lvspec::rerun_line(jobs[i]);
      done(results[i]);
      continue;
    }
    by_lab[lab_for(jobs[i].director, options)].push_back(i);
  }
  for (const auto& [lab, places] : by_lab) {
    std::vector<Job> here;
    for (const std::size_t place : places) here.push_back(jobs[place]);
    const auto show = [&](std::size_t, const CaseResult& result) { done(result); };
    pool.on_kernel = [&, &lab = lab](const std::string& kernel) { (*kernels)[lab].insert(kernel); };
    const bool here_and_now = lab == "host" || lab == "wire";
    if (here_and_now) LVSPEC_TRY(try_in_child(become_able_to_create_namespaces));
    LVSPEC_ASSIGN(auto found, here_and_now ? run_jobs(here, pool, show) : run_jobs_in_guests(here, pool, show));
    for (std::size_t i = 0; i < places.size(); ++i) results[places[i]] = std::move(found[i]);
  }
  return results;
}

Environment environment_of(const std::vector<Lab>& labs) {
  utsname name{};
  uname(&name);
  Environment environment;
  environment.kernel = fmt::format("{} {}", name.sysname, name.release);
  environment.machine = name.machine;
  environment.cpus = static_cast<int>(std::thread::hardware_concurrency());
  environment.root = geteuid() == 0;
  for (const Lab& lab : labs) {
    environment.lab += (environment.lab.empty() ? "" : " and ") + lab.name;
    environment.clock += (environment.clock.empty() ? "" : "; ") + lab.name + ": " + lab.clock;
  }
  return environment;
}

std::string rerun_line(const RunOptions& options) {
  std::string line = "ci/lvspec run";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) line += fmt::format(" {} '{}'", name, value);
  };
  for (const std::string& director : options.directors) line += " --director " + quoted(director);
  if (options.profile != "auto") line += " --profile " + options.profile;
  for (const std::string& suite : options.selection.suites) line += " --suite " + suite;
  for (const std::string& glob : options.selection.globs) add("--case", glob);
  if (options.selection.level != "all") line += " --level " + options.selection.level;
  if (!options.shard.empty()) line += " --shard " + options.shard;
  if (!options.fault.empty()) line += " --fault " + options.fault;
  if (options.selection.seed != 0) line += fmt::format(" --seed {}", options.selection.seed);
  if (options.lab != "auto") line += " --lab " + options.lab;
  if (options.wire.any()) line += fmt::format(" {}", fmt::join(words_of(options.wire), " "));
  add("--kernel", options.kernel);
  add("--modules", options.modules);
  if (options.accel != "tcg") line += " --accel " + options.accel;
  if (options.repeat != 1) line += fmt::format(" --repeat {}", options.repeat);
  return line;
}

/// On which kernel each director lived, and the guests' kernels in the environment of all.
void say_where(const GuestKernels& kernels, Run* run) {
  const std::string host_kernel = run->environment.kernel;
  std::set<std::string> guests;
  for (const auto& [lab, names] : kernels) guests.insert(names.begin(), names.end());
  for (const std::string& kernel : guests) run->environment.kernel += fmt::format(", guest {}", kernel);
  for (DirectorInfo& director : run->directors) {
    const auto own = kernels.find(director.lab);
    director.kernel = own == kernels.end() ? host_kernel : fmt::format("{}", fmt::join(own->second, ", "));
  }
}

/// The folder is made before anything runs, so that a run does not end in "cannot write".
Status prepare_out(const std::string& dir) {
  if (dir.empty()) return {};
  for (std::size_t slash = dir.find('/', 1);; slash = dir.find('/', slash + 1)) {
    const std::string part = dir.substr(0, slash);
    if (mkdir(part.c_str(), 0777) != 0 && errno != EEXIST)
      return system_error(fmt::format("--out {}: mkdir({})", dir, part));
    if (slash == std::string::npos) break;
  }
  if (access(dir.c_str(), W_OK) != 0) return system_error(fmt::format("--out {}", dir));
  return {};
}

/// Whether a wire is asked for as it can be had; its words for workers go to *pool.
Status prepare_wire(const RunOptions& options, PoolOptions* pool, FileDescriptor* clients) {
  if (options.lab != "wire") {
    if (!options.wire.any()) return {};
    return usage_error(fmt::format("{}: goes with --lab wire", words_of(options.wire).front()));
  }
  if (options.directors.size() != 1)
    return usage_error("--lab wire: there is one appliance; --director names its column, once");
  const std::string& name = options.directors.front();
  const bool plain = !name.empty() && name.size() <= 40 &&
                     name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
  const auto& ours = director_names();
  if (!plain || std::find(ours.begin(), ours.end(), name) != ours.end())
    return usage_error(fmt::format(
        "--director {}: on a wire it names somebody's appliance: 1 to 40 of a-z 0-9 . - _, and none of {}", name,
        fmt::join(ours, ", ")));
  if (options.profile == "ipvs")
    return usage_error("--profile ipvs: an appliance is judged from outside, by profile affinity");
  if (!options.fault.empty())
    return usage_error(fmt::format("--fault {}: an appliance has none of ours", options.fault));
  LVSPEC_ASSIGN(const WirePlan plan, plan_of(options.wire, name));
  for (const auto& [option, interface] :
       {std::pair{"--client-if", plan.wire.client_interface}, std::pair{"--server-if", plan.wire.server_interface}}) {
    const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    if (ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0)
      return usage_error(system_error(fmt::format("{} {}", option, interface)).message);
    if ((request.ifr_flags & IFF_UP) == 0)
      return usage_error(fmt::format("{0} {1}: it is down; ip link set {1} up", option, interface));
  }
  if (geteuid() != 0) return usage_error("--lab wire: interfaces of this machine are root's to lend; run it as root");
  *clients = FileDescriptor(memfd_create("clients used so far", MFD_CLOEXEC));
  const std::uint64_t first = 1;
  if (!clients->valid() || write(clients->get(), &first, sizeof first) != sizeof first)
    return system_error("memfd_create(clients used so far)");
  pool->wire = words_of(options.wire);
  pool->wire_clients_fd = clients->get();
  pool->workers = 1;  // there is one appliance
  pool->patience += plan.window * 4 + plan.settle;
  return {};
}

int run(RunOptions options, const Catalogue& catalogue, const Law& law) {
  if (options.directors.empty()) options.directors = default_directors(options);
  std::sort(options.directors.begin(), options.directors.end());
  options.directors.erase(std::unique(options.directors.begin(), options.directors.end()), options.directors.end());
  PoolOptions pool;
  FileDescriptor wire_clients;
  pool.workers = options.jobs > 0 ? options.jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (const Status ready = prepare_wire(options, &pool, &wire_clients); !ready.ok()) return complain(ready.error());
  for (const std::string& director : options.directors)
    if (const auto known = options.lab == "wire"
                               ? Result<DirectorFactory>(DirectorFactory{})
                               : director_named(director, director == "bundled" ? "" : options.fault);
        !known.ok())
      return complain(known.error());
  if (!options.kernel.empty() && options.lab != "auto" && options.lab != "qemu")
    return complain(
        usage_error(fmt::format("--kernel {}: goes with --lab qemu, not {}", options.kernel, options.lab)));
  for (const std::string& director : options.directors)
    if (is_exec(director) && lab_for(director, options) == "qemu")
      return complain(usage_error(
          fmt::format("--director {}: not in qemu, whose guests have none of this machine's files", director)));
  if (!options.modules.empty() && options.kernel.empty())
    return complain(usage_error(fmt::format("--modules {}: goes with --kernel VMLINUZ", options.modules)));
  if (std::count(options.directors.begin(), options.directors.end(), "ipvs") != 0 && options.lab == "host")
    if (const Status available = KernelIpvs::available(); !available.ok()) return complain(available.error());
  if (!options.shard.empty())
    if (const Status read = read_shard(options.shard, &options.selection); !read.ok()) return complain(read.error());
  const bool own_fault = std::count(options.directors.begin(), options.directors.end(), "bundled") != 0;
  if (!options.fault.empty() && own_fault) {
    const auto faults = known_faults();
    if (!faults.ok()) return complain(faults.error());
    const bool known =
        std::any_of(faults->begin(), faults->end(), [&](const auto& row) { return row.name == options.fault; });
    if (!known)
      return complain(usage_error(
          fmt::format("--fault {}: there is no such fault; lvspec mutants --list shows all", options.fault)));
  }
  const auto selected = select(catalogue, options.selection);
  if (!selected.ok()) return complain(selected.error());
  if (const Status ready = prepare_out(options.out); !ready.ok()) return complain(ready.error());
  if (selected->empty())
    fmt::print(stderr, "lvspec: no case fits the selection; \"lvspec list\" shows all {}\n", catalogue.size());

  std::vector<Job> jobs;
  for (int turn = 0; turn < options.repeat; ++turn)
    for (const std::string& director : options.directors)
      for (const CaseInfo& info : *selected)
        if (info.is_in(profile_for(director, options)))
          jobs.push_back({info, director, options.fault, place_of(info, catalogue)});

  Run run;
  run.version = LVSPEC_VERSION;
  run.suite_digest = digest_of(catalogue);
  run.guidance = guidance_for(*selected, law);
  run.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  run.rerun = rerun_line(options);
  const auto judges_any = [&](const CaseInfo& info) {
    return std::any_of(options.directors.begin(), options.directors.end(),
                       [&](const std::string& director) { return info.is_in(profile_for(director, options)); });
  };
  run.selected = static_cast<int>(std::count_if(selected->begin(), selected->end(), judges_any));
  run.catalogue = static_cast<int>(std::count_if(catalogue.begin(), catalogue.end(), judges_any));
  run.shard = options.selection.shard;
  run.shards = options.selection.shards;
  run.environment = environment_of(labs_of(options));
  for (const std::string& director : options.directors) {
    auto identity =
        options.lab == "wire" ? appliance_identity(*plan_of(options.wire, director)) : identity_of(director);
    if (!identity.ok() && is_exec(director)) identity = DirectorIdentity{director, "did not say hello", {}};
    if (!identity.ok()) return complain(identity.error());
    const Lab lab = lab_named(lab_for(director, options));
    const Profile profile = profile_for(director, options);
    const auto in_profile = [&](const CaseInfo& info) { return info.is_in(profile); };
    run.directors.push_back(
        {.name = identity->name,
         .version = identity->version,
         .capabilities = identity->capabilities,
         .passport = {},
         .lab = lab.name,
         .clock = lab.clock,
         .profile = profile,
         .selected = static_cast<int>(std::count_if(selected->begin(), selected->end(), in_profile)),
         .catalogue = static_cast<int>(std::count_if(catalogue.begin(), catalogue.end(), in_profile))});
  }
  pool.report_dir = options.out;
  pool.accel = options.accel;
  pool.modules = options.modules;
  pool.kernel = options.kernel;
  if (options.lab == "qemu" && pool.kernel.empty()) pool.kernel = "debian:6.1";
  if (options.lab == "qemu" || !options.kernel.empty()) pool.patience *= 3;  // an emulated CPU
  GuestKernels guest_kernels;
  auto output = RunOutput::open(options.format, options.out);
  if (!output.ok()) return complain(output.error());
  const auto start = std::chrono::steady_clock::now();
  output->begin(run, jobs.size());
  auto results =
      run_in_labs(jobs, pool, options, &guest_kernels, [&](const CaseResult& result) { output->show(result); });
  if (!results.ok()) return complain(results.error());
  run.cases = std::move(*results);
  say_where(guest_kernels, &run);
  run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  fill_passports(catalogue, &run);
  if (const Status closed = output->close(run); !closed.ok()) return complain(closed.error());
  if (!options.out.empty())
    if (const Status written = write_report(run, options.out, {"results.jsonl"}); !written.ok())
      return complain(written.error());
  output->end(run);
  return exit_status(run);
}

}  // namespace

Action add_run_command(CLI::App& app, const Catalogue& catalogue, const Law& law) {
  auto* command = app.add_subcommand("run", "run the suites against one or more directors and judge them");
  command->footer(
      "Examples:\n"
      "  lvspec run --out report\n"
      "  lvspec run --suite pcc --case 'pcc.same-*' --level must\n"
      "  lvspec run --director bundled                  the bundled director alone: no guest is booted\n"
      "  lvspec run --director ipvs --kernel debian:6.1 that of a distribution's kernel, in qemu\n"
      "  lvspec run --director haproxy --director nginx --director pen\n"
      "  lvspec run --profile affinity --director ipvs  what proxies are asked, put to the kernel\n"
      "  lvspec run --director 'exec:python3 fixtures/adapters/balancer.py' --director bundled --suite pcc\n"
      "  lvspec run --fault no-persistence            a deliberately broken director: must fail\n"
      "  lvspec run --format jsonl | jq -r 'select(.case.verdict == \"FAIL\") | .case.id'\n"
      "  lvspec run --lab wire --director acme-9000 --client-if eth1 --server-if eth2 --vip 198.51.100.10:443\n"
      "      --clients 192.0.2.64/26 --servers 203.0.113.11,203.0.113.12 --server-gateway 203.0.113.1 --window 60\n"
      "  lvspec run --shard 1/3 --out shard-1         a third of it; lvspec merge joins the three\n"
      "Exit status: 0 all conform, 1 something does not, 2 usage, 3 nothing selected or asserted,\n"
      "             4 harness error, 5 inconclusive only");
  auto options = std::make_shared<RunOptions>();
  command->add_option(
      "--director", options->directors,
      "director under test: bundled, ipvs, haproxy, keepalived, nftables, nginx, pen, or exec:CMD, a\n"
      "program that speaks the contract of harness/adapters/exec/README.md; may be repeated (default:\n"
      "bundled and ipvs)");
  command
      ->add_option("--lab", options->lab,
                   "where worlds live: auto, host, uml (user-mode-linux guests), qemu, wire (an\n"
                   "appliance between two interfaces of this machine)")
      ->check(CLI::IsMember({"auto", "host", "uml", "qemu", "wire"}))
      ->capture_default_str();
  command
      ->add_option("--profile", options->profile,
                   "judge by: ipvs (exactly like the kernel), affinity (by what a product declares), auto (bundled, "
                   "ipvs and keepalived by ipvs, others by affinity)")
      ->check(CLI::IsMember({"auto", "ipvs", "affinity"}))
      ->capture_default_str();
  command->add_option("--kernel", options->kernel, "kernel of qemu guests: a vmlinuz, debian:6.1 or debian:6.12");
  command->add_option("--modules", options->modules, "its modules, where they are not beside it");
  command->add_option("--accel", options->accel, "of qemu guests: tcg (virtual time) or kvm (real time)")
      ->check(CLI::IsMember({"tcg", "kvm"}))
      ->capture_default_str();
  command->add_option("--suite", options->selection.suites, "only this suite; may be repeated");
  command->add_option("--case", options->selection.globs,
                      "only cases whose id fits this shell pattern; may be repeated");
  command->add_option("--level", options->selection.level, "must, should (must and should), or all")
      ->check(CLI::IsMember({"must", "should", "all"}))
      ->capture_default_str();
  command->add_option("--shard", options->shard, "I/N: only the I-th of N parts of the selection");
  command->add_option("--jobs", options->jobs, "worlds at the same time (default: one for each CPU)")
      ->check(CLI::Range(1, 256));
  command->add_option("--repeat", options->repeat, "run everything this many times")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--seed", options->selection.seed, "shuffle the order of the cases with this seed");
  command->add_option("--out", options->out,
                      "folder for results.json, junit.xml, results.tap, results.jsonl, summary.md, index.html, "
                      "a conformance document of each director, evidence/, and SHA256SUMS over all of them");
  command
      ->add_option("--format", options->format,
                   "standard output: text; tap (TAP 14); jsonl (one event a line); github (annotations, and text)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, OutputFormat>{{"text", OutputFormat::kText},
                                                                              {"tap", OutputFormat::kTap},
                                                                              {"jsonl", OutputFormat::kJsonLines},
                                                                              {"github", OutputFormat::kGithub}}))
      ->option_text("text|tap|jsonl|github");
  command->add_option("--fault", options->fault,
                      "switch one deliberate fault of the bundled director on (see: lvspec mutants)");
  add_wire_options(command, &options->wire);
  return [options, &catalogue, &law] { return run(*options, catalogue, law); };
}

}  // namespace lvspec
