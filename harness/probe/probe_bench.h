#pragma once

#include <cstddef>
#include <iosfwd>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// What one round measures, in connections a second, each with its request and reply.
struct ProbeRates {
  double connect_all = 0;
  double http_all = 0;
  double curl_loop = 0;  ///< one `curl` process after another
  double wrk = 0;        ///< wrk -t1 -c32 -H "Connection: close"
};

struct ProbeBench {
  std::vector<ProbeRates> rounds;
  // Medians of the rounds' ratios: both sides of a ratio ran within seconds of each other.
  double connect_over_curl = 0;  ///< goal: connect_all or http_all at least 80
  double http_over_curl = 0;
  double connect_over_wrk = 0;  ///< goal: at least 1
};

std::ostream& operator<<(std::ostream& out, const ProbeBench& bench);

/// Interleaved rounds of our probes and of the tools that a user has, all from `netns` to the same HTTP service.
/// @param clients  source addresses that ours rotate through, local to netns; not empty (checked). curl and wrk use
///                 the address that the kernel gives them.
/// @param target   a port served by RealServers, directly or through a director.
/// Errors: a probe that was not answered, or a tool that is not installed, failed, or counted errors of its own.
Result<ProbeBench> bench_probes(const NetworkNamespace& netns, const std::vector<IpAddress>& clients,
                                const Endpoint& target, int rounds = 5);

}  // namespace lvspec
