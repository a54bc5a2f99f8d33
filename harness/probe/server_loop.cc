#include "harness/probe/server_loop.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "harness/probe/client.h"
#include "harness/probe/identity.h"

namespace lvspec {
namespace {

constexpr std::size_t kLongestRequest = 16 * 1024;

bool must_wait(int error) { return error == EAGAIN || error == EINTR; }

// The local address of a datagram, from its control messages, and nothing else of it: the reply is routed anew.
struct PacketInfo {
  int family = AF_UNSPEC;
  in6_pktinfo v6{};
  in_pktinfo v4{};
  IpAddress address;

  static PacketInfo read(msghdr* message) {
    PacketInfo info;
    for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
      if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
        info.family = AF_INET6;
        std::memcpy(&info.v6, CMSG_DATA(header), sizeof info.v6);
        info.address = unmapped(IpAddress::from_bytes(AF_INET6, &info.v6.ipi6_addr));
        info.v6.ipi6_ifindex = 0;
      } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
        info.family = AF_INET;
        std::memcpy(&info.v4, CMSG_DATA(header), sizeof info.v4);
        info.address = IpAddress::from_bytes(AF_INET, &info.v4.ipi_addr);
        info.v4.ipi_spec_dst = info.v4.ipi_addr;  // the header's destination, so that a VIP on lo answers as itself
        info.v4.ipi_ifindex = 0;
      }
    }
    return info;
  }

  void write(msghdr* message) const {
    cmsghdr* header = CMSG_FIRSTHDR(message);
    const bool six = family == AF_INET6;
    const void* data = six ? static_cast<const void*>(&v6) : &v4;
    const std::size_t size = six ? sizeof v6 : sizeof v4;
    header->cmsg_level = six ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
    header->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), data, size);
    message->msg_controllen = CMSG_SPACE(size);
  }
};

}  // namespace

IpAddress unmapped(const IpAddress& address) {
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!address.is_v6() || std::memcmp(address.bytes(), kMapped.data(), kMapped.size()) != 0) return address;
  return IpAddress::from_bytes(AF_INET, address.bytes() + kMapped.size());
}

Endpoint endpoint_of(const sockaddr_storage& address) {
  const Endpoint endpoint = Endpoint::from_sockaddr(address);
  return {unmapped(endpoint.address), endpoint.port};
}

Result<FileDescriptor> listening_socket(const std::string& server, int type, std::uint16_t port) {
  int family = AF_INET6;
  FileDescriptor socket(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid() && errno == EAFNOSUPPORT) {
    family = AF_INET;
    socket.reset(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  const bool tcp = type == SOCK_STREAM;
  const std::string where =
      fmt::format("({} {}:{})", tcp ? "tcp" : "udp", family == AF_INET6 ? "[::]" : "0.0.0.0", port);
  if (!socket.valid()) return system_error(server + ": socket" + where);
  const int on = 1;
  const int off = 0;
  if (family == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (tcp) {
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections in TIME_WAIT do not matter
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // inherited by connections
  } else if (family == AF_INET6) {
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  } else {
    setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  }
  sockaddr_storage address;
  const IpAddress any = family == AF_INET6 ? IpAddress::of("::") : IpAddress::of("0.0.0.0");
  const socklen_t length = Endpoint{any, port}.to_sockaddr(&address);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
    return system_error(server + ": bind" + where);
  if (tcp && listen(socket.get(), SOMAXCONN) != 0) return system_error(server + ": listen" + where);
  return socket;
}

Status ServerLoop::start() {
  epoll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return system_error("real servers: epoll_create1()");
  wake_up_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_up_.valid()) return system_error("real servers: eventfd()");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_up_.get(), &event) != 0)
    return system_error("real servers: epoll_ctl(eventfd)");
  // Signals are for the program's own threads: this one starts with all of them blocked.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

ServerLoop::~ServerLoop() {
  if (!thread_.joinable()) return;
  ending_ = true;
  LVSPEC_CHECK_EQ(eventfd_write(wake_up_.get(), 1), 0);
  thread_.join();
}

void ServerLoop::run() {
  pthread_setname_np(pthread_self(), "real-servers");
  std::array<epoll_event, 128> events;
  while (!ending_) {
    const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    LVSPEC_CHECK(ready >= 0 || errno == EINTR);
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < ready; ++i) {
      const auto found = sockets_.find(events[static_cast<std::size_t>(i)].data.u64);
      if (found == sockets_.end()) continue;  // the wake-up, or closed since
      Socket& socket = found->second;
      switch (socket.kind) {
        case Kind::kTcpListener:
          accept_all(socket);
          break;
        case Kind::kUdp:
          reply_all(socket);
          break;
        case Kind::kConnection:
          if (!serve(&socket)) sockets_.erase(found);
          break;
      }
    }
  }
}

