#include "harness/adapters/kernel_ipvs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <tuple>

#include "harness/ipvs/kernel_clock.h"
#include "harness/ipvs/proc_tables.h"

namespace lvspec {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int kReadAllOfLog = 3, kSizeOfLog = 10;  // SYSLOG_ACTION_READ_ALL, SYSLOG_ACTION_SIZE_BUFFER

/// Until the kernel has counted a tick: the coarse clock moves with it and only then. A sleep as long as a tick is
/// not enough, since a busy kernel may count late. Source: Linux kernel/time/tick-sched.c,
/// tick_do_update_jiffies64().
Status let_a_tick_pass(int hz) {
  timespec before{}, now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
  do {
    LVSPEC_TRY(sleep_for(tick_of(hz)));
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
  return {};
}

Traffic traffic_of(const IpvsStats& stats) {
  return {stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes};
}

Entry entry_of(const ProcEntry& shown, int hz) {
  Entry entry;
  entry.protocol = shown.protocol;
  entry.client = shown.client;
  entry.target = shown.target;
  entry.server = shown.server;
  entry.is_template = shown.is_template;
  entry.state = shown.state;
  entry.engine = shown.pe_name;
  entry.engine_data = shown.pe_data;
  entry.expires_in = longest_shown_as(shown.expires_s, hz);
  if (!shown.origin.empty()) entry.origin = shown.origin;
  return entry;
}

}  // namespace

Status KernelIpvs::available() {
  LVSPEC_ASSIGN(const NetworkNamespace here, NetworkNamespace::current("this machine"));
  LVSPEC_ASSIGN(const IpvsSocket ignored, IpvsSocket::open(here));
  return {};
}

Result<std::unique_ptr<DirectorUnderTest>> KernelIpvs::start(const DirectorSite& site,
                                                             const KernelIpvsOptions& options) {
  LVSPEC_ASSIGN(IpvsSocket ipvs, IpvsSocket::open(*site.netns));
  // The namespace for as long as we live, and the socket that hears fences in it.
  LVSPEC_ASSIGN(NetworkNamespace netns,
                site.netns->call([&] { return NetworkNamespace::current(site.netns->name()); }));
  LVSPEC_ASSIGN(WireFence fence, WireFence::open(netns));
  LVSPEC_ASSIGN(const IpvsInfo info, ipvs.info());
  const int hz = options.hz != 0 ? options.hz : kernel_hz();
  std::unique_ptr<KernelIpvs> director(
      new KernelIpvs(std::move(netns), std::move(ipvs), std::move(fence), options, hz));
  utsname kernel{};
  uname(&kernel);
  director->identity_ = {"ipvs",
                         fmt::format("{} (IPVS {}, HZ={})", kernel.release, info.version, hz),
                         {"ipv4",  "ipv6",       "tcp",
                          "udp",   "sctp",       "dr",
                          "masq",  "tunnel",     "local",
                          "ppc",   "pcc",        "mark",
                          "mask",  "tables",     "sysctl",
                          "edit",  "clock",      "threshold",
                          "rr",    "wrr",        "lc",
                          "wlc",   "lblc",       "lblcr",
                          "dh",    "sh",         "mh",
                          "sed",   "nq",         "fo",
                          "ovf",   "one-packet", "sync",
                          "marks", "port0",      "nat",
                          "tun",   "affinity",   "edit-keeps-clients"},
                         Affinity{}};
  return std::unique_ptr<DirectorUnderTest>(std::move(director));
}

Status KernelIpvs::add_service(const VirtualService& service) {
  LVSPEC_TRY(ipvs_.add_service(service));
  for (const RealServer& server : service.servers) LVSPEC_TRY(add_server(service.id, server));
  return {};
}

Status KernelIpvs::set_marks(const std::vector<MarkRule>& rules) {
  if (marks_ == nullptr) {
    if (rules.empty()) return {};
    LVSPEC_ASSIGN(marks_, open_mark_table(netns_));
  }
  return marks_->replace(rules);
}

Status KernelIpvs::set_sysctl(const std::string& name, int value) {
  const std::string what = fmt::format("net.ipv4.vs.{}", name);
  if (name.find('/') != std::string::npos) return unsupported(what);
  return netns_.call([&]() -> Status {
    // /proc/sys/net shows the namespace of whoever opens a file there, thread by thread.
    // "sync_period" is the second integer of sync_threshold (CTL-27); whoever writes one integer sets the first.
    const bool second = name == "sync_period";
    const std::string path = "/proc/sys/net/ipv4/vs/" + (second ? std::string("sync_threshold") : name);
    std::string text = std::to_string(value);
    if (second) {
      LVSPEC_ASSIGN(const std::string both, read_proc_file(path));
      text = both.substr(0, both.find_first_of(" \t")) + " " + text;
    }
    const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid())
      return errno == ENOENT ? Status(unsupported(what)) : Status(system_error(fmt::format("open({})", path)));
    if (write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
    if (errno == EINVAL) return director_error(fmt::format("{}={}: {}", what, value, errno_text(errno)));
    return system_error(fmt::format("write({}, {})", path, value));
  });
}

Result<std::map<std::string, std::string>> KernelIpvs::settings() {
  std::map<std::string, std::string> settings;
  const auto read_folder = [&settings](const std::string& folder, const std::string& prefix) {
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
      Result<std::string> text = read_proc_file(file.path().string());
      if (!text.ok()) continue;  // what is only for writing is no setting
      std::replace(text->begin(), text->end(), '\t', ' ');
      text->erase(text->find_last_not_of(" \n") + 1);
      settings[prefix + file.path().filename().string()] = *text;
    }
  };
  LVSPEC_TRY(netns_.call([&]() -> Status {
    read_folder("/proc/sys/net/ipv4/vs", "net.ipv4.vs.");
    return {};
  }));
  read_folder("/sys/module/ip_vs/parameters", "ip_vs.");
  LVSPEC_ASSIGN(const IpvsTimeouts timeouts, ipvs_.timeouts());
  settings["timeout tcp"] = std::to_string(timeouts.tcp);
  settings["timeout tcpfin"] = std::to_string(timeouts.tcp_fin);
  settings["timeout udp"] = std::to_string(timeouts.udp);
  return settings;
}

