#include "director/core/classifier.h"

namespace lvspec::director {

bool MarkRule::matches(const Packet& packet) const {
  if (family != packet.family) return false;
  if (protocol != Protocol::kNone && protocol != packet.protocol) return false;
  if (source_mask.apply(packet.source) != source_mask.apply(source)) return false;
  if (destination_mask.apply(packet.destination) != destination_mask.apply(destination)) return false;
  return source_port_low <= packet.source_port && packet.source_port <= source_port_high &&
         destination_port_low <= packet.destination_port && packet.destination_port <= destination_port_high;
}

std::uint32_t Classifier::mark_of(const Packet& packet) const {
  std::uint32_t mark = packet.mark;
  for (const MarkRule& rule : rules_) {
    if (rule.matches(packet)) mark = (mark & ~rule.mark_mask) ^ rule.mark;
  }
  return mark;
}

}  // namespace lvspec::director
