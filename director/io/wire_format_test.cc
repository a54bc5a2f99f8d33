#include "director/io/wire_format.h"

#include "director/io/icmp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::director {
namespace {

using Frame = std::vector<std::byte>;

Frame bytes(std::initializer_list<int> values) {
  Frame out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

/// A SYN from 192.0.2.1:4660 to 198.51.100.10:80, TTL 64; the header checksum was worked out by hand.
Frame syn(int ttl = 64) {
  Frame frame = bytes(
      {0x02, 0,    0xcb, 0,  0x71, 0x01, 0x02, 0, 0xcb, 0, 0x71, 0xfe, 0x08, 0x00,  // Ethernet
       0x45, 0,    0,    40, 0,    1,    0x40, 0, ttl,  6, 0,    0,    192,  0,    2,    1, 198, 51, 100, 10,  // IPv4
       0x12, 0x34, 0,    80, 0,    0,    0,    1, 0,    0, 0,    0,    0x50, 0x02, 0x20, 0, 0,   0,  0,   0});  // TCP
  std::uint32_t sum = 0;
  for (std::size_t i = 14; i < 34; i += 2)
    sum += std::to_integer<std::uint32_t>(frame[i]) << 8 | std::to_integer<std::uint32_t>(frame[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = static_cast<std::byte>(~sum >> 8);
  frame[25] = static_cast<std::byte>(~sum);
  return frame;
}

std::uint16_t header_sum(const Frame& frame, std::size_t at, std::size_t length) {
  std::uint32_t sum = 0;
  for (std::size_t i = at; i < at + length; i += 2)
    sum += std::to_integer<std::uint32_t>(frame[i]) << 8 |
           (i + 1 < at + length ? std::to_integer<std::uint32_t>(frame[i + 1]) : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);  // 0xffff when the checksum is right
}

// FWD-02, FWD-06: direct routing changes the MACs and the TTL, and nothing else of the packet.
TEST(WireFormat, DirectRoutingChangesMacsAndTtlAlone) {
  const Frame before = syn();
  Frame after = before;
  const Mac server = {2, 0, 0xcb, 0, 0x71, 11}, own = {2, 0, 0xcb, 0, 0x71, 1};
  ASSERT_TRUE(decrement_ttl(after));
  rewrite_macs(after, server, own);
  EXPECT_EQ(header_sum(after, 14, 20), 0xffff);
  EXPECT_EQ(after[22], std::byte{63});
  EXPECT_TRUE(std::equal(after.begin() + 26, after.end(), before.begin() + 26)) << "addresses, ports, payload";
  EXPECT_EQ(after[5], std::byte{11});
  EXPECT_EQ(after[11], std::byte{1});
}

TEST(WireFormat, TheChecksumStaysRightForEveryTtl) {
  for (int ttl = 2; ttl < 256; ++ttl) {
    Frame frame = syn(ttl);
    ASSERT_TRUE(decrement_ttl(frame));
    EXPECT_EQ(header_sum(frame, 14, 20), 0xffff) << "TTL " << ttl;
  }
}

TEST(WireFormat, ATtlOfOneIsNotForwarded) {
  Frame frame = syn(1);
  EXPECT_FALSE(decrement_ttl(frame));
  EXPECT_EQ(frame, syn(1));
}

// SVC-21: what a client gets when no real server is usable.
TEST(WireFormat, PortUnreachableGoesBackToTheSenderAndQuotesThePacket) {
  const Frame frame = syn();
  const Frame error = icmp_error(frame, {.kind = IcmpError::Kind::kPortUnreachable}, {2, 0, 0xcb, 0, 0x71, 1});
  ASSERT_EQ(error.size(), 14U + 20 + 8 + 40);
  EXPECT_TRUE(std::equal(error.begin(), error.begin() + 6, frame.begin() + 6)) << "to whoever sent it";
  EXPECT_TRUE(std::equal(error.begin() + 26, error.begin() + 30, frame.begin() + 30)) << "from the VIP";
  EXPECT_TRUE(std::equal(error.begin() + 30, error.begin() + 34, frame.begin() + 26)) << "to the client";
  EXPECT_EQ(error[34], std::byte{3});
  EXPECT_EQ(error[35], std::byte{3});
  EXPECT_EQ(header_sum(error, 14, 20), 0xffff);
  EXPECT_EQ(header_sum(error, 34, error.size() - 34), 0xffff);
  EXPECT_TRUE(std::equal(error.begin() + 42, error.end(), frame.begin() + 14));
}

TEST(WireFormat, AsksForANeighbourAndUnderstandsTheAnswer) {
  const Address rip = Address::v4(0xcb00710b), dip = Address::v4(0xcb007101);
  Frame frame = neighbour_request(Family::kIpv4, rip, dip, {2, 0, 0xcb, 0, 0x71, 1});
  const auto asker = neighbour_in(frame);
  ASSERT_TRUE(asker.has_value());
  EXPECT_EQ(asker->address, dip);
  EXPECT_EQ(asker->mac[5], 1);
  EXPECT_FALSE(neighbour_in(std::span(frame).first(41)).has_value()) << "an ARP packet cut short";
  EXPECT_FALSE(neighbour_in(syn()).has_value());
}

TEST(WireFormat, SolicitsIpv6NeighboursWithARightChecksum) {
  Address target, own;
  target.bytes = {0x20, 1, 0x0d, 0xb8, 1, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b};
  own.bytes = {0x20, 1, 0x0d, 0xb8, 1, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Frame frame = neighbour_request(Family::kIpv6, target, own, {2, 0, 0xcb, 0, 0x71, 1});
  ASSERT_EQ(frame.size(), 14U + 40 + 32);
  Frame pseudo(frame.begin() + 22, frame.begin() + 54);  // both addresses
  const Frame tail = bytes({0, 0, 0, 32, 0, 0, 0, 58});
  pseudo.insert(pseudo.end(), tail.begin(), tail.end());
  pseudo.insert(pseudo.end(), frame.begin() + 54, frame.end());
  EXPECT_EQ(header_sum(pseudo, 0, pseudo.size()), 0xffff);
  EXPECT_EQ(frame[5], std::byte{0x0b}) << "to the solicited-node group of the target";
}

}  // namespace

}  // namespace lvspec::director
