#include "harness/probe/tls.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <ostream>
#include <string_view>

#include "harness/probe/client.h"
#include "harness/probe/identity.h"
#include "harness/probe/openssl.h"
#include "harness/probe/server_loop.h"
#include "harness/probe/sockets.h"

namespace lvspec {
namespace {

// Longer than any case lasts, so that only the director's memory ends a session, never OpenSSL's.
constexpr long kSessionLife = 30L * 24 * 3600;

/// One end of a TLS connection: a socket that never blocks, the stream over it, and what to wait for.
struct End {
  FileDescriptor socket;
  TlsStream stream;
  short awaited = POLLIN | POLLOUT;
  std::string unread{};
  std::string unsaid{};  ///< goes out once the handshake is over
  bool closing = false;  ///< our close_notify and FIN are out
  bool closed = false;   ///< the other side's FIN is in
  bool failed = false;   ///< the stream is broken; OpenSSL's or the socket's error says how

  /// Whether `done`, the result of an SSL call, means "later"; notes what to wait for.
  bool must_wait(int done) {
    const int error = SSL_get_error(stream.get(), done);
    if (error == SSL_ERROR_WANT_READ) return awaited = POLLIN, true;
    if (error == SSL_ERROR_WANT_WRITE) return awaited = POLLOUT, true;
    return false;
  }

