#include "harness/netns/namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "harness/base/check.h"

namespace lvspec {
namespace {

/// Of the thread, not of the process: /proc/self is the main thread, and each thread has a namespace of its own.
constexpr char kOwnNamespace[] = "/proc/thread-self/ns/net";

Result<FileDescriptor> open_own_namespace(const std::string& name) {
  FileDescriptor fd(::open(kOwnNamespace, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(fmt::format("{}: open({})", name, kOwnNamespace));
  return fd;
}

/// Both capabilities that building a world takes: one to make and enter namespaces, one to furnish them.
bool has_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  const auto effective = [&data](int capability) {
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  };
  return effective(CAP_SYS_ADMIN) && effective(CAP_NET_ADMIN);
}

Status write_file(const char* path, const std::string& text) {
  const FileDescriptor fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(fmt::format("open({})", path));
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return system_error(fmt::format("write({}, \"{}\")", path, text));
  return {};
}

/// A namespace is born with its loopback down; a process that moves into one would miss 127.0.0.1.
Status raise_loopback() {
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error("socket(AF_INET)");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return system_error("ioctl(SIOCSIFFLAGS, lo, IFF_UP)");
  return {};
}

/// Makes the process root of a user namespace, with a network namespace that belongs to it: setns back into the
/// network namespace we came from would need CAP_SYS_ADMIN in the user namespace that we have just left.
Status enter_user_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return system_error("unshare(CLONE_NEWUSER)");
  // Without "deny" the kernel refuses an unprivileged gid_map (user_namespaces(7)).
  LVSPEC_TRY(write_file("/proc/self/setgroups", "deny"));
  LVSPEC_TRY(write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid)));
  LVSPEC_TRY(write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid)));
  if (::unshare(CLONE_NEWNET) != 0) return system_error("unshare(CLONE_NEWNET) in a user namespace of our own");
  return raise_loopback();
}

}  // namespace

Result<NetworkNamespace> NetworkNamespace::create(std::string name) {
  LVSPEC_ASSIGN(FileDescriptor home, open_own_namespace(name));
  if (::unshare(CLONE_NEWNET) != 0) {
    Error error = system_error(fmt::format("{}: unshare(CLONE_NEWNET)", name));
    if (errno == ENOSPC) error.message += ": more namespaces than sysctl user.max_net_namespaces allows";
    return error;
  }
  const Entered entered(std::move(home));
  LVSPEC_ASSIGN(FileDescriptor fd, open_own_namespace(name));
  return NetworkNamespace(std::move(name), std::move(fd));
}

Result<NetworkNamespace> NetworkNamespace::current(std::string name) {
  LVSPEC_ASSIGN(FileDescriptor fd, open_own_namespace(name));
  return NetworkNamespace(std::move(name), std::move(fd));
}

Result<NetworkNamespace::Entered> NetworkNamespace::enter() const {
  LVSPEC_ASSIGN(FileDescriptor home, open_own_namespace(name_));
  if (::setns(fd_.get(), CLONE_NEWNET) != 0)
    return system_error(fmt::format("{}: setns(netns/{}, CLONE_NEWNET)", name_, name_));
  return Entered(std::move(home));
}

NetworkNamespace::Entered::~Entered() {
  if (!home_.valid()) return;
  const bool back_home = ::setns(home_.get(), CLONE_NEWNET) == 0;
  // A thread left in the wrong namespace would do the next case's work in this one's world.
  LVSPEC_CHECK(back_home);
}

Status become_able_to_create_namespaces() {
  std::string as_we_are = "it has no CAP_SYS_ADMIN and CAP_NET_ADMIN";
  if (has_capabilities()) {
    const auto probe = NetworkNamespace::create("probe");
    if (probe.ok()) return {};
    as_we_are = probe.error().message;
  }
  const Status in_user_namespace = enter_user_namespace();
  if (in_user_namespace.ok()) return {};
  return Error{fmt::format(
      "this process cannot create network namespaces. As it is (uid {}): {}. In a user namespace of its own: {}. "
      "Run it as root, or allow user namespaces: sysctl user.max_user_namespaces above 0, "
      "kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu). "
      "In a container: --cap-add SYS_ADMIN --cap-add NET_ADMIN, and a --security-opt whose seccomp and AppArmor "
      "profiles allow unshare. EINVAL means that the process already had a second thread, which is a bug of ours.",
      ::getuid(), as_we_are, in_user_namespace.error().message)};
}

}  // namespace lvspec
