#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/base/result.h"
#include "harness/bench/bulk.h"
#include "harness/probe/client.h"
#include "harness/probe/real_servers.h"
#include "harness/topology/world.h"

namespace lvspec {

/// One world for a benchmark, with everything in it that answers: three real servers, each with a small service and a
/// bulk sink.
struct Site {
  static constexpr std::uint16_t kPort = 80;
  static constexpr std::uint16_t kBulkPort = 5001;

  World world;
  RealServers servers;
  BulkSink sink;

  static Result<Site> build(DirectorPlace place);
  const IpAddress& vip() const { return world.topology().vips.front(); }
  std::vector<IpAddress> rips() const;

  /// Directors with a persistent service, rr, 300 s, on both ports of the VIP.
  /// @param program  path of an lvspec-director; the site is kInline
  Result<std::unique_ptr<DirectorUnderTest>> start_bundled(const std::string& program);
  /// The running kernel's IPVS; the site is kStack.
  Result<std::unique_ptr<DirectorUnderTest>> start_kernel_ipvs();

 private:
  Status serve(DirectorUnderTest& director) const;
};

/// One way from the clients to the servers.
struct Way {
  std::string name;
  Site* site;
  std::vector<IpAddress> targets;  ///< which the clients use by turns
  bool persistent;

  /// The server closes first: a connection then has its whole life, handshake, request, reply and both FINs, and
  /// TIME_WAIT is on the server's side, so that the clients' ports are free again at once. (A reset would be shorter
  /// for the director in DR and would make HAProxy tear down two connections in different ways; a FIN of the client's
  /// would fill its ports.)
  std::vector<Attempt> attempts(std::size_t n) const;
};

}  // namespace lvspec
