#include "director/io/icmp.h"

#include "director/io/nat.h"
#include "director/io/test_packets.h"
#include "director/io/tunnel.h"

namespace lvspec::director {
namespace {

constexpr Mac kOwn = {2, 0, 0xcb, 0, 0x71, 1};

Octets error_about(Bytes packet, IcmpError error, std::optional<Address> from = std::nullopt) {
  Octets frame = icmp_error(framed(packet), error, kOwn, from);
  frame.erase(frame.begin(), frame.begin() + 14);
  return frame;
}

struct Words {
  IcmpError::Kind kind;
  int type4, code4, type6, code6;
};

TEST(Icmp, EachErrorInBothFamilies) {
  using Kind = IcmpError::Kind;
  for (const Words& words : {Words{Kind::kPortUnreachable, 3, 3, 1, 4}, Words{Kind::kHostUnreachable, 3, 1, 1, 3},
                             Words{Kind::kTimeExceeded, 11, 0, 3, 0}, Words{Kind::kTooBig, 3, 4, 2, 0}}) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      const bool six = family == Family::kIpv6;
      const Octets error = error_about(packet_to_vip(family, kIpprotoUdp), {.kind = words.kind, .mtu = 1400});
      expect_right_checksums(error);
      const IpHeader ip = read_ip_header(error);
      EXPECT_EQ(ip.source, vip_of(family));
      EXPECT_EQ(ip.destination, client_of(family));
      EXPECT_EQ(u8_at(error, ip.transport), six ? words.type6 : words.type4);
      EXPECT_EQ(u8_at(error, ip.transport + 1), six ? words.code6 : words.code4);
      EXPECT_EQ(u16_at(error, ip.transport + 6), 1400);
    }
  }
}

TEST(Icmp, QuotesNoMoreThanRoutersDo) {
  EXPECT_EQ(error_about(packet_to_vip(Family::kIpv4, kIpprotoUdp, 1400), {}).size(), 576u);
  EXPECT_EQ(error_about(packet_to_vip(Family::kIpv6, kIpprotoUdp, 1400), {}).size(), 1280u);
}

// FWD-12: an error from the client's side about a reply. The core is asked for the packet turned round.
TEST(Icmp, ReadsWhatIsQuotedTurnedRound) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Octets error =
        error_about(packet_to_vip(family, kIpprotoTcp), {.kind = IcmpError::Kind::kTooBig, .mtu = 1300});
    const auto quotation = read_quotation(error, read_ip_header(error));
    ASSERT_TRUE(quotation.has_value());
    EXPECT_EQ(quotation->turned.source, vip_of(family));
    EXPECT_EQ(quotation->turned.destination, client_of(family));
    EXPECT_EQ(quotation->turned.source_port, 80);
    EXPECT_EQ(quotation->turned.destination_port, 40000);
    EXPECT_EQ(quotation->turned.quoted, Quoted::kByError);
    EXPECT_EQ(quotation->mtu, 1300u);
    EXPECT_TRUE(quotation->is_too_big());
    EXPECT_FALSE(may_be_told(error, read_ip_header(error)));

    Octets wrong = error;
    put_u8(wrong, wrong.size() - 1, u8_at(wrong, wrong.size() - 1) ^ 1);
    EXPECT_FALSE(read_quotation(wrong, read_ip_header(wrong))) << "wrong checksum";
  }
}

TEST(Icmp, TranslatesAnErrorAndWhatItQuotes) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    // The server behind NAT complains about the packet as it got it.
    Octets packet = packet_to_vip(family, kIpprotoUdp);
    translate(packet, read_ip_header(packet), End::kDestination, rip_of(family), 8080, false);
    Octets error = error_about(packet, {.kind = IcmpError::Kind::kPortUnreachable});
    const IpHeader ip = read_ip_header(error);
    const auto quotation = read_quotation(error, ip);
    ASSERT_TRUE(quotation.has_value());
    translate_error(error, ip, End::kSource, quotation->ip, quotation->at, vip_of(family), 80);
    expect_right_checksums(error);
    EXPECT_EQ(read_ip_header(error).source, vip_of(family));
    const IpHeader inner = read_ip_header(Bytes(error).subspan(quotation->at), true);
    EXPECT_EQ(inner.source, client_of(family));
    EXPECT_EQ(inner.destination, vip_of(family));
    EXPECT_EQ(u16_at(error, quotation->at + inner.transport + 2), 80);
    EXPECT_EQ(u16_at(error, quotation->at + inner.transport), 40000);
    if (family == Family::kIpv4) {
      EXPECT_EQ(plain_checksum(Bytes(error).subspan(quotation->at, 20)), 0);
    }
  }
}

// FWD-13, for each kind of tunnel.
TEST(Icmp, ReadsErrorsAboutOurTunnelPackets) {
  for (const Tunnel& tunnel : {Tunnel{}, Tunnel{.type = TunnelType::kGre},
                               Tunnel{.type = TunnelType::kGre, .checksum = TunnelChecksum::kFull},
                               Tunnel{.type = TunnelType::kGue, .port = 6080}}) {
    const Octets packet = packet_to_vip(Family::kIpv4, kIpprotoTcp);
    Octets outer(tunnel_overhead(tunnel, Family::kIpv4, false));
    append(outer, packet);
    encapsulate(outer, tunnel, {.source = vip_of(Family::kIpv4), .destination = rip_of(Family::kIpv4)},
                read_ip_header(packet), std::nullopt);
    const Octets error = error_about(outer, {.kind = IcmpError::Kind::kTooBig, .mtu = 1000});
    const IpHeader ip = read_ip_header(error);
    const auto found = read_tunnel_quotation(error, ip);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->outer.destination, rip_of(Family::kIpv4));
    EXPECT_EQ(found->inner.turned.source, client_of(Family::kIpv4));
    EXPECT_EQ(found->inner.turned.destination_port, 80);
    EXPECT_EQ(found->inner.turned.quoted, Quoted::kByTunnelError);
    EXPECT_TRUE(found->inner.ip.dont_fragment);
    EXPECT_EQ(found->inner.mtu, 1000u);
  }
}

TEST(IpHeader, RefusesWhatIsNone) {
  const Octets good = packet_to_vip(Family::kIpv4, kIpprotoTcp);
  EXPECT_EQ(read_ip_header(good).malformed, Malformed::kNone);
  EXPECT_EQ(read_ip_header(Bytes(good).first(19)).malformed, Malformed::kHeaderCutShort);
  EXPECT_EQ(read_ip_header(Bytes(good).first(30)).malformed, Malformed::kWrongLength);
  const auto changed = [&](std::size_t at, int value) {
    Octets bad = good;
    bad[at] = static_cast<std::byte>(value);
    return read_ip_header(bad).malformed;
  };
  EXPECT_EQ(changed(0, 0x55), Malformed::kWrongVersion);
  EXPECT_EQ(changed(0, 0x44), Malformed::kHeaderCutShort);
  EXPECT_EQ(changed(3, 19), Malformed::kWrongLength);
  EXPECT_EQ(changed(8, 63), Malformed::kWrongChecksum);
  const Octets six = packet_to_vip(Family::kIpv6, kIpprotoTcp);
  EXPECT_EQ(read_ip_header(Bytes(six).first(39)).malformed, Malformed::kHeaderCutShort);
  EXPECT_EQ(read_ip_header(Bytes(six).first(45)).malformed, Malformed::kWrongLength);
}

}  // namespace
}  // namespace lvspec::director
