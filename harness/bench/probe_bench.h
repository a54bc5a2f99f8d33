#pragma once

#include "harness/base/result.h"
#include "harness/bench/comparison.h"

namespace lvspec {

/// Our probes and the tools that a user has, all from the client's node to the same HTTP service of one real server,
/// directly: connections a second, each with its request, reply and close. 32 in flight, but for the loop of `curl`.
/// @param rounds  at least 1 (checked)
/// Errors: a probe that was not answered; a tool that is not installed, failed, or counted errors of its own.
Result<Comparison> bench_probes(int rounds);

}  // namespace lvspec
