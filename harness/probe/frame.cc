#include "harness/probe/frame.h"

#include <algorithm>

namespace lvspec {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::size_t kEthernetSize = 14;
constexpr std::size_t kTcpSize = 20;
constexpr std::size_t kUdpSize = 8;
constexpr std::uint8_t kTtl = 64;
constexpr std::uint16_t kWindow = 64240;

void put16(std::uint16_t value, Bytes* out) {
  out->push_back(static_cast<std::uint8_t>(value >> 8));
  out->push_back(static_cast<std::uint8_t>(value & 0xff));
}
void put32(std::uint32_t value, Bytes* out) {
  put16(static_cast<std::uint16_t>(value >> 16), out);
  put16(static_cast<std::uint16_t>(value & 0xffff), out);
}
void put(const IpAddress& address, Bytes* out) {
  out->insert(out->end(), address.bytes(), address.bytes() + address.size());
}
void set16(std::uint16_t value, std::size_t at, Bytes* out) {
  (*out)[at] = static_cast<std::uint8_t>(value >> 8);
  (*out)[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

// Read byte by byte: no alignment and no aliasing to get wrong.
std::uint16_t get16(View bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
std::uint32_t get32(View bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

// Checksum of a TCP segment or UDP datagram with its pseudo header (RFC 9293, 3.1; RFC 8200, 8.1). The IPv6 one has
// wider fields, whose extra bytes are zero for our sizes, so both sum up alike.
std::uint16_t transport_checksum(const IpAddress& source, const IpAddress& target, std::uint8_t protocol,
                                 const Bytes& transport) {
  Bytes all;
  put(source, &all);
  put(target, &all);
  put16(protocol, &all);
  put16(static_cast<std::uint16_t>(transport.size()), &all);
  all.insert(all.end(), transport.begin(), transport.end());
  return internet_checksum(all);
}

// Ethernet and IP around a transport header and its payload.
Bytes packet(const MacAddress& from, const MacAddress& to, const IpAddress& source, const IpAddress& target,
             std::uint8_t protocol, const Bytes& transport) {
  LVSPEC_CHECK_EQ(source.family(), target.family());
  LVSPEC_CHECK(transport.size() <= 65515);  // 64 KiB with the IP header; longer than the MTU fails in send
  Bytes frame(to.begin(), to.end());
  frame.insert(frame.end(), from.begin(), from.end());
  put16(source.is_v6() ? kEtherIpv6 : kEtherIpv4, &frame);
  const std::size_t ip = frame.size();
  if (source.is_v6()) {
    put32(0x60000000, &frame);  // version 6, no traffic class, no flow label
    put16(static_cast<std::uint16_t>(transport.size()), &frame);
    frame.push_back(protocol);
    frame.push_back(kTtl);
  } else {
    put16(0x4500, &frame);  // version 4, five words, no TOS
    put16(static_cast<std::uint16_t>(20 + transport.size()), &frame);
    put16(0, &frame);       // identification: free for atomic datagrams (RFC 6864)
    put16(0x4000, &frame);  // DF
    frame.push_back(kTtl);
    frame.push_back(protocol);
    put16(0, &frame);  // checksum, below
  }
  put(source, &frame);
  put(target, &frame);
  if (!source.is_v6()) set16(internet_checksum(View(frame).subspan(ip, 20)), ip + 10, &frame);
  frame.insert(frame.end(), transport.begin(), transport.end());
  return frame;
}

// The part of an IP packet that a probe needs. `transport` may be cut short in a packet quoted by ICMP.
struct Ip {
  IpAddress source;
  IpAddress target;
  std::uint8_t protocol = 0;
  View transport;
};

// @param whole  false for a quoted packet: its length field may promise more than there is.
std::optional<Ip> read_ip(View bytes, bool whole) {
  if (bytes.empty()) return std::nullopt;
  if (bytes[0] >> 4 == 4) {
    if (bytes.size() < 20) return std::nullopt;
    const std::size_t header = std::size_t{bytes[0] & 0x0fU} * 4;
    const std::size_t total = get16(bytes, 2);
    const bool fragment = (get16(bytes, 6) & 0x3fff) != 0;
    if (header < 20 || total < header || bytes.size() < header || fragment) return std::nullopt;
    if (whole && bytes.size() < total) return std::nullopt;
    return Ip{IpAddress::from_bytes(AF_INET, &bytes[12]), IpAddress::from_bytes(AF_INET, &bytes[16]), bytes[9],
              bytes.subspan(header, std::min(bytes.size(), total) - header)};  // Ethernet pads short frames
  }
  if (bytes[0] >> 4 != 6 || bytes.size() < 40) return std::nullopt;
  const std::size_t length = get16(bytes, 4);
  if (whole && bytes.size() < 40 + length) return std::nullopt;
  // Extension headers (fragments among them) have protocol numbers of their own, which nobody below knows.
  return Ip{IpAddress::from_bytes(AF_INET6, &bytes[8]), IpAddress::from_bytes(AF_INET6, &bytes[24]), bytes[6],
            bytes.subspan(40, std::min(bytes.size() - 40, length))};
}

std::string text(View bytes) { return std::string(bytes.begin(), bytes.end()); }

std::optional<HeardFrame> read_unreachable(const Ip& ip, HeardFrame heard) {
  const bool v6 = ip.protocol == kIcmp6;
  const std::uint8_t kUnreachableType = v6 ? 1 : 3;  // RFC 4443, 3.1; RFC 792
  const std::uint8_t kPortUnreachableCode = v6 ? 4 : 3;
  if (ip.transport.size() < 8 || ip.transport[0] != kUnreachableType) return std::nullopt;
  const auto quoted = read_ip(ip.transport.subspan(8), false);
  if (!quoted || (quoted->protocol != kTcp && quoted->protocol != kUdp) || quoted->transport.size() < 4)
    return std::nullopt;
  heard.kind =
      ip.transport[1] == kPortUnreachableCode ? HeardFrame::Kind::kPortUnreachable : HeardFrame::Kind::kUnreachable;
  heard.source = {quoted->source, get16(quoted->transport, 0)};
  heard.target = {quoted->target, get16(quoted->transport, 2)};
  return heard;
}

}  // namespace

std::uint16_t internet_checksum(View bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += get16(bytes, i);
  if (bytes.size() % 2 != 0) sum += static_cast<std::uint64_t>(bytes.back()) << 8;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum & 0xffff);
}

Bytes tcp_frame(const MacAddress& from, const MacAddress& to, const TcpSegment& segment) {
  Bytes tcp;
  put16(segment.source.port, &tcp);
  put16(segment.target.port, &tcp);
  put32(segment.seq, &tcp);
  put32(segment.ack, &tcp);
  tcp.push_back(5 << 4);  // five words: no options
  tcp.push_back(segment.flags);
  put16(kWindow, &tcp);
  put32(0, &tcp);  // checksum, below; urgent pointer
  tcp.insert(tcp.end(), segment.payload.begin(), segment.payload.end());
  set16(transport_checksum(segment.source.address, segment.target.address, kTcp, tcp), 16, &tcp);
  return packet(from, to, segment.source.address, segment.target.address, kTcp, tcp);
}

Bytes udp_frame(const MacAddress& from, const MacAddress& to, const UdpDatagram& datagram) {
  Bytes udp;
  put16(datagram.source.port, &udp);
  put16(datagram.target.port, &udp);
  put16(static_cast<std::uint16_t>(kUdpSize + datagram.payload.size()), &udp);
  put16(0, &udp);
  udp.insert(udp.end(), datagram.payload.begin(), datagram.payload.end());
  const std::uint16_t sum = transport_checksum(datagram.source.address, datagram.target.address, kUdp, udp);
  set16(sum == 0 ? 0xffff : sum, 6, &udp);  // 0 would mean "none" (RFC 768)
  return packet(from, to, datagram.source.address, datagram.target.address, kUdp, udp);
}

Bytes ip_frame(const MacAddress& from, const MacAddress& to, const IpPacket& said) {
  return packet(from, to, said.source, said.target, said.protocol, {said.transport.begin(), said.transport.end()});
}

std::string sctp_packet(std::uint16_t source_port, std::uint16_t target_port, const std::string& chunks) {
  Bytes header;
  put16(source_port, &header);
  put16(target_port, &header);
  put32(0, &header);  // verification tag
  put32(0, &header);  // CRC32c
  return std::string(header.begin(), header.end()) + chunks;
}

std::string sctp_chunk(std::uint8_t type) { return {static_cast<char>(type), 0, 0, 8, 0, 0, 0, 0}; }

std::optional<HeardFrame> read_frame(View frame) {
  if (frame.size() < kEthernetSize) return std::nullopt;
  const std::uint16_t ether = get16(frame, 12);
  if (ether != kEtherIpv4 && ether != kEtherIpv6) return std::nullopt;
  const auto ip = read_ip(frame.subspan(kEthernetSize), true);
  if (!ip || ip->source.is_v6() != (ether == kEtherIpv6)) return std::nullopt;
  HeardFrame heard;
  std::copy_n(frame.begin() + 6, 6, heard.from.begin());
  if (ip->protocol == (ip->source.is_v6() ? kIcmp6 : kIcmp)) return read_unreachable(*ip, std::move(heard));

  const View transport = ip->transport;
  if (transport.size() < (ip->protocol == kTcp ? kTcpSize : kUdpSize)) return std::nullopt;
  heard.source = {ip->source, get16(transport, 0)};
  heard.target = {ip->target, get16(transport, 2)};
  if (ip->protocol == kUdp) {
    heard.kind = HeardFrame::Kind::kUdp;
    heard.payload = text(transport.subspan(kUdpSize));
    return heard;
  }
  if (ip->protocol != kTcp) return std::nullopt;
  const std::size_t header = std::size_t{transport[12]} / 16 * 4;
  if (header < kTcpSize || transport.size() < header) return std::nullopt;
  heard.kind = HeardFrame::Kind::kTcp;
  heard.seq = get32(transport, 4);
  heard.ack = get32(transport, 8);
  heard.flags = transport[13];
  heard.payload = text(transport.subspan(header));
  return heard;
}

}  // namespace lvspec
