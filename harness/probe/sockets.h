#pragma once

// What the probes of this room share about sockets; not for other rooms.

#include <chrono>
#include <optional>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/probe/answer.h"
#include "harness/probe/client.h"

namespace lvspec {

using ProbeClock = std::chrono::steady_clock;

/// The outcome that an errno of connect, send or recv stands for; nothing if it is the world's refusal.
/// Source: Linux net/ipv4/icmp.c, icmp_err_convert[], net/ipv6/icmp.c, tab_unreach[].
std::optional<Outcome> outcome_of(int error);

/// A non-blocking socket of `type`, bound to the attempt's client. The calling thread must be in the namespace.
/// Error: "client: bind(192.0.2.1:40000): EADDRINUSE (Address already in use)".
Result<FileDescriptor> bound_socket(const std::string& node, int type, const Attempt& attempt);

/// connect(), where EINPROGRESS is success. @return 0 or the errno.
int connect_socket(const FileDescriptor& socket, const Endpoint& target);

/// The local end. A socket without one is a bug of ours.
Endpoint local_end(const FileDescriptor& socket);

/// Waits until the socket can be read (or is broken). @return false: the deadline passed first.
bool wait_readable(const FileDescriptor& socket, ProbeClock::time_point deadline);

/// close() that sends RST.
void reset_connection(FileDescriptor* socket);

/// Sends the ACK that the kernel is holding back, so that none follows later.
/// Source: Linux net/ipv4/tcp.c, __tcp_sock_set_quickack().
void send_pending_ack(const FileDescriptor& socket);

std::chrono::microseconds since(ProbeClock::time_point start);

}  // namespace lvspec
