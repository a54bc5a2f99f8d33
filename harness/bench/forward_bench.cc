#include "harness/bench/forward_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "harness/adapters/bundled.h"
#include "harness/bench/bulk.h"
#include "harness/bench/cpu_meter.h"
#include "harness/bench/peers.h"
#include "harness/bench/traffic.h"
#include "harness/probe/real_servers.h"
#include "harness/ruleset/ruleset.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kConnections = 3000;  // less than a second; more rounds tell more than longer ones
constexpr std::size_t kOneByOne = 300;
constexpr milliseconds kUpload{300};
constexpr std::uint16_t kPort = 80;
constexpr std::uint16_t kBulkPort = 5001;

/// The server closes first: a connection then has its whole life, handshake, request, reply and both FINs, and
/// TIME_WAIT is on the server's side, so that the clients' ports are free again at once. (A reset would be shorter
/// for the director in DR and would make HAProxy tear down two connections in different ways; a FIN of the client's
/// would fill its ports.)
constexpr Close kClose = Close::kServerFirst;

/// One world with everything in it that answers.
struct Site {
  World world;
  RealServers servers;
  BulkSink sink;

  static Result<Site> build(DirectorPlace place) {
    Topology topology;
    topology.director_place = place;
    topology.ipv6 = false;
    LVSPEC_ASSIGN(World world, World::build(topology));
    LVSPEC_ASSIGN(RealServers servers, RealServers::create());
    for (int i = 1; i <= topology.server_count; ++i)
      LVSPEC_TRY(servers.add(world.real_server(i).name, world.real_server(i).netns, {kPort}));
    LVSPEC_ASSIGN(BulkSink sink, BulkSink::start(world, kBulkPort));
    return Site{std::move(world), std::move(servers), std::move(sink)};
  }

  const IpAddress& vip() const { return world.topology().vips.front(); }
  std::vector<IpAddress> rips() const {
    std::vector<IpAddress> all;
    for (int i = 1; i <= world.topology().server_count; ++i) all.push_back(world.topology().real_server(i));
    return all;
  }
};

/// One way from the clients to the servers.
struct Way {
  std::string name;
  Site* site;
  std::vector<IpAddress> targets;  ///< which the clients use by turns
  bool persistent;
};

Result<std::unique_ptr<DirectorUnderTest>> start_bundled(Site& site, const std::string& program) {
  DirectorSite place;
  place.netns = &site.world.director().netns;
  place.stack_interface = site.world.stack_port().name;
  place.addresses = {site.world.topology().director(), site.vip()};
  LVSPEC_ASSIGN(std::unique_ptr<DirectorUnderTest> director,
                Bundled::start(place, {.program = program, .fault = {}}));
  for (const std::uint16_t port : {kPort, kBulkPort}) {
    ServiceBuilder service = TcpService(site.vip(), port).scheduler("rr").persistent(std::chrono::seconds(300));
    for (const IpAddress& rip : site.rips()) service.server(rip);
    LVSPEC_TRY(director->add_service(service));
  }
  return director;
}

std::vector<Attempt> attempts_of(const Way& way, std::size_t n) {
  std::vector<Endpoint> targets;
  for (const IpAddress& address : way.targets) targets.push_back({address, kPort});
  return attempts(way.site->world.topology(), n, targets, kClose);
}

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

  const std::vector<Attempt> many = attempts_of(way, kConnections);
  LVSPEC_ASSIGN(const auto cpu_before, cpu.total());
  LVSPEC_ASSIGN(const Traffic traffic, connect(client, many, kBenchInFlight));
  LVSPEC_ASSIGN(const auto cpu_after, cpu.total());
  if (way.persistent) LVSPEC_TRY(check_persistence(way, traffic.answers));
  comparison.record(way.name, "connections/s", traffic.per_second());
  comparison.record(way.name, "CPU, us/connection",
                    std::chrono::duration<double, std::micro>(cpu_after - cpu_before).count() / kConnections);

  LVSPEC_ASSIGN(const Traffic single, connect(client, attempts_of(way, kOneByOne), 1));
  Rounds latencies;
  for (const Answer& answer : single.answers) latencies.push_back(static_cast<double>(answer.took.count()));
  comparison.record(way.name, "median latency, one at a time, us", Spread::of(latencies).median);

  const auto target = way.targets[static_cast<std::size_t>(round) % way.targets.size()];
  LVSPEC_ASSIGN(const double rate, upload(netns, way.site->world.topology().client(1 + round % kBenchClients),
                                          {target, kBulkPort}, kUpload));
  comparison.record(way.name, "bulk upload, Gbit/s", rate);
  return {};
}

}  // namespace

Result<Comparison> bench_forwarding(int rounds, const std::string& director) {
  LVSPEC_CHECK(rounds >= 1);
  const std::string kNone = "no director", kBundled = "bundled", kNftables = "nftables DSR";
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
    LVSPEC_ASSIGN(Peer started, peer.start(sites.back().world, {kPort, kBulkPort}));
    running.push_back(std::move(started));
  }
  LVSPEC_ASSIGN(const std::unique_ptr<DirectorUnderTest> bundled, start_bundled(in_line, director));
  LVSPEC_ASSIGN(const CpuMeter cpu, CpuMeter::create());
  std::vector<Way> ways = {Way{kNone, &stack, stack.rips(), false}};
  for (std::size_t i = 0; i < peers.size(); ++i) ways.push_back({peers[i].name, &sites[i], {sites[i].vip()}, true});
  ways.push_back({kBundled, &in_line, {in_line.vip()}, true});

  Comparison comparison(
      "forward", fmt::format("{} clients -> director -> 3 real servers, rr, persistent 300 s; {} connections, {} in "
                             "flight; rounds: {}",
                             kBenchClients, kConnections, kBenchInFlight, rounds));
  // Not counted: neighbours are found, and every client is pinned, one at a time; of several first connections of one
  // client at once a proxy may send each elsewhere.
  for (const Way& way : ways) {
    const Client client(way.site->world.client().netns);
    LVSPEC_TRY(connect(client, attempts_of(way, kBenchClients), kBenchInFlight));
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
                    kLatency = "median latency, one at a time, us", kBulk = "bulk upload, Gbit/s";
  comparison.compare(kRate, kBundled, kNftables, at_least(0.9));
  for (const Proxy& proxy : proxies) comparison.compare(kRate, kBundled, proxy.name, at_least(1.6));
  for (const Proxy& proxy : proxies) comparison.compare(kCpu, proxy.name, kBundled, at_least(1.5));
  comparison.compare(kCpu, kBundled, kNftables);
  comparison.compare(kBulk, kBundled, kNftables, at_least(0.7));
  for (const Proxy& proxy : proxies) comparison.compare(kBulk, kBundled, proxy.name);
  comparison.compare(kLatency, kBundled, kNftables);
  for (const Proxy& proxy : proxies) comparison.compare(kLatency, kBundled, proxy.name);
  comparison.compare(kRate, kBundled, kNone);
  comparison.compare(kCpu, kBundled, kNone);
  return comparison;
}

}  // namespace lvspec
