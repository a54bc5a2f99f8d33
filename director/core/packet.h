#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "director/core/address.h"

namespace lvspec::director {

/// IANA numbers, so that a protocol can be read off a packet without a table.
enum class Protocol : std::uint8_t { kNone = 0, kTcp = 6, kUdp = 17, kSctp = 132 };

struct TcpFlags {
  bool fin = false, syn = false, rst = false, ack = false;
};

/// Does a packet stand for itself, or for an ICMP error that quotes it (FWD-12)? A quoted packet is turned round by
/// whoever reads it, so that it has the direction of the error: an error that comes from the client's side quotes a
/// reply, and is a packet from the client. An error about our own tunnel packet quotes what we forwarded, unturned.
enum class Quoted : std::uint8_t { kNo, kByError, kByTunnelError };

/// What the core decides on: one IPv4 or IPv6 packet as addresses, ports, flags and mark.
struct Packet {
  Family family = Family::kIpv4;
  Protocol protocol = Protocol::kNone;
  Address source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;  ///< host order
  TcpFlags tcp;                                         ///< TCP only
  std::uint32_t mark = 0;                               ///< netfilter mark; set by Classifier::mark_of
  std::uint32_t length = 0;                             ///< bytes of the IP packet, as counted in InBytes
  Quoted quoted = Quoted::kNo;
};

/// Reads one Ethernet frame. @return nothing for what IPVS would not look at: not IP, not TCP or UDP, a fragment,
/// a header cut short.
std::optional<Packet> parse_frame(std::span<const std::byte> frame);

}  // namespace lvspec::director
