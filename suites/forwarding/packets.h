#pragma once

#include <cstdint>
#include <vector>

#include "harness/probe/frame.h"

namespace lvspec {

/// IP packets by hand, for cases about single packets. All have right checksums.
using RawPacket = std::vector<std::uint8_t>;

/// A UDP datagram over IPv4 or IPv6, TTL 64, DF set (IPv4).
RawPacket udp_packet(const Endpoint& from, const Endpoint& to, const std::string& payload = "?");
/// The same IPv4 packet with another TTL.
RawPacket with_ttl(RawPacket packet, int ttl);
/// The two halves of an IPv4 packet, cut after `bytes` (a multiple of 8) of what follows the IP header.
std::vector<RawPacket> in_fragments(const RawPacket& packet, std::size_t bytes);

/// An ICMP echo request.
RawPacket echo_request(const IpAddress& from, const IpAddress& to);
/// An ICMP error about `quoted`, from `from` to the quoted packet's source.
RawPacket icmp_error(const IpAddress& from, const RawPacket& quoted, int type, int code, int mtu = 0);

}  // namespace lvspec
