#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "director/core/address.h"

namespace lvspec::director {

/// IANA numbers, so that a protocol can be read off a packet without a table.
enum class Protocol : std::uint8_t { kNone = 0, kTcp = 6, kUdp = 17, kEsp = 50, kAh = 51, kSctp = 132 };

struct TcpFlags {
  bool fin = false, syn = false, rst = false, ack = false;
};

/// Does a packet stand for itself, or for an ICMP error that quotes it (FWD-12)? A quoted packet is turned round by
/// whoever reads it, so that it has the direction of the error: an error that comes from the client's side quotes a
/// reply, and is a packet from the client. An error about our own tunnel packet quotes what we forwarded, unturned.
/// The ICMPv6 errors of the director's own stack stand apart: IPVS sums them up without the pseudo header, takes them
/// for damaged and drops those that masquerading would translate. Source: Linux ip_vs_core.c, handle_response_icmp().
enum class Quoted : std::uint8_t { kNo, kByError, kByTunnelError, kByOwnIcmpv6 };
/// What counts of an SCTP packet. Data, SACK, HEARTBEAT, ECNE, CWR and chunks unknown to us all count as data
/// (CON-33).
enum class SctpEvent : std::uint8_t {
  kData,
  kInit,
  kInitAck,
  kCookieEcho,
  kCookieAck,
  kShutdown,
  kShutdownAck,
  kShutdownComplete,
  kError,
  kAbort,
  kNone,  ///< no whole chunk header: moves nothing
};

struct SctpChunks {
  SctpEvent first = SctpEvent::kNone;  ///< decides whether the packet may make an entry (SVC-03)
  SctpEvent event = SctpEvent::kNone;  ///< moves the state: `first`, or an ABORT bundled behind a cookie
};

/// What the core decides on: one IPv4 or IPv6 packet as addresses, ports, flags and mark.
struct Packet {
  Family family = Family::kIpv4;
  Protocol protocol = Protocol::kNone;
  Address source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;  ///< host order; 0 for AH and ESP, which have none
  TcpFlags tcp;                                         ///< TCP only
  SctpChunks sctp;                                      ///< SCTP only
  std::uint32_t mark = 0;                               ///< netfilter mark; set by Classifier::mark_of
  std::uint32_t length = 0;                             ///< bytes of the IP packet, as counted in InBytes
  Quoted quoted = Quoted::kNo;
  /// UDP: what follows its header; TCP: with its header. Lives as long as the frame.
  std::span<const std::byte> payload{};
};

/// Reads the first chunk, and the one behind a COOKIE-ECHO or COOKIE-ACK. @param chunks  what follows the common
/// header. Source: Linux net/netfilter/ipvs/ip_vs_proto_sctp.c, set_sctp_state().
SctpChunks read_sctp_chunks(std::span<const std::byte> chunks);

/// Reads one Ethernet frame. @return nothing for what IPVS would not look at: not IP, none of the protocols above, a
/// fragment, a header cut short. IPv6 extension headers are stepped over, AH among them as in the kernel
/// (net/ipv6/exthdrs_core.c, ipv6_find_hdr()), so that only in IPv4 a packet can be AH.
std::optional<Packet> parse_frame(std::span<const std::byte> frame);

}  // namespace lvspec::director
