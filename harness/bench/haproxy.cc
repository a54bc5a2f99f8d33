#include "harness/bench/haproxy.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace lvspec {
namespace {

constexpr int kConfigFd = 9;
constexpr std::chrono::seconds kStartPatience{10};

// maxconn: HAProxy refuses to start where twice as many descriptors are more than the limit, which may be 1024.
// splice-auto is for HAProxy's good: without it bulk data passes through its buffers.
std::string config_of(World& world, const std::vector<std::uint16_t>& ports) {
  const Topology& topology = world.topology();
  std::string text =
      "global\n  maxconn 400\n  nbthread 1\n"
      "defaults\n  mode tcp\n  option splice-auto\n"
      "  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n";
  for (const std::uint16_t port : ports) {
    text += fmt::format(
        "listen port{0}\n  bind {1}:{0}\n  balance roundrobin\n"
        "  stick-table type ip size 1m expire 300s\n  stick on src\n",
        port, topology.vips.front().str());
    for (int i = 1; i <= topology.server_count; ++i)
      text += fmt::format("  server {} {}:{}\n", world.real_server(i).name, topology.real_server(i).str(), port);
  }
  return text;
}

/// Whether somebody listens there, seen from the node itself.
Result<bool> listens(const NetworkNamespace& netns, const Endpoint& target) {
  return netns.call([&]() -> Result<bool> {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error(netns.name() + ": socket()");
    sockaddr_storage address;
    const socklen_t length = target.to_sockaddr(&address);
    return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
  });
}

}  // namespace

Result<Child> start_haproxy(World& world, const std::vector<std::uint16_t>& ports) {
  const FileDescriptor config(memfd_create("haproxy.cfg", MFD_CLOEXEC));
  const std::string text = config_of(world, ports);
  if (!config.valid() || write(config.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error("memfd_create(haproxy.cfg)");
  const NetworkNamespace& netns = world.director().netns;
  // The child starts where the thread that starts it is.
  LVSPEC_ASSIGN(Child child, netns.call([&] {
    return Child::start({.argv = {"haproxy", "-db", "-f", fmt::format("/proc/self/fd/{}", kConfigFd)},
                         .fds = {{config.get(), kConfigFd}},
                         .environment = {}});
  }));
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  for (const std::uint16_t port : ports) {
    for (;;) {
      LVSPEC_ASSIGN(const bool up, listens(netns, {world.topology().vips.front(), port}));
      if (up) break;
      if (!child.running() || std::chrono::steady_clock::now() > deadline)
        return Error{
            fmt::format("haproxy does not listen on port {}, and {}: {}", port, child.status_text(), child.output())};
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return child;
}

}  // namespace lvspec
