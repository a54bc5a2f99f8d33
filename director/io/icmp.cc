#include "director/io/icmp.h"

#include <algorithm>
#include <utility>

#include "director/io/checksum.h"
#include "director/io/frame_writer.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40, kIcmp = 8;
constexpr std::uint8_t kUnreachable = 3, kSourceQuench = 4, kTimeExceeded = 11;
constexpr std::uint8_t kFirstInformational6 = 128;

struct TypeAndCode {
  std::uint8_t type, code;
};

TypeAndCode words_of(const IcmpError& error, Family family) {
  const bool six = family == Family::kIpv6;
  switch (error.kind) {
    case IcmpError::Kind::kPortUnreachable:
      return six ? TypeAndCode{1, 4} : TypeAndCode{3, 3};
    case IcmpError::Kind::kHostUnreachable:
      return six ? TypeAndCode{1, 3} : TypeAndCode{3, 1};
    case IcmpError::Kind::kTimeExceeded:
      return six ? TypeAndCode{3, 0} : TypeAndCode{11, 0};
    case IcmpError::Kind::kTooBig:
      return six ? TypeAndCode{2, 0} : TypeAndCode{3, 4};
    case IcmpError::Kind::kOther:
      break;
  }
  return {error.type, error.code};
}

bool is_error(std::uint8_t type, Family family) {
  if (family == Family::kIpv6) return type < kFirstInformational6;
  return type == kUnreachable || type == kSourceQuench || type == kTimeExceeded;
}

std::uint8_t icmp_of(Family family) { return family == Family::kIpv4 ? kIpprotoIcmp : kIpprotoIcmpv6; }

// The ICMP message, if the packet is an error whose checksum is right.
Bytes error_in(Bytes packet, const IpHeader& ip) {
  if (ip.protocol != icmp_of(ip.family) || ip.is_fragment() || ip.total < ip.transport + kIcmp) return {};
  const Bytes icmp = packet.subspan(ip.transport, ip.total - ip.transport);
  if (!is_error(u8_at(icmp, 0), ip.family)) return {};
  const std::uint32_t pseudo =
      ip.family == Family::kIpv6 ? pseudo_sum(ip.family, ip.source, ip.destination, kIpprotoIcmpv6, icmp.size()) : 0;
  return folded(sum_of(icmp, pseudo)) == 0xffff ? icmp : Bytes{};
}

bool has_transport_of_ours(const IpHeader& ip) {
  return ip.protocol == kIpprotoTcp || ip.protocol == kIpprotoUdp || ip.protocol == kIpprotoSctp;
}

Packet packet_of(const IpHeader& ip, std::uint16_t source_port, std::uint16_t destination_port, std::size_t length) {
  Packet packet;
  packet.family = ip.family;
  packet.protocol = static_cast<Protocol>(ip.protocol);
  packet.source = ip.source;
  packet.destination = ip.destination;
  packet.source_port = source_port;
  packet.destination_port = destination_port;
  packet.length = static_cast<std::uint32_t>(length);
  return packet;
}

// Where the packet inside a tunnel packet begins, counted from the tunnel packet's own first byte; 0 if it is none.
std::size_t inside_of(Bytes outer, const IpHeader& ip) {
  constexpr std::size_t kUdp = 8, kGue = 4, kGre = 4;
  switch (ip.protocol) {
    case kIpprotoIpip:
    case kIpprotoIpv6:
      return ip.transport;
    case kIpprotoGre: {
      if (outer.size() < ip.transport + kGre) return 0;
      const bool has_checksum = (u8_at(outer, ip.transport) & 0x80) != 0;
      return ip.transport + kGre + (has_checksum ? 4 : 0);
    }
    case kIpprotoUdp: {
      if (outer.size() < ip.transport + kUdp + kGue) return 0;
      const std::uint8_t first = u8_at(outer, ip.transport + kUdp), inner = u8_at(outer, ip.transport + kUdp + 1);
      if ((first & 0xe0) != 0 || (inner != kIpprotoIpip && inner != kIpprotoIpv6)) return 0;
      return ip.transport + kUdp + kGue + std::size_t{4} * (first & 0x1f);
    }
    default:
      return 0;
  }
}

}  // namespace

