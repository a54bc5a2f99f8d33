#include "harness/lab/guest/init.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "harness/base/file_descriptor.h"
#include "harness/lab/guest/protocol.h"

namespace lvspec {
namespace {

constexpr int kHarnessError = 4;

int trouble(const Status& status) {
  std::printf("%s%s\n", guest_protocol::kTrouble, status.error().message.c_str());
  return kHarnessError;
}

Status raise_loopback() {
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return system_error("ioctl(SIOCSIFFLAGS, lo, IFF_UP)");
  return {};
}

}  // namespace

const std::vector<std::string>& ipvs_modules() {
  // Debian's UML kernel has nf_tables for bridges alone (CONFIG_NF_TABLES_IPV4, _IPV6 and _INET are not set), so
  // marks on packets are iptables' there: the mangle table and what its rules name.
  static const std::vector<std::string> kModules = {
      "ipv6",           "bridge",          "veth",        "tun",          "ip_vs",
      "ip_vs_rr",       "ip_vs_wrr",       "ip_vs_lc",    "ip_vs_wlc",    "ip_vs_fo",
      "ip_vs_ovf",      "ip_vs_lblc",      "ip_vs_lblcr", "ip_vs_dh",     "ip_vs_sh",
      "ip_vs_mh",       "ip_vs_sed",       "ip_vs_nq",    "ip_vs_pe_sip", "ip_vs_ftp",
      "iptable_mangle", "ip6table_mangle", "xt_mark",     "xt_tcpudp",    "xt_multiport"};
  return kModules;
}

bool is_init_of(const std::string& lab) {
  const char* const started_by = getenv(guest_protocol::kLab);
  return getpid() == 1 && started_by != nullptr && lab == started_by;
}

Status mount_at(const std::string& type, const std::string& path, const std::string& options) {
  if (mount(type.c_str(), path.c_str(), type.c_str(), 0, options.c_str()) != 0)
    return system_error(fmt::format("mount({}, {})", type, path));
  return {};
}

Status settle_in() {
  setenv("TMPDIR", "/run", 1);
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  return raise_loopback();
}

void live_as_init(const std::function<Status()>& furnish, const std::function<int()>& body,
                  const std::function<Status()>& hand_over) {
  const Status furnished = furnish();
  int status = furnished.ok() ? body() : trouble(furnished);
  std::fflush(nullptr);
  if (const Status handed = hand_over(); !handed.ok()) status = trouble(handed);
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  std::printf("%s%d %lld\n", guest_protocol::kReport, status,
              static_cast<long long>(up.tv_sec) * 1000 + up.tv_nsec / 1000000);
  std::fflush(stdout);
  tcdrain(STDOUT_FILENO);
}

}  // namespace lvspec
