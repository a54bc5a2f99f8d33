#include "director/io/ip_header.h"

#include <algorithm>

#include "director/core/faults.h"
#include "director/io/checksum.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40;

IpHeader wrong(Malformed kind) {
  IpHeader header;
  header.malformed = kind;
  return header;
}

IpHeader read_ipv4(Bytes packet, bool is_quoted) {
  IpHeader ip;
  ip.family = Family::kIpv4;
  ip.transport = std::size_t{4} * (u8_at(packet, 0) & 0x0f);
  ip.total = u16_at(packet, 2);
  if (ip.transport < kIpv4Header || packet.size() < ip.transport) return wrong(Malformed::kHeaderCutShort);
  if (ip.total < ip.transport) return wrong(Malformed::kWrongLength);
  if (!is_quoted) {
    if (packet.size() < ip.total) return wrong(Malformed::kWrongLength);
    const bool sum_is_right = folded(sum_of(packet.first(ip.transport))) == 0xffff;
    if (!sum_is_right && !fault(Fault::kSumUnchecked)) return wrong(Malformed::kWrongChecksum);
  }
  if (fault(Fault::kOptionsDropped) && ip.transport != kIpv4Header) return wrong(Malformed::kHeaderCutShort);
  const std::uint16_t fragment = u16_at(packet, 6);
  ip.dont_fragment = (fragment & 0x4000) != 0;
  ip.more_fragments = (fragment & 0x2000) != 0;
  ip.fragment_offset = 8u * (fragment & 0x1fff);
  ip.fragment_id = u16_at(packet, 4);
  ip.tos = u8_at(packet, 1);
  ip.ttl = u8_at(packet, 8);
  ip.protocol = u8_at(packet, 9);
  ip.source = address_at(packet, 12, ip.family);
  ip.destination = address_at(packet, 16, ip.family);
  return ip;
}

IpHeader read_ipv6(Bytes packet, bool is_quoted) {
  constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kDestinationOptions = 60;
  if (packet.size() < kIpv6Header) return wrong(Malformed::kHeaderCutShort);
  IpHeader ip;
  ip.family = Family::kIpv6;
  ip.total = kIpv6Header + u16_at(packet, 4);
  if (!is_quoted && packet.size() < ip.total) return wrong(Malformed::kWrongLength);
  ip.tos = static_cast<std::uint8_t>(u16_at(packet, 0) >> 4);
  ip.ttl = u8_at(packet, 7);
  ip.source = address_at(packet, 8, ip.family);
  ip.destination = address_at(packet, 24, ip.family);
  ip.next_header = 6;
  ip.transport = kIpv6Header;
  const std::size_t end = std::min(packet.size(), ip.total);
  for (;;) {
    ip.protocol = u8_at(packet, ip.next_header);
    const bool options = ip.protocol == kHopByHop || ip.protocol == kRouting || ip.protocol == kDestinationOptions;
    if (!options && ip.protocol != kIpprotoFragment) return ip;
    if (end < ip.transport + 8) return wrong(Malformed::kHeaderCutShort);
    ip.next_header = ip.transport;
    if (options) {
      ip.transport += 8 + std::size_t{8} * u8_at(packet, ip.transport + 1);
      if (end < ip.transport) return wrong(Malformed::kHeaderCutShort);
      continue;
    }
    ip.fragment_header = ip.transport;
    const std::uint16_t word = u16_at(packet, ip.transport + 2);
    ip.fragment_offset = word & 0xfff8u;
    ip.more_fragments = (word & 1) != 0;
    ip.fragment_id = u32_at(packet, ip.transport + 4);
    ip.transport += 8;
    if (ip.fragment_offset != 0) {  // what follows is a middle piece, not headers
      ip.protocol = u8_at(packet, ip.next_header);
      return ip;
    }
  }
}

}  // namespace

const char* text_of(Malformed kind) {
  switch (kind) {
    case Malformed::kHeaderCutShort:
      return "IP header cut short";
    case Malformed::kWrongVersion:
      return "IP version is not that of the frame";
    case Malformed::kWrongLength:
      return "IP length does not fit";
    case Malformed::kWrongChecksum:
      return "IP header checksum is wrong";
    case Malformed::kNone:
    case Malformed::kCount:
      break;
  }
  return "well formed";
}

IpHeader read_ip_header(Bytes packet, bool is_quoted) {
  if (packet.size() < kIpv4Header) return wrong(Malformed::kHeaderCutShort);
  switch (u8_at(packet, 0) >> 4) {
    case 4:
      return read_ipv4(packet, is_quoted);
    case 6:
      return read_ipv6(packet, is_quoted);
    default:
      return wrong(Malformed::kWrongVersion);
  }
}

bool is_unicast(Family family, const Address& address) {
  if (family == Family::kIpv6) return address.bytes[0] != 0xff && address != Address{};
  return address.bytes[0] < 224 && address.bytes[0] != 0;
}

bool is_loopback(Family family, const Address& address) {
  if (family == Family::kIpv4) return address.bytes[0] == 127;
  constexpr Address kIpv6Loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return address == kIpv6Loopback;
}

}  // namespace lvspec::director
