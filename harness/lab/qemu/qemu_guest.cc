#include "harness/lab/qemu/qemu_guest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/lab/guest/boot_words.h"
#include "harness/lab/qemu/evidence_line.h"

namespace lvspec {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often the console is looked at. Lines are for people and for a time limit of minutes.
constexpr milliseconds kGlance(20);

/// A descriptor of ours under a name that qemu, our child and of our user, can open. Its own descriptors are
/// numbered by whoever starts it.
std::string path_of(int fd) { return fmt::format("/proc/{}/fd/{}", getpid(), fd); }

Result<std::string> kernel_command_line(const QemuOptions& options, bool virtual_time) {
  std::vector<std::string> words = {
      "console=ttyS0",   "quiet",
      "panic=-1",  // reset at once, which ends qemu
      "reboot=t",  // by triple fault, which ends qemu whatever the machine offers
      "nokaslr",   // the same guest every time
      "mitigations=off", "cryptomgr.notests",
      "no_timer_check",  "rdinit=" + options.init,
  };
  // The tick counter counts instructions, so it needs neither calibration nor a watchdog: 0.9 virtual s less.
  if (virtual_time) words.insert(words.end(), {"tsc=reliable", "clocksource=tsc", "lpj=4000000"});
  // arch/x86/include/asm/setup.h: COMMAND_LINE_SIZE is 2048.
  LVSPEC_ASSIGN(
      words, boot_words(std::move(words), {options.args, options.environment, "qemu", options.writable_dir}, 2048));
  return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

Result<std::vector<std::string>> qemu_command_line(const QemuOptions& options, const QemuFiles& files) {
  const bool virtual_time = options.accel == "tcg";
  if (!virtual_time && options.accel != "kvm")
    return usage_error(fmt::format("--accel {}: there is no such accelerator; there is: tcg, kvm", options.accel));
  LVSPEC_ASSIGN(const std::string append, kernel_command_line(options, virtual_time));
  std::vector<std::string> words = {
      options.program, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
      // ACPI tells the kernel of the local APIC, whose timer can be set seconds ahead; the old timer, its only
      // one otherwise, interrupts an idle guest 18 times a second at least.
      "-M", "microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=off,auto-kernel-cmdline=off", "-m",
      std::to_string(options.memory_mib)};
  if (virtual_time) {
    // arat: the APIC timer runs on in idleness, without it the kernel keeps ticking. 2^shift ns an instruction;
    // sleep=off: an idle guest's clock jumps to its next timer. rdrand, so that the kernel has random numbers at
    // once, and a seed, so that they are the same ones. No cx16: Linux 6.12.95
    // died here again and again within some dozen cases, returning from interrupts with flags that nobody had set
    // (the trap flag among them), in code full of cmpxchg16b, which its allocator uses where it can. Without it it
    // locks, and has not died since. That qemu 7.2 gets the instruction's flags wrong is a guess.
    words.insert(words.end(),
                 {"-accel", "tcg", "-icount", fmt::format("shift={},sleep=off", options.icount_shift), "-cpu",
                  "qemu64,+rdrand,+arat,-cx16", "-seed", "1", "-rtc", "base=2024-01-01T00:00:00,clock=vm"});
  } else {
    words.insert(words.end(), {"-accel", "kvm", "-cpu", "host"});
  }
  const auto serial = [&words](const std::string& id, const std::string& path, int index) {
    words.insert(words.end(), {"-chardev", fmt::format("file,id={},path={}", id, path), "-device",
                               fmt::format("isa-serial,chardev={},index={}", id, index)});
  };
  serial("console", files.console, 0);
  if (!options.writable_dir.empty()) serial("evidence", files.evidence, 1);
  words.insert(words.end(), {"-kernel", options.kernel, "-initrd", files.initramfs, "-append", append});
  return words;
}

Result<QemuGuest> QemuGuest::start(QemuOptions options) {
  LVSPEC_CHECK(options.initramfs != nullptr);
  if (access(options.kernel.c_str(), R_OK) != 0)
    return system_error(fmt::format("kernel {}", options.kernel)).in("qemu guest");
  if (options.accel == "kvm" && access("/dev/kvm", R_OK | W_OK) != 0)
    return Error{fmt::format("--accel kvm: /dev/kvm: {}; this machine has no KVM for this user, --accel tcg works",
                             errno_text(errno))};
  FileDescriptor evidence(memfd_create("evidence", MFD_CLOEXEC));
  LVSPEC_ASSIGN(GuestConsole console, GuestConsole::open(options.log));
  if (!evidence.valid()) return system_error("memfd_create(evidence)");
  LVSPEC_ASSIGN(std::vector<std::string> words,
                qemu_command_line(
                    options, {path_of(options.initramfs->get()), path_of(console.fd()), path_of(evidence.get())}));
  auto child = Child::start({.argv = std::move(words), .fds = {}, .environment = {}});
  if (!child.ok()) return Error{child.error().message + "; install Debian's package qemu-system-x86"};
  return QemuGuest(std::move(options), std::move(*child), std::move(console), std::move(evidence));
}

Error QemuGuest::failure(const std::string& what) const {
  const std::string own = child_.output();  // qemu's words, where it has something to say
  return Error{fmt::format("qemu guest {}\n{}{}{}", what, tail_of(console_.text(), 25), own.empty() ? "" : "\n",
                           tail_of(own, 5))};
}

Result<GuestExit> QemuGuest::wait() {
  while (!child_.wait(kGlance)) {
    console_.read(options_.on_line);
    if (steady_clock::now() < started_ + options_.time_limit) continue;
    child_.stop(milliseconds(0));
    console_.read(options_.on_line);
    return failure(fmt::format("was killed: it had not ended after {} ms", options_.time_limit.count()));
  }
  const auto wall = std::chrono::duration_cast<milliseconds>(steady_clock::now() - started_);
  console_.read(options_.on_line);
  auto exit = console_.verdict(child_.status_text() == "exited with 0", child_.status_text());
  if (!exit.ok()) return failure(exit.error().message);
  exit->wall = wall;
  if (!options_.writable_dir.empty()) {
    if (const Status received = receive_folder(evidence_.get(), options_.writable_dir); !received.ok())
      return failure("lost its evidence: " + received.error().message);
  }
  return exit;
}

}  // namespace lvspec
