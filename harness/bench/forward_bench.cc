#include "harness/bench/forward_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "harness/bench/bulk.h"
#include "harness/bench/cpu_meter.h"
#include "harness/bench/peers.h"
#include "harness/bench/site.h"
#include "harness/bench/traffic.h"

namespace lvspec {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kConnections = 3000;  // less than a second; more rounds tell more than longer ones
const std::size_t kThreads = std::max(std::thread::hardware_concurrency(), 1U);
constexpr std::size_t kOneByOne = 300;
constexpr milliseconds kUpload{300};

/// Every client is to have one server alone, and all servers are to have clients.
Status check_persistence(const Way& way, const std::vector<Answer>& answers) {
  std::map<IpAddress, std::string> pinned;
  std::map<std::string, int> used;
  for (const Answer& answer : answers) {
    const auto [place, first] = pinned.emplace(answer.client.address, answer.server);
    if (!first && place->second != answer.server)
      return Error{fmt::format("{}: {} was sent to {} and to {}: it does not do the work it is measured for",
                               way.name, answer.client.address.str(), place->second, answer.server)};
    ++used[answer.server];
  }
  if (used.size() == way.site->rips().size()) return {};
  return Error{fmt::format("{}: {} of {} real servers were used", way.name, used.size(), way.site->rips().size())};
}

Status measure(const Way& way, const CpuMeter& cpu, int round, Comparison& comparison) {
  const NetworkNamespace& netns = way.site->world.client().netns;
  const Client client(netns);

  const std::vector<Attempt> many = way.attempts(kConnections);
  LVSPEC_ASSIGN(const auto cpu_before, cpu.total());
  LVSPEC_ASSIGN(const Burst traffic, connect_on_threads(client, many, kBenchInFlight, kThreads));
  LVSPEC_ASSIGN(const auto cpu_after, cpu.total());
  if (way.persistent) LVSPEC_TRY(check_persistence(way, traffic.answers));
  comparison.record(way.name, "connections/s", traffic.per_second());
  comparison.record(way.name, "CPU, us/connection",
                    std::chrono::duration<double, std::micro>(cpu_after - cpu_before).count() / kConnections);

  LVSPEC_ASSIGN(const Burst single, connect(client, way.attempts(kOneByOne), 1));
  Rounds latencies;
  for (const Answer& answer : single.answers) latencies.push_back(static_cast<double>(answer.took.count()));
  comparison.record(way.name, "median latency, one at a time, us", Spread::of(latencies).median);

  const auto target = way.targets[static_cast<std::size_t>(round) % way.targets.size()];
  LVSPEC_ASSIGN(const auto cpu_before_bulk, cpu.total());
  LVSPEC_ASSIGN(const Upload bulk, upload(netns, way.site->world.topology().client(1 + round % kBenchClients),
                                          {target, Site::kBulkPort}, kUpload));
  LVSPEC_ASSIGN(const auto cpu_after_bulk, cpu.total());
  comparison.record(way.name, "bulk upload, Gbit/s", bulk.gbit_per_second);
  comparison.record(
      way.name, "CPU, us/MB of bulk",
      std::chrono::duration<double, std::micro>(cpu_after_bulk - cpu_before_bulk).count() / bulk.megabytes);
  return {};
}

}  // namespace

