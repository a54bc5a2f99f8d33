#include "director/ipvsadm/connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>

namespace lvspec::ipvsadm {

Result<Connection> Connection::open(const std::string& where, std::chrono::milliseconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (where.empty() || where.size() >= sizeof address.sun_path)
    return usage_error(
        fmt::format("control socket \"{}\": a path of 1 to {} bytes, or @NAME", where, sizeof address.sun_path - 1));
  where.copy(address.sun_path, where.size());
  socklen_t length = sizeof address;
  if (where[0] == '@') {
    address.sun_path[0] = 0;
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + where.size());
  }
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error("socket(AF_UNIX)");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    const int error = errno;
    if (error != ECONNREFUSED && error != ENOENT) return system_error(fmt::format("connect({})", where), error);
    return Error{fmt::format("no director listens on {}", where)};
  }
  return Connection(where, std::move(socket), patience);
}

Result<nlohmann::json> Connection::ask(const nlohmann::json& request) {
  const auto lost = [this](const std::string& how) { return Error{fmt::format("director on {}: {}", where_, how)}; };
  // A word on the command line may be any bytes; the protocol is UTF-8.
  const std::string line = request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;  // it may have said why before it went
    sent += static_cast<std::size_t>(count);
  }
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      nlohmann::json reply = nlohmann::json::parse(unread_.substr(0, end), nullptr, false);
      unread_.erase(0, end + 1);
      const bool spoken = reply.is_object() && reply.contains("ok") && reply["ok"].is_boolean();
      return spoken ? Result<nlohmann::json>(std::move(reply)) : lost("its answer is not the control protocol");
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    const int ready = left <= 0 ? 0 : poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return lost(fmt::format("no answer within {} ms", patience_.count()));
    char chunk[65536];
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return lost(count == 0 ? "it has closed the connection" : errno_text(errno));
    unread_.append(chunk, static_cast<std::size_t>(count));
  }
}

}  // namespace lvspec::ipvsadm
