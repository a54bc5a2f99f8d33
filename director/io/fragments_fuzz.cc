// Fragments in any order and of any kind: what is put together is a packet no longer than one can be, and what is cut
// can be put together again.
// Input: IP packets, each behind two bytes of length (big-endian), of which the first nibble is seconds that pass.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "director/io/fragments.h"

using namespace lvspec::director;

namespace {

void require(bool so) {
  if (!so) std::abort();
}

void cut_and_join(Bytes packet, const IpHeader& ip) {
  constexpr std::size_t kIpv6Header = 40;
  if (ip.is_fragment() || (ip.family == Family::kIpv6 && ip.transport != kIpv6Header)) return;
  const std::size_t least = ip.family == Family::kIpv4 ? 68 : 1280;
  if (ip.total <= least) return;
  Reassembly reassembly;
  Fragments fragments(packet.first(ip.total), ip, least, 7);
  std::optional<std::vector<std::byte>> whole;
  std::vector<std::byte> piece(least);
  std::size_t cut = 0;
  while (const std::size_t length = fragments.next(piece)) {
    require(length <= least && ++cut <= ip.total);
    const Bytes fragment = Bytes(piece).first(length);
    const IpHeader header = read_ip_header(fragment);
    require(header.malformed == Malformed::kNone && header.total == length && header.is_fragment());
    whole = reassembly.add({}, fragment, header);
  }
  require(whole && whole->size() == ip.total);
  require(std::equal(whole->begin() + static_cast<std::ptrdiff_t>(ip.transport), whole->end(),
                     packet.begin() + static_cast<std::ptrdiff_t>(ip.transport)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reassembly reassembly;
  DirectorTime now{};
  Bytes rest(reinterpret_cast<const std::byte*>(data), size);
  while (rest.size() >= 2) {
    const std::uint16_t said = u16_at(rest, 0);
    rest = rest.subspan(2);
    const std::size_t length = std::min<std::size_t>(said & 0xfff, rest.size());
    const std::vector<std::byte> packet(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length));
    rest = rest.subspan(length);
    now += std::chrono::seconds(said >> 12);
    reassembly.expire(now);
    const IpHeader ip = read_ip_header(packet);
    if (ip.malformed != Malformed::kNone) continue;
    cut_and_join(packet, ip);
    if (!ip.is_fragment()) continue;
    if (const auto whole = reassembly.add(now, packet, ip)) {
      require(whole->size() <= 65535 + 40);
      const IpHeader header = read_ip_header(*whole);
      require(header.malformed != Malformed::kNone || (header.total == whole->size() && !header.is_fragment()));
    }
    require(reassembly.size() <= Reassembly::kMostPackets);
  }
  return 0;
}
