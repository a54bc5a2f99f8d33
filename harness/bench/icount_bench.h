#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/bench/comparison.h"

namespace lvspec {

struct IcountOptions {
  int rounds = 3;
  std::string kernel = "debian:6.1";  ///< see find_kernel
  std::string director;               ///< path of lvspec-director
  std::string against;                ///< path of another build of it, which this one is not to be dearer than
  std::string stored;                 ///< JSON with the figure that this one is not to exceed; empty: none
};

/// How many instructions a connection costs, of everybody: clients, servers, director, kernel. Counted in a qemu
/// guest whose clock is its count of instructions, so that a busy machine cannot be seen in it: a figure that a
/// regression test can stand on. Each round is a guest of its own.
Result<Comparison> bench_instructions(const IcountOptions& options);

/// The guest's part. @param directors  names and paths by turns. @return its exit status.
int count_instructions_in_guest(const std::vector<std::string>& directors);

}  // namespace lvspec
