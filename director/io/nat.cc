#include "director/io/nat.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "director/io/checksum.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kIpv4Checksum = 10;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpHeader = 20, kTcpChecksum = 16;
constexpr std::size_t kSctpHeader = 12, kSctpChecksum = 8;

std::size_t address_offset(Family family, End end) {
  if (family == Family::kIpv4) return end == End::kSource ? 12 : 16;
  return end == End::kSource ? 8 : 24;
}

// Where the transport's checksum stands; 0 where it has none of the Internet's kind.
std::size_t checksum_offset(std::uint8_t protocol) {
  return protocol == kIpprotoTcp ? 16 : protocol == kIpprotoUdp ? 6 : 0;
}

void put_sctp_checksum(MutableBytes segment) {
  put_u32(segment, kSctpChecksum, 0);
  const std::uint32_t crc = crc32c(segment);
  for (std::size_t i = 0; i < 4; ++i) put_u8(segment, kSctpChecksum + i, crc >> (8 * i) & 0xff);
}

void change_address(MutableBytes packet, Family family, End end, const Address& address) {
  const std::size_t at = address_offset(family, end);
  const Address before = address_at(packet, at, family);
  put_address(packet, at, family, address);
  if (family == Family::kIpv4) {
    mend_checksum(packet, kIpv4Checksum, bytes_of(before, family), bytes_of(address, family));
  }
}

// A TCP header's number becomes another; a partial checksum does not count it.
void change_number(MutableBytes segment, std::size_t at, std::uint32_t number, bool is_partial) {
  std::array<std::byte, 4> before;
  std::copy_n(segment.begin() + static_cast<std::ptrdiff_t>(at), before.size(), before.begin());
  put_u32(segment, at, number);
  const MutableBytes after = segment.subspan(at, before.size());
  if (is_partial) return;
  if (at % 2 == 0) return mend_checksum(segment, kTcpChecksum, before, after);
  // Options stand anywhere: an odd place swaps the bytes of what is summed.
  std::array<std::byte, 6> shifted_before{}, shifted_after{};
  std::copy(before.begin(), before.end(), shifted_before.begin() + 1);
  std::copy(after.begin(), after.end(), shifted_after.begin() + 1);
  mend_checksum(segment, kTcpChecksum, shifted_before, shifted_after);
}

// Every edge of every block (RFC 2018, 3). @param header  length of the TCP header
void change_sack(MutableBytes segment, std::size_t header, const FtpShift& shift, bool is_partial) {
  constexpr std::uint8_t kEnd = 0, kNothing = 1, kSack = 5;
  for (std::size_t at = kTcpHeader; at < header;) {
    const std::uint8_t kind = u8_at(segment, at);
    if (kind == kEnd) return;
    if (kind == kNothing) {
      ++at;
      continue;
    }
    if (at + 2 > header) return;
    const std::size_t length = u8_at(segment, at + 1);
    if (length < 2 || at + length > header) return;
    if (kind == kSack) {
      for (std::size_t edge = at + 2; edge + 4 <= at + length; edge += 4) {
        change_number(segment, edge, shift.towards_sender(u32_at(segment, edge)), is_partial);
      }
    }
    at += length;
  }
}

std::uint32_t tcp_pseudo_sum(Bytes packet, Family family, std::size_t length) {
  const Address source = address_at(packet, address_offset(family, End::kSource), family);
  const Address destination = address_at(packet, address_offset(family, End::kDestination), family);
  return pseudo_sum(family, source, destination, kIpprotoTcp, length);
}

}  // namespace

MutableBytes edit_ftp(MutableBytes buffer, std::size_t packet_at, const IpHeader& ip, const FtpEdit& edit,
                      bool is_partial) {
  MutableBytes segment = buffer.subspan(packet_at + ip.transport, ip.total - ip.transport);
  if (ip.protocol != kIpprotoTcp || segment.size() < kTcpHeader) return {};
  const std::size_t header = std::size_t{4} * (u8_at(segment, 12) >> 4);
  if (header < kTcpHeader || header > segment.size()) return {};

  if (edit.replaces()) {
    if (edit.at > segment.size() - header || edit.removed > segment.size() - header - edit.at) return {};
    const Bytes packet = buffer.subspan(packet_at);
    const bool right = folded(sum_of(segment, tcp_pseudo_sum(packet, ip.family, segment.size()))) == 0xffff;
    const std::size_t total = ip.total - edit.removed + edit.inserted_length;
    if ((!is_partial && !right) || total > 0xffff) return {};

    // What stands in front of the endpoint moves: there is room before a frame, and none behind it.
    const std::size_t front = packet_at + ip.transport + header + edit.at;
    std::byte* const begin = buffer.data() + edit.removed - edit.inserted_length;
    std::memmove(begin, buffer.data(), front);
    std::memcpy(begin + front, edit.inserted.data(), edit.inserted_length);
    buffer = {begin, buffer.size() - edit.removed + edit.inserted_length};

    const MutableBytes changed = buffer.subspan(packet_at);
    const std::size_t length_at = ip.family == Family::kIpv4 ? 2 : 4;
    const std::array<std::byte, 2> before{changed[length_at], changed[length_at + 1]};
    put_u16(changed, length_at, static_cast<unsigned>(ip.family == Family::kIpv4 ? total : total - kIpv6Header));
    if (ip.family == Family::kIpv4) {
      mend_checksum(changed, kIpv4Checksum, before, Bytes(changed).subspan(length_at, 2));
    }
    segment = changed.subspan(ip.transport, total - ip.transport);
    const std::uint32_t pseudo = tcp_pseudo_sum(changed, ip.family, segment.size());
    put_u16(segment, kTcpChecksum, 0);
    put_u16(segment, kTcpChecksum, is_partial ? folded(pseudo) : checksum_of(sum_of(segment, pseudo)));
  }

  if (!edit.shift.any()) return buffer;
  constexpr std::size_t kSequence = 4, kAcknowledgement = 8;
  if (edit.way == FtpEdit::Way::kFromServer) {
    change_number(segment, kSequence, edit.shift.towards_receiver(u32_at(segment, kSequence)), is_partial);
  } else {
    const std::uint32_t acknowledged = u32_at(segment, kAcknowledgement);
    change_number(segment, kAcknowledgement, edit.shift.towards_sender(acknowledged), is_partial);
    change_sack(segment, header, edit.shift, is_partial);
  }
  return buffer;
}

