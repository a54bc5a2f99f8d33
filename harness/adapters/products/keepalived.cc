#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "harness/adapters/kernel_ipvs.h"
#include "harness/adapters/products/products.h"

namespace lvspec {
namespace {

std::string kind_of(const RealServer& server) {
  switch (server.method) {
    case ForwardMethod::kDirectRoute:
      return "DR";
    case ForwardMethod::kMasquerade:
      return "NAT";
    case ForwardMethod::kTunnel:
      break;
  }
  const char* checksum = server.tunnel.checksum == TunnelChecksum::kFull     ? " csum"
                         : server.tunnel.checksum == TunnelChecksum::kRemote ? " remcsum"
                                                                             : " nocsum";
  if (server.tunnel.type == TunnelType::kGue)
    return fmt::format("TUN type gue port {}{}", server.tunnel.port, checksum);
  return server.tunnel.type == TunnelType::kGre ? fmt::format("TUN type gre{}", checksum) : "TUN";
}

/// What keepalived must have made of a service in the kernel: a service's lines, whatever the order of its servers.
std::string lines_of(VirtualService service) {
  std::sort(service.servers.begin(), service.servers.end());
  return service.str();
}

/// keepalived with its checker alone, reading a keepalived.conf of ours and driving the kernel's IPVS. Services and
/// servers are its; marks, settings and tables are the kernel's, which it leaves to the administrator.
class Keepalived : public Product {
 public:
  Keepalived(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
             std::unique_ptr<DirectorUnderTest> kernel, ConfigurationFile file, const ProductOptions& options)
      : Product(
            site, std::move(netns), std::move(fence), std::move(identity),
            {.protocols = {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp},
             .schedulers = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"},
             .marks = true,
             .any_port = true,
             .masks = true,
             .thresholds = true,
             .server_ports = true,
             .one_packet = true,
             .engines = true,
             .flags = true,
             .methods = {ForwardMethod::kDirectRoute, ForwardMethod::kMasquerade, ForwardMethod::kTunnel}},
            options),
        kernel_(std::move(kernel)),
        file_(std::move(file)) {}
  ~Keepalived() override {
    if (child_) child_->stop(std::chrono::seconds(3));
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  Status set_marks(const std::vector<MarkRule>& rules) override { return kernel_->set_marks(rules); }
  Status set_sysctl(const std::string& name, int value) override { return kernel_->set_sysctl(name, value); }
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) override {
    return kernel_->set_timeouts(tcp, tcp_fin, udp);
  }
  Status zero() override { return kernel_->zero(); }
  Result<std::map<std::string, std::string>> settings() override { return kernel_->settings(); }
  Result<Tables> tables() override { return kernel_->tables(); }
  Status await_fence(std::uint64_t token) override { return kernel_->await_fence(token); }
  std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const override {
    return kernel_->granule(interval);
  }

 protected:
  Status bring(const Ruleset& wanted) override {
    configuration_ = text_of(wanted);
    LVSPEC_TRY(file_.write(configuration_));
    if (wanted.services.empty()) {
      // With nothing left to do its checker ends, and a later reload does not bring it back: it is stopped, which
      // takes its services out of the kernel, and started anew with the next one.
      if (child_) {
        child_->stop(std::chrono::seconds(3));
        past_logs_.push_back(child_->output());
        child_.reset();
      }
      return kernel_->clear();
    }
    if (child_ && child_->running()) {
      kill(child_->pid(), SIGHUP);
    } else {
      // It reads its pid files before it writes them, and takes an empty one for a sign that it runs already: they
      // have to be files that are not there.
      std::string folder = (access("/run", W_OK) == 0 ? "/run" : std::filesystem::temp_directory_path().string()) +
                           "/lvspec-keepalived-XXXXXX";
      if (folder_.empty() && mkdtemp(folder.data()) == nullptr) return system_error("mkdtemp(" + folder + ")");
      if (folder_.empty()) folder_ = folder;
      LVSPEC_ASSIGN(
          child_, start({"keepalived", "--check", "--dont-fork", "--log-console", "--no-syslog", "--use-file",
                         kConfigurationPath, "--pid", folder_ + "/pid", "--checkers_pid", folder_ + "/checkers.pid"},
                        {{file_.fd(), kConfigurationFd}}));
    }
    const Status done = await("keepalived carries its configuration out", &*child_, [&]() -> Result<bool> {
      LVSPEC_ASSIGN(const Tables tables, kernel_->tables());
      std::vector<VirtualService> found;
      for (const ServiceState& state : tables.services) found.push_back(state.service);
      if (found.size() != wanted.services.size()) return false;
      for (const VirtualService& service : wanted.services) {
        const auto same = std::find_if(found.begin(), found.end(), [&](const VirtualService& other) {
          return lines_of(other) == lines_of(service);
        });
        if (same == found.end()) return false;
      }
      return true;
    });
    if (done.ok()) return {};
    const Result<Tables> tables = kernel_->tables();
    const std::string text =
        fmt::format("{}; the kernel has: {}", done.error().message, tables.ok() ? tables->str() : "?");
    // Alive and done with reading, it has left something out: keepalived 2.2 does not carry out a changed uthreshold.
    return child_->running() ? director_error(text) : Error{text};
  }