  /// Goes on until it has to wait: handshake, then what is to be said, then reading until the other side ends.
  void advance() {
    ERR_clear_error();
    if (!SSL_is_init_finished(stream.get())) {
      const int done = SSL_do_handshake(stream.get());
      if (done != 1) {
        failed = !must_wait(done);
        return;
      }
    }
    if (!unsaid.empty()) {
      const int done = SSL_write(stream.get(), unsaid.data(), static_cast<int>(unsaid.size()));
      if (done <= 0) {
        failed = !must_wait(done);
        return;
      }
      unsaid.clear();
    }
    char buffer[1024];
    for (;;) {
      const int got = SSL_read(stream.get(), buffer, sizeof buffer);
      if (got > 0) {
        unread.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      if (must_wait(got)) return;
      closed = SSL_get_error(stream.get(), got) == SSL_ERROR_ZERO_RETURN;
      failed = !closed;
      return;
    }
  }

  void close() {
    SSL_shutdown(stream.get());
    shutdown(socket.get(), SHUT_WR);
    closing = true;
  }

  /// After the other side's close_notify: whether its FIN has come too.
  bool ended() {
    char rest[64];
    const ssize_t got = recv(socket.get(), rest, sizeof rest, 0);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }
};

Result<TlsStream> stream_over(const TlsContext& context, const FileDescriptor& socket, const std::string& node) {
  TlsStream stream(SSL_new(context.get()));
  if (!stream || SSL_set_fd(stream.get(), socket.get()) != 1) return openssl_error(node + ": SSL_new()");
  return stream;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, TlsReturn way) {
  switch (way) {
    case TlsReturn::kSessionId:
      return out << "TLS 1.2 session ID";
    case TlsReturn::kTicket:
      return out << "TLS 1.2 ticket";
    case TlsReturn::kPsk:
      return out << "TLS 1.3 PSK";
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const TlsVisit& visit) {
  out << visit.answer;
  if (visit.answer.outcome != Outcome::kAnswered) return out;
  return out << ", " << visit.protocol << (visit.resumed ? ", resumed" : ", full handshake");
}

struct TlsServers::Farm {
  struct Listening {
    std::uint16_t port = 0;
    FileDescriptor socket;
  };
  struct Server {
    TlsContext context;
    std::vector<Listening> listeners;
  };
  struct Guest {
    std::string server;
    Endpoint client, target;
    End end;
    bool told = false;
  };

  TlsIdentity identity;
  std::map<std::string, Server> servers;
  std::list<Guest> guests;

  Result<TlsContext> context_of(const std::string& name) const {
    TlsContext context(SSL_CTX_new(TLS_server_method()));
    if (!context || SSL_CTX_use_certificate(context.get(), identity.certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) != 1)
      return openssl_error(name + ": SSL_CTX_new()");
    // One site, one context: a session is refused for its key or its absence, not for its name.
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("lvspec"), 6);
    SSL_CTX_set_timeout(context.get(), kSessionLife);
    return context;
  }

  void accept_all(const std::string& name, Server& server, const Listening& listening) {
    for (;;) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      FileDescriptor socket(accept4(listening.socket.get(), reinterpret_cast<sockaddr*>(&address), &length,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.valid()) return;  // none left, or one that died in the queue
      Result<TlsStream> stream = stream_over(server.context, socket, name);
      if (!stream.ok()) check_failed(__FILE__, __LINE__, stream.error().message);
      SSL_set_accept_state(stream->get());
      Guest guest{name, endpoint_of(address), {}, {std::move(socket), std::move(*stream)}};
      const Endpoint target = local_end(guest.end.socket);
      guest.target = {unmapped(target.address), target.port};
      guests.push_back(std::move(guest));
    }
  }

  /// @return false: the connection is over.
  bool serve(Guest& guest) {
    End& end = guest.end;
    if (end.closing) return !end.ended();
    end.advance();
    if (!guest.told && end.unread.find("WHO\n") != std::string::npos) {
      guest.told = true;
      end.unsaid = identity_line(guest.server, guest.client, guest.target);
      end.advance();
    }
    if (end.closed) {
      end.close();
      end.awaited = POLLIN;
      return !end.ended();
    }
    return !end.failed;
  }

  /// Serves whoever can be served, and waits for that or for the visitor's own socket, until the deadline.
  Status work(const End& visitor, ProbeClock::time_point deadline) {
    std::vector<pollfd> waiting = {{visitor.socket.get(), visitor.awaited, 0}};
    for (const auto& [name, server] : servers)
      for (const Listening& listening : server.listeners) waiting.push_back({listening.socket.get(), POLLIN, 0});
    for (const Guest& guest : guests) waiting.push_back({guest.end.socket.get(), guest.end.awaited, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - ProbeClock::now()).count();
    if (poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(left, 0))) < 0 && errno != EINTR)
      return system_error("TLS servers: poll()");
    guests.remove_if([this](Guest& guest) { return !serve(guest); });
    for (auto& [name, server] : servers)
      for (const Listening& listening : server.listeners) accept_all(name, server, listening);
    return {};
  }
};

Result<TlsServers> TlsServers::create() {
  auto farm = std::make_unique<Farm>();
  LVSPEC_ASSIGN(farm->identity, TlsIdentity::create());
  return TlsServers(std::move(farm));
}

TlsServers::TlsServers(std::unique_ptr<Farm> farm) : farm_(std::move(farm)) {}
TlsServers::TlsServers(TlsServers&&) noexcept = default;
TlsServers& TlsServers::operator=(TlsServers&&) noexcept = default;
TlsServers::~TlsServers() = default;

Status TlsServers::add(const std::string& name, const NetworkNamespace& netns,
                       const std::vector<std::uint16_t>& ports) {
  Farm::Server server;
  LVSPEC_ASSIGN(server.context, farm_->context_of(name));
  for (const std::uint16_t port : ports) {
    LVSPEC_ASSIGN(FileDescriptor socket, netns.call([&] { return listening_socket(name, SOCK_STREAM, port); }));
    server.listeners.push_back({port, std::move(socket)});
  }
  if (!farm_->servers.emplace(name, std::move(server)).second)
    return usage_error(name + ": a TLS server of this name is there already");
  return {};
}

Status TlsServers::restart(const std::string& name) {
  const auto found = farm_->servers.find(name);
  if (found == farm_->servers.end()) return usage_error(name + ": no TLS server has this name");
  LVSPEC_ASSIGN(found->second.context, farm_->context_of(name));
  return {};
}

struct TlsClient::Memory {
  TlsServers::Farm* farm = nullptr;
  const NetworkNamespace* netns = nullptr;
  TlsContext context;
  TlsSession session;
};

Result<TlsClient> TlsClient::create(TlsServers& servers, const NetworkNamespace& netns, TlsReturn way) {
  auto memory = std::make_unique<Memory>();
  memory->farm = servers.farm_.get();
  memory->netns = &netns;
  TlsContext& context = memory->context;
  context.reset(SSL_CTX_new(TLS_client_method()));
  if (!context) return openssl_error(netns.name() + ": SSL_CTX_new()");
  const int version = way == TlsReturn::kPsk ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  if (way == TlsReturn::kSessionId) SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context.get()), kTlsName, 0);
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), memory->farm->identity.certificate.get()) != 1)
    return openssl_error(netns.name() + ": X509_STORE_add_cert()");
  // Each session that a server gives, with TLS 1.3 after the handshake, replaces the one before.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context.get(), memory.get());
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL* stream, SSL_SESSION* session) {
    static_cast<Memory*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(stream)))->session.reset(session);
    return 1;  // it is ours now
  });
  return TlsClient(std::move(memory));
}

