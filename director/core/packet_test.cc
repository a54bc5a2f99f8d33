#include "director/core/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace lvspec::director {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::optional<Packet> parse(const Bytes& bytes) { return parse_frame(std::as_bytes(std::span(bytes))); }

// 192.0.2.1:40112 -> 198.51.100.10:443, SYN, padded to the least Ethernet size.
Bytes tcp_syn_frame() {
  return {0x02, 0,    0,    0,    0,   2,  0x02, 0,  0,  0, 0, 1, 0x08, 0x00,  // Ethernet, IPv4
          0x45, 0,    0,    40,   0,   1,  0x40, 0,  64, 6, 0, 0,              // length 40, DF, TTL 64, TCP
          192,  0,    2,    1,    198, 51, 100,  10,                           //
          0x9c, 0xb0, 0x01, 0xbb, 0,   0,  0,    1,  0,  0, 0, 0, 0x50, 0x02,  // ports, seq, ack, SYN
          0xff, 0xff, 0,    0,    0,   0,  0,    0,  0,  0, 0, 0};             // window, ..., padding
}

// [2001:db8::1]:5353 -> [2001:db8::a]:53, UDP with four bytes of payload.
Bytes udp6_frame() {
  return {0x02, 0,    0,    0,    0, 2,  0x02, 0,  0,   0,   0,   1,  0x86, 0xdd,        // Ethernet, IPv6
          0x60, 0,    0,    0,    0, 12, 17,   64,                                       // payload 12, UDP, hops 64
          0x20, 0x01, 0x0d, 0xb8, 0, 0,  0,    0,  0,   0,   0,   0,  0,    0,    0, 1,  //
          0x20, 0x01, 0x0d, 0xb8, 0, 0,  0,    0,  0,   0,   0,   0,  0,    0,    0, 0x0a,  //
          0x14, 0xe9, 0x00, 0x35, 0, 12, 0,    0,  'p', 'i', 'n', 'g'};
}

TEST(ParseFrame, ReadsTcpOverIpv4) {
  const std::optional<Packet> packet = parse(tcp_syn_frame());
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->family, Family::kIpv4);
  EXPECT_EQ(packet->protocol, Protocol::kTcp);
  EXPECT_EQ(packet->source, Address::v4(0xc0000201));
  EXPECT_EQ(packet->destination, Address::v4(0xc633640a));
  EXPECT_EQ(packet->source_port, 40112);
  EXPECT_EQ(packet->destination_port, 443);
  EXPECT_TRUE(packet->tcp.syn);
  EXPECT_FALSE(packet->tcp.ack || packet->tcp.fin || packet->tcp.rst);
  EXPECT_EQ(packet->length, 40u);  // without the padding
  EXPECT_EQ(packet->mark, 0u);
}

TEST(ParseFrame, ReadsEachFlag) {
  Bytes frame = tcp_syn_frame();
  frame[14 + 20 + 13] = 0x01 | 0x10;
  EXPECT_TRUE(parse(frame)->tcp.fin && parse(frame)->tcp.ack);
  EXPECT_FALSE(parse(frame)->tcp.syn);
  frame[14 + 20 + 13] = 0x04;
  EXPECT_TRUE(parse(frame)->tcp.rst);
}

TEST(ParseFrame, ReadsUdpOverIpv6) {
  const std::optional<Packet> packet = parse(udp6_frame());
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->family, Family::kIpv6);
  EXPECT_EQ(packet->protocol, Protocol::kUdp);
  EXPECT_EQ(packet->source.bytes[0], 0x20);
  EXPECT_EQ(packet->source.bytes[15], 1);
  EXPECT_EQ(packet->destination.bytes[15], 10);
  EXPECT_EQ(packet->source_port, 5353);
  EXPECT_EQ(packet->destination_port, 53);
  EXPECT_EQ(packet->length, 52u);
}

TEST(ParseFrame, FindsPortsBehindIpOptions) {
  Bytes frame = tcp_syn_frame();
  frame[14] = 0x46;
  frame[17] = 44;
  frame.insert(frame.begin() + 34, {1, 1, 1, 0});
  ASSERT_TRUE(parse(frame).has_value());
  EXPECT_EQ(parse(frame)->destination_port, 443);
}

