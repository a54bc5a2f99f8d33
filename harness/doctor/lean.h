#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/doctor/configuration.h"

namespace lvspec::doctor {

/// What one service means for its clients.
struct Lean {
  Place place;
  std::string service;                    ///< "TCP 198.51.100.10:80"
  std::string client;                     ///< who is one client: "one IPv4 address, on port 80 of 198.51.100.10"
  std::optional<std::uint32_t> window_s;  ///< seconds; absent: not persistent
  std::string sentence;                   ///< the client, the window, what renews and ends it
  std::vector<std::string_view> clauses;  ///< that it leans on
};

/// One for each service, in their order.
std::vector<Lean> leans(const Configuration& configuration);

}  // namespace lvspec::doctor