TlsClient::TlsClient(std::unique_ptr<Memory> memory) : memory_(std::move(memory)) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient& TlsClient::operator=(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsVisit> TlsClient::visit(const IpAddress& from, const Endpoint& target) {
  const auto start = ProbeClock::now();
  const auto deadline = start + kPatience;
  const std::string& node = memory_->netns->name();
  TlsVisit visit;
  visit.answer.target = target;
  End end;
  LVSPEC_ASSIGN(end.socket, memory_->netns->call([&] {
    return bound_socket(node, SOCK_STREAM, {.client = {from, 0}, .target = target});
  }));
  // Or the question would wait for the ACK of the handshake's last message, which the server delays.
  const int on = 1;
  setsockopt(end.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int error = connect_socket(end.socket, target);
  visit.answer.client = local_end(end.socket);
  LVSPEC_ASSIGN(end.stream, stream_over(memory_->context, end.socket, node));
  SSL_set_connect_state(end.stream.get());
  SSL_set_tlsext_host_name(end.stream.get(), kTlsName);
  if (memory_->session) SSL_set_session(end.stream.get(), memory_->session.get());
  end.unsaid = "WHO\n";

  const auto end_of_visit = [&] { return end.closing && (end.closed || end.failed) && end.ended(); };
  bool connected = false;
  while (error == 0 && !end_of_visit() && ProbeClock::now() < deadline) {
    end.awaited = connected ? end.awaited : static_cast<short>(POLLOUT);
    LVSPEC_TRY(memory_->farm->work(end, deadline));
    pollfd ready{end.socket.get(), static_cast<short>(POLLIN | POLLOUT), 0};
    if (poll(&ready, 1, 0) <= 0 || ready.revents == 0) continue;
    if (!connected) {
      socklen_t size = sizeof error;
      getsockopt(end.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) break;
      connected = true;
    }
    if (!end.closed && !end.failed) end.advance();
    if (visit.answer.outcome != Outcome::kAnswered && read_identity(end.unread, &visit.answer) &&
        end.unread.ends_with('\n')) {
      visit.answer.outcome = Outcome::kAnswered;
      visit.resumed = SSL_session_reused(end.stream.get()) == 1;
      visit.protocol = SSL_get_version(end.stream.get());
      end.close();
      end.advance();
    }
    if (end.closing) end.awaited = POLLIN;
    if (end.failed && !end.closing) break;
  }
  visit.answer.took = since(start);
  if (visit.answer.outcome == Outcome::kAnswered) return visit;
  if (error == 0 && !end.failed) {
    visit.answer.detail = fmt::format("no answer within {} ms", kPatience.count());
    return visit;
  }
  if (error != 0) {
    const std::optional<Outcome> outcome = outcome_of(error);
    if (!outcome) return system_error(fmt::format("{}: connect({})", node, target.str()), error);
    visit.answer.outcome = *outcome;
    visit.answer.detail = errno_text(error);
  } else {
    visit.answer.outcome = Outcome::kReset;
    visit.answer.detail = openssl_error("TLS").message;
  }
  return visit;
}

}  // namespace lvspec
