// Any packet in any tunnel: the outer headers are as long as promised and right, the packet inside stays as it is,
// and an ICMP error about the whole leads back to it. Input: one byte that says which tunnel, and an IP packet.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "director/io/icmp.h"
#include "director/io/tunnel.h"

using namespace lvspec::director;

namespace {

void require(bool so) {
  if (!so) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  const unsigned kind = u8_at(input, 0);
  const Bytes packet = input.subspan(1);
  const IpHeader inner = read_ip_header(packet);
  if (inner.malformed != Malformed::kNone) return 0;

  Tunnel tunnel;
  tunnel.type = std::array{TunnelType::kIpip, TunnelType::kGue, TunnelType::kGre}[kind % 3];
  tunnel.checksum = std::array{TunnelChecksum::kNone, TunnelChecksum::kFull, TunnelChecksum::kRemote}[kind / 3 % 3];
  tunnel.port = 6080;
  TunnelEnds ends{.family = (kind & 0x40) != 0 ? Family::kIpv6 : Family::kIpv4,
                  .source = Address::v4(0xc6336401),
                  .destination = Address::v4(0xcb00710b)};
  ends.dont_fragment = (kind & 0x80) != 0;
  std::optional<RemoteChecksum> remote;
  if (tunnel.type == TunnelType::kGue && tunnel.checksum == TunnelChecksum::kRemote)
    remote =
        RemoteChecksum{static_cast<std::uint16_t>(inner.transport), static_cast<std::uint16_t>(inner.transport + 16)};

  const std::size_t overhead = tunnel_overhead(tunnel, ends.family, remote.has_value());
  if (overhead + inner.total > 65535) return 0;
  std::vector<std::byte> room(overhead);
  room.insert(room.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(inner.total));
  encapsulate(room, tunnel, ends, inner, remote);
  const IpHeader outer = read_ip_header(room);
  require(outer.malformed == Malformed::kNone && outer.total == room.size() && outer.family == ends.family);
  require(outer.ttl == inner.ttl && outer.destination == ends.destination);
  require(std::equal(room.begin() + static_cast<std::ptrdiff_t>(overhead), room.end(), packet.begin()));

  if (ends.family != Family::kIpv4) return 0;
  std::vector<std::byte> frame(14);
  put_u16(frame, 12, kTypeIpv4);
  frame.insert(frame.end(), room.begin(), room.end());
  const std::vector<std::byte> told = icmp_error(frame, {.kind = IcmpError::Kind::kTooBig, .mtu = 1400}, {});
  const Bytes error = Bytes(told).subspan(14);
  const auto found = read_tunnel_quotation(error, read_ip_header(error));
  if (!found) return 0;  // no ports, or further away than an error quotes
  require(found->inner.ip.source == inner.source && found->inner.ip.transport == inner.transport);
  require(found->inner.at == 28 + overhead);
  return 0;
}
