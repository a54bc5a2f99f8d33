#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/lab/guest/console.h"

namespace lvspec {

/// What to run in a user-mode-linux guest, and how. Paths are absolute: the guest's root is the host's.
struct UmlOptions {
  std::string init;               ///< our own program, PID 1 of the guest; see guest_init.h
  std::vector<std::string> args;  ///< its argv[1..]; no quotes or line ends, 26 at most
  std::vector<std::pair<std::string, std::string>> environment;  ///< as args; names without dots, 20 at most
  std::string writable_dir;  ///< the one directory that the guest may write in, at this same path; empty: none
  std::string log;           ///< console and kernel messages as they came; empty: kept in memory only

  std::chrono::milliseconds time_limit = std::chrono::seconds(120);  ///< of the host's time; then it counts as hung
  int memory_mib = 192;
  /// How much slower the guest's clock runs than the host's while there is work (clock_preload.c). At 100 a starved
  /// machine has to hold up a segment for 20 s before a guest takes it for lost, and the time that work takes all but
  /// vanishes beside the windows that we measure. The price: a guest program that spins keeps the others waiting for
  /// a tick of 10 ms, which is then a second of ours.
  int busy = 100;
  bool virtual_time = true;  ///< false: no preload, the guest's time is the host's

  std::string kernel = "/usr/bin/linux.uml";
  std::string preload;  ///< empty: lvspec_uml_clock.so beside the running program

  /// Each line of the guest's console as it comes, without its end. Called by wait().
  std::function<void(std::string_view)> on_line;
};

/// A user-mode-linux guest: Debian's own kernel as one ordinary process, our program as its init.
///
/// Nothing of it outlives us: its kernel dies with the thread that called start() (PR_SET_PDEATHSIG, so call it from
/// a thread that lives as long as the guest has to), and its processes with its kernel (orphan_preload.c). It leaves
/// no file: the memory file has no name (O_TMPFILE), and the initcalls that would make ~/.uml are left out.
/// Move-only; the destructor kills and reaps.
class UmlGuest {
 public:
  /// Error: what this machine lacks (the kernel, the preload, room for the guest's memory) and what to do about it.
  static Result<UmlGuest> start(UmlOptions options);
  UmlGuest(UmlGuest&& other) noexcept;
  UmlGuest& operator=(UmlGuest&& other) = delete;
  ~UmlGuest();

  /// The kernel's process on this machine.
  pid_t pid() const { return pid_; }
  /// Waits for power-off and hands on console lines meanwhile. Error: panic, a killed or vanished kernel, time_limit,
  /// power-off before the body returned; with the reason in one sentence, then the tail of the log.
  Result<GuestExit> wait();
  /// Everything that came from the console so far.
  const std::string& log() const { return console_.text(); }

 private:
  UmlGuest(UmlOptions options, pid_t pid, FileDescriptor pidfd, GuestConsole console, FileDescriptor changes)
      : options_(std::move(options)),
        started_(std::chrono::steady_clock::now()),
        pid_(pid),
        pidfd_(std::move(pidfd)),
        console_(std::move(console)),
        changes_(std::move(changes)) {}

  int kill_and_reap();
  Error failure(const std::string& what) const;

  UmlOptions options_;
  std::chrono::steady_clock::time_point started_;
  pid_t pid_ = -1;
  FileDescriptor pidfd_;
  GuestConsole console_;
  FileDescriptor changes_;
};

/// The kernel's command line for these options, as one would type it. Error (usage): something in them that a command
/// line cannot carry.
Result<std::vector<std::string>> uml_command_line(const UmlOptions& options);

}  // namespace lvspec
