#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "director/core/service.h"
#include "director/io/bytes.h"
#include "director/io/ip_header.h"

namespace lvspec::director {

/// The transport checksum of the inner packet that the far end is asked to complete (GUE remote checksum); offsets
/// from the inner packet's first byte.
struct RemoteChecksum {
  std::uint16_t from = 0, at = 0;
};

/// The ends of a tunnel and what its outer header does not take from the inner packet.
struct TunnelEnds {
  Family family = Family::kIpv4;
  Address source{}, destination{};
  bool dont_fragment = false;  ///< IPv4 outside
  std::uint16_t id = 0;        ///< IPv4 outside: identification
};

/// What a tunnel puts in front of a packet, in bytes (FWD-07).
std::size_t tunnel_overhead(const Tunnel& tunnel, Family outer, bool remote_checksum);

/// Writes the outer headers into the tunnel_overhead() bytes in front of a packet (FWD-04): TTL and DSCP are the
/// inner packet's, ECN as well but for "congestion experienced", which becomes ECT(0) (RFC 3168, 9.1.1).
/// @param room   overhead and inner packet together
/// @param inner  of the packet as it is now; `ttl` already decremented
/// Source: Linux ip_vs_xmit.c, ip_vs_tunnel_xmit(), ip_vs_gue_encap(), ip_vs_gre_encap().
void encapsulate(MutableBytes room, const Tunnel& tunnel, const TunnelEnds& ends, const IpHeader& inner,
                 const std::optional<RemoteChecksum>& remote);

}  // namespace lvspec::director
