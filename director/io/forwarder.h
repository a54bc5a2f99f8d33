#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "director/control/control.h"
#include "director/core/director.h"
#include "director/io/frame_socket.h"
#include "director/io/wire_format.h"

namespace lvspec::director {

/// Carries frames between the wire and the director's own stack and lets the core decide about each.
///
///      wire (eth0)                                            stack (stack0)
///   ------------------> core.handle: forward -> back out on the wire to the real server's MAC
///                                    pass    -------------------------------->  the machine's own TCP/IP
///                                    reject  -> ICMP port unreachable, back out
///                                    drop
///   <-----------------------------------------------  core.handle_reply: replies of local servers, all else
///
/// So the machine's stack sits behind the director as it sits behind the LOCAL_IN hook: ARP, RSTs for ports that no
/// service has, and real servers on the director itself are the kernel's, not ours.
class Forwarder {
 public:
  struct Options {
    std::string wire = "eth0";
    std::string stack = "stack0";
    /// Addresses of the machine itself: a real server at one of them (or in 127.0.0.0/8, ::1) is a local node, and
    /// the first of each family asks for its neighbours.
    std::vector<std::pair<Family, Address>> own_addresses;
  };

  /// @throws std::system_error
  Forwarder(Director& director, Clock& clock, const Options& options);

  int wire_fd() const { return wire_.fd(); }
  int stack_fd() const { return stack_.fd(); }
  /// Handles what waits on either side. @return whether there was anything.
  bool run_once();
  std::function<void(std::uint64_t token)> on_fence = [](std::uint64_t) {};

 private:
  struct Route {
    bool known = false;
    Mac mac{};
    std::vector<std::vector<std::byte>> waiting;  ///< frames for it, while we ask
  };
  using RouteKey = std::pair<Family, Address>;

  void from_wire(std::span<std::byte> buffer);
  void from_stack(std::span<std::byte> buffer);
  void forward(std::span<std::byte> buffer, Family family, const Address& server);
  void learn(const Neighbour& neighbour);
  bool is_local(Family family, const Address& address) const;

  Director& director_;
  Clock& clock_;
  FrameSocket wire_, stack_;
  std::vector<std::pair<Family, Address>> own_;
  std::map<RouteKey, Route> routes_;
};

}  // namespace lvspec::director