Result<Comparison> bench_forwarding(int rounds, const std::string& director, const std::string& against) {
  LVSPEC_CHECK(rounds >= 1);
  const std::string kNone = "no director", kBundled = "bundled", kNftables = "nftables DSR", kOther = "other build";
  struct Proxy {
    std::string name;
    Result<Peer> (*start)(World&, const std::vector<std::uint16_t>&);
  };
  const std::vector<Proxy> proxies = {{"HAProxy", start_haproxy}, {"nginx", start_nginx}, {"pen", start_pen}};
  std::vector<Proxy> peers = proxies;
  peers.push_back({kNftables, start_nftables});

  LVSPEC_ASSIGN(Site stack, Site::build(DirectorPlace::kStack));
  LVSPEC_ASSIGN(Site in_line, Site::build(DirectorPlace::kInline));
  std::vector<Site> sites;  // one for each peer: all of them want the same address and ports
  sites.reserve(peers.size());
  std::vector<Peer> running;
  for (const Proxy& peer : peers) {
    LVSPEC_ASSIGN(Site site, Site::build(DirectorPlace::kStack));
    sites.push_back(std::move(site));
    LVSPEC_ASSIGN(Peer started, peer.start(sites.back().world, {Site::kPort, Site::kBulkPort}));
    running.push_back(std::move(started));
  }
  LVSPEC_ASSIGN(const std::unique_ptr<DirectorUnderTest> bundled, in_line.start_bundled(director));
  std::optional<Site> other_site;
  std::unique_ptr<DirectorUnderTest> other;
  if (!against.empty()) {
    LVSPEC_ASSIGN(Site site, Site::build(DirectorPlace::kInline));
    other_site.emplace(std::move(site));
    LVSPEC_ASSIGN(other, other_site->start_bundled(against));
  }
  LVSPEC_ASSIGN(const CpuMeter cpu, CpuMeter::create());
  std::vector<Way> ways = {Way{kNone, &stack, stack.rips(), false}};
  for (std::size_t i = 0; i < peers.size(); ++i) ways.push_back({peers[i].name, &sites[i], {sites[i].vip()}, true});
  ways.push_back({kBundled, &in_line, {in_line.vip()}, true});
  if (other_site) ways.push_back({kOther, &*other_site, {other_site->vip()}, true});

  Comparison comparison(
      "forward", fmt::format("{} clients -> director -> 3 real servers, rr, persistent 300 s; {} connections, asked "
                             "for by {} threads, each with {} in flight; rounds: {}",
                             kBenchClients, kConnections, kThreads, kBenchInFlight, rounds));
  // Not counted: neighbours are found, and every client is pinned, one at a time; of several first connections of one
  // client at once a proxy may send each elsewhere.
  for (const Way& way : ways) {
    const Client client(way.site->world.client().netns);
    LVSPEC_TRY(connect(client, way.attempts(kBenchClients), kBenchInFlight));
  }
  for (int round = 0; round < rounds; ++round) {
    // Who goes first changes from round to round.
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const Way& way = ways[(i + static_cast<std::size_t>(round)) % ways.size()];
      const Status measured = measure(way, cpu, round, comparison);
      if (!measured.ok()) return Error{way.name + ": " + measured.error().message};
    }
  }
  const std::string kRate = "connections/s", kCpu = "CPU, us/connection",
                    kLatency = "median latency, one at a time, us", kBulk = "bulk upload, Gbit/s",
                    kBulkCpu = "CPU, us/MB of bulk";
  comparison.compare(kRate, kBundled, kNftables, at_least(0.9));
  for (const Proxy& proxy : proxies) comparison.compare(kRate, kBundled, proxy.name, at_least(1.6));
  for (const Proxy& proxy : proxies) comparison.compare(kCpu, proxy.name, kBundled, at_least(1.5));
  comparison.compare(kCpu, kBundled, kNftables);
  comparison.compare(kBulk, kBundled, kNftables, at_least(0.7));
  for (const Proxy& proxy : proxies) comparison.compare(kBulk, kBundled, proxy.name);
  comparison.compare(kBulkCpu, kBundled, kNftables);
  comparison.compare(kLatency, kBundled, kNftables);
  for (const Proxy& proxy : proxies) comparison.compare(kLatency, kBundled, proxy.name);
  if (other_site)
    for (const std::string& measure : {kRate, kCpu, kLatency, kBulk, kBulkCpu})
      comparison.compare(measure, kBundled, kOther);
  comparison.compare(kRate, kBundled, kNone);
  comparison.compare(kCpu, kBundled, kNone);
  return comparison;
}

}  // namespace lvspec
