#pragma once

#include <string>

#include "harness/base/result.h"
#include "harness/bench/comparison.h"

namespace lvspec {

/// The same connections to the same three real servers: straight to them, through each of the peers (peers.h), and
/// through the bundled director. Connections a second and CPU time per connection (CpuMeter says whose CPU), with as
/// many threads asking as there are CPUs and 32 in flight for each, so that no CPU waits for who asks; the median
/// latency of one connection at a time; and the payload and CPU time of one upload.
/// @param rounds    at least 1 (checked)
/// @param against   path of another build of it, measured beside it; empty: none
/// @param director  path of lvspec-director
/// Errors: a connection that was not answered; a client that was sent to two servers, which would compare persistence
/// with none; a director that does not start.
Result<Comparison> bench_forwarding(int rounds, const std::string& director, const std::string& against = {});

}  // namespace lvspec
