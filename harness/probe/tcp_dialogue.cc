#include "harness/probe/tcp_dialogue.h"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <string_view>

#include "harness/probe/identity.h"

namespace lvspec {
namespace {

bool must_wait(int error) { return error == EAGAIN || error == EINTR; }

int pending_error(const FileDescriptor& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

Result<TcpDialogue> TcpDialogue::begin(const std::string& node, const Attempt& attempt, Then then) {
  LVSPEC_ASSIGN(FileDescriptor socket, bound_socket(node, SOCK_STREAM, attempt));
  TcpDialogue dialogue(&node, attempt, then, std::move(socket));
  dialogue.answer_.client = attempt.client;
  dialogue.answer_.target = attempt.target;
  if (const int error = connect_socket(dialogue.socket_, attempt.target); error != 0) {
    LVSPEC_TRY(dialogue.died("connect", error));
  } else if (attempt.client.port == 0) {
    dialogue.answer_.client = local_end(dialogue.socket_);
  }
  return dialogue;
}

short TcpDialogue::awaited() const {
  // Asking is a send, which says EAGAIN while the socket is still connecting.
  return phase_ == Phase::kAsking && attempt_.target.port != kTelnetPort ? POLLOUT : POLLIN;
}

Status TcpDialogue::advance() {
  for (;;) {
    Result<bool> moved = false;
    switch (phase_) {
      case Phase::kAsking:
        moved = ask();
        break;
      case Phase::kListening:
        moved = listen();
        break;
      case Phase::kClosing:
        moved = wait_for_fin();
        break;
      case Phase::kDone:
        return {};
    }
    if (!moved.ok()) return moved.error();
    if (!*moved) return {};
  }
}

void TcpDialogue::give_up() {
  const auto waited = attempt_.patience.count();
  if (phase_ == Phase::kClosing) {
    answer_.detail = fmt::format("no FIN from the server within {} ms", waited);
  } else {
    answer_.outcome = Outcome::kSilence;
    answer_.detail = fmt::format("{} within {} ms", phase_ == Phase::kAsking ? "no SYN-ACK" : "no answer", waited);
    answer_.took = since(start_);
  }
  finish();
}

Result<bool> TcpDialogue::ask() {
  if (attempt_.target.port == kTelnetPort) {
    phase_ = Phase::kListening;
    return true;  // the greeting may be here already
  }
  // Where the server shall close first it can be told so at once: one segment and one round trip less.
  const bool bye = then_ == Then::kClose && attempt_.close == Close::kServerFirst;
  const std::string_view question = bye ? "WHO\nBYE\n" : "WHO\n";
  if (send(socket_.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    if (!must_wait(errno)) return died("connect", errno);
    // An ICMP error that comes while connect() still holds the socket, as it does where one CPU does everything, is
    // noted as a "soft" error: poll reports it for ever, send says EAGAIN, and the SYN would be sent again after 1 s.
    // It is the answer to our SYN all the same. Source: net/ipv4/tcp_ipv4.c, tcp_v4_err().
    const int noted = pending_error(socket_);
    return noted == 0 ? Result<bool>(false) : died("connect", noted);
  }
  phase_ = Phase::kListening;
  return false;  // the answer cannot be here yet, and its coming wakes us
}

Result<bool> TcpDialogue::listen() {
  char buffer[1024];
  const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size < 0) return must_wait(errno) ? Result<bool>(false) : died("recv", errno);
  if (size == 0) {
    answer_.outcome = Outcome::kReset;
    answer_.detail = "the server closed (FIN) without an answer";
    answer_.took = since(start_);
    finish();
    return true;
  }
  unread_.append(buffer, static_cast<std::size_t>(size));
  const auto end = unread_.find('\n');
  if (end == std::string::npos || !read_identity(std::string_view(unread_).substr(0, end), &answer_)) return true;
  unread_.erase(0, end + 1);
  answer_.outcome = Outcome::kAnswered;
  answer_.took = since(start_);
  if (then_ == Then::kKeepOpen) {
    send_pending_ack(socket_);
    phase_ = Phase::kDone;
  } else {
    begin_close();
  }
  return true;
}

void TcpDialogue::begin_close() {
  phase_ = Phase::kClosing;
  deadline_ = ProbeClock::now() + attempt_.patience;
  switch (attempt_.close) {
    case Close::kClientFirst:
      shutdown(socket_.get(), SHUT_WR);
      break;
    case Close::kServerFirst:
      if (attempt_.target.port == kTelnetPort) send(socket_.get(), "BYE\n", 4, MSG_NOSIGNAL);
      break;
    case Close::kReset:
      reset_connection(&socket_);
      phase_ = Phase::kDone;
      break;
  }
}

Result<bool> TcpDialogue::wait_for_fin() {
  char buffer[256];
  const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size > 0) return true;  // "login: "
  if (size < 0 && must_wait(errno)) return false;
  if (size < 0) answer_.detail = fmt::format("close: {}", errno_text(errno));
  finish();  // after a FIN of the server's, this sends ours
  return true;
}

Result<bool> TcpDialogue::died(const char* call, int error) {
  const auto outcome = outcome_of(error);
  if (!outcome) return system_error(fmt::format("{}: {}({})", *node_, call, attempt_.target.str()), error);
  answer_.outcome = *outcome;
  answer_.detail = errno_text(error);
  answer_.took = since(start_);
  finish();
  return true;
}

void TcpDialogue::finish() {
  socket_.reset();
  phase_ = Phase::kDone;
}

}  // namespace lvspec
