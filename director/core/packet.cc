#include "director/core/packet.h"

#include <algorithm>
#include <array>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kIpv4Header = 20;  // without options
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kSctpHeader = 12;
constexpr std::size_t kSctpChunkHeader = 4;
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
  std::size_t header = 0;
  switch (packet.protocol) {
    case Protocol::kTcp:
      header = kTcpHeader;
      break;
    case Protocol::kUdp:
      header = kUdpHeader;
      break;
    case Protocol::kSctp:
      header = kSctpHeader;
      break;
    case Protocol::kAh:
    case Protocol::kEsp:
      return true;
    default:
      return false;
  }
  if (segment.size() < header) return false;
  packet.source_port = u16(segment, 0);
  packet.destination_port = u16(segment, 2);
  if (packet.protocol == Protocol::kUdp) packet.payload = segment.subspan(header);
  if (packet.protocol == Protocol::kSctp) packet.sctp = read_sctp_chunks(segment.subspan(header));
  if (packet.protocol == Protocol::kTcp) {
    packet.payload = segment;
    const std::uint8_t flags = u8(segment, 13);
    packet.tcp = {.fin = (flags & 0x01) != 0,
                  .syn = (flags & 0x02) != 0,
                  .rst = (flags & 0x04) != 0,
                  .ack = (flags & 0x10) != 0};
  }
  return true;
}

// RFC 9260, 3.2: the types from 0 on.
SctpEvent event_of(std::uint8_t chunk_type) {
  using enum SctpEvent;
  constexpr std::array<SctpEvent, 15> kEvents = {kData,       kInit,      kInitAck,  kData,        kData,
                                                 kData,       kAbort,     kShutdown, kShutdownAck, kError,
                                                 kCookieEcho, kCookieAck, kData,     kData,        kShutdownComplete};
  return chunk_type < kEvents.size() ? kEvents[chunk_type] : kData;
}

// Steps over IPv6 extension headers. @return what follows them, and the protocol it is of; nothing for a fragment or
// for headers that end in the middle.
struct Upper {
  Protocol protocol;
  Bytes segment;
};
std::optional<Upper> upper_of(std::uint8_t next, Bytes rest) {
  constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60;
  constexpr std::size_t kLeast = 8;
  for (;;) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kAuthentication && next != kDestination)
      return Upper{static_cast<Protocol>(next), rest};
    if (rest.size() < kLeast || fault(Fault::kExtensionHeadersStop)) return std::nullopt;
    std::size_t length = kLeast;
    if (next == kFragment) {
      if ((u16(rest, 2) & 0xfff9) != 0) return std::nullopt;  // an offset, or more to come; RFC 6946 for the rest
    } else if (next == kAuthentication) {
      length = std::size_t{4} * (u8(rest, 1) + std::size_t{2});
    } else {
      length = kLeast * (u8(rest, 1) + std::size_t{1});
    }
    if (rest.size() < length) return std::nullopt;
    next = u8(rest, 0);
    rest = rest.subspan(length);
  }
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
  const std::optional<Upper> upper = upper_of(u8(datagram, 6), datagram.subspan(kIpv6Header, payload));
  if (!upper) return std::nullopt;
  packet.protocol = upper->protocol;
  packet.source = address_at(datagram, 8, 16);
  packet.destination = address_at(datagram, 24, 16);
  packet.length = static_cast<std::uint32_t>(kIpv6Header + payload);
  if (!parse_transport(upper->segment, packet)) return std::nullopt;
  return packet;
}

}  // namespace

SctpChunks read_sctp_chunks(std::span<const std::byte> chunks) {
  if (chunks.size() < kSctpChunkHeader) return {};
  const SctpEvent first = event_of(u8(chunks, 0));
  SctpChunks read{.first = first, .event = first};
  if (first != SctpEvent::kCookieEcho && first != SctpEvent::kCookieAck) return read;
  const std::size_t length = u16(chunks, 2);
  if (length < kSctpChunkHeader) return read;
  const std::size_t second = (length + 3) & ~std::size_t{3};
  if (chunks.size() < second + kSctpChunkHeader) return read;
  if (event_of(u8(chunks, second)) == SctpEvent::kAbort) read.event = SctpEvent::kAbort;
  return read;
}

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
