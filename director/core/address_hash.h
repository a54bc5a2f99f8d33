#pragma once

#include <cstdint>

#include "director/core/address.h"
#include "director/core/faults.h"

namespace lvspec::director {

/// An address as the number that the hash schedulers count with: IPv4 in host order; IPv6 the XOR of its four words,
/// each in host order (SCH-50). `family` is the service's, also where a server has the other one: the kernel looks
/// no further either. Source: Linux net/netfilter/ipvs/ip_vs_sh.c, ip_vs_sh_hashkey(), `addr_fold`.
inline std::uint32_t fold(Family family, const Address& address) {
  std::uint32_t folded = 0;
  const std::size_t words = family == Family::kIpv4 || fault(Fault::kIpv6FoldedShort) ? 1 : 4;
  for (std::size_t word = 0; word < words; ++word) {
    std::uint32_t value = 0;
    for (std::size_t byte = 0; byte < 4; ++byte) value = value << 8 | address.bytes[4 * word + byte];
    folded ^= value;
  }
  return folded;
}

/// The top `bits` bits of the product with the 32-bit golden ratio (SCH-50).
/// Source: Linux include/linux/hash.h, hash_32().
inline std::uint32_t multiplicative_hash(std::uint32_t value, int bits) { return value * 0x61c88647u >> (32 - bits); }

}  // namespace lvspec::director
