#include "director/io/tunnel.h"

#include <algorithm>

#include "director/io/checksum.h"
#include "director/io/wire_format.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kUdpHeader = 8, kGueHeader = 4, kGueRemote = 8, kGreHeader = 4, kGreChecksum = 4;

std::size_t outer_header(Family family) { return family == Family::kIpv4 ? 20 : 40; }

unsigned outer_tos(std::uint8_t inner) {
  constexpr unsigned kEcn = 3, kCongestion = 3, kCapable0 = 2;
  const unsigned ecn = inner & kEcn;
  return (inner & ~kEcn) | (ecn == kCongestion ? kCapable0 : ecn);
}

// Any port will do as long as a flow keeps it (RFC 8085, 5.1.1); from Linux's local port range.
std::uint16_t flow_port(Bytes inner, const IpHeader& ip) {
  std::uint32_t hash = sum_of(bytes_of(ip.source, ip.family), ip.protocol) * 31;
  hash += sum_of(bytes_of(ip.destination, ip.family));
  if (ip.fragment_offset == 0 && inner.size() >= ip.transport + 4) hash = hash * 31 + u32_at(inner, ip.transport);
  hash = (hash ^ hash >> 16) * 0x9e3779b1u;
  constexpr std::uint32_t kFirst = 32768, kLast = 60999;
  return static_cast<std::uint16_t>(kFirst + (std::uint64_t{hash} * (kLast - kFirst + 1) >> 32));
}

void put_gre(MutableBytes payload, const Tunnel& tunnel, Family inner) {
  const bool checksum = tunnel.checksum == TunnelChecksum::kFull;
  put_u16(payload, 0, checksum ? 0x8000 : 0);
  put_u16(payload, 2, inner == Family::kIpv4 ? kTypeIpv4 : kTypeIpv6);
  if (!checksum) return;
  put_u32(payload, 4, 0);
  put_u16(payload, 4, checksum_of(sum_of(payload)));
}

void put_gue(MutableBytes datagram, const Tunnel& tunnel, const TunnelEnds& ends, const IpHeader& inner,
             Bytes inner_packet, const std::optional<RemoteChecksum>& remote) {
  put_u16(datagram, 0, flow_port(inner_packet, inner));
  put_u16(datagram, 2, tunnel.port);
  put_u16(datagram, 4, static_cast<unsigned>(datagram.size()));
  put_u16(datagram, 6, 0);
  const MutableBytes gue = datagram.subspan(kUdpHeader);
  put_u8(gue, 0, remote ? kGueRemote / 4 : 0);  // version 0, not control, length of the optional fields in words
  put_u8(gue, 1, inner.family == Family::kIpv4 ? kIpprotoIpip : kIpprotoIpv6);
  constexpr unsigned kPrivateFlags = 1, kRemoteChecksumFlag = 0x80000000;
  put_u16(gue, 2, remote ? kPrivateFlags : 0);
  if (remote) {
    put_u32(gue, 4, kRemoteChecksumFlag);
    put_u16(gue, 8, remote->from);
    put_u16(gue, 10, remote->at);
  }
  if (tunnel.checksum == TunnelChecksum::kNone) return;
  const std::uint32_t pseudo = pseudo_sum(ends.family, ends.source, ends.destination, kIpprotoUdp, datagram.size());
  const std::uint16_t checksum = checksum_of(sum_of(datagram, pseudo));
  put_u16(datagram, 6, checksum == 0 ? 0xffff : checksum);
}

std::uint8_t protocol_of(const Tunnel& tunnel, Family inner) {
  switch (tunnel.type) {
    case TunnelType::kGue:
      return kIpprotoUdp;
    case TunnelType::kGre:
      return kIpprotoGre;
    case TunnelType::kIpip:
      break;
  }
  return inner == Family::kIpv4 ? kIpprotoIpip : kIpprotoIpv6;
}

}  // namespace

std::size_t tunnel_overhead(const Tunnel& tunnel, Family outer, bool remote_checksum) {
  std::size_t overhead = outer_header(outer);
  if (tunnel.type == TunnelType::kGue) overhead += kUdpHeader + kGueHeader + (remote_checksum ? kGueRemote : 0);
  if (tunnel.type == TunnelType::kGre) {
    overhead += kGreHeader + (tunnel.checksum == TunnelChecksum::kFull ? kGreChecksum : 0);
  }
  return overhead;
}

void encapsulate(MutableBytes room, const Tunnel& tunnel, const TunnelEnds& ends, const IpHeader& inner,
                 const std::optional<RemoteChecksum>& remote) {
  const std::size_t header = outer_header(ends.family);
  const MutableBytes payload = room.subspan(header);
  if (tunnel.type == TunnelType::kGre) put_gre(payload, tunnel, inner.family);
  if (tunnel.type == TunnelType::kGue) {
    const std::size_t overhead = tunnel_overhead(tunnel, ends.family, remote.has_value());
    put_gue(payload, tunnel, ends, inner, room.subspan(overhead), remote);
  }
  const std::uint8_t protocol = protocol_of(tunnel, inner.family);
  const unsigned tos = outer_tos(inner.tos);
  if (ends.family == Family::kIpv6) {
    put_u32(room, 0, 0x60000000u | tos << 20);
    put_u16(room, 4, static_cast<unsigned>(payload.size()));
    put_u8(room, 6, protocol);
    put_u8(room, 7, inner.ttl);
    put_address(room, 8, ends.family, ends.source);
    put_address(room, 24, ends.family, ends.destination);
    return;
  }
  put_u8(room, 0, 0x45);
  put_u8(room, 1, tos);
  put_u16(room, 2, static_cast<unsigned>(room.size()));
  put_u16(room, 4, ends.id);
  put_u16(room, 6, ends.dont_fragment ? 0x4000 : 0);
  put_u8(room, 8, inner.ttl);
  put_u8(room, 9, protocol);
  put_u16(room, 10, 0);
  put_address(room, 12, ends.family, ends.source);
  put_address(room, 16, ends.family, ends.destination);
  put_u16(room, 10, checksum_of(sum_of(room.first(header))));
}

}  // namespace lvspec::director
