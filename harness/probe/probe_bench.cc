#include "harness/probe/probe_bench.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ostream>
#include <sstream>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/probe/client.h"

namespace lvspec {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kProbes = 8000;                       // about a second's worth
constexpr std::chrono::seconds kBenchPatience{10};  // on a busy machine a late answer is slow, not silence
constexpr int kCurlRuns = 80;                       // about a second's worth
constexpr std::size_t kInFlight = 32;               // as wrk -c32

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Runs a program inside the namespace to its end. @return what it wrote to stdout.
Result<std::string> run_inside(const NetworkNamespace& netns, std::vector<std::string> command) {
  const std::string what = fmt::format("{}: {}", netns.name(), fmt::join(command, " "));
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return system_error(what + ": pipe2()");
  FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return system_error(what + ": fork()");
  if (pid == 0) {
    // Other threads' locks may be held for ever here: system calls only.
    if (setns(netns.fd(), CLONE_NEWNET) == 0 && dup2(writer.get(), STDOUT_FILENO) >= 0)
      execvp(arguments[0], arguments.data());
    _exit(127);
  }
  writer.reset();
  std::string output;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = read(reader.get(), buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR))
    if (size > 0) output.append(buffer, static_cast<std::size_t>(size));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return system_error(what + ": waitpid()");
  if (!WIFEXITED(status)) return Error{fmt::format("{}: killed by signal {}", what, WTERMSIG(status))};
  if (WEXITSTATUS(status) == 127) return Error{what + ": cannot be run (is it installed?)"};
  if (WEXITSTATUS(status) != 0) return Error{fmt::format("{}: exit status {}", what, WEXITSTATUS(status))};
  return output;
}

std::string url_of(const Endpoint& target) { return fmt::format("http://{}/", target.str()); }

Result<double> curl_rate(const NetworkNamespace& netns, const Endpoint& target) {
  const auto start = Clock::now();
  for (int i = 0; i < kCurlRuns; ++i) {
    LVSPEC_ASSIGN(const std::string body,
                  run_inside(netns, {"curl", "--silent", "--fail", "--noproxy", "*", url_of(target)}));
    if (!body.starts_with("server=")) return Error{"curl: not an identity line: " + body};
  }
  return kCurlRuns / seconds_since(start);
}

Result<double> wrk_rate(const NetworkNamespace& netns, const Endpoint& target) {
  const std::string connections = fmt::format("-c{}", kInFlight);
  LVSPEC_ASSIGN(const std::string report,
                run_inside(netns, {"wrk", "-t1", connections, "-d1s", "-H", "Connection: close", url_of(target)}));
  static const std::string kLabel = "Requests/sec:";
  const auto at = report.find(kLabel);
  if (at == std::string::npos || report.find("Socket errors") != std::string::npos ||
      report.find("Non-2xx") != std::string::npos)
    return Error{"wrk: " + report};
  return std::strtod(report.c_str() + at + kLabel.size(), nullptr);
}

Result<double> rate_of(const Result<std::vector<Answer>>& answers, Clock::time_point start) {
  const double seconds = seconds_since(start);
  if (!answers.ok()) return answers.error();
  for (const Answer& answer : *answers) {
    if (answer.outcome == Outcome::kAnswered && !answer.server.empty()) continue;
    std::ostringstream text;
    text << "a probe of the benchmark: " << answer;
    return Error{text.str()};
  }
  return static_cast<double>(answers->size()) / seconds;
}

template <typename Over, typename Under>
double median_ratio(const std::vector<ProbeRates>& rounds, Over over, Under under) {
  std::vector<double> ratios;
  for (const ProbeRates& round : rounds) ratios.push_back(round.*over / round.*under);
  std::sort(ratios.begin(), ratios.end());
  const std::size_t half = ratios.size() / 2;
  return ratios.size() % 2 != 0 ? ratios[half] : (ratios[half - 1] + ratios[half]) / 2;
}

}  // namespace

Result<ProbeBench> bench_probes(const NetworkNamespace& netns, const std::vector<IpAddress>& clients,
                                const Endpoint& target, int rounds) {
  LVSPEC_CHECK(!clients.empty());
  LVSPEC_CHECK(rounds > 0);
  std::vector<Attempt> attempts(kProbes);
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    attempts[i].client.address = clients[i % clients.size()];
    attempts[i].target = target;
    attempts[i].patience = kBenchPatience;
  }
  const Client client(netns);
  ProbeBench bench;
  for (int round = 0; round < rounds; ++round) {
    ProbeRates rates;
    LVSPEC_ASSIGN(rates.curl_loop, curl_rate(netns, target));
    LVSPEC_ASSIGN(rates.wrk, wrk_rate(netns, target));
    auto start = Clock::now();
    LVSPEC_ASSIGN(rates.connect_all, rate_of(client.connect_all(attempts, kInFlight), start));
    start = Clock::now();
    LVSPEC_ASSIGN(rates.http_all, rate_of(client.http_all(attempts, "/", kInFlight), start));
    bench.rounds.push_back(rates);
  }
  bench.connect_over_curl = median_ratio(bench.rounds, &ProbeRates::connect_all, &ProbeRates::curl_loop);
  bench.http_over_curl = median_ratio(bench.rounds, &ProbeRates::http_all, &ProbeRates::curl_loop);
  bench.connect_over_wrk = median_ratio(bench.rounds, &ProbeRates::connect_all, &ProbeRates::wrk);
  return bench;
}

std::ostream& operator<<(std::ostream& out, const ProbeBench& bench) {
  fmt::print(out, "{:>12} {:>12} {:>12} {:>12}   connections/s, {} in flight\n", "connect_all", "http_all",
             "curl loop", "wrk", kInFlight);
  for (const ProbeRates& round : bench.rounds)
    fmt::print(out, "{:>12.0f} {:>12.0f} {:>12.1f} {:>12.0f}\n", round.connect_all, round.http_all, round.curl_loop,
               round.wrk);
  fmt::print(out, "medians of ratios: connect_all/curl {:.1f}, http_all/curl {:.1f}, connect_all/wrk {:.2f}\n",
             bench.connect_over_curl, bench.http_over_curl, bench.connect_over_wrk);
  return out;
}

}  // namespace lvspec
