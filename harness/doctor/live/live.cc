#include "harness/doctor/live/live.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/ipvs/genl_ipvs.h"

namespace lvspec::doctor {

Result<Configuration> read_live(const NetworkNamespace& netns) {
  const Place place{"live", 0};
  LVSPEC_ASSIGN(IpvsSocket ipvs, IpvsSocket::open(netns));
  Configuration live{.source = Source::kLive};
  LVSPEC_ASSIGN(const IpvsTimeouts timeouts, ipvs.timeouts());
  live.tcp_fin_s = timeouts.tcp_fin;
  live.udp_s = timeouts.udp;
  LVSPEC_ASSIGN(const std::vector<IpvsService> services, ipvs.services());
  for (const IpvsService& one : services) {
    PlacedService placed{.service = one.service, .place = place};
    LVSPEC_ASSIGN(std::vector<IpvsServer> servers, ipvs.servers(one.service.id));
    std::reverse(servers.begin(), servers.end());  // the kernel has the last one added first (DST-05)
    for (const IpvsServer& server : servers) placed.servers.push_back({.server = server.server, .place = place});
    live.services.push_back(std::move(placed));
  }
  return live;
}

}  // namespace lvspec::doctor
