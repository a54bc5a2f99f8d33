// lvspec-bench: how fast worlds, probes and the bundled director are, against what people use instead.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "harness/bench/comparison.h"
#include "harness/bench/core_bench.h"
#include "harness/bench/forward_bench.h"
#include "harness/bench/icount_bench.h"
#include "harness/bench/probe_bench.h"
#include "harness/bench/world_bench.h"
#include "harness/lab/qemu/qemu_init.h"
#include "harness/netns/namespace.h"

namespace lvspec {
namespace {

enum ExitStatus { kGoalsMet = 0, kGoalMissed = 1, kWrongUsage = 2, kCannotMeasure = 4 };

const std::vector<std::string> kSections = {"core", "world", "probe", "forward"};

/// Connections in the table of which decisions are measured.
constexpr std::size_t kDecided = 1'000'000;

/// Instructions are the same in every guest; the third shows that.
constexpr int kGuests = 3;

struct Options {
  std::vector<std::string> sections;
  int rounds = 9;
  std::vector<int> servers = {3};
  std::vector<std::size_t> entries = {10'000, 1'000'000, 10'000'000};
  std::string json_file;
  bool icount = false;
  std::string against;
  std::vector<std::string> in_guest;
};

/// How many programs wanted a CPU during the last minute. On a busy machine a tool that starts processes looks worse
/// than it is, since each of them waits in the queue anew.
double machine_load() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

Status write_json(const std::string& path, const Options& options, double load,
                  const std::vector<Comparison>& comparisons) {
  utsname name{};
  uname(&name);
  nlohmann::json all = {
      {"version", LVSPEC_VERSION}, {"kernel", name.release},   {"cpus", std::thread::hardware_concurrency()},
      {"load_before", load},       {"rounds", options.rounds}, {"comparisons", nlohmann::json::array()}};
  for (const Comparison& comparison : comparisons) all["comparisons"].push_back(comparison.json());
  std::ofstream file(path);
  file << all.dump(2) << '\n';
  file.close();
  if (!file) return system_error("--json " + path);
  return {};
}

Status measure(const Options& options, std::vector<Comparison>* comparisons) {
  const double load = machine_load();
  if (load > 1)
    fmt::print(
        stderr,
        "lvspec-bench: the machine is busy (load {:.1f}): spreads are wide, and tools that start a process for "
        "each step look slower than they are\n",
        load);
  const auto keep = [&](Result<Comparison> comparison) -> Status {
    if (!comparison.ok()) return comparison.error();
    fmt::print("{}{}", comparisons->empty() ? "" : "\n", comparison->text());
    std::fflush(stdout);  // the next may take half a minute
    comparisons->push_back(std::move(*comparison));
    return {};
  };
  const auto wanted = [&](const std::string& section) {
    return (options.sections.empty() && !options.icount) ||
           std::find(options.sections.begin(), options.sections.end(), section) != options.sections.end();
  };
  if (wanted("core")) {
    for (const std::size_t entries : options.entries) LVSPEC_TRY(keep(bench_table(options.rounds, entries)));
    LVSPEC_TRY(keep(bench_decisions(options.rounds, kDecided)));
  }
  if (wanted("world") || wanted("probe") || wanted("forward")) LVSPEC_TRY(become_able_to_create_namespaces());
  if (wanted("world"))
    for (const int servers : options.servers) LVSPEC_TRY(keep(bench_worlds(options.rounds, servers)));
  if (wanted("probe")) LVSPEC_TRY(keep(bench_probes(options.rounds)));
  if (wanted("forward")) LVSPEC_TRY(keep(bench_forwarding(options.rounds, LVSPEC_DIRECTOR, options.against)));
  if (options.icount) {
    IcountOptions icount;
    icount.rounds = std::min(options.rounds, kGuests);
    icount.director = LVSPEC_DIRECTOR;
    icount.against = options.against;
    icount.stored = LVSPEC_ICOUNT;
    LVSPEC_TRY(keep(bench_instructions(icount)));
  }
  if (!options.json_file.empty()) LVSPEC_TRY(write_json(options.json_file, options, load, *comparisons));
  return {};
}

int main(int argc, char** argv) {
  CLI::App app{
      "Measures the bundled director's table against memory itself, building worlds against the `ip` script, probes\n"
      "against curl and wrk, and the bundled director against HAProxy, nginx, pen, an nftables ruleset and none.\n"
      " Times drift with the machine; what counts is the ratios, each taken within one round.",
      "lvspec-bench"};
  app.footer(
      "Exit status: 0 all goals met, 1 a goal missed, 2 wrong usage, 4 could not measure.\n"
      "Example: lvspec-bench forward --rounds 9 --json forward.json");
  Options options;
  app.add_option("section", options.sections, "core, world, probe or forward (default: all)")
      ->check(CLI::IsMember(kSections));
  app.add_option("--rounds", options.rounds, "interleaved rounds; fewer than 5 are a first look")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--servers", options.servers, "world: numbers of real servers, e.g. 3,10,100")
      ->delimiter(',')
      ->check(CLI::Range(1, 200))
      ->capture_default_str();
  app.add_option("--entries", options.entries, "core: numbers of templates")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1000}, std::size_t{100'000'000}))
      ->capture_default_str();
  app.add_flag("--icount", options.icount,
               "count instructions a connection in qemu guests, and fail above the stored figure");
  app.add_option("--against", options.against,
                 "another lvspec-director, measured beside ours by forward and --icount");
  app.add_option("--in-guest", options.in_guest)->group("");  // how --icount starts itself in a guest
  app.add_option("--json", options.json_file, "write every round's values and all ratios to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGoalsMet : kWrongUsage;
  }
  if (is_qemu_init()) run_qemu_init([&] { return count_instructions_in_guest(options.in_guest); });
  std::vector<Comparison> comparisons;
  const Status measured = measure(options, &comparisons);
  if (!measured.ok()) {
    fmt::print(stderr, "lvspec-bench: {}\n", measured.error().message);
    return kCannotMeasure;
  }
  const bool met = std::all_of(comparisons.begin(), comparisons.end(),
                               [](const Comparison& comparison) { return comparison.all_goals_met(); });
  return met ? kGoalsMet : kGoalMissed;
}

}  // namespace
}  // namespace lvspec

int main(int argc, char** argv) { return lvspec::main(argc, argv); }
