#include "director/control/server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lvspec::director {
namespace {

[[noreturn]] void fail(const std::string& attempt) {
  throw std::system_error(errno, std::generic_category(), attempt);
}

bool is_abstract(const std::string& where) { return where.starts_with("@"); }

/// Whoever may be root here, or is us. An abstract socket has no mode that would keep the others out (ADM-59).
bool is_trusted(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

int listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail("--control " + path);
  }
  path.copy(address.sun_path, path.size());
  socklen_t length = sizeof address;
  if (is_abstract(path)) {
    address.sun_path[0] = 0;
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket(AF_UNIX)");
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd, 8) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    fail("--control " + path + ": bind");
  }
  return fd;
}

}  // namespace

ControlServer::ControlServer(Control& control, const std::string& where) : control_(control) {
  if (where.starts_with("fd:")) {
    inherited_ = true;
    const int fd = std::stoi(where.substr(3));
    connections_.emplace(fd, std::string());
  } else {
    listener_ = listen_on(where);
    if (!is_abstract(where)) path_ = where;
  }
}

ControlServer::~ControlServer() {
  for (const auto& [fd, line] : connections_) close(fd);
  if (listener_ >= 0) close(listener_);
  if (!path_.empty()) unlink(path_.c_str());
}

std::vector<pollfd> ControlServer::interests() const {
  std::vector<pollfd> fds;
  if (listener_ >= 0) fds.push_back({listener_, POLLIN, 0});
  for (const auto& [fd, line] : connections_) fds.push_back({fd, POLLIN, 0});
  return fds;
}

void ControlServer::serve(int fd) {
  if (fd == listener_) {
    const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) return;
    if (is_trusted(accepted)) {
      connections_.emplace(accepted, std::string());
    } else {
      reply(accepted, R"json({"ok":false,"code":"permission","error":"Permission denied (you must be root)"})json");
      close(accepted);
    }
    return;
  }
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  char chunk[65536];
  const ssize_t count = read(fd, chunk, sizeof chunk);
  if (count <= 0) {
    if (count < 0 && errno == EINTR) return;
    close(fd);
    connections_.erase(found);
    return;
  }
  found->second.append(chunk, static_cast<std::size_t>(count));
  std::string& text = found->second;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
    const std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    if (const std::string answer = control_.answer(fd, line); !answer.empty()) reply(fd, answer);
  }
}

void ControlServer::fence(std::uint64_t token) {
  for (const auto& [fd, line] : control_.on_fence(token)) reply(fd, line);
}

void ControlServer::reply(int fd, const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) return;  // the asker is gone; its POLLHUP ends the connection
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
}

}  // namespace lvspec::director
