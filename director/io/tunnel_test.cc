#include "director/io/tunnel.h"

#include <optional>

#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

struct Wrapped {
  Octets bytes;
  IpHeader outer;
  Bytes payload() const { return Bytes(bytes).subspan(outer.transport); }
};

Wrapped wrap(const Octets& inner, const Tunnel& tunnel, Family outer, bool dont_fragment = true,
             const std::optional<RemoteChecksum>& remote = std::nullopt) {
  const std::size_t overhead = tunnel_overhead(tunnel, outer, remote.has_value());
  Wrapped wrapped;
  wrapped.bytes.resize(overhead);
  append(wrapped.bytes, inner);
  const TunnelEnds ends{
      .family = outer, .source = vip_of(outer), .destination = rip_of(outer), .dont_fragment = dont_fragment};
  encapsulate(wrapped.bytes, tunnel, ends, read_ip_header(inner), remote);
  wrapped.outer = read_ip_header(wrapped.bytes);
  EXPECT_TRUE(std::equal(inner.begin(), inner.end(), wrapped.bytes.end() - static_cast<std::ptrdiff_t>(inner.size())))
      << "the inner packet is carried as it is";
  return wrapped;
}

// FWD-04, in all four mixtures of families.
TEST(TunnelPacket, IpipCarriesEitherFamilyInEither) {
  for (const Family inner : {Family::kIpv4, Family::kIpv6}) {
    for (const Family outer : {Family::kIpv4, Family::kIpv6}) {
      const Octets packet = packet_to_vip(inner, kIpprotoTcp);
      const Wrapped wrapped = wrap(packet, {}, outer);
      ASSERT_EQ(wrapped.outer.malformed, Malformed::kNone);
      EXPECT_EQ(wrapped.outer.family, outer);
      EXPECT_EQ(wrapped.outer.total, packet.size() + (outer == Family::kIpv4 ? 20 : 40));
      EXPECT_EQ(wrapped.outer.protocol, inner == Family::kIpv4 ? 4 : 41);
      EXPECT_EQ(wrapped.outer.source, vip_of(outer));
      EXPECT_EQ(wrapped.outer.destination, rip_of(outer));
      EXPECT_EQ(wrapped.outer.ttl, 64);
      EXPECT_EQ(wrapped.outer.tos, 0xb8);
    }
  }
}

TEST(TunnelPacket, OuterDfAndEcn) {
  Octets packet = packet_to_vip(Family::kIpv4, kIpprotoUdp);
  EXPECT_TRUE(wrap(packet, {}, Family::kIpv4, true).outer.dont_fragment);
  EXPECT_FALSE(wrap(packet, {}, Family::kIpv4, false).outer.dont_fragment);
  for (const auto& [inner, outer] : {std::pair{0, 0}, {1, 1}, {2, 2}, {3, 2}}) {  // RFC 3168, 9.1.1
    packet[1] = static_cast<std::byte>(0xb8 | inner);
    put_u16(packet, 10, 0);
    put_u16(packet, 10, plain_checksum(Bytes(packet).first(20)));
    EXPECT_EQ(wrap(packet, {}, Family::kIpv4).outer.tos, 0xb8 | outer);
  }
}

TEST(TunnelPacket, Gre) {
  const Octets packet = packet_to_vip(Family::kIpv6, kIpprotoTcp);
  const Wrapped plain = wrap(packet, {.type = TunnelType::kGre}, Family::kIpv4);
  EXPECT_EQ(plain.outer.protocol, 47);
  EXPECT_EQ(u32_at(plain.payload(), 0), 0x000086ddu);
  EXPECT_EQ(plain.payload().size(), 4 + packet.size());
  const Wrapped summed = wrap(packet, {.type = TunnelType::kGre, .checksum = TunnelChecksum::kFull}, Family::kIpv4);
  EXPECT_EQ(u32_at(summed.payload(), 0), 0x800086ddu);
  EXPECT_EQ(summed.payload().size(), 8 + packet.size());
  EXPECT_EQ(plain_checksum(summed.payload()), 0);
}

TEST(TunnelPacket, Gue) {
  const Octets packet = packet_to_vip(Family::kIpv4, kIpprotoTcp);
  Tunnel tunnel{.type = TunnelType::kGue, .port = 6080};
  const Wrapped plain = wrap(packet, tunnel, Family::kIpv4);
  EXPECT_EQ(plain.outer.protocol, 17);
  EXPECT_EQ(u16_at(plain.payload(), 2), 6080);
  EXPECT_GE(u16_at(plain.payload(), 0), 32768);
  EXPECT_EQ(u16_at(plain.payload(), 4), plain.payload().size());
  EXPECT_EQ(u16_at(plain.payload(), 6), 0);
  EXPECT_EQ(u32_at(plain.payload(), 8), 0x00040000u);
  EXPECT_EQ(u16_at(plain.payload(), 0), u16_at(wrap(packet, tunnel, Family::kIpv4).payload(), 0)) << "of the flow";
  tunnel.checksum = TunnelChecksum::kFull;
  for (const Family outer : {Family::kIpv4, Family::kIpv6}) {
    const Wrapped summed = wrap(packet, tunnel, outer);
    EXPECT_NE(u16_at(summed.payload(), 6), 0);
    expect_right_checksums(summed.bytes);
  }
}

// The far end is told where to sum from and where to put it; completing it there gives the right checksum.
TEST(TunnelPacket, GueRemoteChecksum) {
  const Octets packet = packet_to_vip(Family::kIpv4, kIpprotoTcp);
  const Tunnel tunnel{.type = TunnelType::kGue, .port = 6080, .checksum = TunnelChecksum::kRemote};
  const Wrapped wrapped = wrap(packet, tunnel, Family::kIpv4, true, RemoteChecksum{20, 36});
  EXPECT_EQ(u32_at(wrapped.payload(), 8), 0x02040001u);
  EXPECT_EQ(u32_at(wrapped.payload(), 12), 0x80000000u);
  EXPECT_EQ(u16_at(wrapped.payload(), 16), 20);
  EXPECT_EQ(u16_at(wrapped.payload(), 18), 36);
  expect_right_checksums(wrapped.bytes);
}

// FWD-07: what the clause says of each.
TEST(TunnelPacket, Overheads) {
  EXPECT_EQ(tunnel_overhead({}, Family::kIpv4, false), 20u);
  EXPECT_EQ(tunnel_overhead({}, Family::kIpv6, false), 40u);
  EXPECT_EQ(tunnel_overhead({.type = TunnelType::kGue}, Family::kIpv4, false), 32u);
  EXPECT_EQ(tunnel_overhead({.type = TunnelType::kGue}, Family::kIpv4, true), 40u);
  EXPECT_EQ(tunnel_overhead({.type = TunnelType::kGre}, Family::kIpv6, false), 44u);
  EXPECT_EQ(tunnel_overhead({.type = TunnelType::kGre, .checksum = TunnelChecksum::kFull}, Family::kIpv4, false),
            28u);
}

}  // namespace
}  // namespace lvspec::director
