#pragma once

#include <array>
#include <cstdint>

namespace lvspec {

/// An Ethernet address, in the order of the wire.
using MacAddress = std::array<std::uint8_t, 6>;

}  // namespace lvspec