bool has_ports(Bytes packet, const IpHeader& ip) {
  const std::size_t needed = ip.protocol == kIpprotoTcp ? 20 : ip.protocol == kIpprotoUdp ? 8 : kSctpHeader;
  return ip.fragment_offset == 0 && ip.transport + needed <= std::min(packet.size(), ip.total);
}

void translate(MutableBytes packet, const IpHeader& ip, End end, const Address& address, std::uint16_t port,
               bool is_partial) {
  const Address& before = end == End::kSource ? ip.source : ip.destination;
  change_address(packet, ip.family, end, address);

  const MutableBytes segment = packet.subspan(ip.transport, ip.total - ip.transport);
  const std::size_t port_at = end == End::kSource ? 0 : 2;
  std::array<std::byte, 2> old_port{segment[port_at], segment[port_at + 1]};
  put_u16(segment, port_at, port);
  if (ip.protocol == kIpprotoSctp) return put_sctp_checksum(segment);

  const std::size_t at = checksum_offset(ip.protocol);
  if (is_partial) {
    // The sum of the pseudo-header, not complemented; ports are not in it, they will be summed by whoever completes.
    std::uint32_t sum = u16_at(segment, at);
    sum += static_cast<std::uint16_t>(~folded(sum_of(bytes_of(before, ip.family))));
    put_u16(segment, at, folded(sum_of(bytes_of(address, ip.family), sum)));
    return;
  }
  const bool is_udp = ip.protocol == kIpprotoUdp;
  if (is_udp && u16_at(segment, at) == 0) return;
  mend_checksum(segment, at, bytes_of(before, ip.family), bytes_of(address, ip.family));
  mend_checksum(segment, at, old_port, Bytes(segment).subspan(port_at, 2));
  if (is_udp && u16_at(segment, at) == 0) put_u16(segment, at, 0xffff);
}

void translate_error(MutableBytes packet, const IpHeader& ip, End outer, const IpHeader& quoted,
                     std::size_t quoted_at, const Address& address, std::uint16_t port) {
  change_address(packet, ip.family, outer, address);
  // The quoted packet went the other way: what is our destination was its source.
  const End inner = outer == End::kDestination ? End::kSource : End::kDestination;
  const MutableBytes inside = packet.subspan(quoted_at, ip.total - quoted_at);
  change_address(inside, quoted.family, inner, address);
  const std::size_t port_at = quoted.transport + (inner == End::kSource ? 0 : 2);
  if (port_at + 2 <= inside.size()) put_u16(inside, port_at, port);

  const MutableBytes icmp = packet.subspan(ip.transport, ip.total - ip.transport);
  put_u16(icmp, 2, 0);
  std::uint32_t sum = 0;
  if (ip.family == Family::kIpv6) {
    sum = pseudo_sum(ip.family, address_at(packet, 8, ip.family), address_at(packet, 24, ip.family), kIpprotoIcmpv6,
                     icmp.size());
  }
  put_u16(icmp, 2, checksum_of(sum_of(icmp, sum)));
}

void complete_checksum(MutableBytes packet, const IpHeader& ip, std::size_t checksum_from, std::size_t checksum_at) {
  const MutableBytes segment = packet.subspan(checksum_from, ip.total - checksum_from);
  if (ip.protocol == kIpprotoSctp) return put_sctp_checksum(segment);
  const std::uint16_t checksum = checksum_of(sum_of(segment));  // the field's own partial sum is counted with it
  put_u16(segment, checksum_at, ip.protocol == kIpprotoUdp && checksum == 0 ? 0xffff : checksum);
}

}  // namespace lvspec::director
