#include "harness/probe/sockets.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace lvspec {

std::optional<Outcome> outcome_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Outcome::kRefused;
    case ECONNRESET:
    case EPIPE:
      return Outcome::kReset;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:  // ICMP protocol unreachable
    case EHOSTDOWN:
    case ENONET:
    case EACCES:  // ICMPv6 administratively prohibited
    case EPROTO:  // ICMPv6 codes unknown to the kernel
      return Outcome::kUnreachable;
    case ETIMEDOUT:
      return Outcome::kSilence;
    default:
      return std::nullopt;
  }
}

Result<FileDescriptor> bound_socket(const std::string& node, int type, const Attempt& attempt) {
  LVSPEC_CHECK_EQ(attempt.client.address.family(), attempt.target.address.family());
  const int family = attempt.client.address.family();
  FileDescriptor socket(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error(fmt::format("{}: socket({})", node, family == AF_INET6 ? "v6" : "v4"));
  const int on = 1;
  if (type == SOCK_STREAM && attempt.client.port != 0) {
    // A port whose last connection is in TIME_WAIT is free for another target.
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  } else if (type == SOCK_STREAM) {
    // The port is chosen by connect, which may give one port to many targets; bind would use up the range.
    setsockopt(socket.get(), SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  }
  sockaddr_storage address;
  const socklen_t length = attempt.client.to_sockaddr(&address);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
    return system_error(fmt::format("{}: bind({})", node, attempt.client.str()));
  return socket;
}

int connect_socket(const FileDescriptor& socket, const Endpoint& target) {
  sockaddr_storage address;
  const socklen_t length = target.to_sockaddr(&address);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

Endpoint local_end(const FileDescriptor& socket) {
  sockaddr_storage address;
  socklen_t length = sizeof address;
  LVSPEC_CHECK_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  return Endpoint::from_sockaddr(address);
}

bool wait_readable(const FileDescriptor& socket, ProbeClock::time_point deadline) {
  pollfd entry{socket.get(), POLLIN, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - ProbeClock::now()).count();
    const int ready = poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
  }
}

void reset_connection(FileDescriptor* socket) {
  const linger at_once{1, 0};
  setsockopt(socket->get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket->reset();
}

void send_pending_ack(const FileDescriptor& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

std::chrono::microseconds since(ProbeClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(ProbeClock::now() - start);
}

}  // namespace lvspec
