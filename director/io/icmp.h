#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "director/core/packet.h"
#include "director/io/bytes.h"
#include "director/io/ip_header.h"
#include "director/io/wire_format.h"

namespace lvspec::director {

/// What a director tells about a packet that it cannot deliver.
struct IcmpError {
  enum class Kind : std::uint8_t { kPortUnreachable, kHostUnreachable, kTimeExceeded, kTooBig, kOther };
  Kind kind = Kind::kPortUnreachable;
  std::uint32_t mtu = 0;            ///< kTooBig: fragmentation needed, or packet too big
  std::uint8_t type = 0, code = 0;  ///< kOther: as it stands in the header
};

/// ICMP or ICMPv6 error about `frame`, back to whoever sent it; quotes as much as fits into 576 (IPv4) or 1280 (IPv6)
/// bytes, as routers do.
/// @param from  whose error it is; by default the address that the packet was sent to
std::vector<std::byte> icmp_error(Bytes frame, const IcmpError& error, const Mac& own,
                                  const std::optional<Address>& from = std::nullopt);

/// No error is sent about an ICMP error, a fragment but the first, or to nobody (RFC 1812, 4.3.2.7; RFC 4443, 2.4).
bool may_be_told(Bytes packet, const IpHeader& ip);

/// What an ICMP error quotes.
struct Quotation {
  IpHeader ip;         ///< of the quoted packet, with offsets from its own first byte
  std::size_t at = 0;  ///< where it begins
  Packet turned;       ///< turned round, as the core wants it; quoted kByError
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0;  ///< of "fragmentation needed" and "packet too big"
  bool is_too_big() const { return (ip.family == Family::kIpv4) ? type == 3 && code == 4 : type == 2; }
};

/// Reads an ICMP error: unreachable, source quench, time exceeded; of ICMPv6 every error.
/// @return nothing if it is no such error, quotes nothing that has ports, or its checksum is wrong
/// Source: Linux ip_vs_core.c, ip_vs_in_icmp(), ip_vs_in_icmp_v6().
std::optional<Quotation> read_quotation(Bytes packet, const IpHeader& ip);

/// An error about a packet of our own tunnels: reads the packet inside the quoted IPIP, GRE or GUE packet; `at` is
/// where it begins, and `turned` is not turned, but as we forwarded it (kByTunnelError). IPv4 outside only, as in the
/// kernel. `outer` is the tunnel packet's own header.
struct TunnelQuotation {
  IpHeader outer;
  Quotation inner;
};
std::optional<TunnelQuotation> read_tunnel_quotation(Bytes packet, const IpHeader& ip);

}  // namespace lvspec::director
