#include "harness/probe/frame.h"

#include <gmock/gmock.h>

#include <string>

namespace lvspec {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr MacAddress kFrom = {0x02, 0x00, 0xcb, 0x00, 0x71, 0xfe};
constexpr MacAddress kTo = {0x02, 0x00, 0xcb, 0x00, 0x71, 0x01};
const Endpoint kClient = Endpoint::parse("192.0.2.1:40112").value();
const Endpoint kVip = Endpoint::parse("198.51.100.10:80").value();
const Endpoint kClient6 = Endpoint::parse("[2001:db8:2::1]:40112").value();
const Endpoint kVip6 = Endpoint::parse("[2001:db8:51::10]:80").value();

Bytes part(const Bytes& bytes, std::size_t from, std::size_t size) {
  return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(from),
               bytes.begin() + static_cast<std::ptrdiff_t>(from + size));
}

// The example of RFC 1071, section 3: the sum is ddf2.
TEST(InternetChecksum, IsThatOfRfc1071) {
  EXPECT_EQ(internet_checksum(Bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}), 0xffff - 0xddf2);
  EXPECT_EQ(internet_checksum(Bytes{0x00, 0x01, 0xf2}), 0xffff - 0xf201);  // an odd byte counts as the high one
  EXPECT_EQ(internet_checksum(Bytes{}), 0xffff);
}

// By hand. IP header: 4500+0028+0000+4000+4006+0000 +c000+0201 +c633+640a = 2b16c -> b16e; complement 4e91.
// TCP: pseudo c000+0201+c633+640a+0006+0014 = 1ec58; header 9cb0+0050+0102+0304+0000+0000+5002+faf0+0000+0000
// = 1ebf8; together 3d850 -> d853; complement 27ac.
TEST(TcpFrame, IsRightToTheByte) {
  const Bytes frame =
      tcp_frame(kFrom, kTo, {.source = kClient, .target = kVip, .flags = tcp_flags::kSyn, .seq = 0x01020304});
  const Bytes expected = {0x02, 0x00, 0xcb, 0x00, 0x71, 0x01, 0x02, 0x00, 0xcb, 0x00, 0x71, 0xfe, 0x08, 0x00,  //
                          0x45, 0x00, 0x00, 0x28, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x4e, 0x91,              //
                          0xc0, 0x00, 0x02, 0x01, 0xc6, 0x33, 0x64, 0x0a,                                      //
                          0x9c, 0xb0, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00,              //
                          0x50, 0x02, 0xfa, 0xf0, 0x27, 0xac, 0x00, 0x00};
  EXPECT_EQ(frame, expected);
}

// By hand. Pseudo: 2001+0db8+0002+0+0+0+0+0001 +2001+0db8+0051+0+0+0+0+0010 + 0000+000b + 0011 = 5bf2;
// header 9cb0+0050+000b+0000, payload 5748+4f00 = 14353; together 19f45 -> 9f46; complement 60b9.
TEST(UdpFrame, IsRightToTheByteInIpv6) {
  const Bytes frame = udp_frame(kFrom, kTo, {.source = kClient6, .target = kVip6, .payload = "WHO"});
  ASSERT_EQ(frame.size(), 14U + 40 + 8 + 3);
  EXPECT_EQ(part(frame, 12, 10), (Bytes{0x86, 0xdd, 0x60, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x11, 0x40}));
  EXPECT_EQ(part(frame, 54, 11), (Bytes{0x9c, 0xb0, 0x00, 0x50, 0x00, 0x0b, 0x60, 0xb9, 'W', 'H', 'O'}));
}

TEST(IpFrame, CarriesAnyProtocolAsItIs) {
  const Bytes four = ip_frame(kFrom, kTo, {kClient.address, kVip.address, 50, "abc"});
  ASSERT_EQ(four.size(), 14U + 20 + 3);
  EXPECT_EQ(part(four, 16, 2), (Bytes{0, 23}));
  EXPECT_EQ(four[23], 50);
  EXPECT_EQ(internet_checksum(part(four, 14, 20)), 0);
  EXPECT_EQ(part(four, 34, 3), (Bytes{'a', 'b', 'c'}));
  const Bytes six = ip_frame(kFrom, kTo, {kClient6.address, kVip6.address, 60, "abc"});
  ASSERT_EQ(six.size(), 14U + 40 + 3);
  EXPECT_EQ(six[20], 60);
}

TEST(SctpPacket, HasPortsAndChunks) {
  const std::string packet = sctp_packet(40112, 80, sctp_chunk(1) + sctp_chunk(6));
  EXPECT_EQ(Bytes(packet.begin(), packet.end()), (Bytes{0x9c, 0xb0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                                        1,    0,    0, 8,  0, 0, 0, 0, 6, 0, 0, 8, 0, 0, 0, 0}));
}

