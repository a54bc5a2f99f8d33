#include "director/io/fragments.h"

#include <algorithm>
#include <cstring>

#include "director/io/checksum.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kIpv6Header = 40, kFragmentHeader = 8, kLongest = 65535;
constexpr unsigned kMore = 0x2000;

std::size_t header_length(Bytes packet, const IpHeader& ip) {
  return ip.family == Family::kIpv4 ? std::size_t{4} * (u8_at(packet, 0) & 0x0f) : kIpv6Header;
}

}  // namespace

Fragments::Fragments(Bytes packet, const IpHeader& ip, std::size_t mtu, std::uint32_t id)
    : packet_(packet.first(ip.total)), ip_(ip), id_(id), unfragmentable_(header_length(packet, ip)) {
  const std::size_t own = unfragmentable_ + (ip.family == Family::kIpv6 ? kFragmentHeader : 0);
  payload_ = std::max<std::size_t>((mtu - own) / 8 * 8, 8);
}

std::size_t Fragments::next(MutableBytes fragment) {
  const std::size_t left = packet_.size() - unfragmentable_ - sent_;
  if (left == 0) return 0;
  const std::size_t payload = std::min(left, payload_);
  const bool more = payload < left;
  std::memcpy(fragment.data(), packet_.data(), unfragmentable_);
  std::size_t at = unfragmentable_;
  if (ip_.family == Family::kIpv4) {
    put_u16(fragment, 2, static_cast<unsigned>(at + payload));
    put_u16(fragment, 6, static_cast<unsigned>(sent_ / 8) | (more ? kMore : 0));
    put_u16(fragment, 10, 0);
    put_u16(fragment, 10, checksum_of(sum_of(fragment.first(at))));
  } else {
    put_u16(fragment, 4, static_cast<unsigned>(kFragmentHeader + payload));
    put_u8(fragment, at, u8_at(packet_, 6));
    put_u8(fragment, 6, kIpprotoFragment);
    put_u8(fragment, at + 1, 0);
    put_u16(fragment, at + 2, static_cast<unsigned>(sent_) | (more ? 1 : 0));
    put_u32(fragment, at + 4, id_);
    at += kFragmentHeader;
  }
  std::memcpy(fragment.data() + at, packet_.data() + unfragmentable_ + sent_, payload);
  sent_ += payload;
  return at + payload;
}

std::optional<std::vector<std::byte>> Reassembly::add(DirectorTime now, Bytes packet, const IpHeader& ip) {
  expire(now);
  // Behind the fragment header of IPv6 the first piece may begin with more headers; later ones do not tell of them.
  const bool six = ip.family == Family::kIpv6;
  const std::size_t begin = six ? ip.fragment_header + kFragmentHeader : ip.transport;
  const Bytes payload = packet.subspan(begin, ip.total - begin);
  const std::size_t end = ip.fragment_offset + payload.size();
  // A fragment that is not the last must be a multiple of eight, or nothing can follow it.
  if (payload.empty() || end > kLongest || (ip.more_fragments && payload.size() % 8 != 0)) return std::nullopt;

  const Key key{ip.family, ip.source, ip.destination, six ? std::uint8_t{0} : ip.protocol, ip.fragment_id};
  auto found = packets_.find(key);
  if (found == packets_.end()) {
    if (packets_.size() == kMostPackets) {
      packets_.erase(std::min_element(packets_.begin(), packets_.end(),
                                      [](const auto& a, const auto& b) { return a.second.since < b.second.since; }));
    }
    found = packets_.emplace(key, Unfinished{.since = now, .header = {}, .pieces = {}, .length = {}}).first;
  }
  Unfinished& unfinished = found->second;
  if (unfinished.is_spoilt) return std::nullopt;
  const bool past_the_end = unfinished.length && end > *unfinished.length;
  const bool other_end = !ip.more_fragments && unfinished.length && *unfinished.length != end;
  if (past_the_end || other_end || !insert(unfinished, ip.fragment_offset, payload)) {
    unfinished = Unfinished{.since = unfinished.since, .header = {}, .pieces = {}, .length = {}, .is_spoilt = true};
    return std::nullopt;
  }
  if (!ip.more_fragments) unfinished.length = end;
  if (ip.fragment_offset == 0) {
    const std::size_t header = six ? ip.fragment_header : ip.transport;
    unfinished.header.assign(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header));
    // The packet as it was before it was cut has no fragment header: what comes next is told one header earlier.
    if (six) {
      std::size_t before = 6;
      for (std::size_t at = kIpv6Header; at < header; at += 8 + std::size_t{8} * u8_at(packet, at + 1)) before = at;
      put_u8(unfinished.header, before, u8_at(packet, ip.fragment_header));
    }
  }
  if (!unfinished.length || unfinished.arrived < *unfinished.length || unfinished.header.empty()) return std::nullopt;
  std::vector<std::byte> result = whole(unfinished, ip.family);
  packets_.erase(found);
  if (result.size() > kLongest) return std::nullopt;
  return result;
}

bool Reassembly::insert(Unfinished& packet, std::size_t offset, Bytes payload) {
  const auto next = std::find_if(packet.pieces.begin(), packet.pieces.end(),
                                 [&](const Piece& piece) { return piece.offset >= offset; });
  if (next != packet.pieces.end() && next->offset == offset && next->bytes.size() == payload.size()) return true;
  if (next != packet.pieces.end() && offset + payload.size() > next->offset) return false;
  if (next != packet.pieces.begin()) {
    const Piece& before = *std::prev(next);
    if (before.offset + before.bytes.size() > offset) return false;
  }
  packet.pieces.insert(next, Piece{offset, {payload.begin(), payload.end()}});
  packet.arrived += payload.size();
  return true;
}

std::vector<std::byte> Reassembly::whole(const Unfinished& packet, Family family) {
  std::vector<std::byte> result = packet.header;
  for (const Piece& piece : packet.pieces) result.insert(result.end(), piece.bytes.begin(), piece.bytes.end());
  if (result.size() > kLongest) return result;
  const MutableBytes all(result);
  if (family == Family::kIpv6) {
    put_u16(all, 4, static_cast<unsigned>(result.size() - kIpv6Header));
    return result;
  }
  put_u16(all, 2, static_cast<unsigned>(result.size()));
  put_u16(all, 6, 0);
  put_u16(all, 10, 0);
  put_u16(all, 10, checksum_of(sum_of(all.first(packet.header.size()))));
  return result;
}

void Reassembly::expire(DirectorTime now) {
  std::erase_if(packets_, [&](const auto& packet) { return packet.second.since + kPatience <= now; });
}

}  // namespace lvspec::director
