#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "director/core/address.h"

namespace lvspec::director {

using Mac = std::array<std::uint8_t, 6>;

inline constexpr std::uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;

/// The bytes of frames: the Ethernet part, and who is whose neighbour. Frames here have no virtio header: they start
/// with Ethernet.

std::uint16_t ether_type_of(std::span<const std::byte> frame);
Mac mac_at(std::span<const std::byte> bytes, std::size_t at);

/// Direct routing: the frame goes to the real server's MAC from ours. Nothing else changes but the TTL (FWD-02).
void rewrite_macs(std::span<std::byte> frame, const Mac& destination, const Mac& source);

/// FWD-06: takes one from the TTL or hop limit and mends the IPv4 header checksum (RFC 1624).
/// @return false, and leaves the frame alone, if it was 1 or less.
bool decrement_ttl(std::span<std::byte> frame);

/// Who has `target`? ARP or neighbour solicitation, asked from our own address.
std::vector<std::byte> neighbour_request(Family family, const Address& target, const Address& own,
                                         const Mac& own_mac);

/// What a frame says about whose MAC is whose: any ARP packet's sender, a neighbour advertisement's target.
struct Neighbour {
  Family family;
  Address address;
  Mac mac;
};
std::optional<Neighbour> neighbour_in(std::span<const std::byte> frame);

}  // namespace lvspec::director
