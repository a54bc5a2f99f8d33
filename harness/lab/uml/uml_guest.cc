#include "harness/lab/uml/uml_guest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <cerrno>
#include <system_error>

#include "harness/lab/guest/boot_words.h"

namespace lvspec {
namespace {

namespace bp = boost::process;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Initial calls of the kernel that a guest of ours can do without. Times: wall, on the machine of speed.md.
constexpr const char* kLeftOut[] = {
    "raid6_select_algo",  // measures checksums for btrfs: 850 ms
    "ssl_init",           // 64 serial lines, 64 uevents, 64 helpers that are not there: 110 ms
    "init_xfs_fs",       "init_btrfs_fs",   "init_jfs_fs",
    "init_zswap",        "strp_dev_init",   "rng_init",  // 1 to 8 ms each
    "ubd_init",          "ubd_driver_init",              // no block device: two processes less
    "mmapper_init",                                      // nor memory shared with the host
    "make_umid_init",    "mconsole_init",  // would leave ~/.uml/NAME/{pid,mconsole} behind a killed guest
};

/// Runs in the child between fork and exec: only what is async-signal-safe.
class PrepareKernel : public bp::extend::handler {
 public:
  PrepareKernel(int log, pid_t parent) : log_(log), parent_(parent) {}

  template <typename Executor>
  void on_exec_setup(Executor&) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_) _exit(127);  // it died before the line above
    // UML reserves guest memory up to the host's heap ("exec-shield gap"). With a heap at random that is up to 1 GB
    // of page structures and hash tables ten times the size: 100 ms, and another guest every time.
    personality(ADDR_NO_RANDOMIZE);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);  // a panic ends in abort()
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(log_, STDOUT_FILENO);
    dup2(log_, STDERR_FILENO);
    // 3 is Boost's pipe back to us for the errno of execve, and closes on exec.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  }

 private:
  int log_;
  pid_t parent_;
};

Status expect_readable(const std::string& path, const char* what, const char* advice, int mode) {
  if (access(path.c_str(), mode) == 0) return {};
  return Error{fmt::format("{} {}: {}; {}", what, path, errno_text(errno), advice)};
}

/// A directory for the guest's memory, which is a file without a name there: tmpfs if it has room (a container's
/// /dev/shm often has 64 MB), else the disk.
Result<std::string> memory_dir(int memory_mib) {
  std::string seen;
  for (const char* dir : {"/dev/shm", "/tmp", "/var/tmp"}) {
    struct statvfs room {};
    if (statvfs(dir, &room) != 0) continue;
    const std::uint64_t free_mib = room.f_bavail * room.f_frsize >> 20;
    seen += fmt::format("{}{} has {} MB{}", seen.empty() ? "" : ", ", dir, free_mib,
                        (room.f_flag & ST_NOEXEC) != 0 ? " and is mounted noexec" : "");
    if (free_mib > static_cast<std::uint64_t>(memory_mib) && (room.f_flag & ST_NOEXEC) == 0 && access(dir, W_OK) == 0)
      return std::string(dir);
  }
  return Error{fmt::format("no room for {} MB of guest memory: {}", memory_mib, seen)};
}

Result<std::string> default_preload() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length < 0) return system_error("readlink(/proc/self/exe)");
  const std::string self(path, static_cast<std::size_t>(length));
  return self.substr(0, self.rfind('/')) + "/lvspec_uml_clock.so";
}

std::string how_it_ended(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with {}", WEXITSTATUS(wait_status));
  return fmt::format("was killed by SIG{}", sigabbrev_np(WTERMSIG(wait_status)));
}

}  // namespace

Result<std::vector<std::string>> uml_command_line(const UmlOptions& options) {
  std::vector<std::string> words = {
      // The first four keep UML from appending root=98:0 console=tty0, which would end up among the args of init.
      "root=/dev/root",
      "console=tty0",
      "con=null",
      "con0=null,fd:1",
      "rootfstype=hostfs",
      "rootflags=/",
      "ro",
      fmt::format("mem={}M", options.memory_mib),
      "init=" + options.init,
      "quiet",
      "lsm=capability",      // the others print warnings and cost 2 ms
      "pty.legacy_count=0",  // 256 ptys, 256 uevents: 850 ms
      "lpj=20107264",        // calibrating it takes ticks, and nothing of ours waits in that loop
      fmt::format("initcall_blacklist={}", fmt::join(kLeftOut, ",")),
  };
  // include/asm-generic/setup.h: COMMAND_LINE_SIZE is 4096 in arch/um.
  return boot_words(std::move(words), {options.args, options.environment, "uml", options.writable_dir}, 4096);
}

