#include "harness/topology/topology.h"

#include <algorithm>

#include "harness/base/check.h"

namespace lvspec {
namespace {

constexpr std::uint64_t kDirectorNumber = 1;
constexpr std::uint64_t kStandbyNumber = 2;
constexpr std::uint64_t kServersStart = 10;

const Prefix& lan(int family) { return family == AF_INET6 ? addresses::kLan6 : addresses::kLan; }

}  // namespace

IpAddress Topology::client(int i, int family) const {
  LVSPEC_CHECK(i >= 1);
  if (wire) return wire->clients.address.plus(wire->first_client + static_cast<std::uint64_t>(i) - 1);
  const auto prefix = std::find_if(client_prefixes.begin(), client_prefixes.end(),
                                   [family](const Prefix& p) { return p.address.family() == family; });
  LVSPEC_CHECK(prefix != client_prefixes.end());
  return prefix->address.plus(static_cast<std::uint64_t>(i));
}

IpAddress Topology::real_server(int i, int family) const {
  LVSPEC_CHECK(i >= 1);
  if (wire) return wire->servers.at(static_cast<std::size_t>(i) - 1);
  return lan(family).address.plus(kServersStart + static_cast<std::uint64_t>(i));
}

IpAddress Topology::director(int family) const { return lan(family).address.plus(kDirectorNumber); }
IpAddress Topology::standby(int family) const { return lan(family).address.plus(kStandbyNumber); }

}  // namespace lvspec
