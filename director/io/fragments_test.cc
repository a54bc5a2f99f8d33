#include "director/io/fragments.h"

#include <algorithm>

#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

using namespace std::chrono_literals;

std::vector<Octets> cut(const Octets& packet, std::size_t mtu) {
  const IpHeader ip = read_ip_header(packet);
  Fragments fragments(packet, ip, mtu, 99);
  std::vector<Octets> pieces;
  for (;;) {
    Octets piece(mtu);
    const std::size_t length = fragments.next(piece);
    if (length == 0) return pieces;
    piece.resize(length);
    pieces.push_back(piece);
  }
}

Octets without_df(Octets packet) {
  put_u16(packet, 6, 0);
  put_u16(packet, 10, 0);
  put_u16(packet, 10, plain_checksum(Bytes(packet).first(20)));
  return packet;
}

Octets long_packet(Family family) {
  const Octets packet = packet_to_vip(family, kIpprotoUdp, 3000);
  return family == Family::kIpv4 ? without_df(packet) : packet;
}

std::optional<Octets> feed(Reassembly& reassembly, const Octets& piece, DirectorTime now = {}) {
  return reassembly.add(now, piece, read_ip_header(piece));
}

TEST(Fragments, FitAndAreWellFormed) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const auto pieces = cut(long_packet(family), 1280);
    ASSERT_EQ(pieces.size(), 3u);
    std::size_t offset = 0;
    for (const Octets& piece : pieces) {
      const IpHeader ip = read_ip_header(piece);
      ASSERT_EQ(ip.malformed, Malformed::kNone);
      EXPECT_LE(piece.size(), 1280u);
      EXPECT_EQ(ip.total, piece.size());
      EXPECT_EQ(ip.fragment_offset, offset);
      EXPECT_EQ(ip.more_fragments, &piece != &pieces.back());
      EXPECT_EQ(ip.protocol, kIpprotoUdp);
      offset += piece.size() - ip.transport;
    }
  }
}

// FWD-14, in any order.
TEST(Reassembly, GivesThePacketBackInAnyOrder) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Octets packet = long_packet(family);
    auto pieces = cut(packet, 1280);
    std::vector<std::size_t> order = {0, 1, 2};
    do {
      Reassembly reassembly;
      EXPECT_FALSE(feed(reassembly, pieces[order[0]]));
      EXPECT_FALSE(feed(reassembly, pieces[order[1]]));
      EXPECT_FALSE(feed(reassembly, pieces[order[1]])) << "the same once more";
      const auto whole = feed(reassembly, pieces[order[2]]);
      ASSERT_TRUE(whole.has_value());
      EXPECT_EQ(*whole, packet);
      EXPECT_EQ(reassembly.size(), 0u);
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

// RFC 8200, 4.5: extension headers behind the fragment header are part of what was cut.
TEST(Reassembly, KeepsTheHeadersThatWereCutWithThePacket) {
  constexpr std::uint8_t kDestinationOptions = 60;
  Octets whole = packet_to_vip(Family::kIpv6, kIpprotoUdp, 1500);
  const Octets options = {std::byte{kIpprotoUdp}, std::byte{0}, std::byte{1}, std::byte{4},
                          std::byte{0},           std::byte{0}, std::byte{0}, std::byte{0}};
  whole.insert(whole.begin() + 40, options.begin(), options.end());
  put_u8(whole, 6, kDestinationOptions);
  put_u16(whole, 4, static_cast<unsigned>(whole.size() - 40));
  const std::vector<Octets> pieces = cut(whole, 1280);
  ASSERT_EQ(pieces.size(), 2u);
  for (const bool forwards : {true, false}) {
    Reassembly reassembly;
    EXPECT_EQ(feed(reassembly, pieces[forwards ? 0 : 1]), std::nullopt);
    EXPECT_EQ(feed(reassembly, pieces[forwards ? 1 : 0]), whole);
  }
}

TEST(IpHeader, ExtensionHeadersBeyondTheEndAreCutShort) {
  constexpr std::uint8_t kHopByHop = 0;
  Octets packet = packet_to_vip(Family::kIpv6, kIpprotoUdp, 100);
  put_u8(packet, 6, kHopByHop);
  put_u8(packet, 40, kIpprotoUdp);
  put_u8(packet, 41, 255);
  EXPECT_EQ(read_ip_header(packet).malformed, Malformed::kHeaderCutShort);
}

TEST(Reassembly, OverlappingPiecesSpoilThePacket) {
  const Octets packet = long_packet(Family::kIpv4);
  const auto pieces = cut(packet, 1280), others = cut(packet, 1000);
  Reassembly reassembly;
  EXPECT_FALSE(feed(reassembly, pieces[0]));
  EXPECT_FALSE(feed(reassembly, others[1]));
  EXPECT_FALSE(feed(reassembly, pieces[1]));
  EXPECT_FALSE(feed(reassembly, pieces[2]));
}

TEST(Reassembly, PiecesThatReachBeyondTheEndSpoilThePacket) {
  const auto pieces = cut(long_packet(Family::kIpv4), 1280);
  Octets last = pieces[1];  // claims to be the last, and shorter than what follows
  put_u16(last, 6, u16_at(last, 6) & 0x1fff);
  put_u16(last, 10, 0);
  put_u16(last, 10, plain_checksum(Bytes(last).first(20)));
  Reassembly reassembly;
  EXPECT_FALSE(feed(reassembly, pieces[2]));
  EXPECT_FALSE(feed(reassembly, last));
  EXPECT_FALSE(feed(reassembly, pieces[0]));
}

TEST(Reassembly, ForgetsAfterThirtySeconds) {
  const auto pieces = cut(long_packet(Family::kIpv4), 1600);
  ASSERT_EQ(pieces.size(), 2u);
  Reassembly reassembly;
  EXPECT_FALSE(feed(reassembly, pieces[0]));
  EXPECT_TRUE(feed(reassembly, pieces[1], DirectorTime(29s)));
  EXPECT_FALSE(feed(reassembly, pieces[0], DirectorTime(40s)));
  EXPECT_FALSE(feed(reassembly, pieces[1], DirectorTime(70s)));
}

TEST(Reassembly, IsBounded) {
  Reassembly reassembly;
  Octets piece = cut(long_packet(Family::kIpv4), 1280)[0];
  for (int id = 0; id < 1000; ++id) {
    put_u16(piece, 4, static_cast<unsigned>(id));
    put_u16(piece, 10, 0);
    put_u16(piece, 10, plain_checksum(Bytes(piece).first(20)));
    EXPECT_FALSE(feed(reassembly, piece, DirectorTime(std::chrono::milliseconds(id))));
  }
  EXPECT_EQ(reassembly.size(), Reassembly::kMostPackets);
}

}  // namespace
}  // namespace lvspec::director