  std::string live_log() const override { return (child_ ? child_->output() : "") + kernel_->log(); }

 private:
  static std::string text_of(const Ruleset& wanted) {
    std::string text = "global_defs {\n  router_id lvspec\n}\n";
    for (const VirtualService& service : wanted.services) {
      const ServiceId& id = service.id;
      text += id.is_mark() ? fmt::format("virtual_server fwmark {} {{\n", id.fwmark)
                           : fmt::format("virtual_server {} {} {{\n", id.address.str(), id.port);
      text += fmt::format("  lvs_sched {}\n", service.scheduler);
      text += fmt::format("  lvs_method {}\n", service.servers.empty() ? "DR" : kind_of(service.servers.front()));
      if (id.is_mark() && id.family == AF_INET6) text += "  ip_family inet6\n";
      if (!id.is_mark()) text += fmt::format("  protocol {}\n", protocol_name(id.protocol));
      if (service.persistent_s) {
        text += fmt::format("  persistence_timeout {}\n", *service.persistent_s);
        if (service.netmask != IpAddress::v4(0xffffffff))
          text += fmt::format("  persistence_granularity {}\n", service.netmask.str());
        if (service.prefix_length != 128)
          text += fmt::format("  persistence_granularity {}\n", service.prefix_length);
      }
      if (!service.pe.empty()) text += fmt::format("  persistence_engine {}\n", service.pe);
      if (service.one_packet) text += "  ops\n";
      for (const std::string& flag : service.sched_flags) text += fmt::format("  {}\n", flag);
      for (const RealServer& server : service.servers) {
        text += fmt::format("  real_server {} {} {{\n    weight {}\n    lvs_method {}\n", server.address.str(),
                            server.port, server.weight, kind_of(server));
        if (server.upper != 0) text += fmt::format("    uthreshold {}\n", server.upper);
        if (server.lower != 0) text += fmt::format("    lthreshold {}\n", server.lower);
        text += "  }\n";
      }
      text += "}\n";
    }
    return text;
  }

  std::unique_ptr<DirectorUnderTest> kernel_;
  ConfigurationFile file_;
  std::string folder_;  // of its pid files
  std::optional<Child> child_;
};

}  // namespace

Result<std::unique_ptr<DirectorUnderTest>> start_keepalived(const DirectorSite& site, NetworkNamespace netns,
                                                            WireFence fence, DirectorIdentity identity,
                                                            const ProductOptions& options) {
  Result<std::unique_ptr<DirectorUnderTest>> kernel = KernelIpvs::start(site, {});
  if (!kernel.ok()) return environment_error("needs a kernel with IPVS: " + kernel.error().message);
  LVSPEC_ASSIGN(ConfigurationFile file, ConfigurationFile::create());
  return std::unique_ptr<DirectorUnderTest>(new Keepalived(
      site, std::move(netns), std::move(fence), std::move(identity), std::move(*kernel), std::move(file), options));
}

}  // namespace lvspec
