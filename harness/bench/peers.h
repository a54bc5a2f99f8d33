#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/process/child.h"
#include "harness/topology/world.h"

namespace lvspec {

/// What people use instead, in the director's place (kStack), doing what the bundled director is asked to: TCP,
/// VIP:`port` of IPv4 to the same port of all real servers, each client always to the same one; one thread a process.
/// Nothing is written to disk. Each returns when it works, or fails with the program's own words. The children end
/// with what is returned.
using Peer = std::vector<Child>;

/// `balance roundrobin`, `stick on src`, splicing.
Result<Peer> start_haproxy(World& world, const std::vector<std::uint16_t>& ports);
/// The stream module with `hash $remote_addr consistent`.
Result<Peer> start_nginx(World& world, const std::vector<std::uint16_t>& ports);
/// One process a port; clients are remembered by address.
Result<Peer> start_pen(World& world, const std::vector<std::uint16_t>& ports);
/// No process but a ruleset: a chain on the ingress of the director's port that picks a real server by jhash of the
/// client's address, sets its MAC and sends the frame back out. The kernel's own direct routing without a memory.
Result<Peer> start_nftables(World& world, const std::vector<std::uint16_t>& ports);

}  // namespace lvspec
