#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "harness/base/ip_address.h"

namespace lvspec {

/// How an attempt to reach a service ended, as the client saw it.
enum class Outcome {
  kAnswered,     ///< a real server said who it is
  kRefused,      ///< ECONNREFUSED: a RST, or ICMP port unreachable
  kReset,        ///< ECONNRESET after the connection was up
  kUnreachable,  ///< EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT
  kSilence,      ///< nothing within the time that the probe waits
  kHalfOpen,     ///< SYN probes: a SYN-ACK came; `server` is whose MAC it had
};

/// What a client observed. A refusal is an observation, not an error.
struct Answer {
  Outcome outcome = Outcome::kSilence;
  std::string server{};    ///< "real2", or "director" for a server on the director itself; empty unless one answered
  Endpoint client{};       ///< the client's end as it was bound
  Endpoint target{};       ///< VIP and port
  Endpoint seen_client{};  ///< the client as the real server saw it (TCP, HTTP, UDP); differs behind NAT
  std::chrono::microseconds took{};
  std::string detail{};  ///< errno text, HTTP status line, or curl's words
};

std::ostream& operator<<(std::ostream& out, Outcome outcome);
/// One line: `answered by "real2", 192.0.2.1:40112 -> 198.51.100.10:80`.
std::ostream& operator<<(std::ostream& out, const Answer& answer);

}  // namespace lvspec
