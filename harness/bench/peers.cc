#include "harness/bench/peers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace lvspec {
namespace {

constexpr int kConfigFd = 9, kPidFd = 10;
const std::string kConfig = "/proc/self/fd/9", kPidFile = "/proc/self/fd/10";
constexpr std::chrono::seconds kStartPatience{10};

// maxconn: HAProxy refuses to start where twice as many descriptors are more than the limit, which may be 1024.
// splice-auto is for HAProxy's good: without it bulk data passes through its buffers.
std::string haproxy_config(World& world, const std::vector<std::uint16_t>& ports) {
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

/// Waits until all ports take connections; an error of the programs ends the waiting.
Status await_ports(World& world, const std::string& program, Peer& peer, const std::vector<std::uint16_t>& ports) {
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  for (const std::uint16_t port : ports) {
    for (;;) {
      LVSPEC_ASSIGN(const bool up, listens(world.director().netns, {world.topology().vips.front(), port}));
      if (up) break;
      for (Child& child : peer) {
        if (child.running() && std::chrono::steady_clock::now() < deadline) continue;
        return Error{fmt::format("{} does not listen on port {}, and {}: {}", program, port, child.status_text(),
                                 child.output())};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return {};
}

/// A program that finds `config` as kConfigFd, in the director's namespace.
Result<Child> start_with_config(World& world, const std::string& config, std::vector<std::string> argv) {
  const FileDescriptor file(memfd_create("peer.conf", MFD_CLOEXEC));
  if (!file.valid() || write(file.get(), config.data(), config.size()) != static_cast<ssize_t>(config.size()))
    return system_error("memfd_create(peer.conf)");
  const FileDescriptor pid(memfd_create("peer.pid", MFD_CLOEXEC));
  if (!pid.valid()) return system_error("memfd_create(peer.pid)");
  // The child starts where the thread that starts it is.
  return world.director().netns.call([&] {
    return Child::start(
        {.argv = std::move(argv), .fds = {{file.get(), kConfigFd}, {pid.get(), kPidFd}}, .environment = {}});
  });
}

// No temporary files, no logs: where nginx was configured to put them is not ours to write. It opens its log before
// it reads anything, hence -e. It removes its pid file when it ends, and it may run as root: a descriptor of its own
// cannot be removed, /dev/null can.
std::string nginx_config(World& world, const std::vector<std::uint16_t>& ports) {
  const Topology& topology = world.topology();
  std::string text =
      "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
      "daemon off; master_process off; error_log stderr warn;\n" +
      fmt::format("pid {};\n", kPidFile) +
      "events { worker_connections 900; }\nstream {\n  access_log off;\n  tcp_nodelay on; proxy_half_close on;\n";
  for (const std::uint16_t port : ports) {
    text += fmt::format("  upstream port{} {{\n    hash $remote_addr consistent;\n", port);
    for (int i = 1; i <= topology.server_count; ++i)
      text += fmt::format("    server {}:{};\n", topology.real_server(i).str(), port);
    text += fmt::format("  }}\n  server {{ listen {0}:{1} backlog=1024; proxy_pass port{1}; }}\n",
                        topology.vips.front().str(), port);
  }
  return text + "}\n";
}

std::string text_of(const MacAddress& mac) { return fmt::format("{:02x}", fmt::join(mac, ":")); }

std::string nftables_rules(World& world, const std::vector<std::uint16_t>& ports) {
  const Topology& topology = world.topology();
  std::string port_set, servers;
  for (const std::uint16_t port : ports) port_set += fmt::format("{}{}", port_set.empty() ? "" : ", ", port);
  for (int i = 1; i <= topology.server_count; ++i)
    servers += fmt::format("{}{} : {}", i == 1 ? "" : ", ", i - 1, text_of(world.real_server(i).port.mac));
  const Port& port = world.director().port;
  return fmt::format(
      "table netdev lvspec {{\n  chain ingress {{\n    type filter hook ingress device \"{0}\" priority 0;\n"
      "    ip daddr {1} tcp dport {{ {2} }} ether saddr set {3} ether daddr set jhash ip saddr mod {4} map {{ {5} }} "
      "fwd to \"{0}\"\n  }}\n}}\n",
      port.name, topology.vips.front().str(), port_set, text_of(port.mac), topology.server_count, servers);
}

}  // namespace

Result<Peer> start_haproxy(World& world, const std::vector<std::uint16_t>& ports) {
  LVSPEC_ASSIGN(Child child,
                start_with_config(world, haproxy_config(world, ports), {"haproxy", "-db", "-f", kConfig}));
  Peer peer;
  peer.push_back(std::move(child));
  LVSPEC_TRY(await_ports(world, "haproxy", peer, ports));
  return peer;
}

Result<Peer> start_nginx(World& world, const std::vector<std::uint16_t>& ports) {
  LVSPEC_ASSIGN(Child child,
                start_with_config(world, nginx_config(world, ports), {"nginx", "-e", "stderr", "-c", kConfig}));
  Peer peer;
  peer.push_back(std::move(child));
  LVSPEC_TRY(await_ports(world, "nginx", peer, ports));
  return peer;
}

Result<Peer> start_pen(World& world, const std::vector<std::uint16_t>& ports) {
  const Topology& topology = world.topology();
  Peer peer;
  for (const std::uint16_t port : ports) {
    // -f: stay in the foreground; -x: connections at once; -c: clients remembered.
    std::vector<std::string> argv = {
        "pen", "-f", "-x", "400", "-c", "2048", fmt::format("{}:{}", topology.vips.front().str(), port)};
    for (int i = 1; i <= topology.server_count; ++i)
      argv.push_back(fmt::format("{}:{}", topology.real_server(i).str(), port));
    LVSPEC_ASSIGN(Child child, start_with_config(world, "", argv));
    peer.push_back(std::move(child));
  }
  LVSPEC_TRY(await_ports(world, "pen", peer, ports));
  return peer;
}

Result<Peer> start_nftables(World& world, const std::vector<std::uint16_t>& ports) {
  LVSPEC_ASSIGN(Child nft, start_with_config(world, nftables_rules(world, ports), {"nft", "-f", kConfig}));
  if (!nft.wait(kStartPatience) || nft.status_text() != "exited with 0")
    return Error{fmt::format("nft {}: {}", nft.status_text(), nft.output())};
  return Peer{};
}

}  // namespace lvspec
