#pragma once

// The course of one TCP probe; not for other rooms.

#include <string>

#include "harness/probe/sockets.h"

namespace lvspec {

/// One TCP connection from SYN to the end of its close, as a machine that never blocks: whoever drives it (one poll,
/// or an epoll with many) calls `advance` when the socket is ready and `give_up` when its deadline has passed.
class TcpDialogue {
 public:
  enum class Then { kClose, kKeepOpen };

  /// Sends the SYN. The calling thread must be in the client's namespace; for the rest it need not be.
  static Result<TcpDialogue> begin(const std::string& node, const Attempt& attempt, Then then);

  /// Does all that can be done without waiting. Error: the world's refusal.
  Status advance();
  /// Ends it as it stands: silence, or an answer whose close did not end.
  void give_up();

  bool done() const { return phase_ == Phase::kDone; }
  const FileDescriptor& socket() const { return socket_; }
  /// POLLIN or POLLOUT: what it waits for now.
  short awaited() const;
  ProbeClock::time_point deadline() const { return deadline_; }

  /// For kKeepOpen: the socket that is still open.
  FileDescriptor take_socket() { return std::move(socket_); }
  std::string take_unread() { return std::move(unread_); }
  Answer take_answer() { return std::move(answer_); }
  const Answer& answer() const { return answer_; }

 private:
  enum class Phase { kAsking, kListening, kClosing, kDone };

  TcpDialogue(const std::string* node, const Attempt& attempt, Then then, FileDescriptor socket)
      : node_(node), attempt_(attempt), then_(then), socket_(std::move(socket)) {}
  /// Each takes one step. @return false: it has to wait.
  Result<bool> ask();
  Result<bool> listen();
  Result<bool> wait_for_fin();
  Result<bool> died(const char* call, int error);
  void begin_close();
  void finish();

  const std::string* node_;  // outlives the dialogue: the client's namespace has it
  Attempt attempt_;
  Then then_;
  FileDescriptor socket_;
  Phase phase_ = Phase::kAsking;
  ProbeClock::time_point start_ = ProbeClock::now();
  ProbeClock::time_point deadline_ = start_ + attempt_.patience;
  Answer answer_;
  std::string unread_;
};

}  // namespace lvspec
