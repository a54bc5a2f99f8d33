#include "harness/lab/qemu/qemu_guest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/lab/qemu/evidence_line.h"
#include "harness/lab/qemu/qemu_init.h"
#include "harness/lab/uml/guest_protocol.h"

namespace lvspec {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often the console is looked at. Lines are for people and for a time limit of minutes.
constexpr milliseconds kGlance(20);

/// The last lines of a console, without empty ones and carriage returns.
std::string tail_of(const std::string& text, std::size_t lines) {
  std::vector<std::string> kept;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    line.erase(std::remove(line.begin(), line.end(), '\r'), line.end());
    if (!line.empty()) kept.push_back("  | " + line);
    start = end + 1;
  }
  if (kept.size() > lines) kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(lines));
  return fmt::format("{}", fmt::join(kept, "\n"));
}

/// The line of the console that `what` is in, or nothing.
std::string line_with(const std::string& text, const std::string& what) {
  const std::size_t at = text.find(what);
  if (at == std::string::npos) return "";
  const std::size_t end = text.find_first_of("\r\n", at);
  return text.substr(at, end == std::string::npos ? end : end - at);
}

/// A descriptor of ours under a name that qemu, our child and of our user, can open. Its own descriptors are
/// numbered by whoever starts it.
std::string path_of(const FileDescriptor& fd) { return fmt::format("/proc/{}/fd/{}", getpid(), fd.get()); }

Result<std::string> kernel_command_line(const QemuOptions& options, bool virtual_time) {
  std::vector<std::string> words = {
      "console=ttyS0",
      "quiet",
      "panic=-1",  // reset at once, which ends qemu
      "reboot=t",  // by triple fault, which ends qemu whatever the machine offers
      "nokaslr",   // the same guest every time
      "mitigations=off",
      "cryptomgr.notests",
      "no_timer_check",
      "rdinit=" + options.init,
      fmt::format("{}=1", qemu_protocol::kMark),
  };
  // The tick counter counts instructions, so it needs neither calibration nor a watchdog: 0.9 virtual s less.
  if (virtual_time) words.insert(words.end(), {"tsc=reliable", "clocksource=tsc", "lpj=4000000"});
  auto environment = options.environment;
  if (!options.writable_dir.empty()) environment.emplace_back(qemu_protocol::kWritableDir, options.writable_dir);
  for (const auto& [name, value] : environment) words.push_back(name + "=" + value);
  if (!options.args.empty()) words.push_back("--");
  words.insert(words.end(), options.args.begin(), options.args.end());

  for (std::string& word : words) {
    if (word.find_first_of("\"\n") != std::string::npos || word.empty())
      return usage_error(
          fmt::format("\"{}\": the kernel's command line cannot carry an empty word, a quote or a line end", word));
    if (word.find(' ') != std::string::npos) word = "\"" + word + "\"";
  }
  std::string line = fmt::format("{}", fmt::join(words, " "));
  // arch/x86/include/asm/setup.h (COMMAND_LINE_SIZE 2048), init/main.c (MAX_INIT_ARGS, MAX_INIT_ENVS 32).
  if (line.size() >= 2048 || options.args.size() > 26 || environment.size() > 20)
    return usage_error(fmt::format("{} bytes, {} args, {} variables: more than a kernel's command line carries",
                                   line.size(), options.args.size(), environment.size()));
  return line;
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
    // arat: the APIC timer runs on in idleness, without it the kernel keeps ticking. 2^3 ns an instruction;
    // sleep=off: an idle guest's clock jumps to its next timer. rdrand, so that the kernel has random numbers at
    // once, and a seed, so that they are the same ones.
    words.insert(words.end(), {"-accel", "tcg", "-icount", "shift=3,sleep=off", "-cpu", "qemu64,+rdrand,+arat",
                               "-seed", "1", "-rtc", "base=2024-01-01T00:00:00,clock=vm"});
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
  // A file, not a pipe: the guest must never wait for us to read, since that wait would show in its clock.
  FileDescriptor console(options.log.empty()
                             ? memfd_create("console", MFD_CLOEXEC)
                             : open(options.log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!console.valid()) return system_error(fmt::format("open({})", options.log.empty() ? "console" : options.log));
  if (!evidence.valid()) return system_error("memfd_create(evidence)");
  LVSPEC_ASSIGN(std::vector<std::string> words,
                qemu_command_line(options, {path_of(*options.initramfs), path_of(console), path_of(evidence)}));
  auto child = Child::start({.argv = std::move(words), .fds = {}, .environment = {}});
  if (!child.ok()) return Error{child.error().message + "; install Debian's package qemu-system-x86"};
  return QemuGuest(std::move(options), std::move(*child), std::move(console), std::move(evidence));
}

void QemuGuest::read_console() {
  char chunk[65536];
  for (ssize_t count = 0; (count = pread(console_.get(), chunk, sizeof chunk, static_cast<off_t>(text_.size()))) > 0;)
    text_.append(chunk, static_cast<std::size_t>(count));
  for (std::size_t end = 0; (end = text_.find('\n', line_start_)) != std::string::npos; line_start_ = end + 1) {
    std::string_view line(text_.data() + line_start_, end - line_start_);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);  // a terminal sends CR LF
    if (line.starts_with(guest_protocol::kReport)) {
      long long up_ms = 0;
      reported_ =
          std::sscanf(line.data() + sizeof guest_protocol::kReport - 1, "%d %lld", &exit_.status, &up_ms) == 2;
      exit_.virtual_ = milliseconds(up_ms);
    } else if (options_.on_line) {
      options_.on_line(line);
    }
  }
}

Error QemuGuest::failure(const std::string& what) const {
  const std::string own = child_.output();  // qemu's words, where it has something to say
  return Error{
      fmt::format("qemu guest {}\n{}{}{}", what, tail_of(text_, 25), own.empty() ? "" : "\n", tail_of(own, 5))};
}

Result<QemuExit> QemuGuest::wait() {
  while (!child_.wait(kGlance)) {
    read_console();
    if (steady_clock::now() < started_ + options_.time_limit) continue;
    child_.stop(milliseconds(0));
    read_console();
    return failure(fmt::format("was killed: it had not ended after {} ms", options_.time_limit.count()));
  }
  exit_.wall = std::chrono::duration_cast<milliseconds>(steady_clock::now() - started_);
  read_console();
  if (const std::string panic = line_with(text_, "Kernel panic - not syncing"); !panic.empty())
    return failure(fmt::format("ended in a panic: {}", panic));
  if (!reported_ || child_.status_text() != "exited with 0")
    return failure(fmt::format("{}{}", child_.status_text(), reported_ ? "" : " before its work was done"));
  if (!options_.writable_dir.empty()) {
    if (const Status received = receive_folder(evidence_.get(), options_.writable_dir); !received.ok())
      return failure("lost its evidence: " + received.error().message);
  }
  return exit_;
}

}  // namespace lvspec
