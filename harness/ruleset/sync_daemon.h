#pragma once

#include <cstdint>
#include <string>

#include "harness/base/ip_address.h"

namespace lvspec {

enum class SyncRole { kMaster, kBackup };

/// A sync daemon (SYN-01). What is left at its default is not said to a director, which then takes its own.
struct SyncDaemon {
  SyncRole role = SyncRole::kMaster;
  std::string interface = "eth0";  ///< at most 15 letters
  std::uint32_t sync_id = 0;       ///< 0 to 255; 0: all
  std::uint16_t max_length = 0;    ///< bytes of a message; 0: the director's
  IpAddress group{};               ///< IPv4 or IPv6; 0.0.0.0: 224.0.0.81
  std::uint16_t port = 0;          ///< 0: 8848
  std::uint8_t ttl = 0;            ///< 0: 1

  bool operator==(const SyncDaemon&) const = default;
};

}  // namespace lvspec