TEST(ReadFrame, ReadsWhatWeWrite) {
  for (const auto& [client, vip] : {std::pair{kClient, kVip}, std::pair{kClient6, kVip6}}) {
    const TcpSegment segment{
        .source = client, .target = vip, .flags = 0x18, .seq = 7, .ack = 0xfffffff0, .payload = "x"};
    const auto tcp = read_frame(tcp_frame(kFrom, kTo, segment));
    ASSERT_TRUE(tcp.has_value());
    EXPECT_EQ(tcp->kind, HeardFrame::Kind::kTcp);
    EXPECT_EQ(tcp->from, kFrom);
    EXPECT_EQ(tcp->source, client);
    EXPECT_EQ(tcp->target, vip);
    EXPECT_EQ(tcp->flags, segment.flags);
    EXPECT_EQ(tcp->seq, segment.seq);
    EXPECT_EQ(tcp->ack, segment.ack);
    EXPECT_EQ(tcp->payload, "x");
    const auto udp = read_frame(udp_frame(kFrom, kTo, {.source = client, .target = vip, .payload = "WHO"}));
    ASSERT_TRUE(udp.has_value());
    EXPECT_EQ(udp->kind, HeardFrame::Kind::kUdp);
    EXPECT_EQ(udp->target, vip);
    EXPECT_EQ(udp->payload, "WHO");
  }
}

TEST(ReadFrame, IgnoresThePaddingOfShortFrames) {
  Bytes frame = tcp_frame(kFrom, kTo, {.source = kClient, .target = kVip, .flags = tcp_flags::kAck});
  frame.resize(60);  // Ethernet's minimum
  ASSERT_TRUE(read_frame(frame).has_value());
  EXPECT_EQ(read_frame(frame)->payload, "");
}

TEST(ReadFrame, SaysNothingToWhatIsCutShort) {
  for (const auto& [client, vip] : {std::pair{kClient, kVip}, std::pair{kClient6, kVip6}}) {
    const Bytes frame = tcp_frame(kFrom, kTo, {.source = client, .target = vip, .payload = "payload"});
    for (std::size_t size = 0; size < frame.size(); ++size)
      EXPECT_FALSE(read_frame(part(frame, 0, size)).has_value()) << size;
  }
}

TEST(ReadFrame, SaysNothingToFragmentsAndOtherProtocols) {
  const Bytes whole = udp_frame(kFrom, kTo, {.source = kClient, .target = kVip, .payload = "WHO"});
  Bytes frame = whole;
  frame[14 + 6] = 0x20;  // more fragments
  EXPECT_FALSE(read_frame(frame).has_value());
  frame = whole;
  frame[14 + 9] = 132;  // SCTP
  EXPECT_FALSE(read_frame(frame).has_value());
  frame = whole;
  frame[13] = 0x06;  // ARP
  EXPECT_FALSE(read_frame(frame).has_value());
  frame = whole;
  frame[13] = 0xdd;
  frame[12] = 0x86;  // IPv4 that claims to be IPv6
  EXPECT_FALSE(read_frame(frame).has_value());
}

// ICMP destination unreachable (RFC 792; RFC 4443, 3.1) around the first bytes of our own SYN.
Bytes unreachable(bool v6, std::uint8_t code) {
  const Bytes quoted = tcp_frame(kTo, kFrom, {.source = v6 ? kClient6 : kClient, .target = v6 ? kVip6 : kVip});
  const std::size_t quoted_size = (v6 ? 40U : 20U) + 8;  // all that RFC 792 promises
  // A UDP frame gives the outer headers; its own header's place is taken by ICMP's, which is as long.
  Bytes frame = udp_frame(
      kFrom, kTo,
      {.source = v6 ? kVip6 : kVip,
       .target = v6 ? kClient6 : kClient,
       .payload = std::string(quoted.begin() + 14, quoted.begin() + 14 + static_cast<std::ptrdiff_t>(quoted_size))});
  frame[14 + (v6 ? 6 : 9)] = v6 ? 58 : 1;
  const std::size_t icmp = 14 + (v6 ? 40 : 20);
  frame[icmp] = v6 ? 1 : 3;
  frame[icmp + 1] = code;
  return frame;
}

TEST(ReadFrame, ReadsWhomAnIcmpErrorIsAbout) {
  for (const bool v6 : {false, true}) {
    const std::uint8_t port_unreachable = v6 ? 4 : 3;
    const auto port = read_frame(unreachable(v6, port_unreachable));
    ASSERT_TRUE(port.has_value());
    EXPECT_EQ(port->kind, HeardFrame::Kind::kPortUnreachable);
    EXPECT_EQ(port->source, v6 ? kClient6 : kClient);
    EXPECT_EQ(port->target, v6 ? kVip6 : kVip);
    const auto host = read_frame(unreachable(v6, 1));
    ASSERT_TRUE(host.has_value());
    EXPECT_EQ(host->kind, HeardFrame::Kind::kUnreachable);
    Bytes echo = unreachable(v6, 0);
    echo[14 + (v6 ? 40 : 20)] = v6 ? 128 : 8;
    EXPECT_FALSE(read_frame(echo).has_value());
  }
}

}  // namespace
}  // namespace lvspec
