#include "harness/process/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/search_path.hpp>
#include <cstring>
#include <system_error>

namespace lvspec {
namespace {

namespace bp = boost::process;

/// Runs in the child between fork and exec: only what is async-signal-safe.
class PrepareChild : public bp::extend::handler {
 public:
  PrepareChild(const std::vector<std::pair<int, int>>& fds, int output, pid_t parent)
      : fds_(fds), output_(output), parent_(parent) {}

  template <typename Executor>
  void on_exec_setup(Executor&) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_) _exit(127);  // it died before the line above
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    // Two passes, so that no target number overwrites a descriptor that is still to be handed over.
    int staged[16];
    std::size_t count = 0;
    for (const auto& [ours, theirs] : fds_)
      if (count < 16) staged[count++] = fcntl(ours, F_DUPFD_CLOEXEC, 64);
    for (std::size_t i = 0; i < count; ++i) dup2(staged[i], fds_[i].second);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(output_, STDOUT_FILENO);
    dup2(output_, STDERR_FILENO);
  }

 private:
  const std::vector<std::pair<int, int>>& fds_;
  int output_;
  pid_t parent_;
};

std::string name_of_signal(int number) {
  const char* name = sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

}  // namespace

Result<Child> Child::start(const ChildCommand& command) {
  LVSPEC_CHECK(!command.argv.empty() && command.fds.size() <= 16);
  std::string program = command.argv[0];
  if (program.find('/') == std::string::npos) {
    const auto found = bp::search_path(program);
    if (found.empty()) return Error{fmt::format("{}: not found in PATH", program)};
    program = found.string();
  }
  FileDescriptor output(memfd_create("output", MFD_CLOEXEC));
  if (!output.valid()) return system_error("memfd_create(output)");
  // All writers append, whoever of the child's descendants they are.
  fcntl(output.get(), F_SETFL, O_APPEND);

  bp::environment environment = boost::this_process::environment();
  for (const std::string& variable : command.environment) {
    const auto equals = variable.find('=');
    environment[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  std::error_code error;
  bp::child child(bp::exe = program,
                  bp::args = std::vector<std::string>(command.argv.begin() + 1, command.argv.end()), environment,
                  PrepareChild(command.fds, output.get(), getpid()), error);
  if (error) return Error{fmt::format("exec {}: {}", program, error.message())};
  const pid_t pid = child.id();
  child.detach();  // we wait by pidfd: Boost 1.74's timed wait takes SIGCHLD from the whole process
  FileDescriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const Error failed = system_error(fmt::format("pidfd_open({})", program));
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return failed;
  }
  return Child(pid, std::move(pidfd), std::move(output));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      ended_(other.ended_),
      wait_status_(other.wait_status_) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    if (pid_ > 0) stop();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    output_ = std::move(other.output_);
    ended_ = other.ended_;
    wait_status_ = other.wait_status_;
  }
  return *this;
}

Child::~Child() {
  if (pid_ > 0) stop();
}

bool Child::reap(int poll_ms) {
  if (ended_) return true;
  pollfd waiting{pidfd_.get(), POLLIN, 0};
  if (poll(&waiting, 1, poll_ms) <= 0) return false;
  if (waitpid(pid_, &wait_status_, 0) != pid_) return false;
  ended_ = true;
  return true;
}

bool Child::running() { return !reap(0); }

bool Child::wait(std::chrono::milliseconds patience) { return reap(static_cast<int>(patience.count())); }

std::string Child::stop(std::chrono::milliseconds patience) {
  if (!running()) return status_text();
  kill(pid_, SIGTERM);
  if (!wait(patience)) {
    kill(pid_, SIGKILL);
    reap(-1);
  }
  return status_text();
}

std::string Child::status_text() {
  if (running()) return "is running";
  if (WIFSIGNALED(wait_status_)) return fmt::format("killed by {}", name_of_signal(WTERMSIG(wait_status_)));
  return fmt::format("exited with {}", WEXITSTATUS(wait_status_));
}

std::string Child::output() const {
  std::string text;
  char chunk[65536];
  for (ssize_t count = 0; (count = pread(output_.get(), chunk, sizeof chunk, static_cast<off_t>(text.size()))) > 0;)
    text.append(chunk, static_cast<std::size_t>(count));
  return text;
}

}  // namespace lvspec
