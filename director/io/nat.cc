#include "director/io/nat.h"

#include <algorithm>
#include <array>

#include "director/io/checksum.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kSctpHeader = 12, kSctpChecksum = 8;

std::size_t address_offset(Family family, End end) {
  if (family == Family::kIpv4) return end == End::kSource ? 12 : 16;
  return end == End::kSource ? 8 : 24;
}

// Where the transport's checksum stands; 0 where it has none of the Internet's kind.
std::size_t checksum_offset(std::uint8_t protocol) {
  return protocol == kIpprotoTcp ? 16 : protocol == kIpprotoUdp ? 6 : 0;
}

void put_sctp_checksum(MutableBytes segment) {
  put_u32(segment, kSctpChecksum, 0);
  const std::uint32_t crc = crc32c(segment);
  for (std::size_t i = 0; i < 4; ++i) put_u8(segment, kSctpChecksum + i, crc >> (8 * i) & 0xff);
}

void change_address(MutableBytes packet, Family family, End end, const Address& address) {
  const std::size_t at = address_offset(family, end);
  const Address before = address_at(packet, at, family);
  put_address(packet, at, family, address);
  if (family == Family::kIpv4) {
    mend_checksum(packet, kIpv4Checksum, bytes_of(before, family), bytes_of(address, family));
  }
}

}  // namespace

bool has_ports(Bytes packet, const IpHeader& ip) {
  const std::size_t needed = ip.protocol == kIpprotoTcp ? 20 : ip.protocol == kIpprotoUdp ? 8 : kSctpHeader;
  return ip.fragment_offset == 0 && ip.transport + needed <= std::min(packet.size(), ip.total);
}

void translate(MutableBytes packet, const IpHeader& ip, End end, const Address& address, std::uint16_t port,
               bool is_partial) {
  const Address& before = end == End::kSource ? ip.source : ip.destination;
  change_address(packet, ip.family, end, address);

  const MutableBytes segment = packet.subspan(ip.transport, ip.total - ip.transport);
  const std::size_t port_at = end == End::kSource ? 0 : 2;
  std::array<std::byte, 2> old_port{segment[port_at], segment[port_at + 1]};
  put_u16(segment, port_at, port);
  if (ip.protocol == kIpprotoSctp) return put_sctp_checksum(segment);

  const std::size_t at = checksum_offset(ip.protocol);
  if (is_partial) {
    // The sum of the pseudo-header, not complemented; ports are not in it, they will be summed by whoever completes.
    std::uint32_t sum = u16_at(segment, at);
    sum += static_cast<std::uint16_t>(~folded(sum_of(bytes_of(before, ip.family))));
    put_u16(segment, at, folded(sum_of(bytes_of(address, ip.family), sum)));
    return;
  }
  const bool is_udp = ip.protocol == kIpprotoUdp;
  if (is_udp && u16_at(segment, at) == 0) return;
  mend_checksum(segment, at, bytes_of(before, ip.family), bytes_of(address, ip.family));
  mend_checksum(segment, at, old_port, Bytes(segment).subspan(port_at, 2));
  if (is_udp && u16_at(segment, at) == 0) put_u16(segment, at, 0xffff);
}

void translate_error(MutableBytes packet, const IpHeader& ip, End outer, const IpHeader& quoted,
                     std::size_t quoted_at, const Address& address, std::uint16_t port) {
  change_address(packet, ip.family, outer, address);
  // The quoted packet went the other way: what is our destination was its source.
  const End inner = outer == End::kDestination ? End::kSource : End::kDestination;
  const MutableBytes inside = packet.subspan(quoted_at, ip.total - quoted_at);
  change_address(inside, quoted.family, inner, address);
  const std::size_t port_at = quoted.transport + (inner == End::kSource ? 0 : 2);
  if (port_at + 2 <= inside.size()) put_u16(inside, port_at, port);

  const MutableBytes icmp = packet.subspan(ip.transport, ip.total - ip.transport);
  put_u16(icmp, 2, 0);
  std::uint32_t sum = 0;
  if (ip.family == Family::kIpv6) {
    sum = pseudo_sum(ip.family, address_at(packet, 8, ip.family), address_at(packet, 24, ip.family), kIpprotoIcmpv6,
                     icmp.size());
  }
  put_u16(icmp, 2, checksum_of(sum_of(icmp, sum)));
}

void complete_checksum(MutableBytes packet, const IpHeader& ip, std::size_t checksum_from, std::size_t checksum_at) {
  const MutableBytes segment = packet.subspan(checksum_from, ip.total - checksum_from);
  if (ip.protocol == kIpprotoSctp) return put_sctp_checksum(segment);
  const std::uint16_t checksum = checksum_of(sum_of(segment));  // the field's own partial sum is counted with it
  put_u16(segment, checksum_at, ip.protocol == kIpprotoUdp && checksum == 0 ? 0xffff : checksum);
}

}  // namespace lvspec::director
