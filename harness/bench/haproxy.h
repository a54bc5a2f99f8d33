#pragma once

#include "harness/base/result.h"
#include "harness/process/child.h"
#include "harness/topology/world.h"

namespace lvspec {

/// HAProxy in the director's place (kStack), doing what the bundled director is asked to: TCP, VIP:`port` of IPv4 to
/// the same port of all real servers by turns, each client pinned to its server for 300 s (`stick on src`); one
/// thread. Nothing is written to disk. Returns when it listens, or fails with its own words.
Result<Child> start_haproxy(World& world, const std::vector<std::uint16_t>& ports);

}  // namespace lvspec
