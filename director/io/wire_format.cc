#include "director/io/wire_format.h"

#include <cstring>
#include <utility>

#include "director/io/bytes.h"
#include "director/io/checksum.h"
#include "director/io/frame_writer.h"
#include "director/io/ip_header.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIpv6 = 40;

}  // namespace

std::uint16_t ether_type_of(std::span<const std::byte> frame) {
  return frame.size() < kEthernet ? 0 : u16_at(frame, 12);
}

Mac mac_at(std::span<const std::byte> bytes, std::size_t at) {
  Mac mac;
  std::memcpy(mac.data(), bytes.data() + at, mac.size());
  return mac;
}

void rewrite_macs(std::span<std::byte> frame, const Mac& destination, const Mac& source) {
  std::memcpy(frame.data(), destination.data(), destination.size());
  std::memcpy(frame.data() + 6, source.data(), source.size());
}

bool decrement_ttl(std::span<std::byte> frame) {
  if (ether_type_of(frame) == kTypeIpv6) {
    std::byte& hops = frame[kEthernet + 7];
    if (std::to_integer<int>(hops) <= 1) return false;
    hops = std::byte(std::to_integer<int>(hops) - 1);
    return true;
  }
  std::byte& ttl = frame[kEthernet + 8];
  if (std::to_integer<int>(ttl) <= 1) return false;
  ttl = std::byte(std::to_integer<int>(ttl) - 1);
  // The word {TTL, protocol} fell by 0x0100, so the complement sum rises by as much (RFC 1624, with its carry).
  std::uint32_t sum = std::uint32_t{u16_at(frame, kEthernet + 10)} + 0x0100;
  sum = (sum & 0xffff) + (sum >> 16);
  frame[kEthernet + 10] = std::byte(sum >> 8);
  frame[kEthernet + 11] = std::byte(sum & 0xff);
  return true;
}

std::vector<std::byte> neighbour_request(Family family, const Address& target, const Address& own,
                                         const Mac& own_mac) {
  FrameWriter out;
  if (family == Family::kIpv4) {
    constexpr Mac everyone = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    out.mac(everyone).mac(own_mac).u16(kTypeArp).u16(1).u16(kTypeIpv4).u8(6).u8(4).u16(1);
    out.mac(own_mac).address(own, family).zeros(6).address(target, family);
    return std::move(out.bytes());
  }
  // The solicited-node group of the target (RFC 4291, 2.7.1), and the MAC that belongs to it.
  Address group;
  group.bytes = {
      0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]};
  out.mac({0x33, 0x33, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]}).mac(own_mac).u16(kTypeIpv6);
  out.u8(0x60).zeros(3).u16(32).u8(kIpprotoIcmpv6).u8(255).address(own, family).address(group, family);
  out.u8(135).u8(0).u16(0).zeros(4).address(target, family).u8(1).u8(1).mac(own_mac);
  const std::span<std::byte> icmp = std::span(out.bytes()).subspan(kEthernet + kIpv6);
  put_u16(icmp, 2, checksum_of(sum_of(icmp, pseudo_sum(family, own, group, kIpprotoIcmpv6, icmp.size()))));
  return std::move(out.bytes());
}

std::optional<Neighbour> neighbour_in(std::span<const std::byte> frame) {
  if (ether_type_of(frame) == kTypeArp && frame.size() >= kEthernet + 28 && u16_at(frame, kEthernet + 2) == kTypeIpv4)
    return Neighbour{Family::kIpv4, address_at(frame, kEthernet + 14, Family::kIpv4), mac_at(frame, kEthernet + 8)};

  constexpr std::size_t kIcmpAt = kEthernet + kIpv6;
  constexpr std::uint8_t kAdvertisement = 136, kTargetLinkLayerAddress = 2;
  if (ether_type_of(frame) == kTypeIpv6 && frame.size() >= kIcmpAt + 32 &&
      u8_at(frame, kEthernet + 6) == kIpprotoIcmpv6 && u8_at(frame, kIcmpAt) == kAdvertisement &&
      u8_at(frame, kIcmpAt + 24) == kTargetLinkLayerAddress)
    return Neighbour{Family::kIpv6, address_at(frame, kIcmpAt + 8, Family::kIpv6), mac_at(frame, kIcmpAt + 26)};
  return std::nullopt;
}

}  // namespace lvspec::director
