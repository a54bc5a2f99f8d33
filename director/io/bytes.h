#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "director/core/address.h"

namespace lvspec::director {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// Numbers in network byte order. Whoever calls has checked that they are there.

inline std::uint8_t u8_at(Bytes bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }
inline std::uint16_t u16_at(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(u8_at(bytes, at) << 8 | u8_at(bytes, at + 1));
}
inline std::uint32_t u32_at(Bytes bytes, std::size_t at) {
  return std::uint32_t{u16_at(bytes, at)} << 16 | u16_at(bytes, at + 2);
}
inline void put_u8(MutableBytes bytes, std::size_t at, unsigned value) {
  bytes[at] = std::byte(static_cast<std::uint8_t>(value));
}
inline void put_u16(MutableBytes bytes, std::size_t at, unsigned value) {
  put_u8(bytes, at, value >> 8);
  put_u8(bytes, at + 1, value);
}
inline void put_u32(MutableBytes bytes, std::size_t at, std::uint32_t value) {
  put_u16(bytes, at, value >> 16);
  put_u16(bytes, at + 2, value & 0xffff);
}

inline std::size_t length_of(Family family) { return family == Family::kIpv4 ? 4 : 16; }
inline Address address_at(Bytes bytes, std::size_t at, Family family) {
  Address address;
  std::memcpy(address.bytes.data(), bytes.data() + at, length_of(family));
  return address;
}
inline void put_address(MutableBytes bytes, std::size_t at, Family family, const Address& address) {
  std::memcpy(bytes.data() + at, address.bytes.data(), length_of(family));
}
inline Bytes bytes_of(const Address& address, Family family) {
  return std::as_bytes(std::span(address.bytes)).first(length_of(family));
}

}  // namespace lvspec::director
