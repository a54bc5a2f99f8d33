#include "harness/bench/site.h"

#include <chrono>
#include <utility>

#include "harness/adapters/bundled.h"
#include "harness/adapters/kernel_ipvs.h"
#include "harness/bench/traffic.h"
#include "harness/ruleset/ruleset.h"

namespace lvspec {

Result<Site> Site::build(DirectorPlace place) {
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

std::vector<IpAddress> Site::rips() const {
  std::vector<IpAddress> all;
  for (int i = 1; i <= world.topology().server_count; ++i) all.push_back(world.topology().real_server(i));
  return all;
}

Status Site::serve(DirectorUnderTest& director) const {
  for (const std::uint16_t port : {kPort, kBulkPort}) {
    ServiceBuilder service = TcpService(vip(), port).scheduler("rr").persistent(std::chrono::seconds(300));
    for (const IpAddress& rip : rips()) service.server(rip);
    LVSPEC_TRY(director.add_service(service));
  }
  return {};
}

Result<std::unique_ptr<DirectorUnderTest>> Site::start_bundled(const std::string& program) {
  DirectorSite place;
  place.netns = &world.director().netns;
  place.stack_interface = world.stack_port().name;
  place.addresses = {world.topology().director(), vip()};
  LVSPEC_ASSIGN(std::unique_ptr<DirectorUnderTest> director,
                Bundled::start(place, {.program = program, .fault = {}}));
  LVSPEC_TRY(serve(*director));
  return director;
}

Result<std::unique_ptr<DirectorUnderTest>> Site::start_kernel_ipvs() {
  DirectorSite place;
  place.netns = &world.director().netns;
  place.addresses = {world.topology().director(), vip()};
  LVSPEC_ASSIGN(std::unique_ptr<DirectorUnderTest> director, KernelIpvs::start(place, {}));
  LVSPEC_TRY(serve(*director));
  return director;
}

std::vector<Attempt> Way::attempts(std::size_t n) const {
  std::vector<Endpoint> endpoints;
  for (const IpAddress& address : targets) endpoints.push_back({address, Site::kPort});
  return lvspec::attempts(site->world.topology(), n, endpoints, Close::kServerFirst);
}

}  // namespace lvspec
