#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// One thing that was timed in three ways, as medians over interleaved rounds. Milliseconds drift with the machine;
/// the ratios are what can be compared.
struct BenchRow {
  std::string name;      ///< "build, 3 real servers"
  double ours_ms = 0;    ///< World
  double bare_ms = 0;    ///< the same requests from a program of raw rtnetlink, without names for errors, and without
                         ///< waiting for the links to carry frames, which World::build() does
  double script_ms = 0;  ///< the `ip netns` script that everybody writes; NaN where it was not run

  double over_bare() const { return ours_ms / bare_ms; }
  double script_over_ours() const { return script_ms / ours_ms; }
};

/// A table row: name, three times, two ratios.
std::ostream& operator<<(std::ostream& out, const BenchRow& row);

/// Builds and destroys the world of one client, one director (kStack) and N real servers in turn: ours, bare, script,
/// with a pause after each in which the kernel's own cleaning ends.
/// @param servers  the N to measure.
/// @param rounds   at least 1 (checked); a median needs 5.
/// @param script   false leaves the script out, which takes 4 s a round for a hundred servers.
/// @return         for each N rows for building, for the CPU time that the caller spends on it, for destroying as the
///                 caller sees it, and for the two back to back without a pause, as a suite does it.
/// Errors: those of World::build(), the bare program's first refusal, the script's failure. The script runs in a
/// mount namespace of its own, so what it names under /run/netns is seen, and outlives it, nowhere.
Result<std::vector<BenchRow>> bench_worlds(int rounds, const std::vector<int>& servers = {3, 10, 100},
                                           bool script = true);

}  // namespace lvspec
