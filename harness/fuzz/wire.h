#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/base/file_descriptor.h"
#include "harness/probe/frame.h"
#include "harness/topology/world.h"

namespace lvspec::fuzz {

/// The other end of the director's link. Whoever holds it is all clients and all real servers at once: it sends
/// what they would send, frame by frame, and sees what the director makes of it. Nobody else is on the segment, so
/// a packet costs one send and a look.
class Wire {
 public:
  /// A world that consists of a director alone.
  static Result<World> build_world(DirectorPlace place);
  static Result<Wire> open(World& world);

  static constexpr int kServers = 4;
  /// RIP of real server i, from 1.
  static IpAddress rip(int i, int family);

  Status send_tcp(const Endpoint& from, const Endpoint& to, std::uint8_t flags, std::uint32_t seq,
                  const std::string& payload = "");
  Status send_udp(const Endpoint& from, const Endpoint& to, const std::string& payload);

  /// The same from a real server, which sends what is not for its own network to the director.
  Status reply_tcp(int server, const Endpoint& from, const Endpoint& to, std::uint8_t flags, std::uint32_t seq);
  Status reply_udp(int server, const Endpoint& from, const Endpoint& to, const std::string& payload);

  /// One frame that the director sent.
  struct Sight {
    std::string text;             ///< "real2 192.0.2.2:40000 > 198.51.100.10:80 ttl 63", "RST", "port unreachable"
    int server = 0;               ///< which real server got it; 0: none
    Endpoint source{}, target{};  ///< as that server sees them; unset where it is no TCP or UDP
  };
  /// What the director did with everything that was sent since the last call, in its order; nothing for silence.
  /// Neighbours that the director asks for answer. Returns when the director has handled all of it.
  Result<std::vector<Sight>> settle(DirectorUnderTest& director);

 private:
  Wire(FileDescriptor socket, MacAddress director, MacAddress router)
      : socket_(std::move(socket)), director_(director), router_(router) {}

  Status send_frame(const std::vector<std::uint8_t>& frame);
  Status raise_fence(DirectorUnderTest& director);
  /// @return whether a neighbour was asked for, and has answered.
  Result<bool> drain(std::vector<Sight>* seen);
  std::optional<MacAddress> owner_of(const IpAddress& address) const;
  Result<bool> answer_neighbour(std::span<const std::uint8_t> frame);

  FileDescriptor socket_;
  MacAddress director_, router_;
  std::uint64_t fence_ = 0;
};

}  // namespace lvspec::fuzz
