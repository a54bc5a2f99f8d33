#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// Records every frame that crosses any interface of one namespace, meant for the segment of a World, where all links
/// meet. The kernel copies the first 190 bytes of each frame into a ring of 4096 frames that we share with it;
/// nothing of ours runs and nothing is read while a case goes on, and only a case that failed pays for writing files.
/// The ring is charged to nobody's rmem_max, so it works unprivileged. When it is full, the earliest frames stay.
/// Source: Linux Documentation/networking/packet_mmap.rst, TPACKET_V2.
class Capture {
 public:
  /// Starts recording; from here on every frame is kept until the room is used up, then counted as dropped.
  /// Needs CAP_NET_RAW over the namespace, which the root of our own user namespace has. Takes 0.1 to 0.4 ms where
  /// the kernel runs with rcupdate.rcu_expedited=1; elsewhere PACKET_RX_RING, and later close, wait for one RCU grace
  /// period (up to some 20 ms). Both may run on a thread of their own, beside the building of a bench.
  static Result<Capture> start(const NetworkNamespace& segment);

  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;
  ~Capture();

  /// Writes one "NAME.pcapng" for each link into `dir`, also for a link that saw nothing.
  /// Directions are the node's, as if recorded on its own eth0: what the switch received, the node had sent.
  /// @param links  ifindex of the switch's end (Port::segment_ifindex) -> name of the node
  /// @return the paths written. Errors name the file or the call.
  Result<std::vector<std::string>> write(const std::string& dir, const std::map<int, std::string>& links);

  /// Frames that found no room, up to now.
  Result<std::uint64_t> dropped();

 private:
  /// The ring as mapped; move-only, unmapped at the end.
  struct Ring;

  Capture(FileDescriptor socket, std::unique_ptr<Ring> ring);

  FileDescriptor socket_;
  std::unique_ptr<Ring> ring_;
  std::uint64_t dropped_ = 0;
};

}  // namespace lvspec
