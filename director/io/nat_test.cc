#include "director/io/nat.h"

#include <string>
#include <string_view>

#include "director/io/checksum.h"
#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

constexpr std::array kFamilies = {Family::kIpv4, Family::kIpv6};

std::size_t checksum_at(std::uint8_t protocol) { return protocol == kIpprotoTcp ? 16 : 6; }

// FWD-03, both ways and both families; the payload is of odd length.
TEST(Nat, TranslatesAndMendsChecksums) {
  for (const Family family : kFamilies) {
    for (const std::uint8_t protocol : {kIpprotoTcp, kIpprotoUdp}) {
      Octets packet = packet_to_vip(family, protocol);
      const Octets before = packet;
      translate(packet, read_ip_header(packet), End::kDestination, rip_of(family), 8080, false);
      const IpHeader ip = read_ip_header(packet);
      EXPECT_EQ(ip.destination, rip_of(family));
      EXPECT_EQ(ip.source, client_of(family));
      EXPECT_EQ(u16_at(packet, ip.transport), 40000);
      EXPECT_EQ(u16_at(packet, ip.transport + 2), 8080);
      expect_right_checksums(packet);
      EXPECT_TRUE(std::equal(packet.end() - 5, packet.end(), before.end() - 5));

      translate(packet, ip, End::kDestination, vip_of(family), 80, false);
      EXPECT_EQ(packet, before) << "and back";
      translate(packet, read_ip_header(packet), End::kSource, rip_of(family), 1, false);
      EXPECT_EQ(read_ip_header(packet).source, rip_of(family));
      EXPECT_EQ(u16_at(packet, ip.transport), 1);
      expect_right_checksums(packet);
    }
  }
}

TEST(Nat, EveryPortHasARightChecksum) {
  for (int port = 1; port < 65536; port += 37) {
    Octets packet = packet_to_vip(Family::kIpv4, kIpprotoUdp);
    translate(packet, read_ip_header(packet), End::kDestination, rip_of(Family::kIpv4),
              static_cast<std::uint16_t>(port), false);
    EXPECT_NE(u16_at(packet, 20 + 6), 0) << "zero would say that there is none";
    const Octets summed = with_pseudo_header(packet, read_ip_header(packet));
    ASSERT_EQ(plain_checksum(summed), 0) << port;
  }
}

TEST(Nat, AUdpChecksumOfNoneStaysNone) {
  Octets packet = packet_to_vip(Family::kIpv4, kIpprotoUdp);
  put_u16(packet, 26, 0);
  translate(packet, read_ip_header(packet), End::kDestination, rip_of(Family::kIpv4), 8080, false);
  EXPECT_EQ(u16_at(packet, 26), 0);
}

// What veth hands over: the field holds the pseudo-header's sum, and the device at the end would sum the rest.
TEST(Nat, PartialChecksumsStayPartial) {
  for (const Family family : kFamilies) {
    for (const std::uint8_t protocol : {kIpprotoTcp, kIpprotoUdp}) {
      Octets packet = packet_to_vip(family, protocol);
      const IpHeader ip = read_ip_header(packet);
      const std::size_t at = ip.transport + checksum_at(protocol);
      put_u16(packet, at, 0);
      Octets pseudo = with_pseudo_header(packet, ip);
      pseudo.resize(pseudo.size() - (ip.total - ip.transport));
      put_u16(packet, at, 0xffff - plain_checksum(pseudo));
      translate(packet, ip, End::kDestination, rip_of(family), 8080, true);
      complete_checksum(packet, read_ip_header(packet), ip.transport, checksum_at(protocol));
      expect_right_checksums(packet);
    }
  }
}

// The CRC of "123456789", as every catalogue of CRCs has it, and an SCTP packet that is checked by its own CRC.
TEST(Nat, SctpIsSummedAnew) {
  const Octets digits = octets({'1', '2', '3', '4', '5', '6', '7', '8', '9'});
  EXPECT_EQ(crc32c(digits), 0xe3069283u);
  Octets packet = packet_to_vip(Family::kIpv4, kIpprotoSctp);
  translate(packet, read_ip_header(packet), End::kDestination, rip_of(Family::kIpv4), 9, false);
  EXPECT_EQ(u16_at(packet, 22), 9);
  Octets segment(packet.begin() + 20, packet.end());
  std::uint32_t stored = 0;
  for (int i = 3; i >= 0; --i) stored = stored << 8 | u8_at(segment, 8 + static_cast<std::size_t>(i));
  put_u32(segment, 8, 0);
  std::uint32_t crc = 0xffffffff;  // bit by bit
  for (const std::byte byte : segment) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
  }
  EXPECT_EQ(stored, ~crc);
}

