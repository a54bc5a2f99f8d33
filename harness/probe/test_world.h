#pragma once

// A small world for this room's tests: clients, and three real servers that they reach directly.

#include <gmock/gmock.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "harness/probe/client.h"
#include "harness/probe/frame.h"
#include "harness/probe/raw_probe.h"
#include "harness/probe/real_servers.h"
#include "harness/topology/world.h"

namespace lvspec {

#define ASSERT_RESULT(result) ASSERT_TRUE((result).ok()) << (result).error().message

/// Long enough for anything that comes at all, short enough to wait for what does not.
inline constexpr std::chrono::milliseconds kShortPatience{300};
inline constexpr std::uint16_t kFrozenPort = 7;

MATCHER_P(AnsweredBy, server, "") {
  *result_listener << arg;
  return arg.outcome == Outcome::kAnswered && arg.server == server;
}
MATCHER_P(Ended, outcome, "") {
  *result_listener << arg;
  return arg.outcome == outcome && arg.server.empty();
}

/// All that a node sends and hears on eth0, in order.
class Capture {
 public:
  explicit Capture(const NetworkNamespace& netns)
      : socket_(netns
                    .call([]() -> Result<FileDescriptor> {
                      FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0));
                      sockaddr_ll address{};
                      address.sll_family = AF_PACKET;
                      address.sll_protocol = htons(ETH_P_ALL);
                      address.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
                      if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
                        return system_error("bind(packet socket)");
                      return socket;
                    })
                    .value()) {}

  /// The TCP segments since the last call, each as "client SYN", "server SYN ACK".
  std::vector<std::string> segments(std::uint16_t server_port) {
    std::vector<std::string> seen;
    std::vector<std::uint8_t> buffer(1 << 16);
    ssize_t size = 0;
    while ((size = recv(socket_.get(), buffer.data(), buffer.size(), 0)) >= 0) {
      const auto heard = read_frame({buffer.data(), static_cast<std::size_t>(size)});
      if (!heard || heard->kind != HeardFrame::Kind::kTcp) continue;
      std::string text = heard->target.port == server_port ? "client" : "server";
      if ((heard->flags & tcp_flags::kSyn) != 0) text += " SYN";
      if ((heard->flags & tcp_flags::kFin) != 0) text += " FIN";
      if ((heard->flags & tcp_flags::kRst) != 0) text += " RST";
      if ((heard->flags & tcp_flags::kAck) != 0) text += " ACK";
      seen.push_back(text);
    }
    return seen;
  }
  const FileDescriptor& socket() const { return socket_; }

 private:
  FileDescriptor socket_;
};

class ProbeWorld : public ::testing::Test {
 protected:
  void SetUp() override {
    auto world = World::build(Topology{});
    ASSERT_RESULT(world);
    world_.emplace(std::move(*world));
    auto servers = RealServers::create();
    ASSERT_RESULT(servers);
    servers_.emplace(std::move(*servers));
    for (int i = 1; i <= 3; ++i) {
      const Status added = servers_->add(server_name(i), real(i), {kTelnetPort, 80, 443}, {53});
      ASSERT_RESULT(added);
    }
  }

  static std::string server_name(int i) { return "real" + std::to_string(i); }
  const NetworkNamespace& real(int i) { return world_->real_server(i).netns; }
  Client client() { return Client(world_->client().netns); }
  IpAddress cip(int i, int family = AF_INET) { return world_->topology().client(i, family); }
  IpAddress rip(int i, int family = AF_INET) { return world_->topology().real_server(i, family); }
  /// Client 1 to a real server, any source port.
  Attempt to(int server, std::uint16_t port, int family = AF_INET) {
    return {.client = {cip(1, family), 0}, .target = {rip(server, family), port}};
  }

  /// A TCP listener in a real server's namespace that nobody serves.
  FileDescriptor listener(int server, std::uint16_t port) {
    return real(server)
        .call([&]() -> Result<FileDescriptor> {
          FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
          sockaddr_storage address;
          const socklen_t length = Endpoint{rip(server), port}.to_sockaddr(&address);
          if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(socket.get(), 16) != 0)
            return system_error("listener");
          return socket;
        })
        .value();
  }

  std::optional<World> world_;
  std::optional<RealServers> servers_;
};

}  // namespace lvspec
