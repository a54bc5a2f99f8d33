#include "suites/forwarding/packets.h"

#include <netinet/in.h>

#include <algorithm>
#include <span>

namespace lvspec {
namespace {

constexpr std::size_t kEthernet = 14, kIpv4 = 20;

void put_checksum(RawPacket& packet, std::size_t at, std::size_t from, std::size_t to) {
  packet[at] = packet[at + 1] = 0;
  const std::uint16_t sum = internet_checksum(std::span(packet).subspan(from, to - from));
  packet[at] = static_cast<std::uint8_t>(sum >> 8);
  packet[at + 1] = static_cast<std::uint8_t>(sum);
}

RawPacket ipv4(const std::uint8_t* from, const std::uint8_t* to, int protocol, const RawPacket& payload) {
  const std::size_t total = kIpv4 + payload.size();
  RawPacket packet = {0x45,
                      0,
                      static_cast<std::uint8_t>(total >> 8),
                      static_cast<std::uint8_t>(total),
                      0,
                      7,
                      0,
                      0,
                      64,
                      static_cast<std::uint8_t>(protocol),
                      0,
                      0};
  packet.insert(packet.end(), from, from + 4);
  packet.insert(packet.end(), to, to + 4);
  packet.insert(packet.end(), payload.begin(), payload.end());
  put_checksum(packet, 10, 0, kIpv4);
  return packet;
}

}  // namespace

RawPacket udp_packet(const Endpoint& from, const Endpoint& to, const std::string& payload) {
  const std::vector<std::uint8_t> frame = udp_frame({}, {}, {.source = from, .target = to, .payload = payload});
  return {frame.begin() + kEthernet, frame.end()};
}

RawPacket with_ttl(RawPacket packet, int ttl) {
  packet[8] = static_cast<std::uint8_t>(ttl);
  put_checksum(packet, 10, 0, kIpv4);
  return packet;
}

std::vector<RawPacket> in_fragments(const RawPacket& packet, std::size_t bytes) {
  const auto cut = packet.begin() + static_cast<std::ptrdiff_t>(kIpv4 + bytes);
  std::vector<RawPacket> halves = {{packet.begin(), cut}, {packet.begin(), packet.begin() + kIpv4}};
  halves[1].insert(halves[1].end(), cut, packet.end());
  for (RawPacket& half : halves) {
    half[2] = static_cast<std::uint8_t>(half.size() >> 8);
    half[3] = static_cast<std::uint8_t>(half.size());
    half[5] = 77;  // identification
    half[6] = &half == &halves[0] ? 0x20 : 0;
    half[7] = &half == &halves[0] ? 0 : static_cast<std::uint8_t>(bytes / 8);
    put_checksum(half, 10, 0, kIpv4);
  }
  return halves;
}

RawPacket echo_request(const IpAddress& from, const IpAddress& to) {
  RawPacket icmp = {8, 0, 0, 0, 0, 1, 0, 1, 'l', 'v'};
  put_checksum(icmp, 2, 0, icmp.size());
  return ipv4(from.bytes(), to.bytes(), IPPROTO_ICMP, icmp);
}

RawPacket icmp_error(const IpAddress& from, const RawPacket& quoted, int type, int code, int mtu) {
  RawPacket icmp = {static_cast<std::uint8_t>(type),     static_cast<std::uint8_t>(code), 0, 0, 0, 0,
                    static_cast<std::uint8_t>(mtu >> 8), static_cast<std::uint8_t>(mtu)};
  icmp.insert(icmp.end(), quoted.begin(), quoted.end());
  put_checksum(icmp, 2, 0, icmp.size());
  return ipv4(from.bytes(), quoted.data() + 12, IPPROTO_ICMP, icmp);
}

}  // namespace lvspec
