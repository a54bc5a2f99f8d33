#pragma once

#include <cstdint>
#include <vector>

#include "director/core/packet.h"

namespace lvspec::director {

/// One rule of the mangle table: what must match, and the mark it sets. A field left at its default matches all.
struct MarkRule {
  Family family = Family::kIpv4;
  Protocol protocol = Protocol::kNone;  ///< kNone: any
  Address source{}, destination{};
  AddressMask source_mask{}, destination_mask{};  ///< all-zero mask: any address
  std::uint16_t source_port_low = 0, source_port_high = 65535;
  std::uint16_t destination_port_low = 0, destination_port_high = 65535;
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0xffffffff;  ///< MARK --set-xmark value/mask: mark = (mark & ~mask) ^ value

  bool matches(const Packet& packet) const;
};

/// netfilter's part: gives each packet its mark before IPVS looks at it (SVC-06). Rules act in order and MARK does
/// not end the walk, so the last match wins, as in the mangle table.
class Classifier {
 public:
  void replace(std::vector<MarkRule> rules) { rules_ = std::move(rules); }
  std::uint32_t mark_of(const Packet& packet) const;

 private:
  std::vector<MarkRule> rules_;
};

}  // namespace lvspec::director
