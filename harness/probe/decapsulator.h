#pragma once

#include <cstdint>
#include <memory>

#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// The UDP port that real servers take GUE on.
inline constexpr std::uint16_t kGuePort = 6080;

/// The far end of tunnels: what IPIP, GRE and GUE packets to a real server carry enters its stack through lo, as if
/// a tunnel device had delivered it. The checksums of GRE and GUE, where present, must be right and a remote checksum
/// is completed, or the packet is lost. In user space, because not every kernel has all tunnel devices.
///
/// Takes IPv4 and IPv6 inside and outside; fragments of the outer packet are not put together.
class Decapsulators {
 public:
  /// Starts the thread that serves all of them. Error: epoll, eventfd.
  static Result<Decapsulators> create();
  Decapsulators(Decapsulators&&) noexcept;
  Decapsulators& operator=(Decapsulators&&) noexcept;
  ~Decapsulators();

  /// From now on, at eth0 of `netns`. Errors name node and call.
  Status add(const NetworkNamespace& netns);

 private:
  struct State;
  explicit Decapsulators(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lvspec
