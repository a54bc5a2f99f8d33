// lvspec_probe_bench: the probes against curl and wrk, directly from the clients to one real server.
#include <cstdio>
#include <iostream>

#include "harness/probe/probe_bench.h"
#include "harness/probe/real_servers.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

Result<ProbeBench> run() {
  LVSPEC_TRY(become_able_to_create_namespaces());
  Topology topology;
  topology.server_count = 1;
  LVSPEC_ASSIGN(World world, World::build(topology));
  LVSPEC_ASSIGN(RealServers servers, RealServers::create());
  LVSPEC_TRY(servers.add("real1", world.real_server(1).netns, {80}));
  std::vector<IpAddress> clients;
  for (int i = 1; i <= 200; ++i) clients.push_back(topology.client(i));
  return bench_probes(world.client().netns, clients, {topology.real_server(1), 80});
}

}  // namespace
}  // namespace lvspec

int main() {
  const auto bench = lvspec::run();
  if (!bench.ok()) {
    std::cerr << bench.error().message << '\n';
    return 1;
  }
  std::cout << *bench;
}
