#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/lab/guest/console.h"
#include "harness/process/child.h"

namespace lvspec {

/// What to run in a qemu guest, and how.
struct QemuOptions {
  std::string kernel;                               ///< a vmlinuz; see debian_kernel.h
  std::shared_ptr<const FileDescriptor> initramfs;  ///< build_initramfs; many guests may share it
  std::string init;               ///< our own program, PID 1 of the guest: its path in the initramfs; see qemu_init.h
  std::vector<std::string> args;  ///< its argv[1..]; no quotes or line ends, 26 at most
  std::vector<std::pair<std::string, std::string>> environment;  ///< as args; names without dots, 20 at most
  /// What the guest's body leaves in this folder is in the same folder of the host when wait() returns; empty: none.
  std::string writable_dir;
  std::string log;  ///< console and kernel messages as they came; empty: kept in memory only

  std::chrono::milliseconds time_limit = std::chrono::seconds(300);  ///< of the host's time; then it counts as hung
  int memory_mib = 512;
  /// "tcg": the guest's time is the number of instructions it has executed, and idle time is skipped, so
  /// that a crowded host cannot be seen from inside and every run is like the last. "kvm": the host's time.
  std::string accel = "tcg";
  /// With tcg an instruction takes 2^icount_shift ns.
  int icount_shift = 3;
  std::string program = "qemu-system-x86_64";  ///< a path, or a name to look up in PATH

  /// Each line of the guest's console as it comes, without its end. Called by wait().
  std::function<void(std::string_view)> on_line;
};

/// A guest of qemu (machine "microvm"): a distribution's kernel as it is, our program as its init.
///
/// Nothing of it outlives us: qemu dies with the thread that called start() (see Child), and it leaves no file.
/// Move-only; the destructor kills and reaps.
class QemuGuest {
 public:
  /// Error: what this machine lacks (qemu, the kernel, KVM) and what to do about it.
  static Result<QemuGuest> start(QemuOptions options);

  /// qemu's process on this machine.
  pid_t pid() const { return child_.pid(); }
  /// Waits for the end and hands on console lines meanwhile. Error: panic, a killed qemu, time_limit, a reset before
  /// the body returned, evidence that could not be written; with the reason in one sentence, then the tail of the
  /// log.
  Result<GuestExit> wait();
  /// Everything that came from the console so far.
  const std::string& log() const { return console_.text(); }

 private:
  QemuGuest(QemuOptions options, Child child, GuestConsole console, FileDescriptor evidence)
      : options_(std::move(options)),
        started_(std::chrono::steady_clock::now()),
        child_(std::move(child)),
        console_(std::move(console)),
        evidence_(std::move(evidence)) {}

  Error failure(const std::string& what) const;

  QemuOptions options_;
  std::chrono::steady_clock::time_point started_;
  Child child_;
  GuestConsole console_;
  FileDescriptor evidence_;
};

/// The files of a guest, as qemu may open them.
struct QemuFiles {
  std::string initramfs, console, evidence;
};

/// qemu's command line for these options. Error (usage): something in them that the kernel's command line cannot
/// carry, or an accelerator that we do not know.
Result<std::vector<std::string>> qemu_command_line(const QemuOptions& options, const QemuFiles& files);

}  // namespace lvspec
