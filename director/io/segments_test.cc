#include "director/io/segments.h"

#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

TEST(TcpSegments, CutsWithRightNumbersFlagsAndChecksums) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Octets packet = packet_to_vip(family, kIpprotoTcp, 2501);
    const IpHeader ip = read_ip_header(packet);
    put_u16(packet, ip.transport + 16, 0x1234);  // partial, as it comes from veth
    TcpSegments segments(packet, ip, 1000);
    EXPECT_EQ(segments.longest(), ip.transport + 20 + 1000);
    Octets payload;
    std::vector<std::size_t> lengths;
    for (;;) {
      Octets segment(segments.longest());
      const std::size_t length = segments.next(segment);
      if (length == 0) break;
      segment.resize(length);
      const IpHeader one = read_ip_header(segment);
      ASSERT_EQ(one.total, length);
      expect_right_checksums(segment);
      EXPECT_EQ(u32_at(segment, one.transport + 4), 1000 + payload.size());
      const bool last = length < segments.longest();
      EXPECT_EQ(u8_at(segment, one.transport + 13), last ? 0x19 : 0x10);
      if (family == Family::kIpv4) {
        EXPECT_EQ(one.fragment_id, 4711 + lengths.size());
      }
      append(payload, Bytes(segment).subspan(one.transport + 20));
      lengths.push_back(length - one.transport - 20);
    }
    EXPECT_THAT(lengths, ::testing::ElementsAre(1000, 1000, 501));
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), packet.end() - 2501));
  }
}

}  // namespace
}  // namespace lvspec::director