std::vector<std::byte> icmp_error(Bytes frame, const IcmpError& error, const Mac& own,
                                  const std::optional<Address>& from) {
  const bool six = ether_type_of(frame) == kTypeIpv6;
  const Family family = six ? Family::kIpv6 : Family::kIpv4;
  const Bytes packet = frame.subspan(kEthernet);
  const std::size_t header = six ? kIpv6 : kIpv4;
  const std::size_t quoted = std::min(packet.size(), (six ? std::size_t{1280} : std::size_t{576}) - header - kIcmp);
  const Address to = address_at(packet, six ? 8 : 12, family);
  const Address source = from.value_or(address_at(packet, six ? 24 : 16, family));
  const TypeAndCode words = words_of(error, family);

  FrameWriter out;
  out.mac(mac_at(frame, 6)).mac(own).u16(six ? kTypeIpv6 : kTypeIpv4);
  if (six) {
    out.u8(0x60).zeros(3).u16(kIcmp + quoted).u8(kIpprotoIcmpv6).u8(64).address(source, family).address(to, family);
  } else {
    // Precedence "internetwork control", as RFC 1812 4.3.2.5 asks of ICMP errors.
    out.u8(0x45).u8(0xc0).u16(kIpv4 + kIcmp + quoted).u16(0).u16(0).u8(64).u8(kIpprotoIcmp).u16(0);
    out.address(source, family).address(to, family);
  }
  out.u8(words.type).u8(words.code).u16(0).u16(six ? error.mtu >> 16 : 0).u16(error.mtu & 0xffff);
  out.copy(packet.first(quoted));

  std::vector<std::byte>& bytes = out.bytes();
  const MutableBytes all(bytes);
  if (!six) put_u16(all, kEthernet + 10, checksum_of(sum_of(all.subspan(kEthernet, kIpv4))));
  const MutableBytes icmp = all.subspan(kEthernet + header);
  const std::uint32_t pseudo = six ? pseudo_sum(family, source, to, kIpprotoIcmpv6, icmp.size()) : 0;
  put_u16(icmp, 2, checksum_of(sum_of(icmp, pseudo)));
  return std::move(bytes);
}

bool may_be_told(Bytes packet, const IpHeader& ip) {
  if (ip.fragment_offset != 0 || !is_unicast(ip.family, ip.source) || !is_unicast(ip.family, ip.destination)) {
    return false;
  }
  if (ip.protocol != icmp_of(ip.family)) return true;
  if (ip.transport >= packet.size()) return false;
  const std::uint8_t type = u8_at(packet, ip.transport);
  constexpr std::uint8_t kEchoRequest = 8, kEchoReply = 0;
  return ip.family == Family::kIpv6 ? type >= kFirstInformational6 : type == kEchoRequest || type == kEchoReply;
}

std::optional<Quotation> read_quotation(Bytes packet, const IpHeader& ip) {
  const Bytes icmp = error_in(packet, ip);
  if (icmp.empty()) return std::nullopt;
  Quotation quotation;
  quotation.at = ip.transport + kIcmp;
  quotation.type = u8_at(icmp, 0);
  quotation.code = u8_at(icmp, 1);
  quotation.mtu = ip.family == Family::kIpv4 ? u16_at(icmp, 6) : u32_at(icmp, 4);
  const Bytes inside = icmp.subspan(kIcmp);
  quotation.ip = read_ip_header(inside, /*is_quoted=*/true);
  if (quotation.ip.malformed != Malformed::kNone || quotation.ip.family != ip.family) return std::nullopt;
  if (!has_transport_of_ours(quotation.ip) || quotation.ip.fragment_offset != 0) return std::nullopt;
  if (inside.size() < quotation.ip.transport + 4) return std::nullopt;
  Packet& turned = quotation.turned;
  turned = packet_of(quotation.ip, u16_at(inside, quotation.ip.transport), u16_at(inside, quotation.ip.transport + 2),
                     ip.total);
  std::swap(turned.source, turned.destination);
  std::swap(turned.source_port, turned.destination_port);
  turned.quoted = Quoted::kByError;
  return quotation;
}

std::optional<TunnelQuotation> read_tunnel_quotation(Bytes packet, const IpHeader& ip) {
  if (ip.family != Family::kIpv4) return std::nullopt;
  const Bytes icmp = error_in(packet, ip);
  if (icmp.empty()) return std::nullopt;
  const Bytes outside = icmp.subspan(kIcmp);
  TunnelQuotation found;
  found.outer = read_ip_header(outside, /*is_quoted=*/true);
  if (found.outer.malformed != Malformed::kNone || found.outer.fragment_offset != 0) return std::nullopt;
  const std::size_t inner_at = inside_of(outside, found.outer);
  if (inner_at == 0 || inner_at >= outside.size()) return std::nullopt;
  const Bytes inside = outside.subspan(inner_at);
  Quotation& inner = found.inner;
  inner.ip = read_ip_header(inside, /*is_quoted=*/true);
  if (inner.ip.malformed != Malformed::kNone || !has_transport_of_ours(inner.ip)) return std::nullopt;
  if (inner.ip.fragment_offset != 0 || inside.size() < inner.ip.transport + 4) return std::nullopt;
  inner.at = ip.transport + kIcmp + inner_at;
  inner.type = u8_at(icmp, 0);
  inner.code = u8_at(icmp, 1);
  inner.mtu = u16_at(icmp, 6);
  inner.turned =
      packet_of(inner.ip, u16_at(inside, inner.ip.transport), u16_at(inside, inner.ip.transport + 2), ip.total);
  inner.turned.quoted = Quoted::kByTunnelError;
  return found;
}

}  // namespace lvspec::director
