#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// One packet on its way from one node to another.
struct Rung {
  std::uint64_t time_ns = 0;
  std::string from, to;  ///< "client", "director", "real2"
  std::string text;      ///< "192.0.2.1:40000 > 198.51.100.10:80 SYN"
};

/// What the captures of a case say, in the order of time: each packet once, as its sender's link saw it. ARP,
/// neighbour discovery and what goes to everybody are left out.
/// @param folder  of evidence: topology.txt and a NODE.pcapng for each node. Errors name the file.
Result<std::vector<Rung>> read_rungs(const std::string& folder, std::vector<std::string>* nodes);

/// A lane for each node, an arrow for each packet:
///
///   client      director    real1
///     |---------->|           |       192.0.2.1:40000 > 198.51.100.10:80 SYN
///     |           |---------->|       192.0.2.1:40000 > 198.51.100.10:80 SYN
///     |<----------------------|       198.51.100.10:80 > 192.0.2.1:40000 SYN ACK
///
/// @param most  rungs; what is left out in the middle is said
std::string draw_ladder(const std::vector<std::string>& nodes, const std::vector<Rung>& rungs, std::size_t most);

}  // namespace lvspec
