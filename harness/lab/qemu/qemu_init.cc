#include "harness/lab/qemu/qemu_init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/lab/guest/init.h"
#include "harness/lab/guest/protocol.h"
#include "harness/lab/qemu/evidence_line.h"
#include "harness/lab/qemu/initramfs.h"

namespace lvspec {
namespace {

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
  if (const char* dir = getenv(guest_protocol::kWritableDir); dir != nullptr) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) return Error{fmt::format("mkdir({}): {}", dir, error.message())};
  }
  LVSPEC_TRY(settle_in());
  return load_modules();
}

Status send_evidence() {
  const char* dir = getenv(guest_protocol::kWritableDir);
  if (dir == nullptr) return {};
  const FileDescriptor line(open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!line.valid()) return system_error("open(/dev/ttyS1)");
  return send_folder(dir, line.get());
}

}  // namespace

bool is_qemu_init() { return is_init_of("qemu"); }

void run_qemu_init(const std::function<int()>& body) {
  live_as_init(furnish, body, send_evidence);
  // A reset ends qemu on every machine (qemu -no-reboot, kernel reboot=t); to be switched off takes drivers.
  reboot(RB_AUTOBOOT);
  _exit(4);  // not reached: PID 1 was allowed to
}

}  // namespace lvspec
