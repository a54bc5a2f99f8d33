#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/probe/client.h"
#include "harness/probe/frame.h"

namespace lvspec {

/// One IP packet as it arrived at a node, for cases that look at the packet itself.
struct HeardPacket {
  MacAddress from{}, to{};
  std::vector<std::uint8_t> bytes;  ///< from the IP header on, without padding

  bool is_v6() const { return bytes[0] >> 4 == 6; }
  int protocol() const { return is_v6() ? bytes[6] : bytes[9]; }
  int ttl() const { return is_v6() ? bytes[7] : bytes[8]; }
  int tos() const { return is_v6() ? (bytes[0] << 4 | bytes[1] >> 4) & 0xff : bytes[1]; }
  bool dont_fragment() const { return !is_v6() && (bytes[6] & 0x40) != 0; }
  IpAddress source() const;
  IpAddress destination() const;
  /// What follows the IP header (IPv4 options are skipped, IPv6 extension headers are not).
  std::vector<std::uint8_t> payload() const;
};

std::ostream& operator<<(std::ostream& out, const HeardPacket& packet);

/// Hears every IP packet that arrives at a node, for its MAC, from now on.
class Tap {
 public:
  /// Errors name node and call.
  static Result<Tap> open(const NetworkNamespace& netns, const std::string& interface = "eth0");

  /// The first packet that fits, of those that have come since the last call and those that come within `patience`;
  /// nothing if none does. What was heard before it is forgotten.
  std::optional<HeardPacket> await(const std::function<bool(const HeardPacket&)>& fits,
                                   std::chrono::milliseconds patience = kPatience);

 private:
  explicit Tap(FileDescriptor socket) : socket_(std::move(socket)) {}
  FileDescriptor socket_;
};

}  // namespace lvspec
