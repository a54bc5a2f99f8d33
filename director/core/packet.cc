#include "director/core/packet.h"

#include <algorithm>

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kIpv4Header = 20;  // without options
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::uint16_t kEthertypeIpv4 = 0x0800;
constexpr std::uint16_t kEthertypeIpv6 = 0x86dd;

using Bytes = std::span<const std::byte>;

std::uint8_t u8(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }
std::uint16_t u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>((u8(bytes, at) << 8) | u8(bytes, at + 1));
}
Address address_at(Bytes bytes, std::size_t at, std::size_t length) {
  Address address;
  std::transform(bytes.begin() + at, bytes.begin() + at + length, address.bytes.begin(),
                 [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return address;
}

// Ports and flags, from what follows the IP header.
bool parse_transport(Bytes segment, Packet& packet) {
  const bool is_tcp = packet.protocol == Protocol::kTcp;
  if (segment.size() < (is_tcp ? kTcpHeader : kUdpHeader)) return false;
  packet.source_port = u16(segment, 0);
  packet.destination_port = u16(segment, 2);
  if (is_tcp) {
    const std::uint8_t flags = u8(segment, 13);
    packet.tcp = {.fin = (flags & 0x01) != 0,
                  .syn = (flags & 0x02) != 0,
                  .rst = (flags & 0x04) != 0,
                  .ack = (flags & 0x10) != 0};
  }
  return true;
}

std::optional<Packet> parse_ipv4(Bytes datagram) {
  if (datagram.size() < kIpv4Header || (u8(datagram, 0) >> 4) != 4) return std::nullopt;
  const std::size_t header = std::size_t{4} * (u8(datagram, 0) & 0x0f);
  const std::size_t total = u16(datagram, 2);
  // An Ethernet frame may be padded beyond the total length, never shorter than it.
  if (header < kIpv4Header || total < header || datagram.size() < total) return std::nullopt;
  // The kernel reassembles before LOCAL_IN (FWD-14); a director on a raw socket would have to do it itself.
  const std::uint16_t fragment = u16(datagram, 6);
  if ((fragment & 0x3fff) != 0) return std::nullopt;  // "more fragments" or an offset

  Packet packet;
  packet.family = Family::kIpv4;
  packet.protocol = static_cast<Protocol>(u8(datagram, 9));
  if (packet.protocol != Protocol::kTcp && packet.protocol != Protocol::kUdp) return std::nullopt;
  packet.source = address_at(datagram, 12, 4);
  packet.destination = address_at(datagram, 16, 4);
  packet.length = static_cast<std::uint32_t>(total);
  if (!parse_transport(datagram.subspan(header, total - header), packet)) return std::nullopt;
  return packet;
}

std::optional<Packet> parse_ipv6(Bytes datagram) {
  if (datagram.size() < kIpv6Header || (u8(datagram, 0) >> 4) != 6) return std::nullopt;
  const std::size_t payload = u16(datagram, 4);
  if (datagram.size() < kIpv6Header + payload) return std::nullopt;

  Packet packet;
  packet.family = Family::kIpv6;
  packet.protocol = static_cast<Protocol>(u8(datagram, 6));
  if (packet.protocol != Protocol::kTcp && packet.protocol != Protocol::kUdp) return std::nullopt;
  packet.source = address_at(datagram, 8, 16);
  packet.destination = address_at(datagram, 24, 16);
  packet.length = static_cast<std::uint32_t>(kIpv6Header + payload);
  if (!parse_transport(datagram.subspan(kIpv6Header, payload), packet)) return std::nullopt;
  return packet;
}

}  // namespace

std::optional<Packet> parse_frame(std::span<const std::byte> frame) {
  if (frame.size() < kEthernetHeader) return std::nullopt;
  switch (u16(frame, 12)) {
    case kEthertypeIpv4:
      return parse_ipv4(frame.subspan(kEthernetHeader));
    case kEthertypeIpv6:
      return parse_ipv6(frame.subspan(kEthernetHeader));
    default:
      return std::nullopt;
  }
}

}  // namespace lvspec::director
