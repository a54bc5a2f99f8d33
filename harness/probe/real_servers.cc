#include "harness/probe/real_servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <ostream>
#include <utility>

#include "harness/probe/server_loop.h"

namespace lvspec {

std::ostream& operator<<(std::ostream& out, const Sighting& sighting) {
  return out << sighting.server << " saw " << sighting.client << " -> " << sighting.target << " by "
             << sighting.protocol;
}

// What is written down about each server, apart from the sockets, which the loop has.
struct RealServers::Book {
  struct Server {
    int id = 0;
    NetworkNamespace netns;
    std::vector<std::uint16_t> tcp_ports;
    std::vector<std::uint16_t> udp_ports;
  };
  ServerLoop loop;
  std::mutex mutex;  // control calls come one at a time
  std::map<std::string, Server> servers;

  /// Opens all ports of the server that are not open, or none.
  Status listen(const std::string& name, const Server& server) {
    auto sockets = server.netns.call([&]() -> Result<std::vector<ServerLoop::Listener>> {
      std::vector<ServerLoop::Listener> opened;
      const std::pair<int, const std::vector<std::uint16_t>*> kinds[] = {{SOCK_STREAM, &server.tcp_ports},
                                                                         {SOCK_DGRAM, &server.udp_ports}};
      for (const auto& [type, ports] : kinds) {
        for (const std::uint16_t port : *ports) {
          if (loop.listens(server.id, type, port)) continue;
          LVSPEC_ASSIGN(FileDescriptor socket, listening_socket(name, type, port));
          opened.push_back({type, port, std::move(socket)});
        }
      }
      return opened;
    });
    if (!sockets.ok()) return sockets.error();
    return loop.add(server.id, name, std::move(*sockets));
  }

  Result<Server*> find(const std::string& name) {
    const auto found = servers.find(name);
    if (found == servers.end()) return usage_error(name + ": no real server has this name");
    return &found->second;
  }
};

Result<RealServers> RealServers::create() {
  auto book = std::make_unique<Book>();
  LVSPEC_TRY(book->loop.start());
  return RealServers(std::move(book));
}

RealServers::RealServers(std::unique_ptr<Book> book) : book_(std::move(book)) {}
RealServers::RealServers(RealServers&&) noexcept = default;
RealServers& RealServers::operator=(RealServers&&) noexcept = default;
RealServers::~RealServers() = default;

Status RealServers::add(const std::string& name, const NetworkNamespace& netns,
                        const std::vector<std::uint16_t>& tcp_ports, const std::vector<std::uint16_t>& udp_ports) {
  const std::lock_guard lock(book_->mutex);
  if (book_->servers.contains(name)) return usage_error(name + ": a real server of this name is there already");
  LVSPEC_ASSIGN(NetworkNamespace own, netns.call([&] { return NetworkNamespace::current(netns.name()); }));
  Book::Server server{static_cast<int>(book_->servers.size()), std::move(own), tcp_ports, udp_ports};
  LVSPEC_TRY(book_->listen(name, server));
  book_->servers.emplace(name, std::move(server));
  return {};
}

Status RealServers::close_port(const std::string& name, std::uint16_t port) {
  const std::lock_guard lock(book_->mutex);
  LVSPEC_ASSIGN(const Book::Server* server, book_->find(name));
  if (!book_->loop.close_port(server->id, port))
    return usage_error(fmt::format("{}: port {} is not open", name, port));
  return {};
}

Status RealServers::stop(const std::string& name) {
  const std::lock_guard lock(book_->mutex);
  LVSPEC_ASSIGN(const Book::Server* server, book_->find(name));
  book_->loop.close_all(server->id);
  return {};
}

Status RealServers::restart(const std::string& name) {
  const std::lock_guard lock(book_->mutex);
  LVSPEC_ASSIGN(const Book::Server* server, book_->find(name));
  return book_->listen(name, *server);
}

std::vector<Sighting> RealServers::log() const { return book_->loop.log(); }

}  // namespace lvspec
