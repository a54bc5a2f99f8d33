#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "harness/probe/client.h"
#include "harness/probe/identity.h"
#include "harness/probe/sockets.h"

namespace lvspec {
namespace {

bool must_wait(int error) { return error == EAGAIN || error == EINTR; }

void set_failed(int error, Answer* answer) {
  // On a connection that was up, any other errno too means that it is no more.
  answer->outcome = outcome_of(error).value_or(Outcome::kReset);
  answer->detail = errno_text(error);
}

}  // namespace

Answer Connection::say_again() {
  const auto start = ProbeClock::now();
  if (!socket_.valid() || half_closed_) {
    Answer answer{.client = answer_.client, .target = answer_.target};
    answer.outcome = Outcome::kReset;
    answer.detail = "the client has closed its half";
    return answer;
  }
  if (send(socket_.get(), "WHO\n", 4, MSG_NOSIGNAL) < 0) {
    Answer answer{.client = answer_.client, .target = answer_.target};
    set_failed(errno, &answer);
    return answer;
  }
  return read_answer(start);
}

Answer Connection::half_close() {
  const auto start = ProbeClock::now();
  // MSG_MORE holds the line back until shutdown, which puts the FIN on the same segment.
  send(socket_.get(), "HOLD\n", 5, MSG_NOSIGNAL | MSG_MORE);
  shutdown(socket_.get(), SHUT_WR);
  half_closed_ = true;
  return read_answer(start);
}

Answer Connection::read_answer(std::chrono::steady_clock::time_point start) {
  Answer answer{.client = answer_.client, .target = answer_.target};
  const auto deadline = start + attempt_.patience;
  for (;;) {
    for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n')) {
      const bool identity = read_identity(std::string_view(unread_).substr(0, end), &answer);
      unread_.erase(0, end + 1);
      if (!identity) continue;
      answer.outcome = Outcome::kAnswered;
      answer.took = since(start);
      send_pending_ack(socket_);
      return answer;
    }
    char buffer[1024];
    const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size > 0) {
      unread_.append(buffer, static_cast<std::size_t>(size));
      continue;
    }
    answer.took = since(start);
    if (size == 0) {
      answer.outcome = Outcome::kReset;
      answer.detail = "the server closed (FIN) without an answer";
      return answer;
    }
    if (!must_wait(errno)) {
      set_failed(errno, &answer);
      return answer;
    }
    if (!wait_readable(socket_, deadline)) {
      answer.outcome = Outcome::kSilence;
      answer.detail = fmt::format("no answer within {} ms", attempt_.patience.count());
      return answer;
    }
  }
}

Status Connection::close(Close how) {
  if (how == Close::kReset) reset_connection(&socket_);
  const FileDescriptor socket = std::move(socket_);  // closed at the end, however this ends
  if (!socket.valid() || half_closed_) return {};
  if (how == Close::kClientFirst) {
    shutdown(socket.get(), SHUT_WR);
  } else {
    send(socket.get(), "BYE\n", 4, MSG_NOSIGNAL);
  }
  const auto deadline = ProbeClock::now() + attempt_.patience;
  const std::string attempted = fmt::format("{}: close({} -> {})", node_, answer_.client.str(), answer_.target.str());
  for (;;) {
    char buffer[256];
    const ssize_t size = recv(socket.get(), buffer, sizeof buffer, 0);
    if (size == 0) return {};
    if (size > 0) continue;
    if (!must_wait(errno)) return system_error(attempted);
    if (!wait_readable(socket, deadline))
      return Error{fmt::format("{}: no FIN from the server within {} ms", attempted, attempt_.patience.count())};
  }
}

Answer UdpSocket::ask() {
  const auto start = ProbeClock::now();
  const auto deadline = start + attempt_.patience;
  Answer answer{.client = client_, .target = attempt_.target};
  char buffer[1024];
  // Late replies, and errors that late ICMP left on the socket (reading an error clears it).
  while (recv(socket_.get(), buffer, sizeof buffer, 0) >= 0 || !must_wait(errno)) {
  }
  if (send(socket_.get(), attempt_.question.data(), attempt_.question.size(), MSG_NOSIGNAL) < 0) {
    set_failed(errno, &answer);
    return answer;
  }
  while (wait_readable(socket_, deadline)) {
    const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
    answer.took = since(start);
    if (size < 0 && must_wait(errno)) continue;
    if (size < 0) {
      set_failed(errno, &answer);
      return answer;
    }
    answer.outcome = Outcome::kAnswered;
    read_identity(std::string_view(buffer, static_cast<std::size_t>(size)), &answer);
    return answer;
  }
  answer.outcome = Outcome::kSilence;
  answer.detail = fmt::format("no answer within {} ms", attempt_.patience.count());
  answer.took = since(start);
  return answer;
}

}  // namespace lvspec
