#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>

namespace lvspec::director {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

/// An address as it stands in a packet: network byte order, IPv4 in the first four bytes, the rest zero.
/// The family is not part of it; whatever holds addresses holds the family once.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  static Address v4(std::uint32_t host_order) {
    Address address;
    for (int i = 0; i < 4; ++i) address.bytes[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return address;
  }
  std::uint32_t v4_host_order() const {
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) | (std::uint32_t{bytes[2]} << 8) |
           bytes[3];
  }
  auto operator<=>(const Address&) const = default;
};

/// A persistence mask: IPv4 any bit pattern, IPv6 a prefix of whole bits (TPL-10, TPL-11), both as the bits to keep.
struct AddressMask {
  std::array<std::uint8_t, 16> bits;

  static AddressMask all() {
    AddressMask mask;
    mask.bits.fill(0xff);
    return mask;
  }
  static AddressMask v4(std::uint32_t host_order) { return {Address::v4(host_order).bytes}; }
  static AddressMask prefix(int length) {
    AddressMask mask{};
    for (int bit = 0; bit < length; ++bit) mask.bits[bit / 8] |= static_cast<std::uint8_t>(0x80 >> (bit % 8));
    return mask;
  }
  Address apply(const Address& address) const {
    Address masked;
    for (std::size_t i = 0; i < bits.size(); ++i) masked.bytes[i] = address.bytes[i] & bits[i];
    return masked;
  }
  bool operator==(const AddressMask&) const = default;
};

}  // namespace lvspec::director
