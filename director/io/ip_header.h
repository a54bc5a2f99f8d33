#pragma once

#include <cstddef>
#include <cstdint>

#include "director/core/address.h"
#include "director/io/bytes.h"

namespace lvspec::director {

inline constexpr std::uint8_t kIpprotoIcmp = 1, kIpprotoIpip = 4, kIpprotoTcp = 6, kIpprotoUdp = 17,
                              kIpprotoIpv6 = 41, kIpprotoFragment = 44, kIpprotoGre = 47, kIpprotoIcmpv6 = 58,
                              kIpprotoSctp = 132;

/// Why a packet cannot be one. Such packets are counted and dropped, as ip_rcv() and ipv6_rcv() do.
enum class Malformed : std::uint8_t { kNone, kHeaderCutShort, kWrongVersion, kWrongLength, kWrongChecksum, kCount };
const char* text_of(Malformed kind);

/// What forwarding needs to know of an IP packet, read once. Offsets are from the first byte of the packet.
struct IpHeader {
  Malformed malformed = Malformed::kNone;  ///< anything else: nothing below is to be used
  Family family = Family::kIpv4;
  std::uint8_t protocol = 0;  ///< of the transport, behind IPv6's extension headers
  std::uint8_t ttl = 0;       ///< or hop limit
  std::uint8_t tos = 0;       ///< DSCP and ECN
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint32_t fragment_offset = 0;  ///< in bytes
  std::uint32_t fragment_id = 0;
  std::size_t fragment_header = 0;  ///< IPv6: where it stands, 0 if there is none
  std::size_t next_header = 0;      ///< IPv6: where the number of what comes last is written
  std::size_t transport = 0;        ///< where the transport header begins
  std::size_t total = 0;            ///< length of the packet; a frame may be padded beyond it
  Address source{}, destination{};

  bool is_fragment() const { return more_fragments || fragment_offset != 0; }
};

/// @param packet     from the IP header on
/// @param is_quoted  of a packet quoted by ICMP: it may be cut off, and its checksum is not looked at
IpHeader read_ip_header(Bytes packet, bool is_quoted = false);

/// Multicast, broadcast, or unspecified: nobody whom an ICMP error could be sent to (RFC 1812, 4.3.2.7).
bool is_unicast(Family family, const Address& address);
bool is_loopback(Family family, const Address& address);

}  // namespace lvspec::director
