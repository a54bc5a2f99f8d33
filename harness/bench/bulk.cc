#include "harness/bench/bulk.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "harness/probe/real_servers.h"
#include "harness/probe/server_loop.h"

namespace lvspec {
namespace {

constexpr std::size_t kChunk = std::size_t{256} * 1024;
constexpr std::chrono::seconds kPatience{5};

/// No call on a socket waits longer than this, so a director that loses frames ends the benchmark with an error.
void limit_waiting(const FileDescriptor& socket) {
  const timeval patience{kPatience.count(), 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

constexpr std::chrono::milliseconds kQuiet{20};

/// What the sink says whenever nothing has come for kQuiet. Half-closing the connection would say "that was all" more
/// simply, but not every proxy passes that on.
struct Report {
  std::int64_t bytes;
  std::chrono::steady_clock::time_point last_read;
};

void swallow(const FileDescriptor& connection) {
  limit_waiting(connection);
  const timeval quiet{0, std::chrono::microseconds(kQuiet).count()};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof quiet);
  // MSG_TRUNC: the kernel throws the bytes away without copying them (tcp(7)); the buffer is a formality.
  std::vector<char> buffer(kChunk);
  Report report{0, std::chrono::steady_clock::now()};
  for (bool told = true;;) {
    const ssize_t got = recv(connection.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (got > 0) {
      report = {report.bytes + got, std::chrono::steady_clock::now()};
      told = false;
    } else if (got == 0 || errno != EAGAIN || std::chrono::steady_clock::now() - report.last_read > kPatience) {
      return;
    } else if (!std::exchange(told, true)) {
      send(connection.get(), &report, sizeof report, MSG_NOSIGNAL);
    }
  }
}

}  // namespace

struct BulkSink::State {
  std::vector<FileDescriptor> listeners;
  FileDescriptor end;
  std::thread thread;

  void run() {
    std::vector<pollfd> waiting = {{end.get(), POLLIN, 0}};
    for (const FileDescriptor& listener : listeners) waiting.push_back({listener.get(), POLLIN, 0});
    for (;;) {
      if (poll(waiting.data(), waiting.size(), -1) < 0) continue;
      if (waiting[0].revents != 0) return;
      for (std::size_t i = 1; i < waiting.size(); ++i) {
        if (waiting[i].revents == 0) continue;
        const FileDescriptor connection(accept4(waiting[i].fd, nullptr, nullptr, SOCK_CLOEXEC));
        if (connection.valid()) swallow(connection);
      }
    }
  }
};

Result<BulkSink> BulkSink::start(World& world, std::uint16_t port) {
  auto state = std::make_unique<State>();
  for (int i = 1; i <= world.topology().server_count; ++i) {
    const Node& node = world.real_server(i);
    LVSPEC_ASSIGN(FileDescriptor listener,
                  node.netns.call([&] { return listening_socket(node.name, SOCK_STREAM, port); }));
    state->listeners.push_back(std::move(listener));
  }
  state->end = FileDescriptor(eventfd(0, EFD_CLOEXEC));
  if (!state->end.valid()) return system_error("eventfd()");
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state->thread = std::thread([&state = *state] { state.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return BulkSink(std::move(state));
}

BulkSink::BulkSink(std::unique_ptr<State> state) : state_(std::move(state)) {}
BulkSink::BulkSink(BulkSink&&) noexcept = default;
BulkSink::~BulkSink() {
  if (!state_) return;
  LVSPEC_CHECK_EQ(eventfd_write(state_->end.get(), 1), 0);
  state_->thread.join();
}

Result<Upload> upload(const NetworkNamespace& netns, const IpAddress& client, const Endpoint& sink,
                      std::chrono::milliseconds duration) {
  const auto failed = [&](const char* call) { return system_error(fmt::format("bulk to {}: {}", sink.str(), call)); };
  LVSPEC_ASSIGN(const FileDescriptor socket, netns.call([&]() -> Result<FileDescriptor> {
    FileDescriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!made.valid()) return failed("socket()");
    return made;
  }));
  limit_waiting(socket);
  sockaddr_storage address;
  socklen_t length = Endpoint{client, 0}.to_sockaddr(&address);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return failed("bind()");
  const auto start = std::chrono::steady_clock::now();
  length = sink.to_sockaddr(&address);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return failed("connect()");
  const std::vector<char> chunk(kChunk, 'x');
  std::int64_t bytes = 0;
  while (std::chrono::steady_clock::now() - start < duration) {
    const ssize_t sent = send(socket.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (sent < 0) return failed("send()");
    bytes += sent;
  }
  Report report{};
  while (report.bytes != bytes) {
    if (recv(socket.get(), &report, sizeof report, MSG_WAITALL) != sizeof report)
      return failed("recv(the sink's word)");
  }
  const double megabytes = static_cast<double>(bytes) * 1e-6;
  return Upload{megabytes, megabytes * 8e-3 / std::chrono::duration<double>(report.last_read - start).count()};
}

}  // namespace lvspec
