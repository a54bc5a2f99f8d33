// The init of the guests that qemu_test.cc boots: does what its first argument says and prints what it saw.

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "harness/lab/qemu/qemu_init.h"

namespace {

int work(const std::vector<std::string>& words) {
  using Clock = std::chrono::steady_clock;
  if (words.at(0) == "exit") return std::stoi(words.at(1));
  if (words.at(0) == "abort") abort();
  if (words.at(0) == "spin")
    for (;;) {
    }
  if (words.at(0) == "sleep") {
    const auto start = Clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(std::stoi(words.at(1))));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    fmt::print("slept {}\n", took.count());
  }
  if (words.at(0) == "write") {
    std::ofstream(words.at(1) + "/evidence") << words.at(2);
    std::ofstream(words.at(1) + "/zeros") << std::string(100'000, '\n');
  }
  if (words.at(0) == "look") {
    utsname kernel{};
    uname(&kernel);
    fmt::print("release {}\n", kernel.release);
    std::ifstream ip_vs("/proc/net/ip_vs");
    std::string line;
    std::getline(ip_vs, line);
    fmt::print("ipvs {}\n", line);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (!lvspec::is_qemu_init()) {
    fmt::print(stderr, "{}: for qemu_test.cc, as init of a guest\n", argv[0]);
    return 2;
  }
  lvspec::run_qemu_init([&] { return work({argv + 1, argv + argc}); });
}