Status KernelIpvs::start_daemon(const SyncDaemon& daemon) {
  LVSPEC_TRY(ipvs_.start_daemon(daemon));
  was_backup_ |= daemon.role == SyncRole::kBackup;
  return {};
}

Result<Tables> KernelIpvs::tables() {
  if (options_.tick_before_tables) LVSPEC_TRY(let_a_tick_pass(hz_));
  Tables tables;
  LVSPEC_ASSIGN(const std::vector<IpvsService> services, ipvs_.services());
  for (const IpvsService& said : services) {
    ServiceState state;
    state.service = said.service;
    state.connections = said.stats.connections;
    state.traffic = traffic_of(said.stats);
    LVSPEC_ASSIGN(const std::vector<IpvsServer> servers, ipvs_.servers(said.service.id));
    for (const IpvsServer& server : servers) {
      state.servers.push_back({server.server, server.active, server.inactive, server.persistent,
                               server.stats.connections, traffic_of(server.stats)});
      state.service.servers.push_back(server.server);
    }
    tables.services.push_back(std::move(state));
  }
  LVSPEC_ASSIGN(tables.daemons, ipvs_.daemons());
  const ConnectionFile file = was_backup_ ? ConnectionFile::kSync : ConnectionFile::kConnections;
  LVSPEC_ASSIGN(const std::vector<ProcEntry> entries, read_connections(netns_, file));
  for (const ProcEntry& entry : entries) tables.entries.push_back(entry_of(entry, hz_));
  std::sort(tables.entries.begin(), tables.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.is_template, a.client, a.target, a.protocol) <
           std::tie(b.is_template, b.client, b.target, b.protocol);
  });
  return tables;
}

Status KernelIpvs::await_fence(std::uint64_t token) {
  return fence_.await(token, options_.patience, "director ipvs");
}

Status KernelIpvs::advance(nanoseconds step) { return sleep_for(step); }

nanoseconds KernelIpvs::granule(nanoseconds interval) const { return timer_granule(interval, hz_); }

std::string KernelIpvs::log() const {
  constexpr std::size_t kTail = 16384;
  const int size = klogctl(kSizeOfLog, nullptr, 0);
  if (size <= 0) return "";
  std::string text(static_cast<std::size_t>(size), '\0');
  const int count = klogctl(kReadAllOfLog, text.data(), size);
  if (count <= 0) return "";
  text.resize(static_cast<std::size_t>(count));
  if (text.size() <= kTail) return text;
  return text.substr(text.find('\n', text.size() - kTail) + 1);
}

}  // namespace lvspec
