#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// One question that a real server answered.
struct Sighting {
  std::chrono::system_clock::time_point when;
  std::string server;    ///< "real2"
  Endpoint client;       ///< as the server saw it
  Endpoint target;       ///< where it was reached: the VIP in direct routing and tunnelling, the RIP behind NAT
  std::string protocol;  ///< "tcp", "http", "telnet" or "udp"
};

std::ostream& operator<<(std::ostream& out, const Sighting& sighting);

/// The real servers of a world, all served by one thread. Each says who it is, in one line:
///
///     server=real2 client=192.0.2.1:40112 target=198.51.100.10:80
///
/// TCP, a line each: "WHO" -> the identity line; "BYE" -> the server closes first; "HOLD" followed by a FIN -> the
/// identity line, and the server leaves its half open; "GET " or "HEAD " and headers -> HTTP/1.1 200 with the
/// identity line as body, and the server closes. Other lines are ignored. A FIN from the client is answered by a FIN.
/// Port 23 greets at once: the identity line and "login: ".
/// UDP: any datagram -> the identity line, from the very address and port it was sent to (VIPs on lo).
///
/// Sockets listen on [::] for both families, or on 0.0.0.0 where the kernel has no IPv6.
/// All functions may be called from any thread; when one returns, its effect is complete.
class RealServers {
 public:
  /// Starts the thread. Error: epoll, eventfd.
  static Result<RealServers> create();
  RealServers(RealServers&&) noexcept;
  RealServers& operator=(RealServers&&) noexcept;
  /// Closes every socket and joins the thread.
  ~RealServers();

  /// A server called `name`, in `netns` (kept by a descriptor of our own). Errors name node, port and errno: "real2:
  /// bind(tcp [::]:80): EADDRINUSE (Address already in use)"; then no port of it is open.
  Status add(const std::string& name, const NetworkNamespace& netns, const std::vector<std::uint16_t>& tcp_ports,
             const std::vector<std::uint16_t>& udp_ports = {});

  /// Stops listening on one port, TCP and UDP; open connections live on. Error: no such server or port.
  Status close_port(const std::string& name, std::uint16_t port);

  /// The server's process is dead: its sockets are closed as the kernel does at exit (FIN on open connections), and
  /// from then on the kernel answers with RST and ICMP port unreachable. Nothing is left to stop: no error.
  Status stop(const std::string& name);

  /// Dead or alive before, it listens on all its ports again, those of close_port too. Errors as `add`.
  Status restart(const std::string& name);

  /// The latest questions, oldest first; the bound is `kLogSize`.
  std::vector<Sighting> log() const;
  static constexpr std::size_t kLogSize = 4096;

 private:
  struct Book;
  explicit RealServers(std::unique_ptr<Book> book);
  std::unique_ptr<Book> book_;
};

}  // namespace lvspec
