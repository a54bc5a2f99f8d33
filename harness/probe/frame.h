#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/base/ip_address.h"

namespace lvspec {

using MacAddress = std::array<std::uint8_t, 6>;

/// TCP flags as they stand in the header (RFC 9293, 3.1).
namespace tcp_flags {
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
}  // namespace tcp_flags

/// A TCP segment without options, or a UDP datagram. Both ends are of one family (checked).
struct TcpSegment {
  Endpoint source{};
  Endpoint target{};
  std::uint8_t flags = 0;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;  ///< written even without kAck; 0 is usual there
  std::string payload{};
};
struct UdpDatagram {
  Endpoint source{};
  Endpoint target{};
  std::string payload{};
};

/// Any other protocol: what follows the IP header, as it is.
struct IpPacket {
  IpAddress source{};
  IpAddress target{};
  std::uint8_t protocol = 0;
  std::string transport{};
};

/// Ethernet frames with right checksums; IPv4 (DF set, TTL 64, no options) or IPv6, by the endpoints' family.
std::vector<std::uint8_t> tcp_frame(const MacAddress& from, const MacAddress& to, const TcpSegment& segment);
std::vector<std::uint8_t> udp_frame(const MacAddress& from, const MacAddress& to, const UdpDatagram& datagram);
std::vector<std::uint8_t> ip_frame(const MacAddress& from, const MacAddress& to, const IpPacket& packet);

/// An SCTP packet from its common header on, verification tag and checksum zero: directors that only forward read
/// neither (RFC 9260, 3.1). @param chunks  as bytes; see sctp_chunk.
std::string sctp_packet(std::uint16_t source_port, std::uint16_t target_port, const std::string& chunks);
/// One chunk with four bytes of value.
std::string sctp_chunk(std::uint8_t type);

/// What a frame says to the prober.
struct HeardFrame {
  enum class Kind {
    kTcp,
    kUdp,
    kPortUnreachable,  ///< ICMP; source and target are those of the packet it quotes
    kUnreachable,      ///< any other ICMP destination unreachable, quoting likewise
  };
  Kind kind = Kind::kTcp;
  MacAddress from{};
  Endpoint source{};
  Endpoint target{};
  std::uint8_t flags = 0;  ///< kTcp only, as seq and ack
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::string payload{};
};

/// Reads a frame. Nothing for what is none of the above, is cut short, or is a fragment. Checksums are not looked at:
/// on a veth they are the offload's business, and not filled in.
std::optional<HeardFrame> read_frame(std::span<const std::uint8_t> frame);

/// The Internet checksum, RFC 1071, in host order.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

}  // namespace lvspec