Result<UmlGuest> UmlGuest::start(UmlOptions options) {
  LVSPEC_TRY(
      expect_readable(options.kernel, "user-mode-linux kernel", "install Debian's package user-mode-linux", X_OK));
  LVSPEC_TRY(expect_readable(options.init, "guest's init", "it must be a program this user may run", X_OK));
  if (options.virtual_time) {
    if (options.preload.empty()) {
      LVSPEC_ASSIGN(options.preload, default_preload());
    }
    // ld.so only warns of a missing preload, and the guest would then sleep in real time.
    LVSPEC_TRY(expect_readable(options.preload, "clock preload", "it belongs beside the lvspec program", R_OK));
  }
  LVSPEC_ASSIGN(const std::vector<std::string> words, uml_command_line(options));
  LVSPEC_ASSIGN(const std::string memory, memory_dir(options.memory_mib));

  // A file, not a pipe: the guest must never wait for us to read, since that wait would be idle time to its clock and
  // every timeout in it would run out (clock_preload.c). Not a memfd either: those tell inotify nothing.
  LVSPEC_ASSIGN(GuestConsole console, GuestConsole::open(options.log, memory));
  fcntl(console.fd(), F_SETFL, O_APPEND);
  FileDescriptor changes(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const std::string log_path = fmt::format("/proc/self/fd/{}", console.fd());
  if (!changes.valid() || inotify_add_watch(changes.get(), log_path.c_str(), IN_MODIFY) < 0)
    return system_error("inotify_add_watch(guest's console)");

  bp::environment environment;  // UML wants nothing of ours, and TMP or TEMP would move its memory
  environment["PATH"] = "/usr/bin:/bin";
  environment["TMPDIR"] = memory;
  if (options.virtual_time) {
    environment["LD_PRELOAD"] = options.preload;
    environment["LVSPEC_UML_CLOCK_BUSY"] = std::to_string(options.busy);
  }
  std::error_code error;
  bp::child child(bp::exe = options.kernel, bp::args = words, environment, PrepareKernel(console.fd(), getpid()),
                  error);
  if (error) return Error{fmt::format("exec {}: {}", options.kernel, error.message())};
  const pid_t pid = child.id();
  child.detach();  // we wait by pidfd: Boost 1.74's timed wait takes SIGCHLD from the whole process
  FileDescriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  UmlGuest guest(std::move(options), pid, std::move(pidfd), std::move(console), std::move(changes));
  if (!guest.pidfd_.valid()) return system_error("pidfd_open(guest)");
  return guest;
}

UmlGuest::UmlGuest(UmlGuest&& other) noexcept
    : options_(std::move(other.options_)),
      started_(other.started_),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      console_(std::move(other.console_)),
      changes_(std::move(other.changes_)) {}

UmlGuest::~UmlGuest() {
  if (pid_ > 0) kill_and_reap();
}

int UmlGuest::kill_and_reap() {
  kill(pid_, SIGKILL);
  int wait_status = 0;
  waitpid(pid_, &wait_status, 0);
  pid_ = -1;
  return wait_status;
}

Error UmlGuest::failure(const std::string& what) const {
  std::string advice;
  if (console_.contains("ptrace: Operation not permitted") || console_.contains("check_ptrace"))
    advice =
        "; user-mode-linux needs ptrace, which this machine or container forbids (seccomp profile, "
        "kernel.yama.ptrace_scope=3, or a debugger that holds us)";
  return Error{fmt::format("uml guest {}{}\n{}", what, advice, tail_of(console_.text(), 25))};
}

Result<GuestExit> UmlGuest::wait() {
  LVSPEC_CHECK(pid_ > 0);
  const auto deadline = started_ + options_.time_limit;
  pollfd events[] = {{pidfd_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}};
  while ((events[0].revents & POLLIN) == 0) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left <= milliseconds(0)) {
      kill_and_reap();
      console_.read(options_.on_line);
      return failure(fmt::format("was killed: it had not powered off after {} ms", options_.time_limit.count()));
    }
    if (poll(events, 2, static_cast<int>(left.count())) < 0 && errno != EINTR) return system_error("poll(guest)");
    char changes[4096];  // what they are does not matter
    while (read(changes_.get(), changes, sizeof changes) > 0) {
    }
    console_.read(options_.on_line);
  }
  int wait_status = 0;
  waitpid(pid_, &wait_status, 0);
  pid_ = -1;
  const auto wall = std::chrono::duration_cast<milliseconds>(steady_clock::now() - started_);
  console_.read(options_.on_line);
  auto exit = console_.verdict(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0, how_it_ended(wait_status));
  if (!exit.ok()) return failure(exit.error().message);
  exit->wall = wall;
  return exit;
}

}  // namespace lvspec
