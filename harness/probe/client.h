#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/probe/answer.h"

namespace lvspec {

/// How long a probe waits. Below 1 s, the first retransmission of a SYN (RFC 6298, 2.1), so that what answers is an
/// answer to the first SYN.
inline constexpr std::chrono::milliseconds kPatience{800};

/// The port on which real servers speak first, as telnetd does.
inline constexpr std::uint16_t kTelnetPort = 23;

/// Who ends a TCP connection, and how; in direct routing the director sees the client's half only.
enum class Close {
  kClientFirst,  ///< our FIN, then the server's; the client keeps TIME_WAIT, so its port stays taken for 60 s
  kServerFirst,  ///< "BYE": the server's FIN, then ours; TIME_WAIT is the server's, the client may use the port again
  kReset,        ///< RST (SO_LINGER 0)
};

/// One thing that a client is to try.
struct Attempt {
  Endpoint client{};  ///< source address, which must be local to the client's node; port 0: the kernel chooses
  Endpoint target{};  ///< VIP and port
  Close close = Close::kClientFirst;  ///< TCP without `open` only
  std::string question = "WHO\n";     ///< UDP only: real servers answer any datagram
  /// Bounds each wait: that for the answer, then that for the end of the close.
  std::chrono::milliseconds patience = kPatience;
};

/// A TCP connection that stays open between questions. Move-only; its end closes it as the kernel would (FIN).
///
/// No ACK of ours is left to the delayed-ACK timer: when a call returns, the client's packets are all sent, and none
/// comes later to re-arm a timer of the director.
class Connection {
 public:
  /// What `open` got.
  const Answer& answer() const { return answer_; }

  /// Asks again on the same connection: who answers now, or how it died. kReset: a RST, or (`detail` tells) a FIN
  /// before the answer; kSilence: nothing within the attempt's patience.
  Answer say_again();

  /// Our FIN. The server, which is told to stay, answers once more and leaves its half open: as `say_again`.
  /// Nothing can be asked afterwards.
  Answer half_close();

  /// Ends the connection. kClientFirst and kServerFirst return when both FINs were seen, or after the patience.
  /// After half_close, kClientFirst and kServerFirst only let go of the socket.
  /// Error: "client: close(...): no FIN from the server within 800 ms", or what the socket said instead of a FIN.
  Status close(Close how = Close::kClientFirst);

 private:
  friend class Client;
  Connection(std::string node, Attempt attempt, FileDescriptor socket, Answer answer, std::string unread)
      : node_(std::move(node)),
        attempt_(attempt),
        socket_(std::move(socket)),
        answer_(std::move(answer)),
        unread_(std::move(unread)) {}
  Answer read_answer(std::chrono::steady_clock::time_point start);

  std::string node_;
  Attempt attempt_;
  FileDescriptor socket_;
  Answer answer_;
  std::string unread_;  // what came after the last line: "login: "
  bool half_closed_ = false;
};

/// A UDP socket with one source port, connected to its target. Move-only.
class UdpSocket {
 public:
  /// The client's end as it was bound.
  Endpoint client() const { return client_; }

  /// One datagram and its reply. kRefused: ICMP port unreachable. Replies from other addresses than the target's do
  /// not count, and those to earlier questions are thrown away first.
  Answer ask();

 private:
  friend class Client;
  UdpSocket(Attempt attempt, Endpoint client, FileDescriptor socket)
      : attempt_(attempt), client_(client), socket_(std::move(socket)) {}

  Attempt attempt_;
  Endpoint client_;
  FileDescriptor socket_;
};

/// All clients of a world: they share one node, and each is an address there.
///
/// What the director or the servers do is an Answer; an Error is the world's refusal and names node, call and errno:
/// "client: bind(192.0.2.1:40000): EADDRINUSE (Address already in use)". EADDRNOTAVAIL from connect means that the
/// very same four-tuple is still in the client's TIME_WAIT (see Close).
/// Any thread may call; calls do not share state.
class Client {
 public:
  /// @param netns  the clients' node; outlives this object.
  explicit Client(const NetworkNamespace& netns) : netns_(&netns) {}

  /// Connects, asks "WHO" (port 23: reads the greeting instead), closes as the attempt says. Returns when the answer
  /// is here and the close is over, so that every packet the client will send has been sent; a close that gets no
  /// FIN within the patience does not change the outcome, `detail` says it.
  Result<Answer> connect(const Attempt& attempt) const;

  /// As connect, many at a time, started in order; answer i belongs to attempt i. The first error ends all.
  /// @param in_flight  connections open at once, at least 1.
  Result<std::vector<Answer>> connect_all(const std::vector<Attempt>& attempts, std::size_t in_flight = 64) const;

  /// A connection that stays open. One that was not answered is an error (kDirector), told as its Answer prints:
  /// "client: open: refused, 192.0.2.1:40112 -> 198.51.100.10:80: ECONNREFUSED (Connection refused)".
  Result<Connection> open(const Attempt& attempt) const;

  /// One datagram from a socket of its own.
  Result<Answer> udp(const Attempt& attempt) const;
  Result<UdpSocket> open_udp(const Attempt& attempt) const;

  /// GET over HTTP/1.1 by libcurl, "Connection: close", no proxy whatever the environment says. `detail` is the
  /// status line, or curl's words. The server closes first. `Attempt::close` is not used.
  /// A reply without an identity line (a proxy's 503, say) is kAnswered with an empty `server`.
  Result<Answer> http(const Attempt& attempt, const std::string& path = "/") const;
  Result<std::vector<Answer>> http_all(const std::vector<Attempt>& attempts, const std::string& path = "/",
                                       std::size_t in_flight = 32) const;

 private:
  const NetworkNamespace* netns_;
};

}  // namespace lvspec
