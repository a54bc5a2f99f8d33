#include "suites/forwarding/talk.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "harness/base/world_error.h"

namespace lvspec {
namespace {

constexpr int kPatienceMs = 2000;  // several times TCP's first retransmission

[[noreturn]] void give_up(const std::string& attempt) { throw WorldError(system_error(attempt)); }

/// What one side sent did not reach the other, or not as it was: that is what cases are about, not a fault of ours.
[[noreturn]] void not_carried(const std::string& what) { throw WorldError(Error{what, ErrorKind::kDirector}); }

void wait_for(const FileDescriptor& socket, short event, const std::string& attempt) {
  pollfd waiting{.fd = socket.get(), .events = event, .revents = 0};
  const int ready = poll(&waiting, 1, kPatienceMs);
  if (ready < 0) give_up("poll for " + attempt);
  if (ready == 0) not_carried(attempt + ": nothing happened");
}

FileDescriptor socket_at(const NetworkNamespace& netns, const Endpoint& at) {
  return must(netns.call([&]() -> Result<FileDescriptor> {
    FileDescriptor fd(socket(at.address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_storage address{};
    const socklen_t length = at.to_sockaddr(&address);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
      return system_error(netns.name() + ": bind(" + at.str() + ")");
    return fd;
  }));
}

}  // namespace

Talk Talk::connect(const NetworkNamespace& from, const Endpoint& source, const Endpoint& target) {
  Talk talk(socket_at(from, source));
  sockaddr_storage address{};
  const socklen_t length = target.to_sockaddr(&address);
  const std::string attempt = from.name() + ": connect(" + target.str() + ")";
  if (::connect(talk.socket_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)
    give_up(attempt);
  wait_for(talk.socket_, POLLOUT, attempt);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(talk.socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) not_carried(system_error(attempt, error).message);
  return talk;
}

void Talk::say(const std::string& text) {
  if (send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    give_up("send(" + text + ")");
}

std::string Talk::hear() {
  std::array<char, 512> buffer;
  std::size_t end = 0;
  while ((end = unread_.find('\n')) == std::string::npos) {
    wait_for(socket_, POLLIN, "a line from " + peer().str());
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got == 0) not_carried("recv: the other side has closed");
    if (got < 0) not_carried(system_error("recv").message);
    unread_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const std::string line = unread_.substr(0, end + 1);
  unread_.erase(0, end + 1);
  return line;
}

Endpoint Talk::peer() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) give_up("getpeername");
  return Endpoint::from_sockaddr(address);
}

Listener::Listener(const NetworkNamespace& netns, const Endpoint& at) : socket_(socket_at(netns, at)) {
  if (listen(socket_.get(), 8) != 0) give_up("listen(" + at.str() + ")");
}

Talk Listener::accept() {
  wait_for(socket_, POLLIN, "accept");
  Talk talk{FileDescriptor(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK))};
  if (!talk.socket_.valid()) give_up("accept");
  return talk;
}

}  // namespace lvspec
