#include "harness/bench/icount_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "harness/bench/site.h"
#include "harness/bench/traffic.h"
#include "harness/lab/guest/init.h"
#include "harness/lab/qemu/debian_kernel.h"
#include "harness/lab/qemu/initramfs.h"
#include "harness/lab/qemu/qemu_guest.h"

namespace lvspec {
namespace {

const std::string kMeasure = "instructions/connection", kNone = "no director", kIpvs = "kernel IPVS",
                  kBundled = "bundled", kOther = "other build";
/// Begins a line that carries a figure out of the guest.
constexpr std::string_view kFigure = "icount ";

/// A batch is long enough to hold every kind of packet many times, and short enough that most batches see no timer of
/// the kernel's; the median is one of those.
constexpr std::size_t kBatch = 20;
constexpr int kBatches = 25;
/// As a part of the stored figure, or of the other build's. Runs of one build differ by less than a hundredth.
constexpr double kMargin = 0.02;

/// One connection at a time, so that nobody is ever idle and the clock counts nothing but work.
Result<double> instructions_of(const Way& way) {
  const Client client(way.site->world.client().netns);
  LVSPEC_TRY(connect(client, way.attempts(kBenchClients), 1));  // neighbours, templates
  Rounds batches;
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::vector<Attempt> attempts = way.attempts(kBatch);
    const auto start = std::chrono::steady_clock::now();
    LVSPEC_TRY(connect(client, attempts, 1));
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    batches.push_back(took.count() / kBatch);
  }
  return Spread::of(batches).median;
}

Status count(const std::vector<std::string>& directors) {
  const auto report = [](const Way& way) -> Status {
    LVSPEC_ASSIGN(const double instructions, instructions_of(way));
    fmt::print("{}{:.0f} {}\n", kFigure, instructions, way.name);
    std::fflush(stdout);
    return {};
  };
  {
    LVSPEC_ASSIGN(Site site, Site::build(DirectorPlace::kStack));
    LVSPEC_TRY(report({kNone, &site, site.rips(), false}));
    LVSPEC_ASSIGN(const auto ipvs, site.start_kernel_ipvs());
    LVSPEC_TRY(report({kIpvs, &site, {site.vip()}, true}));
  }
  for (std::size_t i = 0; i + 1 < directors.size(); i += 2) {
    LVSPEC_ASSIGN(Site site, Site::build(DirectorPlace::kInline));
    LVSPEC_ASSIGN(const auto bundled, site.start_bundled(directors[i + 1]));
    LVSPEC_TRY(report({directors[i], &site, {site.vip()}, true}));
  }
  return {};
}

/// One guest's figures, by contender, in the order of the guest.
Result<std::vector<std::pair<std::string, double>>> run_guest(const QemuOptions& prepared) {
  std::vector<std::pair<std::string, double>> figures;
  QemuOptions options = prepared;
  options.on_line = [&](std::string_view line) {
    if (!line.starts_with(kFigure)) return;
    const std::string rest(line.substr(kFigure.size()));
    const std::size_t blank = rest.find(' ');
    if (blank == std::string::npos) return;
    figures.emplace_back(rest.substr(blank + 1), std::strtod(rest.c_str(), nullptr));
  };
  LVSPEC_ASSIGN(QemuGuest guest, QemuGuest::start(std::move(options)));
  LVSPEC_ASSIGN(const GuestExit exit, guest.wait());
  if (exit.status != 0) return Error{fmt::format("the guest ended with {}\n{}", exit.status, guest.log())};
  return figures;
}

}  // namespace

int count_instructions_in_guest(const std::vector<std::string>& directors) {
  const Status counted = count(directors);
  if (!counted.ok()) fmt::print("lvspec-bench: {}\n", counted.error().message);
  return counted.ok() ? 0 : 4;
}

Result<Comparison> bench_instructions(const IcountOptions& options) {
  LVSPEC_ASSIGN(const GuestKernel kernel, find_kernel(options.kernel));
  QemuOptions guest;
  guest.kernel = kernel.vmlinuz;
  guest.icount_shift = 0;
  InitramfsContents contents;
  std::error_code error;
  guest.init = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return Error{fmt::format("readlink(/proc/self/exe): {}", error.message())};
  contents.programs = {guest.init, options.director};
  guest.args = {"--in-guest", kBundled, options.director};
  if (!options.against.empty()) {
    contents.programs.push_back(options.against);
    guest.args.insert(guest.args.end(), {kOther, options.against});
  }
  contents.modules_dir = kernel.modules;
  contents.modules = ipvs_modules();
  LVSPEC_ASSIGN(FileDescriptor image, build_initramfs(contents));
  guest.initramfs = std::make_shared<const FileDescriptor>(std::move(image));

  Comparison comparison("icount",
                        fmt::format("one connection after the other to 3 real servers in a guest, Linux {}; "
                                    "guests: {}",
                                    kernel.release, options.rounds));
  std::map<std::string, Rounds> all;
  for (int round = 0; round < options.rounds; ++round) {
    LVSPEC_ASSIGN(const auto figures, run_guest(guest));
    for (const auto& [contender, instructions] : figures) {
      comparison.record(contender, kMeasure, instructions);
      all[contender].push_back(instructions);
    }
  }
  for (const std::string& contender : {kNone, kIpvs, kBundled}) {
    const auto found = all.find(contender);
    if (found == all.end() || found->second.size() != static_cast<std::size_t>(options.rounds))
      return Error{fmt::format("the guests gave no figure for {}", contender)};
  }
  for (const auto& [contender, rounds] : all) {
    const Spread spread = Spread::of(rounds);
    comparison.record(contender, "largest / smallest", spread.max / spread.min);
    comparison.require("largest / smallest", contender, at_most(1.01));
  }
  comparison.compare(kMeasure, kIpvs, kNone);
  comparison.compare(kMeasure, kBundled, kNone);
  comparison.compare(kMeasure, kBundled, kIpvs);
  if (!options.against.empty()) comparison.compare(kMeasure, kBundled, kOther, at_most(1 + kMargin));
  if (!options.stored.empty()) {
    std::ifstream file(options.stored);
    const nlohmann::json figures = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
    if (!figures.is_object()) return usage_error(options.stored + ": not a JSON object of figures by kernel release");
    // Another kernel has other instructions: it has to be measured once.
    const auto figure = figures.find(kernel.release);
    if (figure == figures.end() || !figure->is_number()) {
      fmt::print(stderr, "lvspec-bench: {} has no figure for Linux {}; to make {:.0f} the one, add it there\n",
                 options.stored, kernel.release, Spread::of(all[kBundled]).median);
    } else {
      comparison.require(kMeasure, kBundled, at_most(std::round(figure->get<double>() * (1 + kMargin))));
    }
  }
  return comparison;
}

}  // namespace lvspec
