#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "director/core/address.h"
#include "director/core/packet.h"

namespace lvspec::director {

using Mac = std::array<std::uint8_t, 6>;

/// The bytes of frames that the director writes itself. Frames here have no virtio header: they start with Ethernet.

std::uint16_t ether_type_of(std::span<const std::byte> frame);

/// Direct routing: the frame goes to the real server's MAC from ours. Nothing else changes but the TTL (FWD-02).
void rewrite_macs(std::span<std::byte> frame, const Mac& destination, const Mac& source);

/// FWD-06: takes one from the TTL or hop limit and mends the IPv4 header checksum (RFC 1624).
/// @return false, and leaves the frame alone, if it was 1 or less.
bool decrement_ttl(std::span<std::byte> frame);

/// ICMP or ICMPv6 error about `frame`, back to whoever sent it, from the address it was sent to; quotes as much as
/// fits into 576 (IPv4) or 1280 (IPv6) bytes, as routers do.
enum class IcmpError { kPortUnreachable, kTimeExceeded };
std::vector<std::byte> icmp_error(std::span<const std::byte> frame, IcmpError error, const Mac& own);

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
