#pragma once

// Packets for the unit tests of this room, and checksums worked out in another way than the code under test does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "director/io/bytes.h"
#include "director/io/ip_header.h"

namespace lvspec::director {

using Octets = std::vector<std::byte>;

inline Octets octets(std::initializer_list<int> values) {
  Octets out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}
inline void append(Octets& to, Bytes what) { to.insert(to.end(), what.begin(), what.end()); }

/// The Internet checksum as RFC 1071 tells it in words: add 16-bit numbers, carry round the end, complement.
inline std::uint16_t plain_checksum(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += u8_at(bytes, i) * 256u + (i + 1 < bytes.size() ? u8_at(bytes, i + 1) : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(0xffff - sum);
}

/// What is summed for TCP, UDP and ICMPv6: pseudo-header and segment (RFC 9293, 3.1; RFC 8200, 8.1).
inline Octets with_pseudo_header(Bytes packet, const IpHeader& ip) {
  const Bytes segment = packet.subspan(ip.transport, ip.total - ip.transport);
  Octets all;
  append(all, packet.subspan(ip.family == Family::kIpv4 ? 12 : 8, 2 * length_of(ip.family)));
  Octets tail(4);
  put_u16(tail, 0, ip.protocol);
  put_u16(tail, 2, static_cast<unsigned>(segment.size()));
  append(all, tail);
  append(all, segment);
  return all;
}

/// Right checksums leave zero.
inline void expect_right_checksums(Bytes packet) {
  const IpHeader ip = read_ip_header(packet);
  ASSERT_EQ(ip.malformed, Malformed::kNone) << text_of(ip.malformed);
  if (ip.family == Family::kIpv4) {
    EXPECT_EQ(plain_checksum(packet.first(ip.transport)), 0) << "IP header";
  }
  if (ip.protocol == kIpprotoTcp || ip.protocol == kIpprotoUdp || ip.protocol == kIpprotoIcmpv6) {
    EXPECT_EQ(plain_checksum(with_pseudo_header(packet, ip)), 0) << "transport";
  }
  if (ip.protocol == kIpprotoIcmp) {
    EXPECT_EQ(plain_checksum(packet.subspan(ip.transport, ip.total - ip.transport)), 0) << "ICMP";
  }
}

inline Address v4(int a, int b, int c, int d) {
  return Address::v4(static_cast<std::uint32_t>(a << 24 | b << 16 | c << 8 | d));
}
inline Address v6(int subnet, int last) {
  Address address;
  address.bytes = {0x20, 1, 0x0d, 0xb8, 0, static_cast<std::uint8_t>(subnet)};
  address.bytes[15] = static_cast<std::uint8_t>(last);
  return address;
}
inline Address client_of(Family family) { return family == Family::kIpv4 ? v4(192, 0, 2, 1) : v6(2, 1); }
inline Address vip_of(Family family) { return family == Family::kIpv4 ? v4(198, 51, 100, 10) : v6(0x51, 0x10); }
inline Address rip_of(Family family) { return family == Family::kIpv4 ? v4(203, 0, 113, 11) : v6(0x13, 11); }

/// A packet of `protocol` from the client's port 40000 to VIP:80; its checksums are right.
inline Octets packet_to_vip(Family family, std::uint8_t protocol, std::size_t payload = 5) {
  const bool six = family == Family::kIpv6;
  Octets segment(protocol == kIpprotoTcp ? 20 : protocol == kIpprotoUdp ? 8 : 12);
  put_u16(segment, 0, 40000);
  put_u16(segment, 2, 80);
  for (std::size_t i = 0; i < payload; ++i) segment.push_back(static_cast<std::byte>(i * 7 + 1));
  if (protocol == kIpprotoTcp) {
    put_u32(segment, 4, 1000);
    put_u16(segment, 12, 0x5019);  // ACK, PSH, FIN
    put_u16(segment, 14, 8192);
  }
  if (protocol == kIpprotoUdp) put_u16(segment, 4, static_cast<unsigned>(segment.size()));
  Octets packet(six ? 40 : 20);
  const std::size_t total = packet.size() + segment.size();
  if (six) {
    put_u32(packet, 0, 0x6b800000);  // DSCP 46, ECN 0
    put_u16(packet, 4, static_cast<unsigned>(segment.size()));
    put_u8(packet, 6, protocol);
    put_u8(packet, 7, 64);
    put_address(packet, 8, family, client_of(family));
    put_address(packet, 24, family, vip_of(family));
  } else {
    put_u8(packet, 0, 0x45);
    put_u8(packet, 1, 0xb8);
    put_u16(packet, 2, static_cast<unsigned>(total));
    put_u16(packet, 4, 4711);
    put_u16(packet, 6, 0x4000);
    put_u8(packet, 8, 64);
    put_u8(packet, 9, protocol);
    put_address(packet, 12, family, client_of(family));
    put_address(packet, 16, family, vip_of(family));
    put_u16(packet, 10, plain_checksum(packet));
  }
  append(packet, segment);
  const IpHeader ip = read_ip_header(packet);
  const std::size_t at = protocol == kIpprotoTcp ? 16 : protocol == kIpprotoUdp ? 6 : 0;
  if (at != 0) put_u16(packet, ip.transport + at, plain_checksum(with_pseudo_header(packet, ip)));
  return packet;
}

/// The packet within an Ethernet frame.
inline Octets framed(Bytes packet) {
  Octets frame = octets({2, 0, 0xcb, 0, 0x71, 1, 2, 0, 0xcb, 0, 0x71, 0xfe, 0, 0});
  put_u16(frame, 12, u8_at(packet, 0) >> 4 == 4 ? 0x0800 : 0x86dd);
  append(frame, packet);
  return frame;
}

}  // namespace lvspec::director
