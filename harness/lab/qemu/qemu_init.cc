#include "harness/lab/qemu/qemu_init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/lab/qemu/evidence_line.h"
#include "harness/lab/qemu/initramfs.h"
#include "harness/lab/uml/guest_protocol.h"

namespace lvspec {
namespace {

Status mount_at(const std::string& type, const std::string& path) {
  if (mount(type.c_str(), path.c_str(), type.c_str(), 0, "") != 0)
    return system_error(fmt::format("mount({}, {})", type, path));
  return {};
}

Status raise_loopback() {
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return system_error("ioctl(SIOCSIFFLAGS, lo, IFF_UP)");
  return {};
}

Status load_modules() {
  std::ifstream order(kModuleOrder);
  if (!order) return system_error(fmt::format("open({})", kModuleOrder));
  for (std::string path; std::getline(order, path);) {
    const FileDescriptor module(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!module.valid()) return system_error(fmt::format("open({})", path));
    if (syscall(SYS_finit_module, module.get(), "", 0) != 0 && errno != EEXIST) {
      const Error failed = system_error(fmt::format("finit_module({})", path));
      if (errno == ENOEXEC || errno == EINVAL)
        return Error{failed.message + "; --modules is of another kernel than --kernel"};
      return failed;
    }
  }
  return {};
}

Status furnish() {
  LVSPEC_TRY(mount_at("proc", "/proc"));
  LVSPEC_TRY(mount_at("sysfs", "/sys"));
  LVSPEC_TRY(mount_at("devtmpfs", "/dev"));
  LVSPEC_TRY(mount_at("tmpfs", "/run"));
  if (const char* dir = getenv(qemu_protocol::kWritableDir); dir != nullptr) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) return Error{fmt::format("mkdir({}): {}", dir, error.message())};
  }
  setenv("TMPDIR", "/run", 1);
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  LVSPEC_TRY(raise_loopback());
  return load_modules();
}

Status send_evidence() {
  const char* dir = getenv(qemu_protocol::kWritableDir);
  if (dir == nullptr) return {};
  const FileDescriptor line(open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!line.valid()) return system_error("open(/dev/ttyS1)");
  return send_folder(dir, line.get());
}

}  // namespace

bool is_qemu_init() { return getpid() == 1 && getenv(qemu_protocol::kMark) != nullptr; }

void run_qemu_init(const std::function<int()>& body) {
  int status = 4;  // harness error
  if (const Status furnished = furnish(); furnished.ok()) {
    status = body();
  } else {
    std::printf("%s%s\n", qemu_protocol::kTrouble, furnished.error().message.c_str());
  }
  std::fflush(nullptr);
  if (const Status sent = send_evidence(); !sent.ok()) {
    std::printf("%s%s\n", qemu_protocol::kTrouble, sent.error().message.c_str());
    status = 4;
  }
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  std::printf("%s%d %lld\n", guest_protocol::kReport, status,
              static_cast<long long>(up.tv_sec) * 1000 + up.tv_nsec / 1000000);
  std::fflush(stdout);
  tcdrain(STDOUT_FILENO);
  // A reset ends qemu on every machine (qemu -no-reboot, kernel reboot=t); to be switched off takes drivers.
  reboot(RB_AUTOBOOT);
  _exit(status);  // not reached: PID 1 was allowed to
}

}  // namespace lvspec
