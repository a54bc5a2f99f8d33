#include "director/io/checksum.h"

#include <array>

namespace lvspec::director {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

}  // namespace

std::uint32_t sum_of(Bytes bytes, std::uint32_t sum) {
  std::uint64_t wide = sum;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) wide += u32_at(bytes, at);
  for (; at < bytes.size(); ++at) wide += std::uint64_t{u8_at(bytes, at)} << (at % 2 == 0 ? 8 : 0);
  wide = (wide & 0xffff) + (wide >> 16 & 0xffff) + (wide >> 32 & 0xffff) + (wide >> 48);
  return static_cast<std::uint32_t>(wide);
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t pseudo_sum(Family family, const Address& source, const Address& destination, std::uint8_t protocol,
                         std::size_t length) {
  std::uint32_t sum = sum_of(bytes_of(source, family));
  sum = sum_of(bytes_of(destination, family), sum);
  return sum + protocol + static_cast<std::uint32_t>(length >> 16) + static_cast<std::uint32_t>(length & 0xffff);
}

void mend_checksum(MutableBytes bytes, std::size_t at, Bytes before, Bytes after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~u16_at(bytes, at));
  sum += static_cast<std::uint16_t>(~folded(sum_of(before)));
  put_u16(bytes, at, checksum_of(sum_of(after, sum)));
}

std::uint32_t crc32c(Bytes bytes, std::uint32_t crc) {
  crc = ~crc;
  for (const std::byte byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

}  // namespace lvspec::director
