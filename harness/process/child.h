#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec {

/// What to start. Everything the child is to have is said here; it inherits no other descriptor of ours.
struct ChildCommand {
  std::vector<std::string> argv;         ///< argv[0] is a path, or a name to look up in PATH
  std::vector<std::pair<int, int>> fds;  ///< {our descriptor, its number in the child}
  std::vector<std::string> environment;  ///< "NAME=value", added to ours
};

/// A process that we started (Boost.Process) and that cannot outlive us: it dies with the thread that started it, by
/// PR_SET_PDEATHSIG, also when that thread is killed by SIGKILL. Move-only; the destructor ends and reaps it.
/// What it writes to stdout and stderr is kept in memory, not in a file that could be left behind.
class Child {
 public:
  static Result<Child> start(const ChildCommand& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  bool running();
  /// Waits for its end. @return whether it ended within the time.
  bool wait(std::chrono::milliseconds patience);
  /// SIGTERM, and SIGKILL to one that does not listen. @return how it ended.
  std::string stop(std::chrono::milliseconds patience = std::chrono::milliseconds(500));
  /// "exited with 1", "killed by SIGSEGV"; "is running".
  std::string status_text();
  /// Everything it has written so far.
  std::string output() const;

 private:
  Child(pid_t pid, FileDescriptor pidfd, FileDescriptor output)
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)) {}
  bool reap(int poll_ms);

  pid_t pid_ = -1;
  FileDescriptor pidfd_, output_;
  bool ended_ = false;
  int wait_status_ = 0;
};

}  // namespace lvspec
