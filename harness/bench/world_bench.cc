#include "harness/bench/world_bench.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <thread>

#include "harness/bench/bare_world.h"
#include "harness/bench/ip_script.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBackToBack = 5;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// What this thread has used so far, in the kernel and outside: unlike the time of day, much the same on a busy
/// machine.
double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// The kernel takes some 65 ms to clean up after a world, and more after a larger one; what is timed next would pay.
void let_the_kernel_clean_up(int servers) {
  std::this_thread::sleep_for(std::chrono::milliseconds(150 + 3 * servers));
}

struct Bare {
  static constexpr char kName[] = "bare rtnetlink";
  static Result<BareWorld> build(int servers) { return BareWorld::build(servers); }
};

struct Ours {
  static constexpr char kName[] = "World";
  static Result<World> build(int servers) {
    Topology topology;
    topology.server_count = servers;
    return World::build(topology);
  }
};

template <typename Builder>
Status time_one(int servers, Comparison& comparison) {
  const double cpu_start = cpu_ms();
  const auto start = Clock::now();
  auto built = Builder::build(servers);
  comparison.record(Builder::kName, "build, ms", ms_since(start));
  comparison.record(Builder::kName, "build, ms of CPU", cpu_ms() - cpu_start);
  if (!built.ok()) return built.error();
  // Moved out, so that its end is what is timed and nothing else.
  std::optional world(std::move(built).value());
  const auto end = Clock::now();
  world.reset();
  comparison.record(Builder::kName, "destroy, ms", ms_since(end));
  let_the_kernel_clean_up(servers);
  return {};
}

template <typename Builder>
Status time_several(int servers, Comparison& comparison) {
  const auto start = Clock::now();
  for (int i = 0; i < kBackToBack; ++i) {
    const auto built = Builder::build(servers);
    if (!built.ok()) return built.error();
  }
  comparison.record(Builder::kName, "build and destroy, back to back, ms", ms_since(start) / kBackToBack);
  let_the_kernel_clean_up(servers);
  return {};
}

Status time_script(int servers, Comparison& comparison) {
  LVSPEC_ASSIGN(IpScript script, IpScript::start(servers));
  const auto start = Clock::now();
  LVSPEC_TRY(script.build());
  comparison.record("ip script", "build, ms", ms_since(start));
  const auto end = Clock::now();
  LVSPEC_TRY(script.destroy());
  comparison.record("ip script", "destroy, ms", ms_since(end));
  let_the_kernel_clean_up(servers);
  return {};
}

}  // namespace

Result<Comparison> bench_worlds(int rounds, int servers) {
  LVSPEC_CHECK(rounds >= 1);
  Comparison comparison(
      fmt::format("world{}", servers),
      fmt::format("client, director and {} real servers on one segment; rounds: {}", servers, rounds));
  // Not counted: whoever goes first of all meets code that is not in memory yet.
  LVSPEC_TRY(Ours::build(servers));
  let_the_kernel_clean_up(servers);
  for (int round = 0; round < rounds; ++round) {
    // Who goes first changes from round to round: the second finds warmer caches.
    const bool ours_first = round % 2 == 0;
    if (ours_first) LVSPEC_TRY(time_one<Ours>(servers, comparison));
    LVSPEC_TRY(time_one<Bare>(servers, comparison));
    if (!ours_first) LVSPEC_TRY(time_one<Ours>(servers, comparison));
    if (ours_first) LVSPEC_TRY(time_several<Ours>(servers, comparison));
    LVSPEC_TRY(time_several<Bare>(servers, comparison));
    if (!ours_first) LVSPEC_TRY(time_several<Ours>(servers, comparison));
    LVSPEC_TRY(time_script(servers, comparison));
  }
  comparison.compare("build, ms", "ip script", Ours::kName, at_least(15));
  comparison.compare("build, ms", Ours::kName, Bare::kName, at_most(1.3));
  comparison.compare("build, ms of CPU", Ours::kName, Bare::kName);
  comparison.compare("destroy, ms", "ip script", Ours::kName);
  comparison.compare("build and destroy, back to back, ms", Ours::kName, Bare::kName);
  return comparison;
}

}  // namespace lvspec
