#include "harness/lab/uml/guest_init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string_view>

#include "harness/base/file_descriptor.h"
#include "harness/lab/guest/init.h"
#include "harness/lab/guest/protocol.h"
#include "harness/lab/uml/module_image.h"

namespace lvspec {
namespace {

/// Whether the file at `path` is the module of that name: "kernel/lib/crc-ccitt.ko" is crc_ccitt.
bool names_module(std::string_view path, std::string_view name) {
  path = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  path = path.substr(0, path.find(".ko"));
  const auto same = [](char a, char b) { return (a == '-' ? '_' : a) == (b == '-' ? '_' : b); };
  return std::equal(path.begin(), path.end(), name.begin(), name.end(), same);
}

Status make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    struct stat is {};
    if (stat(part.c_str(), &is) != 0 && mkdir(part.c_str(), 0755) != 0)
      return system_error(fmt::format("mkdir({})", part));
    if (slash == std::string::npos) return {};
  }
}

/// Every device makes uevents, and for each of them this kernel starts /sbin/hotplug (CONFIG_UEVENT_HELPER), which is
/// not there: 1 ms apiece, and a world has dozens of devices.
Status silence_uevents() {
  const FileDescriptor helper(open("/proc/sys/kernel/hotplug", O_WRONLY | O_CLOEXEC));
  if (!helper.valid() || write(helper.get(), "\n", 1) != 1) return system_error("write(/proc/sys/kernel/hotplug)");
  return {};
}

Status furnish(const GuestInit& how) {
  LVSPEC_TRY(mount_at("proc", "/proc"));
  LVSPEC_TRY(silence_uevents());
  LVSPEC_TRY(mount_at("sysfs", "/sys"));
  LVSPEC_TRY(mount_at("tmpfs", "/run"));
  // Not on /tmp: the program itself and writable_dir often live there. The root is read-only, so the host's /tmp is
  // there to be read and TMPDIR points elsewhere.
  if (const char* dir = getenv(guest_protocol::kWritableDir); dir != nullptr) {
    LVSPEC_TRY(make_directories(dir));
    LVSPEC_TRY(mount_at("hostfs", dir, dir));
  }
  LVSPEC_TRY(settle_in());

  utsname kernel{};
  uname(&kernel);
  const std::string release_dir = fmt::format("{}/{}", how.modules_dir, kernel.release);
  for (const std::string& module : how.modules) LVSPEC_TRY(load_module(release_dir, module));
  return {};
}

}  // namespace

bool is_guest_init() { return is_init_of("uml"); }

Result<std::vector<std::string>> module_load_order(std::string_view modules_dep, const std::string& name) {
  while (!modules_dep.empty()) {
    const std::string_view line = modules_dep.substr(0, modules_dep.find('\n'));
    modules_dep.remove_prefix(std::min(line.size() + 1, modules_dep.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !names_module(line.substr(0, colon), name)) continue;
    // "a.ko: b.ko c.ko": a needs all of them, and each of them only what stands to its right (depmod(8)).
    std::vector<std::string> order;
    std::istringstream needed(std::string(line.substr(colon + 1)));
    for (std::string path; needed >> path;) order.insert(order.begin(), path);
    order.emplace_back(line.substr(0, colon));
    return order;
  }
  return Error{fmt::format("module {}: not in modules.dep", name)};
}

Status load_module(const std::string& release_dir, const std::string& name) {
  // What one call reads serves the next, and no page of it is touched before the kernel has filled it.
  static char image[4 << 20], dependencies[1 << 20];
  static std::size_t dependencies_size = 0;
  static std::string dependencies_of;
  static std::set<std::string> loaded;

  if (dependencies_of != release_dir) {
    const std::string path = release_dir + "/modules.dep";
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t count = read(file.get(), dependencies, sizeof dependencies);
    if (count < 0) return system_error(fmt::format("module {}: read({})", name, path));
    dependencies_size = static_cast<std::size_t>(count);
    dependencies_of = release_dir;
  }
  LVSPEC_ASSIGN(const std::vector<std::string> order, module_load_order({dependencies, dependencies_size}, name));
  for (const std::string& path : order) {
    if (loaded.count(path) != 0) continue;
    const std::string file = fmt::format("{}/{}", release_dir, path);
    const FileDescriptor module(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!module.valid()) return system_error(fmt::format("module {}: open({})", name, file));
    LVSPEC_ASSIGN(const std::size_t size, module_without_debug_info(module.get(), image));
    if (syscall(SYS_init_module, image, size, "") != 0 && errno != EEXIST)
      return system_error(fmt::format("module {}: init_module({})", name, file));
    loaded.insert(path);
  }
  return {};
}

void run_guest_init(const GuestInit& how, const std::function<int()>& body) {
  const auto write_back = [] {
    sync();  // hostfs writes back like any other file system
    return Status();
  };
  live_as_init([&how] { return furnish(how); }, body, write_back);
  reboot(RB_POWER_OFF);
  _exit(4);  // not reached: PID 1 was allowed to
}

}  // namespace lvspec
