#include "harness/cli/guest_pool.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "harness/cli/directors.h"
#include "harness/lab/qemu/debian_kernel.h"
#include "harness/lab/qemu/initramfs.h"
#include "harness/lab/qemu/qemu_guest.h"
#include "harness/lab/qemu/qemu_init.h"
#include "harness/lab/uml/guest_init.h"
#include "harness/lab/uml/uml_guest.h"
#include "harness/report/json.h"

namespace lvspec {
namespace {

/// What a line of the guest's console begins with when it is a result.
constexpr std::string_view kResult = "lvspec-result: ";
/// ... and when it names the kernel that is judged.
constexpr std::string_view kKernel = "lvspec-kernel: ";

/// Jobs that one guest can do one after the other: same director, same fault.
struct Share {
  std::string director, fault;
  std::vector<std::size_t> jobs;
};

/// What a guest of either kind is to do.
struct GuestCommand {
  std::vector<std::string> args;  ///< of our own program, its PID 1
  std::string writable_dir;
  std::chrono::milliseconds time_limit{};
  std::function<void(std::string_view)> on_line;
};

/// Boots a guest and sees it through. Error: none can be started here. Inside: its status, or how it died.
using Boot = std::function<Result<Result<int>>(const GuestCommand&)>;

Result<Result<int>> boot_uml(const GuestCommand& command) {
  UmlOptions options;
  options.init = program_folder() + "/lvspec";
  options.args = command.args;
  options.writable_dir = command.writable_dir;
  options.time_limit = command.time_limit;
  options.on_line = command.on_line;
  LVSPEC_ASSIGN(UmlGuest guest, UmlGuest::start(std::move(options)));
  const Result<GuestExit> end = guest.wait();
  return end.ok() ? Result<int>(end->status) : Result<int>(end.error());
}

/// Guests of qemu share one kernel and one initramfs, which holds our programs and the fixtures at their own paths.
Result<Boot> qemu_boot(const PoolOptions& options) {
  LVSPEC_ASSIGN(const GuestKernel kernel, find_kernel(options.kernel, options.modules));
  InitramfsContents contents;
  for (const char* name : {"/lvspec", "/lvspec-director", "/lvspec-director-faulty"})
    contents.programs.push_back(program_folder() + name);
  contents.trees = {LVSPEC_FIXTURES_FOLDER};
  contents.modules_dir = kernel.modules;
  contents.modules = ipvs_modules();
  LVSPEC_ASSIGN(FileDescriptor image, build_initramfs(contents));
  const auto initramfs = std::make_shared<const FileDescriptor>(std::move(image));
  return Boot([=](const GuestCommand& command) -> Result<Result<int>> {
    QemuOptions guest_options;
    guest_options.kernel = kernel.vmlinuz;
    guest_options.initramfs = initramfs;
    guest_options.init = program_folder() + "/lvspec";
    guest_options.args = command.args;
    guest_options.writable_dir = command.writable_dir;
    guest_options.time_limit = command.time_limit;
    guest_options.accel = options.accel;
    guest_options.on_line = command.on_line;
    LVSPEC_ASSIGN(QemuGuest guest, QemuGuest::start(std::move(guest_options)));
    const Result<GuestExit> end = guest.wait();
    return end.ok() ? Result<int>(end->status) : Result<int>(end.error());
  });
}

class GuestPool {
 public:
  GuestPool(Boot boot, const std::vector<Job>& jobs, const PoolOptions& options,
            const std::function<void(std::size_t, const CaseResult&)>& done)
      : boot_(std::move(boot)), jobs_(jobs), options_(options), done_(done), results_(jobs.size()) {}

  Result<std::vector<CaseResult>> run() {
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> kinds;
    for (std::size_t i = 0; i < jobs_.size(); ++i) kinds[{jobs_[i].director, jobs_[i].fault}].push_back(i);
    // Shares are dealt like cards: neighbours in the catalogue take about as long as each other.
    std::vector<Share> shares;
    for (const auto& [kind, all] : kinds) {
      const std::size_t hands = std::min<std::size_t>(static_cast<std::size_t>(options_.workers), all.size());
      const std::size_t first = shares.size();
      for (std::size_t i = 0; i < hands; ++i) shares.push_back({kind.first, kind.second, {}});
      for (std::size_t i = 0; i < all.size(); ++i) shares[first + i % hands].jobs.push_back(all[i]);
    }
    std::vector<std::thread> threads;
    std::size_t next = 0;
    for (int i = 0; i < options_.workers; ++i)
      threads.emplace_back([&] {
        for (;;) {
          Share share;
          {
            const std::lock_guard lock(mutex_);
            if (next == shares.size() || refused_) return;
            share = shares[next++];
          }
          work_off(std::move(share));
        }
      });
    for (std::thread& thread : threads) thread.join();
    if (refused_) return *refused_;
    return std::move(results_);
  }

