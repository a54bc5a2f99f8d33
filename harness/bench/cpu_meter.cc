#include "harness/bench/cpu_meter.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "harness/base/cleanup.h"

namespace lvspec {
namespace {

/// Of a "/proc/PID/stat": name and parent. The name stands in parentheses and may hold any character.
struct ProcessRow {
  std::string name;
  pid_t parent = -1;

  static ProcessRow read(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || text.size() < close + 5) return {};
    return {text.substr(open + 1, close - open - 1), std::stoi(text.substr(close + 4))};
  }
};

}  // namespace

Result<CpuMeter> CpuMeter::create() {
  DIR* const proc = opendir("/proc");
  if (proc == nullptr) return system_error("opendir(/proc)");
  const Cleanup close([proc] { closedir(proc); });
  std::vector<clockid_t> clocks = {CLOCK_PROCESS_CPUTIME_ID};
  while (const dirent* entry = readdir(proc)) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    const pid_t pid = std::stoi(entry->d_name);
    const ProcessRow row = ProcessRow::read(pid);
    if (row.parent != getpid() && !row.name.starts_with("ksoftirqd/")) continue;
    clockid_t clock{};
    if (const int error = clock_getcpuclockid(pid, &clock); error == 0) clocks.push_back(clock);
  }
  return CpuMeter(std::move(clocks));
}

Result<std::chrono::nanoseconds> CpuMeter::total() const {
  std::chrono::nanoseconds sum{};
  for (const clockid_t clock : clocks_) {
    timespec now{};
    if (clock_gettime(clock, &now) != 0) return system_error("clock_gettime(a process's CPU time)");
    sum += std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }
  return sum;
}

}  // namespace lvspec