TEST(ParseFrame, RefusesEveryTruncation) {
  for (Bytes whole : {tcp_syn_frame(), udp6_frame()}) {
    if (whole[12] == 0x08) whole.resize(14 + 40);  // take the padding off: every byte counts
    ASSERT_TRUE(parse(whole).has_value());
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(parse(Bytes(whole.begin(), whole.begin() + length)).has_value()) << length << " bytes";
    }
  }
}

TEST(ParseFrame, RefusesLyingLengths) {
  Bytes frame = tcp_syn_frame();
  frame[14] = 0x44;  // a header of 16 bytes
  EXPECT_FALSE(parse(frame).has_value());
  frame = tcp_syn_frame();
  frame[17] = 19;  // a packet shorter than its header
  EXPECT_FALSE(parse(frame).has_value());
  frame[17] = 39;  // one byte of the TCP header is padding
  EXPECT_FALSE(parse(frame).has_value());
  frame = udp6_frame();
  frame[19] = 7;
  EXPECT_FALSE(parse(frame).has_value());
}

TEST(ParseFrame, LeavesAloneWhatIpvsDoesNotBalance) {
  Bytes frame = tcp_syn_frame();
  frame[13] = 0x06;  // ARP
  EXPECT_FALSE(parse(frame).has_value());
  frame = tcp_syn_frame();
  frame[23] = 1;  // ICMP
  EXPECT_FALSE(parse(frame).has_value());
  frame = tcp_syn_frame();
  frame[20] = 0x20;  // more fragments
  EXPECT_FALSE(parse(frame).has_value());
  frame = tcp_syn_frame();
  frame[21] = 0x10;  // a later fragment
  EXPECT_FALSE(parse(frame).has_value());
  frame = tcp_syn_frame();
  frame[14] = 0x65;  // version 6 in an IPv4 frame
  EXPECT_FALSE(parse(frame).has_value());
  frame = udp6_frame();
  frame[20] = 44;  // IPv6 fragment header, at an offset
  frame[54 + 3] = 8;
  EXPECT_FALSE(parse(frame).has_value());
}

TEST(ParseFrame, ShowsThePayloadOfUdpAndTheSegmentOfTcp) {
  const Bytes frame = udp6_frame();
  const std::optional<Packet> packet = parse(frame);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->payload.size(), 4u);
  EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(packet->payload.data()), &frame[62]);
  EXPECT_EQ(parse(tcp_syn_frame())->payload.size(), 20u);
}

// AH and ESP have no ports that could be read, and need not be whole.
TEST(ParseFrame, ReadsIpsec) {
  for (const std::uint8_t protocol : {50, 51}) {
    Bytes frame = tcp_syn_frame();
    frame[23] = protocol;
    frame[17] = 20;
    ASSERT_TRUE(parse(frame).has_value());
    EXPECT_EQ(parse(frame)->protocol, static_cast<Protocol>(protocol));
    EXPECT_EQ(parse(frame)->source_port, 0);
  }
}

/// udp6_frame with these bytes between the IPv6 header and UDP.
Bytes with_extensions(std::uint8_t first, const Bytes& extensions) {
  Bytes frame = udp6_frame();
  frame[20] = first;
  frame[19] = static_cast<std::uint8_t>(12 + extensions.size());
  frame.insert(frame.begin() + 54, extensions.begin(), extensions.end());
  return frame;
}