Status ServerLoop::watch(std::uint64_t id, const Socket& socket, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.fd.get(), &event) != 0)
    return system_error(socket.name + ": epoll_ctl(ADD)");
  return {};
}

void ServerLoop::accept_all(const Socket& listener) {
  for (;;) {
    sockaddr_storage address;
    socklen_t length = sizeof address;
    FileDescriptor fd(
        accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      // Without descriptors every later verdict would be wrong, so that is the end.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        check_failed(__FILE__, __LINE__, listener.name + ": accept4(): " + errno_text(errno));
      if (must_wait(errno)) return;
      continue;  // this connection died in the queue; accept reports its error (accept(2), "Error handling")
    }
    Socket connection;
    connection.kind = Kind::kConnection;
    connection.server = listener.server;
    connection.port = listener.port;
    connection.name = listener.name;
    connection.client = endpoint_of(address);
    length = sizeof address;
    if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) continue;
    connection.target = endpoint_of(address);
    connection.fd = std::move(fd);
    if (listener.port == kTelnetPort && !say_who(connection, "telnet", "login: ")) continue;
    const std::uint64_t id = next_id_++;
    // `listener` stays where it is: an unordered_map never moves its elements.
    const Socket& kept = sockets_.emplace(id, std::move(connection)).first->second;
    // Edge-triggered, so that a half that we hold open after the client's FIN does not wake us for ever.
    const Status watched = watch(id, kept, EPOLLIN | EPOLLRDHUP | EPOLLET);
    if (!watched.ok()) check_failed(__FILE__, __LINE__, watched.error().message);
  }
}

void ServerLoop::reply_all(const Socket& udp) {
  for (;;) {
    char data[2048];
    alignas(cmsghdr) char control[128];
    sockaddr_storage address;
    iovec part{data, sizeof data};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(udp.fd.get(), &message, 0) < 0) {
      if (must_wait(errno)) return;
      continue;  // an ICMP error for an earlier reply; reading it clears it
    }
    const PacketInfo info = PacketInfo::read(&message);
    if (info.family == AF_UNSPEC) continue;
    const Endpoint client = endpoint_of(address);
    const Endpoint target{info.address, udp.port};
    std::string reply = identity_line(udp.name, client, target);
    part = {reply.data(), reply.size()};
    message.msg_controllen = sizeof control;
    info.write(&message);
    message.msg_flags = 0;
    // A reply that cannot be sent is a reply that does not come; the client's probe tells.
    if (sendmsg(udp.fd.get(), &message, MSG_NOSIGNAL) >= 0) note(udp, client, target, "udp");
  }
}

bool ServerLoop::serve(Socket* connection) {
  for (;;) {
    char buffer[4096];
    const ssize_t size = recv(connection->fd.get(), buffer, sizeof buffer, 0);
    if (size < 0) return must_wait(errno);
    if (size == 0) return connection->hold && say_who(*connection, "tcp");
    connection->unread.append(buffer, static_cast<std::size_t>(size));
    if (connection->unread.size() > kLongestRequest) return false;
    if (!(connection->talk == Talk::kHttp ? serve_http(connection) : serve_lines(connection))) return false;
  }
}

