#pragma once

#include <cstdint>

#include "director/io/bytes.h"

namespace lvspec::director {

/// The one's complement sum of RFC 1071, not folded and not complemented; sums of pieces of even length add up.
std::uint32_t sum_of(Bytes bytes, std::uint32_t sum = 0);
/// Folded to 16 bits.
std::uint16_t folded(std::uint32_t sum);
/// Folded and complemented: what stands in a header.
inline std::uint16_t checksum_of(std::uint32_t sum) { return static_cast<std::uint16_t>(~folded(sum)); }

/// What TCP, UDP and ICMPv6 count of the IP header (RFC 9293, 3.1; RFC 8200, 8.1).
std::uint32_t pseudo_sum(Family family, const Address& source, const Address& destination, std::uint8_t protocol,
                         std::size_t length);

/// Mends the checksum at `at` after `before` has become `after`, of the same even length (RFC 1624, equation 3).
void mend_checksum(MutableBytes bytes, std::size_t at, Bytes before, Bytes after);

/// The CRC of SCTP (RFC 9260, appendix A) as a number; in the header it stands with its lowest byte first.
std::uint32_t crc32c(Bytes bytes, std::uint32_t crc = 0);

}  // namespace lvspec::director