 private:
  /// Boots guests until every job of the share has a result.
  void work_off(Share share) {
    while (!share.jobs.empty()) {
      std::size_t heard = 0;
      auto since = std::chrono::steady_clock::now();
      GuestCommand guest;
      guest.args = {"worker", "--guest", "--director", share.director, "--cases", places_of(share)};
      if (is_exec(share.director))  // whose command may name files from where it was typed
        guest.args.insert(guest.args.end(), {"--folder", std::filesystem::current_path().string()});
      if (!share.fault.empty()) guest.args.insert(guest.args.end(), {"--fault", share.fault});
      if (options_.verdict_only) guest.args.push_back("--verdict-only");
      if (!options_.report_dir.empty()) {
        guest.writable_dir = std::filesystem::absolute(options_.report_dir).lexically_normal().string();
        guest.args.insert(guest.args.end(), {"--out", guest.writable_dir});
      }
      guest.time_limit = options_.patience * static_cast<int>(share.jobs.size() + 1);
      guest.on_line = [&](std::string_view line) {
        if (line.starts_with(kKernel) && options_.on_kernel) {
          const std::lock_guard lock(mutex_);
          options_.on_kernel(std::string(line.substr(kKernel.size())));
        }
        if (!line.starts_with(kResult) || heard == share.jobs.size()) return;
        const Result<CaseResult> result = from_line(line.substr(kResult.size()));
        // The guest's own clock jumps; how long a case took us is seen from here. The first one pays for the boot.
        const auto now = std::chrono::steady_clock::now();
        CaseResult timed = result.ok() ? *result : lost(share.jobs[heard], result.error().message);
        timed.wall_ms = std::chrono::duration<double, std::milli>(now - since).count();
        since = now;
        finish(share.jobs[heard], std::move(timed));
        ++heard;
      };
      const Result<Result<int>> end = boot_(guest);
      if (!end.ok()) {
        const std::lock_guard lock(mutex_);
        if (!refused_) refused_ = end.error();
        return;
      }
      share.jobs.erase(share.jobs.begin(), share.jobs.begin() + static_cast<std::ptrdiff_t>(heard));
      if (share.jobs.empty()) return;
      finish(share.jobs.front(),
             lost(share.jobs.front(),
                  end->ok() ? fmt::format("the guest ended with {} before this case", **end) : end->error().message));
      share.jobs.erase(share.jobs.begin());
    }
  }

  std::string places_of(const Share& share) const {
    std::vector<std::size_t> places;
    for (const std::size_t job : share.jobs) places.push_back(jobs_[job].place);
    return write_places(places);
  }

  CaseResult lost(std::size_t job, const std::string& reason) const { return lost_result(jobs_[job], reason); }

  void finish(std::size_t job, CaseResult result) {
    const std::lock_guard lock(mutex_);
    result.rerun = rerun_line(jobs_[job]);
    results_[job] = std::move(result);
    done_(job, results_[job]);
  }

  Boot boot_;
  const std::vector<Job>& jobs_;
  const PoolOptions& options_;
  const std::function<void(std::size_t, const CaseResult&)>& done_;
  std::mutex mutex_;
  std::vector<CaseResult> results_;
  std::optional<Error> refused_;
};

}  // namespace

Result<std::vector<CaseResult>> run_jobs_in_guests(const std::vector<Job>& jobs, const PoolOptions& options,
                                                   const std::function<void(std::size_t, const CaseResult&)>& done) {
  if (options.kernel.empty()) return GuestPool(boot_uml, jobs, options, done).run();
  LVSPEC_ASSIGN(Boot boot, qemu_boot(options));
  return GuestPool(std::move(boot), jobs, options, done).run();
}

void live_in_guest(const GuestOrders& orders, const std::vector<CaseInfo>& catalogue,
                   const std::function<GuestWork()>& prepare) {
  const auto body = [&] {
    utsname name{};
    uname(&name);
    fmt::print("{}{} {}\n", kKernel, name.sysname, name.release);
    const GuestWork work = prepare();
    for (const std::size_t place : orders.cases) {
      const CaseResult result = work(catalogue.at(place), orders.director, orders.fault);
      fmt::print("{}{}\n", kResult, to_line(result));
      std::fflush(stdout);
    }
    return 0;
  };
  if (is_qemu_init()) run_qemu_init(body);
  run_guest_init({}, body);
}

std::string write_places(const std::vector<std::size_t>& places) {
  std::string text;
  for (std::size_t i = 0; i < places.size();) {
    std::size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", places[i]);
    if (end - i > 1) text += fmt::format("-{}", places[end - 1]);
    i = end;
  }
  return text;
}

Result<std::vector<std::size_t>> read_places(const std::string& text) {
  std::vector<std::size_t> places;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](std::size_t* value) {
    const auto [rest, error] = std::from_chars(at, end, *value);
    at = rest;
    return error == std::errc();
  };
  while (at != end) {
    std::size_t first = 0, last = 0;
    bool good = number(&first);
    last = first;
    if (good && at != end && *at == '-') {
      ++at;
      good = number(&last) && last >= first && last - first < 100'000;
    }
    if (!good || (at != end && *at != ',')) return usage_error(fmt::format("\"{}\" is not a list like 0-4,7", text));
    for (std::size_t place = first; place <= last; ++place) places.push_back(place);
    if (at != end) ++at;
  }
  return places;
}

}  // namespace lvspec
