#pragma once

// The thread behind RealServers; not for other rooms.

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/probe/real_servers.h"

namespace lvspec {

/// A socket that listens on every address for both families; SOCK_STREAM is listening, SOCK_DGRAM tells each
/// datagram's own destination. The calling thread must be in the server's namespace.
Result<FileDescriptor> listening_socket(const std::string& server, int type, std::uint16_t port);

/// A dual-stack socket sees IPv4 as ::ffff:192.0.2.1; everything else in lvspec says 192.0.2.1.
IpAddress unmapped(const IpAddress& address);
Endpoint endpoint_of(const sockaddr_storage& address);

/// All sockets of all servers and the thread that serves them. Control calls take effect before they return: the
/// thread holds the lock while it works on a batch of events, and finds sockets by number, so that an event for a
/// socket that is closed meanwhile finds nothing.
class ServerLoop {
 public:
  struct Listener {
    int type = 0;  ///< SOCK_STREAM or SOCK_DGRAM
    std::uint16_t port = 0;
    FileDescriptor socket;
  };

  ServerLoop() = default;
  ServerLoop(const ServerLoop&) = delete;
  ServerLoop& operator=(const ServerLoop&) = delete;
  /// Joins the thread, then closes all sockets.
  ~ServerLoop();

  /// Once, before anything else.
  Status start();

  bool listens(int server, int type, std::uint16_t port) const;
  Status add(int server, const std::string& name, std::vector<Listener> listeners);
  /// @return whether there was a listener on this port.
  bool close_port(int server, std::uint16_t port);
  void close_all(int server);
  std::vector<Sighting> log() const;

 private:
  enum class Kind { kTcpListener, kUdp, kConnection };
  enum class Talk { kLines, kHttp };

  struct Socket {
    Kind kind = Kind::kConnection;
    int server = 0;
    std::uint16_t port = 0;
    std::string name;  // of the server
    FileDescriptor fd;
    // Connections:
    Endpoint client{};
    Endpoint target{};
    Talk talk = Talk::kLines;
    bool hold = false;       // the client said "HOLD": its FIN does not end ours
    bool head_only = false;  // HEAD
    std::string unread{};
  };

  void run();
  Status watch(std::uint64_t id, const Socket& socket, std::uint32_t events);
  void accept_all(const Socket& listener);
  void reply_all(const Socket& udp);
  /// Each serves what is there. @return false: the connection is over, close it.
  bool serve(Socket* connection);
  bool serve_lines(Socket* connection);
  bool serve_http(Socket* connection);
  /// @param flags  MSG_MORE where close follows at once: then the FIN travels on the same segment.
  bool say_who(const Socket& connection, const char* protocol, std::string_view after = {}, int flags = 0);
  void note(const Socket& socket, const Endpoint& client, const Endpoint& target, const char* protocol);
  template <typename Predicate>
  bool close_if(Predicate predicate);

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Socket> sockets_;
  std::uint64_t next_id_ = 1;  // 0 is the wake-up
  std::deque<Sighting> log_;
  FileDescriptor epoll_;
  FileDescriptor wake_up_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace lvspec
