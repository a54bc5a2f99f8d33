#include "harness/bench/probe_bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "harness/bench/traffic.h"
#include "harness/probe/real_servers.h"
#include "harness/process/child.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

constexpr std::size_t kProbes = 6000;  // less than a second's worth
constexpr int kCurlRuns = 40;          // half a second's worth
constexpr std::chrono::seconds kToolPatience{30};

/// Runs a tool inside the namespace to its end. @return what it wrote.
Result<std::string> run_inside(const NetworkNamespace& netns, const std::vector<std::string>& argv) {
  const std::string what = fmt::format("{}: {}", netns.name(), fmt::join(argv, " "));
  // The child starts where the thread that starts it is.
  auto child = netns.call([&] { return Child::start({.argv = argv, .fds = {}, .environment = {}}); });
  if (!child.ok()) return child.error().in(what);
  child->wait(kToolPatience);
  if (child->status_text() != "exited with 0")
    return Error{fmt::format("{}: {}: {}", what, child->status_text(), child->output())};
  return child->output();
}

Result<double> curl_rate(const NetworkNamespace& netns, const std::string& url) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCurlRuns; ++i) {
    LVSPEC_ASSIGN(const std::string body, run_inside(netns, {"curl", "--silent", "--fail", "--noproxy", "*", url}));
    if (!body.starts_with("server=")) return Error{"curl: not an identity line: " + body};
  }
  return kCurlRuns / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Result<double> wrk_rate(const NetworkNamespace& netns, const std::string& url) {
  LVSPEC_ASSIGN(const std::string report, run_inside(netns, {"wrk", "-t1", fmt::format("-c{}", kBenchInFlight),
                                                             "-d1s", "-H", "Connection: close", url}));
  static const std::string kLabel = "Requests/sec:";
  const auto at = report.find(kLabel);
  if (at == std::string::npos || report.find("Socket errors") != std::string::npos ||
      report.find("Non-2xx") != std::string::npos)
    return Error{"wrk: " + report};
  return std::strtod(report.c_str() + at + kLabel.size(), nullptr);
}

}  // namespace

Result<Comparison> bench_probes(int rounds) {
  LVSPEC_CHECK(rounds >= 1);
  Topology topology;
  topology.server_count = 1;
  LVSPEC_ASSIGN(World world, World::build(topology));
  LVSPEC_ASSIGN(RealServers servers, RealServers::create());
  LVSPEC_TRY(servers.add("real1", world.real_server(1).netns, {80}));
  const NetworkNamespace& netns = world.client().netns;
  const Endpoint target{topology.real_server(1), 80};
  const std::string url = fmt::format("http://{}/", target.str());
  const Client client(netns);
  // The server closes first, as it does for wrk and curl with "Connection: close": the same packets for everybody.
  const std::vector<Attempt> probes = attempts(topology, kProbes, {target}, Close::kServerFirst);

  Comparison comparison(
      "probe", fmt::format("client -> one real server, {} in flight (curl: 1); rounds: {}", kBenchInFlight, rounds));
  static const std::string kMeasure = "connections/s";
  for (int round = 0; round < rounds; ++round) {
    LVSPEC_ASSIGN(const Burst connected, connect(client, probes, kBenchInFlight));
    comparison.record("connect_all", kMeasure, connected.per_second());
    LVSPEC_ASSIGN(const double wrk, wrk_rate(netns, url));
    comparison.record("wrk", kMeasure, wrk);
    LVSPEC_ASSIGN(const Burst fetched, fetch(client, probes, kBenchInFlight));
    comparison.record("http_all", kMeasure, fetched.per_second());
    LVSPEC_ASSIGN(const double curl, curl_rate(netns, url));
    comparison.record("curl loop", kMeasure, curl);
  }
  comparison.compare(kMeasure, "connect_all", "curl loop", at_least(80));
  comparison.compare(kMeasure, "connect_all", "wrk", at_least(1));
  comparison.compare(kMeasure, "http_all", "curl loop");
  comparison.compare(kMeasure, "http_all", "wrk");
  return comparison;
}

}  // namespace lvspec
