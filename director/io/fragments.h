#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "director/core/time.h"
#include "director/io/bytes.h"
#include "director/io/ip_header.h"

namespace lvspec::director {

/// Cuts a packet that is too long for its link (RFC 791; RFC 8200, 4.5). IPv4 options go into every fragment.
class Fragments {
 public:
  /// @param packet  outlives this object; one of IPv6 has no extension headers, as our own tunnel packets have none
  /// @param mtu     at least 68; IPv6: 1280
  /// @param id      IPv6: identification; IPv4 fragments keep the packet's own
  Fragments(Bytes packet, const IpHeader& ip, std::size_t mtu, std::uint32_t id);
  /// Writes the next fragment. @return its length; 0 when there are no more.
  std::size_t next(MutableBytes fragment);

 private:
  Bytes packet_;
  const IpHeader& ip_;
  std::uint32_t id_;
  std::size_t unfragmentable_;  // what every fragment begins with
  std::size_t payload_;         // of each fragment but the last, a multiple of 8
  std::size_t sent_ = 0;
};

/// Puts packets together again (FWD-14). Bounded: kMostPackets at a time, none longer than an IP packet can be; the
/// oldest go first. What is not complete after 30 s of director time is dropped, and a packet whose pieces overlap
/// is dropped as a whole; a piece that comes twice is ignored.
/// Source: Linux net/ipv4/ip_fragment.c, net/ipv6/netfilter/nf_conntrack_reasm.c.
class Reassembly {
 public:
  static constexpr std::size_t kMostPackets = 64;
  static constexpr Duration kPatience = std::chrono::seconds(30);

  /// @param packet  one fragment, from its IP header on
  /// @return the whole packet, once its last piece is here
  std::optional<std::vector<std::byte>> add(DirectorTime now, Bytes packet, const IpHeader& ip);
  void expire(DirectorTime now);
  std::size_t size() const { return packets_.size(); }

 private:
  using Key = std::tuple<Family, Address, Address, std::uint8_t, std::uint32_t>;
  struct Piece {
    std::size_t offset;
    std::vector<std::byte> bytes;
  };
  struct Unfinished {
    DirectorTime since;
    std::vector<std::byte> header;  // of the first fragment, as it is to stand before the whole
    std::vector<Piece> pieces;      // by offset
    std::size_t arrived = 0;
    std::optional<std::size_t> length;  // of the payload, once the last fragment is here
    bool is_spoilt = false;             // pieces overlap: all of it is to be ignored
  };
  static std::vector<std::byte> whole(const Unfinished& packet, Family family);
  static bool insert(Unfinished& packet, std::size_t offset, Bytes payload);

  std::map<Key, Unfinished> packets_;
};

}  // namespace lvspec::director
