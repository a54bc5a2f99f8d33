#pragma once

#include <bit>
#include <cstdint>

namespace lvspec::director {

/// The low half of SipHash-1-3 over the four bytes of `value`, little-endian, with both words of the key equal to
/// `key`: what a 64-bit kernel calls hsiphash. A 32-bit kernel takes HalfSipHash and places clients differently.
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression and three
/// finalisation rounds; Linux include/linux/siphash.h, hsiphash_1u32().
inline std::uint32_t siphash13(std::uint64_t key, std::uint32_t value) {
  std::uint64_t v0 = key ^ 0x736f6d6570736575, v1 = key ^ 0x646f72616e646f6d;  // "somepseudorandomlygeneratedbytes"
  std::uint64_t v2 = key ^ 0x6c7967656e657261, v3 = key ^ 0x7465646279746573;
  const auto round = [&] {
    v0 += v1, v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1, v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  };
  const std::uint64_t block = std::uint64_t{4} << 56 | value;  // the length stands in the last byte
  v3 ^= block;
  round();
  v0 ^= block;
  v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) round();
  return static_cast<std::uint32_t>(v0 ^ v1 ^ v2 ^ v3);
}

}  // namespace lvspec::director
