#pragma once

#include <vector>

#include "harness/base/result.h"
#include "harness/bench/comparison.h"

namespace lvspec {

/// Builds and destroys the world of one client, one director (kStack) and N real servers in turn: World, BareWorld,
/// IpScript, with a pause after each in which the kernel's own cleaning ends. Times in ms: of building, of the CPU
/// that the caller spends on it, of destroying as the caller sees it, and of the two back to back without a pause, as
/// a suite does it.
/// @param rounds   at least 1 (checked)
/// @param servers  1 to 200
/// Errors: World's, the bare program's first refusal, the script's failure.
Result<Comparison> bench_worlds(int rounds, int servers);

}  // namespace lvspec
