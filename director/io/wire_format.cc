#include "director/io/wire_format.h"

#include <algorithm>
#include <cstring>

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kIpv4 = 20;
constexpr std::size_t kIpv6 = 40;
constexpr std::size_t kIcmp = 8;
constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;
constexpr std::uint8_t kIpprotoIcmp = 1, kIpprotoIcmpv6 = 58;

std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<std::uint8_t>(bytes[at]);
}
std::uint16_t word_at(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

/// Writes a frame from front to back.
class Writer {
 public:
  Writer& u8(std::uint8_t value) {
    bytes_.push_back(std::byte{value});
    return *this;
  }
  Writer& u16(std::uint16_t value) {
    return u8(static_cast<std::uint8_t>(value >> 8)).u8(static_cast<std::uint8_t>(value));
  }
  Writer& mac(const Mac& mac) {
    for (const std::uint8_t byte : mac) u8(byte);
    return *this;
  }
  Writer& address(const Address& address, Family family) {
    for (std::size_t i = 0; i < (family == Family::kIpv4 ? 4U : 16U); ++i) u8(address.bytes[i]);
    return *this;
  }
  Writer& copy(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Writer& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  std::size_t size() const { return bytes_.size(); }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// RFC 1071, over an even or odd number of bytes.
std::uint32_t sum_of(std::span<const std::byte> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::uint32_t{byte_at(bytes, i)} << (i % 2 == 0 ? 8 : 0);
  return sum;
}
std::uint16_t checksum_of(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}
void put_checksum(std::vector<std::byte>& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = std::byte{static_cast<std::uint8_t>(value >> 8)};
  bytes[at + 1] = std::byte{static_cast<std::uint8_t>(value)};
}

Address address_at(std::span<const std::byte> bytes, std::size_t at, Family family) {
  Address address;
  std::memcpy(address.bytes.data(), bytes.data() + at, family == Family::kIpv4 ? 4 : 16);
  return address;
}
Mac mac_at(std::span<const std::byte> bytes, std::size_t at) {
  Mac mac;
  std::memcpy(mac.data(), bytes.data() + at, mac.size());
  return mac;
}

/// ICMPv6 counts a pseudo-header in its checksum (RFC 8200, 8.1).
void put_icmpv6_checksum(std::vector<std::byte>& frame) {
  const std::span<const std::byte> all(frame);
  const auto icmp = all.subspan(kEthernet + kIpv6);
  std::uint32_t sum = sum_of(all.subspan(kEthernet + 8, 32));
  sum += static_cast<std::uint32_t>(icmp.size()) + kIpprotoIcmpv6;
  put_checksum(frame, kEthernet + kIpv6 + 2, checksum_of(sum_of(icmp, sum)));
}

std::vector<std::byte> icmpv4_error(std::span<const std::byte> frame, IcmpError error, const Mac& own) {
  const auto packet = frame.subspan(kEthernet);
  const std::size_t quoted = std::min(packet.size(), std::size_t{576} - kIpv4 - kIcmp);
  Writer out;
  out.mac(mac_at(frame, 6)).mac(own).u16(kTypeIpv4);
  // Precedence "internetwork control", as RFC 1812 4.3.2.5 asks of ICMP errors.
  out.u8(0x45).u8(0xc0).u16(static_cast<std::uint16_t>(kIpv4 + kIcmp + quoted)).u16(0).u16(0).u8(64).u8(kIpprotoIcmp);
  out.u16(0).copy(packet.subspan(16, 4)).copy(packet.subspan(12, 4));
  out.u8(error == IcmpError::kPortUnreachable ? 3 : 11).u8(error == IcmpError::kPortUnreachable ? 3 : 0);
  out.u16(0).zeros(4).copy(packet.first(quoted));
  auto& bytes = out.bytes();
  const std::span<const std::byte> all(bytes);
  put_checksum(bytes, kEthernet + 10, checksum_of(sum_of(all.subspan(kEthernet, kIpv4))));
  put_checksum(bytes, kEthernet + kIpv4 + 2, checksum_of(sum_of(all.subspan(kEthernet + kIpv4))));
  return std::move(bytes);
}

std::vector<std::byte> icmpv6_error(std::span<const std::byte> frame, IcmpError error, const Mac& own) {
  const auto packet = frame.subspan(kEthernet);
  const std::size_t quoted = std::min(packet.size(), std::size_t{1280} - kIpv6 - kIcmp);
  Writer out;
  out.mac(mac_at(frame, 6)).mac(own).u16(kTypeIpv6);
  out.u8(0x60).zeros(3).u16(static_cast<std::uint16_t>(kIcmp + quoted)).u8(kIpprotoIcmpv6).u8(64);
  out.copy(packet.subspan(24, 16)).copy(packet.subspan(8, 16));
  out.u8(error == IcmpError::kPortUnreachable ? 1 : 3).u8(error == IcmpError::kPortUnreachable ? 4 : 0);
  out.u16(0).zeros(4).copy(packet.first(quoted));
  put_icmpv6_checksum(out.bytes());
  return std::move(out.bytes());
}

}  // namespace

std::uint16_t ether_type_of(std::span<const std::byte> frame) {
  return frame.size() < kEthernet ? 0 : word_at(frame, 12);
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
  std::uint32_t sum = std::uint32_t{word_at(frame, kEthernet + 10)} + 0x0100;
  sum = (sum & 0xffff) + (sum >> 16);
  frame[kEthernet + 10] = std::byte(sum >> 8);
  frame[kEthernet + 11] = std::byte(sum & 0xff);
  return true;
}

std::vector<std::byte> icmp_error(std::span<const std::byte> frame, IcmpError error, const Mac& own) {
  return ether_type_of(frame) == kTypeIpv6 ? icmpv6_error(frame, error, own) : icmpv4_error(frame, error, own);
}

std::vector<std::byte> neighbour_request(Family family, const Address& target, const Address& own,
                                         const Mac& own_mac) {
  Writer out;
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
  put_icmpv6_checksum(out.bytes());
  return std::move(out.bytes());
}

std::optional<Neighbour> neighbour_in(std::span<const std::byte> frame) {
  if (ether_type_of(frame) == kTypeArp && frame.size() >= kEthernet + 28 &&
      word_at(frame, kEthernet + 2) == kTypeIpv4)
    return Neighbour{Family::kIpv4, address_at(frame, kEthernet + 14, Family::kIpv4), mac_at(frame, kEthernet + 8)};

  constexpr std::size_t kIcmpAt = kEthernet + kIpv6;
  constexpr std::uint8_t kAdvertisement = 136, kTargetLinkLayerAddress = 2;
  if (ether_type_of(frame) == kTypeIpv6 && frame.size() >= kIcmpAt + 32 &&
      byte_at(frame, kEthernet + 6) == kIpprotoIcmpv6 && byte_at(frame, kIcmpAt) == kAdvertisement &&
      byte_at(frame, kIcmpAt + 24) == kTargetLinkLayerAddress)
    return Neighbour{Family::kIpv6, address_at(frame, kIcmpAt + 8, Family::kIpv6), mac_at(frame, kIcmpAt + 26)};
  return std::nullopt;
}

}  // namespace lvspec::director
