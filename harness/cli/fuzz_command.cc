#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>

#include "harness/adapters/kernel_ipvs.h"
#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/fuzz/compare.h"
#include "harness/fuzz/generator.h"
#include "harness/fuzz/lines.h"
#include "harness/fuzz/replay.h"
#include "harness/fuzz/shrink.h"
#include "harness/fuzz/sides.h"

namespace lvspec {
namespace {

using namespace fuzz;
using std::chrono::steady_clock;

struct FuzzOptions {
  Side first{"bundled", ""}, second{"ipvs", ""};
  std::size_t steps = 2000;
  std::uint64_t seed = 1;
  int seeds = 1;
  std::size_t length = 60, batch = 1200;
  int most = 5;
  bool no_shrink = false, no_statistics = false;
  std::vector<std::string> replays;
  std::string out;
};

/// A directory of ours for files, gone with us.
class Scratch {
 public:
  static Result<Scratch> create() {
    std::string path = (std::filesystem::temp_directory_path() / "lvspec-fuzz-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return system_error(fmt::format("mkdtemp({})", path));
    return Scratch(path);
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Result<Stage> stage(const std::string& name) const {
    const std::string path = path_ + "/" + name;
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return Error{fmt::format("mkdir({}): {}", path, error.message())};
    return Stage{.program = program_folder() + "/lvspec", .scratch = path};
  }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Both directors, one after the other: the one whose time is its own leads.
class Pair {
 public:
  Pair(Side first, Side second, Statistics statistics)
      : first_(std::move(first)), second_(std::move(second)), statistics_(statistics) {
    swapped_ = first_.director != "ipvs" && second_.director == "ipvs";
  }
  const Side& leader() const { return swapped_ ? second_ : first_; }
  const Side& follower() const { return swapped_ ? first_ : second_; }
  std::optional<Difference> compare(const Record& lead, const Record& follow) const {
    return swapped_ ? first_difference(follow, lead, statistics_) : first_difference(lead, follow, statistics_);
  }
  /// The first difference of each program.
  Result<std::vector<std::optional<Difference>>> differences(const std::vector<Program>& programs,
                                                             const Stage& stage) const {
    LVSPEC_ASSIGN(const std::vector<Record> lead, play_on(leader(), programs, nullptr, stage));
    LVSPEC_ASSIGN(const std::vector<Record> follow, play_on(follower(), programs, &lead, stage));
    std::vector<std::optional<Difference>> found;
    for (std::size_t i = 0; i < programs.size(); ++i) found.push_back(compare(lead[i], follow[i]));
    return found;
  }

 private:
  Side first_, second_;
  Statistics statistics_;
  bool swapped_ = false;
};

struct Tally {
  std::size_t programs = 0, steps = 0, unclear = 0, differences = 0;
  double virtual_s = 0;
};

class Fuzzer {
 public:
  explicit Fuzzer(const FuzzOptions& options)
      : options_(options),
        pair_(options.first, options.second, options.no_statistics ? Statistics::kLeftOut : Statistics::kCompared),
        since_(steady_clock::now()) {}

  int run() {
    const Result<int> status = options_.replays.empty() ? fuzz() : replay();
    if (!status.ok()) return complain(status.error());
    return *status;
  }

 private:
  double seconds() const { return std::chrono::duration<double>(steady_clock::now() - since_).count(); }

  void progress(const std::string& what) const {
    const std::string line =
        fmt::format("{}: {} steps, {:.0f} steps/s, {} differences", what, tally_.steps,
                    static_cast<double>(tally_.steps) / std::max(seconds(), 1e-3), tally_.differences);
    if (isatty(STDOUT_FILENO) != 0) {
      fmt::print("\r{}\033[K", line);
    } else {
      fmt::print("{}\n", line);
    }
    std::fflush(stdout);
  }

  Result<int> fuzz() {
    LVSPEC_ASSIGN(const Scratch scratch, Scratch::create());
    LVSPEC_ASSIGN(const Stage leading, scratch.stage("lead"));
    LVSPEC_ASSIGN(const Stage following, scratch.stage("follow"));
    LVSPEC_ASSIGN(const Stage shrinking, scratch.stage("shrink"));
    const std::vector<std::vector<Program>> batches = make_batches();
    // The leader works on a batch while the follower works on the one before.
    std::future<Result<std::vector<Record>>> next;
    const auto lead = [&](std::size_t i) {
      return std::async(std::launch::async, [&, i] { return play_on(pair_.leader(), batches[i], nullptr, leading); });
    };
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (i == 0) next = lead(0);
      LVSPEC_ASSIGN(const std::vector<Record> led, next.get());
      if (i + 1 < batches.size()) next = lead(i + 1);
      LVSPEC_ASSIGN(const std::vector<Record> followed, play_on(pair_.follower(), batches[i], &led, following));
      for (std::size_t j = 0; j < led.size(); ++j) {
        ++tally_.programs;
        tally_.steps += led[j].steps.size();
        if (!led[j].steps.empty() && led[j].steps.back().blurred) ++tally_.unclear;
        if (!led[j].steps.empty())
          tally_.virtual_s +=
              static_cast<double>(led[j].steps.back().looked_at - led[j].steps.front().acted_at) / kHz;
        const auto difference = pair_.compare(led[j], followed[j]);
        if (!difference) continue;
        ++tally_.differences;
        LVSPEC_TRY(tell(batches[i][j], *difference, shrinking));
        if (tally_.differences == static_cast<std::size_t>(options_.most)) return finish();
      }
      progress(fmt::format("seed {}", batches[i].back().seed >> 20));
    }
    return finish();
  }

  /// Seeds, cut into programs, cut into what one guest plays.
  std::vector<std::vector<Program>> make_batches() const {
    const Alphabet alphabet = whole_alphabet();
    std::vector<std::vector<Program>> batches;
    const std::size_t of_a_seed = std::max<std::size_t>(options_.steps / static_cast<std::size_t>(options_.seeds), 1);
    for (int s = 0; s < options_.seeds; ++s) {
      const std::uint64_t seed = options_.seed + static_cast<std::uint64_t>(s);
      std::size_t in_batch = options_.batch;
      for (std::size_t made = 0, program = 0; made < of_a_seed; ++program) {
        if (in_batch >= options_.batch) {
          batches.emplace_back();
          in_batch = 0;
        }
        batches.back().push_back(
            generate(seed << 20 | program, std::min(options_.length, of_a_seed - made), alphabet));
        made += batches.back().back().steps.size();
        in_batch += batches.back().back().steps.size();
      }
    }
    return batches;
  }

  /// Shrinks a difference, prints it and keeps it.
  Status tell(const Program& program, const Difference& first, const Stage& stage) {
    Program small = program;
    small.steps.resize(std::min(first.step + 1, small.steps.size()));
    std::optional<Difference> difference = first;
    bool stable = true;
    if (!options_.no_shrink) {
      fmt::print("\n{}shrinking it ...\n", text_of(first, program, label(options_.first), label(options_.second)));
      std::fflush(stdout);
      const auto same = [&](const std::optional<Difference>& found) { return found && found->kind == first.kind; };
      const Oracle oracle = [&](const std::vector<Program>& programs) -> Result<std::vector<bool>> {
        LVSPEC_ASSIGN(const auto found, pair_.differences(programs, stage));
        std::vector<bool> shows;
        for (const auto& one : found) shows.push_back(same(one));
        return shows;
      };
      LVSPEC_ASSIGN(const auto again, pair_.differences({small}, stage));
      stable = same(again.front());
      if (stable) {
        LVSPEC_ASSIGN(small, shrink(small, oracle));
        LVSPEC_ASSIGN(const auto at_last, pair_.differences({small}, stage));
        if (at_last.front()) difference = at_last.front();
      }
    }
    print(small, *difference, stable);
    if (options_.out.empty()) return {};
    std::error_code ignored;
    std::filesystem::create_directories(options_.out, ignored);
    const std::string path = fmt::format("{}/{}-{}.json", options_.out, program.seed >> 20, program.seed & 0xfffff);
    Replay replay{fmt::format("{} differ", fuzz::name_of(difference->kind)), "", small};
    replay.program.seed = program.seed;
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return system_error(fmt::format("open({})", path));
    fmt::print(file, "{}", write_replay(replay));
    std::fclose(file);
    fmt::print("again: lvspec fuzz --replay {}\n", path);
    return {};
  }

  void print(const Program& program, const Difference& difference, bool stable) const {
    fmt::print("\n--- seed {}, program {}{}\n{}", program.seed >> 20, program.seed & 0xfffff,
               stable ? "" : " (it did not show again)", script_of(program.steps));
    fmt::print("{}", text_of(difference, program, label(options_.first), label(options_.second)));
    std::fflush(stdout);
  }
  static std::string label(const Side& side) {
    return side.fault.empty() ? side.director : side.director + "/" + side.fault;
  }

  Result<int> replay() {
    LVSPEC_ASSIGN(const Scratch scratch, Scratch::create());
    LVSPEC_ASSIGN(const Stage stage, scratch.stage("replay"));
    std::vector<Program> programs;
    for (const std::string& path : options_.replays) {
      LVSPEC_ASSIGN(Replay replay, read_replay_file(path));
      programs.push_back(std::move(replay.program));
    }
    LVSPEC_ASSIGN(const auto differences, pair_.differences(programs, stage));
    for (std::size_t i = 0; i < programs.size(); ++i) {
      fmt::print("{}: {}\n", options_.replays[i], differences[i] ? "DIFFERENT" : "the same on both");
      if (!differences[i]) continue;
      ++tally_.differences;
      print(programs[i], *differences[i], true);
    }
    return tally_.differences == 0 ? kConforms : kDeviates;
  }

  Result<int> finish() const {
    if (isatty(STDOUT_FILENO) != 0) fmt::print("\n");
    fmt::print("seeds {} to {}, {} programs, {} steps in {:.0f} s ({:.0f} steps/s), {:.1f} h of virtual time: {}\n",
               options_.seed, options_.seed + static_cast<std::uint64_t>(options_.seeds) - 1, tally_.programs,
               tally_.steps, seconds(), static_cast<double>(tally_.steps) / std::max(seconds(), 1e-3),
               tally_.virtual_s / 3600,
               tally_.differences == 0 ? "no difference" : fmt::format("{} differences", tally_.differences));
    if (tally_.unclear != 0)
      fmt::print("{} programs were cut short: this machine held up the guest in the middle of a step\n",
                 tally_.unclear);
    return tally_.differences == 0 ? kConforms : kDeviates;
  }

  FuzzOptions options_;
  Pair pair_;
  Tally tally_;
  steady_clock::time_point since_;
};

}  // namespace

Action add_fuzz_command(CLI::App& app) {
  auto* command = app.add_subcommand("fuzz", "let two directors play random programs, and look for where they part");
  auto options = std::make_shared<FuzzOptions>();
  const auto directors = CLI::IsMember(director_names());
  command->add_option("--director", options->first.director, "the director to be judged")
      ->check(directors)
      ->capture_default_str();
  command->add_option("--against", options->second.director, "the director that it is compared with")
      ->check(directors)
      ->capture_default_str();
  command->add_option("--fault", options->first.fault, "break the first director on purpose (lvspec mutants --list)");
  command->add_option("--steps", options->steps, "steps in all")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--seed", options->seed, "the first seed")->capture_default_str();
  command->add_option("--seeds", options->seeds, "how many seeds share the steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--length", options->length, "steps of one program")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--most", options->most, "differences after which to stop; 0: never")->capture_default_str();
  command->add_flag("--no-shrink", options->no_shrink, "tell differences as they were found");
  command->add_flag("--no-statistics", options->no_statistics, "do not compare what --stats shows");
  command->add_option("--replay", options->replays, "play these files instead")->check(CLI::ExistingFile);
  command->add_option("--out", options->out, "directory for replay files of what was found");
  command->footer(
      "Examples:\n"
      "  lvspec fuzz --director bundled --against ipvs --steps 100000 --seeds 20 --out found\n"
      "  lvspec fuzz --replay found/7-12.json\n"
      "Exit status: 0 no difference, 1 difference, 2 usage, 4 harness error.");
  return [options] { return Fuzzer(*options).run(); };
}

Action add_fuzz_player_command(CLI::App& app) {
  auto* command = app.add_subcommand("fuzz-player", "")->group("");
  auto orders = std::make_shared<FileOrders>();
  command->add_option("--director", orders->side.director)->required();
  command->add_option("--fault", orders->side.fault);
  command->add_option("--programs", orders->programs)->required();
  command->add_option("--records", orders->records)->required();
  command->add_option("--leader", orders->leader);
  return [orders] {
    Result<DirectorFactory> director = director_named(orders->side.director, orders->side.fault, kHz);
    if (!director.ok()) return complain(director.error());
    if (orders->side.director == "ipvs" && orders->side.fault.empty())
      director->start = [](const DirectorSite& site) {
        return KernelIpvs::start(site, {.hz = kHz, .tick_before_tables = false});
      };
    return play_file(*orders, *director);
  };
}

}  // namespace lvspec