TEST(ParseFrame, StepsOverIpv6ExtensionHeaders) {
  struct Headers {
    std::uint8_t first;
    Bytes bytes;
  };
  const std::vector<Headers> readable = {
      {0, {17, 0, 1, 4, 0, 0, 0, 0}},                            // hop by hop
      {60, {17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},  // destination options of 16 bytes
      {43, {17, 0, 0, 0, 0, 0, 0, 0}},                           // routing
      {44, {17, 0, 0, 0, 0, 0, 0, 7}},                           // an atomic fragment
      {51, {17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}},               // AH of 12 bytes
      {0, {60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0}},   // two of them
  };
  for (const Headers& headers : readable) {
    const Bytes frame = with_extensions(headers.first, headers.bytes);
    const std::optional<Packet> packet = parse(frame);
    ASSERT_TRUE(packet.has_value()) << int{headers.first};
    EXPECT_EQ(packet->protocol, Protocol::kUdp);
    EXPECT_EQ(packet->destination_port, 53);
    EXPECT_EQ(packet->payload.size(), 4u);
    EXPECT_EQ(packet->length, 52 + headers.bytes.size());
  }
  const std::vector<Headers> unreadable = {
      {0, {17, 9, 0, 0, 0, 0, 0, 0}},     // longer than the packet
      {44, {17, 0, 0, 1, 0, 0, 0, 7}},    // more fragments
      {44, {17, 0, 0, 8, 0, 0, 0, 7}},    // an offset
      {0, {59, 0, 1, 4, 0, 0, 0, 0}},     // no next header
      {51, {17, 255, 0, 0, 0, 0, 0, 1}},  // AH beyond the packet
  };
  for (const Headers& headers : unreadable) {
    const Bytes frame = with_extensions(headers.first, headers.bytes);
    EXPECT_FALSE(parse(frame).has_value()) << int{headers.first};
  }
}

SctpChunks chunks(const Bytes& bytes) { return read_sctp_chunks(std::as_bytes(std::span(bytes))); }

// CON-33: types as numbered in RFC 9260, 3.2.
TEST(SctpChunksTest, AreNamedByTheirType) {
  using enum SctpEvent;
  const std::vector<SctpEvent> expected = {kData,       kInit,      kInitAck,  kData,        kData,
                                           kData,       kAbort,     kShutdown, kShutdownAck, kError,
                                           kCookieEcho, kCookieAck, kData,     kData,        kShutdownComplete};
  for (std::size_t type = 0; type < 256; ++type) {
    const SctpChunks read = chunks({static_cast<std::uint8_t>(type), 0, 0, 4});
    EXPECT_EQ(read.first, type < expected.size() ? expected[type] : kData) << type;
    EXPECT_EQ(read.event, read.first) << type;
  }
}

TEST(SctpChunksTest, AnAbortBehindACookieCounts) {
  using enum SctpEvent;
  for (const std::uint8_t cookie : {10, 11}) {
    EXPECT_EQ(chunks({cookie, 0, 0, 4, 6, 0, 0, 4}).event, kAbort);
    EXPECT_NE(chunks({cookie, 0, 0, 4, 6, 0, 0, 4}).first, kAbort);
    EXPECT_EQ(chunks({cookie, 0, 0, 5, 1, 0, 0, 0, 6, 0, 0, 4}).event, kAbort);  // padded
    EXPECT_NE(chunks({cookie, 0, 0, 4, 0, 0, 0, 4}).event, kAbort);
    EXPECT_NE(chunks({cookie, 0, 0, 4, 6, 0, 0}).event, kAbort);           // cut short
    EXPECT_NE(chunks({cookie, 0, 0, 0, 6, 0, 0, 4}).event, kAbort);        // a length of zero
    EXPECT_NE(chunks({cookie, 0, 0xff, 0xff, 6, 0, 0, 4}).event, kAbort);  // beyond the packet
  }
  EXPECT_EQ(chunks({0, 0, 0, 4, 6, 0, 0, 4}).event, kData);
}

TEST(SctpChunksTest, AreNoneWhereThereIsNoWholeHeader) {
  EXPECT_EQ(chunks({}).event, SctpEvent::kNone);
  EXPECT_EQ(chunks({1, 0, 0}).first, SctpEvent::kNone);
}

TEST(ParseFrame, ReadsSctp) {
  Bytes frame = tcp_syn_frame();
  frame[23] = 132;
  frame[14 + 20 + 12] = 1;  // where TCP has its data offset: an INIT
  std::optional<Packet> packet = parse(frame);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->protocol, Protocol::kSctp);
  EXPECT_EQ(packet->destination_port, 443);
  EXPECT_EQ(packet->sctp.first, SctpEvent::kInit);
  frame[17] = 32;  // the common header alone
  packet = parse(frame);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->sctp.first, SctpEvent::kNone);
  frame[17] = 31;
  EXPECT_FALSE(parse(frame).has_value());
}

}  // namespace
}  // namespace lvspec::director