// FWD-16: a segment that says "abcde" and has a SACK option.
constexpr std::size_t kFront = 24;

Octets ftp_segment(Family family) {
  Octets packet = packet_to_vip(family, kIpprotoTcp, /*payload=*/0);
  append(packet, octets({1, 1, 5, 10, 0, 0, 5, 0xdc, 0, 0, 6, 0x40, 'a', 'b', 'c', 'd', 'e'}));  // SACK 1500-1600
  const IpHeader old = read_ip_header(Bytes(packet).first(packet.size() - 17));
  put_u16(packet, family == Family::kIpv4 ? 2 : 4,
          static_cast<unsigned>(packet.size() - (family == Family::kIpv4 ? 0 : 40)));
  put_u8(packet, old.transport + 12, 0x80);
  put_u32(packet, old.transport + 8, 1400);
  if (family == Family::kIpv4) {
    put_u16(packet, 10, 0);
    put_u16(packet, 10, plain_checksum(Bytes(packet).first(20)));
  }
  const IpHeader ip = read_ip_header(packet);
  put_u16(packet, ip.transport + 16, 0);
  put_u16(packet, ip.transport + 16, plain_checksum(with_pseudo_header(packet, ip)));
  return packet;
}

struct InFrame {
  explicit InFrame(const Octets& packet) : memory(kFtpLongestGrowth + kFront, std::byte{0x5a}) {
    append(memory, packet);
    frame = MutableBytes(memory).subspan(kFtpLongestGrowth);
  }
  MutableBytes packet() { return frame.subspan(kFront); }

  Octets memory;
  MutableBytes frame;
};

TEST(Nat, FtpAnswersAreReplaced) {
  for (const Family family : kFamilies) {
    for (const std::string_view text : {"", "x", "xy", "a longer text than it was"}) {
      InFrame it(ftp_segment(family));
      FtpEdit edit;
      edit.at = 1;
      edit.removed = 2;
      edit.inserted_length = text.copy(edit.inserted.data(), edit.inserted.size());
      it.frame = edit_ftp(it.frame, kFront, read_ip_header(it.packet()), edit, false);
      ASSERT_FALSE(it.frame.empty());
      expect_right_checksums(it.packet());
      EXPECT_EQ(std::to_integer<int>(it.frame[0]), 0x5a) << "what was in front of the packet came along";
      const Bytes payload = Bytes(it.packet()).subspan(read_ip_header(it.packet()).transport + 32);
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(payload.data()), payload.size()),
                "a" + std::string(edit.text()) + "de");
    }
  }
}

TEST(Nat, FtpNumbersMove) {
  for (const Family family : kFamilies) {
    InFrame it(ftp_segment(family));
    const IpHeader ip = read_ip_header(it.packet());
    FtpEdit edit;
    edit.shift.grow(900, 3);
    edit_ftp(it.frame, kFront, ip, edit, false);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 4), 1003u);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 8), 1400u);
    expect_right_checksums(it.packet());

    edit.way = FtpEdit::Way::kFromClient;
    edit_ftp(it.frame, kFront, ip, edit, false);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 4), 1003u);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 8), 1397u);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 24), 1497u);
    EXPECT_EQ(u32_at(it.packet(), ip.transport + 28), 1597u);
    expect_right_checksums(it.packet());
  }
}

// What was damaged on its way must not leave with a right checksum.
TEST(Nat, DamagedFtpAnswersAreRefused) {
  InFrame it(ftp_segment(Family::kIpv4));
  put_u8(it.packet(), it.packet().size() - 1, 'x');
  FtpEdit edit;
  edit.removed = 1;
  EXPECT_TRUE(edit_ftp(it.frame, kFront, read_ip_header(it.packet()), edit, false).empty());
}

TEST(Nat, KnowsWhenThereAreNoPorts) {
  Octets packet = packet_to_vip(Family::kIpv4, kIpprotoTcp);
  IpHeader ip = read_ip_header(packet);
  EXPECT_TRUE(has_ports(packet, ip));
  EXPECT_FALSE(has_ports(Bytes(packet).first(39), ip));
  ip.fragment_offset = 8;
  EXPECT_FALSE(has_ports(packet, ip));
}

}  // namespace
}  // namespace lvspec::director
