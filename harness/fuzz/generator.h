#pragma once

#include <string>
#include <vector>

#include "harness/fuzz/program.h"

namespace lvspec::fuzz {

/// What programs are made of, as far as it is not always the same.
struct Alphabet {
  std::vector<std::string> schedulers;
  std::vector<ForwardMethod> methods;
  std::vector<TunnelType> tunnels;  ///< for kTunnel
  bool local_servers = true;
  /// Names, and the values that they may get.
  std::vector<std::pair<std::string, std::vector<int>>> sysctls;
};

/// Everything that both directors are to agree on.
Alphabet whole_alphabet();

/// A random but meaningful program of about that many steps: the same for the same seed and alphabet. Orders are what
/// ipvsadm would let pass; some of them a director refuses (a service that is there already).
Program generate(std::uint64_t seed, std::size_t steps, const Alphabet& alphabet);

}  // namespace lvspec::fuzz
