#pragma once

#include <cstddef>
#include <vector>

#include "harness/base/result.h"
#include "harness/bench/comparison.h"

namespace lvspec {

/// The bundled director's table of that many templates against std::unordered_map and against one access to memory
/// that depends on the one before, over as many bytes: lookup, insertion, timers, bytes.
/// @param entries  10'000'000 take three gigabytes and half a minute
Comparison bench_table(int rounds, std::size_t entries);

/// What the core needs to decide about one packet, with that many connections in its table.
Comparison bench_decisions(int rounds, std::size_t connections);

}  // namespace lvspec