bool ServerLoop::serve_lines(Socket* connection) {
  std::string& unread = connection->unread;
  for (auto end = unread.find('\n'); end != std::string::npos; end = unread.find('\n')) {
    std::string_view line = std::string_view(unread).substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("GET ") || line.starts_with("HEAD ")) {
      connection->talk = Talk::kHttp;
      connection->head_only = line.starts_with("HEAD ");
      return serve_http(connection);
    }
    if (line == "BYE") return false;
    if (line == "HOLD") connection->hold = true;
    const bool who = line == "WHO";
    unread.erase(0, end + 1);
    const char* protocol = connection->port == kTelnetPort ? "telnet" : "tcp";
    if (who && !say_who(*connection, protocol, {}, unread == "BYE\n" ? MSG_MORE : 0)) return false;
  }
  return true;
}

bool ServerLoop::serve_http(Socket* connection) {
  // The reply waits for the end of the headers: closing with unread data would send RST instead of FIN.
  if (connection->unread.find("\r\n\r\n") == std::string::npos) return true;
  const std::string body = identity_line(connection->name, connection->client, connection->target);
  const std::string reply = fmt::format(
      "HTTP/1.1 200 OK\r\nServer: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: "
      "close\r\n\r\n{}",
      connection->name, body.size(), connection->head_only ? "" : body);
  // MSG_MORE holds it back until close, which puts the FIN on the same segment: so we close first, always.
  if (send(connection->fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_MORE) >= 0)
    note(*connection, connection->client, connection->target, "http");
  return false;
}

bool ServerLoop::say_who(const Socket& connection, const char* protocol, std::string_view after, int flags) {
  std::string line = identity_line(connection.name, connection.client, connection.target);
  line += after;
  if (send(connection.fd.get(), line.data(), line.size(), MSG_NOSIGNAL | flags) < 0) return false;
  note(connection, connection.client, connection.target, protocol);
  return true;
}

void ServerLoop::note(const Socket& socket, const Endpoint& client, const Endpoint& target, const char* protocol) {
  if (log_.size() == RealServers::kLogSize) log_.pop_front();
  log_.push_back({std::chrono::system_clock::now(), socket.name, client, target, protocol});
}

template <typename Predicate>
bool ServerLoop::close_if(Predicate predicate) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(sockets_, [&](const auto& entry) { return predicate(entry.second); }) > 0;
}

bool ServerLoop::listens(int server, int type, std::uint16_t port) const {
  const Kind kind = type == SOCK_STREAM ? Kind::kTcpListener : Kind::kUdp;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, socket] : sockets_)
    if (socket.server == server && socket.kind == kind && socket.port == port) return true;
  return false;
}

Status ServerLoop::add(int server, const std::string& name, std::vector<Listener> listeners) {
  const std::lock_guard lock(mutex_);
  for (Listener& listener : listeners) {
    Socket socket;
    socket.kind = listener.type == SOCK_STREAM ? Kind::kTcpListener : Kind::kUdp;
    socket.server = server;
    socket.port = listener.port;
    socket.name = name;
    socket.fd = std::move(listener.socket);
    const std::uint64_t id = next_id_++;
    LVSPEC_TRY(watch(id, sockets_.emplace(id, std::move(socket)).first->second, EPOLLIN));
  }
  return {};
}

bool ServerLoop::close_port(int server, std::uint16_t port) {
  return close_if([&](const Socket& socket) {
    return socket.server == server && socket.port == port && socket.kind != Kind::kConnection;
  });
}

void ServerLoop::close_all(int server) {
  close_if([&](const Socket& socket) { return socket.server == server; });
}

std::vector<Sighting> ServerLoop::log() const {
  const std::lock_guard lock(mutex_);
  return {log_.begin(), log_.end()};
}

}  // namespace lvspec
