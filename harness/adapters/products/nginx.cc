#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include "harness/adapters/products/products.h"

namespace lvspec {
namespace {

/// Where each configuration says its own number, so that the end of a reload can be seen.
constexpr const char* kNumberAt = "127.0.0.1:10024";

/// A master and a worker. On SIGHUP the master reads its configuration anew and starts another worker; the old one
/// goes on with its open connections. (Without a master nginx 1.22 takes a SIGHUP and then no connection any more.)
class Nginx : public Product {
 public:
  Nginx(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity,
        ConfigurationFile file, FileDescriptor pid_file, const ProductOptions& options)
      : Product(site, std::move(netns), std::move(fence), std::move(identity),
                {.protocols = {Protocol::kTcp, Protocol::kUdp},
                 .schedulers = {"rr", "wrr", "lc", "wlc"},
                 .server_ports = true},
                options),
        file_(std::move(file)),
        pid_file_(std::move(pid_file)) {}

 protected:
  Status bring(const Ruleset& wanted) override {
    ++generation_;
    configuration_ = text_of(wanted, generation_);
    LVSPEC_TRY(file_.write(configuration_));
    if (child_ && child_->running()) {
      kill(child_->pid(), SIGHUP);
    } else {
      // It opens its log before it reads anything, hence -e.
      LVSPEC_ASSIGN(child_, start({"nginx", "-e", "stderr", "-c", kConfigurationPath},
                                  {{file_.fd(), kConfigurationFd}, {pid_file_.get(), kPidFd}}));
    }
    return await(fmt::format("nginx works by configuration {}", generation_), &*child_, [&]() -> Result<bool> {
      // Workers share their sockets: the old one may answer once more, but not time after time.
      for (int i = 0; i < 3; ++i)
        if (ask(kNumberAt, "") != std::to_string(generation_)) return false;
      return true;
    });
  }

  std::string live_log() const override { return child_ ? child_->output() : ""; }

 private:
  static constexpr int kPidFd = 10;

  // nginx removes its pid file when it ends, and it may run as root: a descriptor cannot be removed, a file could.
  static std::string text_of(const Ruleset& wanted, int generation) {
    std::string text = fmt::format(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
        "daemon off; user root root; worker_processes 1; error_log stderr notice; pid /proc/self/fd/{};\n"
        "events {{ worker_connections 900; }}\nstream {{\n  access_log off; tcp_nodelay on; proxy_half_close on;\n"
        "  proxy_connect_timeout 1s; proxy_timeout 900s;\n  server {{ listen {}; return \"{}\"; }}\n",
        kPidFd, kNumberAt, generation);
    for (const VirtualService& service : wanted.services) {
      const bool udp = service.id.protocol == Protocol::kUdp;
      // Without a colon, or nginx takes it for a host and a port.
      std::string name = fmt::format("{}-{}-{}", udp ? "udp" : "tcp", service.id.address.str(), service.id.port);
      std::replace(name.begin(), name.end(), ':', '-');
      text += fmt::format("  upstream {} {{\n", name);
      if (service.persistent_s)
        text += "    hash $remote_addr consistent;\n";
      else if (service.scheduler == "lc" || service.scheduler == "wlc")
        text += "    least_conn;\n";
      const bool weighed = service.scheduler == "wrr" || service.scheduler == "wlc";
      for (const RealServer& server : service.servers)
        text += fmt::format("    server {}{};\n", server.endpoint().str(),
                            !takes_clients(server) ? " down"
                            : weighed              ? fmt::format(" weight={}", server.weight)
                                                   : "");
      if (service.servers.empty()) text += "    server 127.0.0.1:9 down;\n";  // an upstream must not be empty
      text += fmt::format("  }}\n  server {{ listen {}{}; proxy_pass {};{} }}\n",
                          Endpoint{service.id.address, service.id.port}.str(), udp ? " udp" : "", name,
                          udp ? " proxy_responses 1;" : "");
    }
    return text + "}\n";
  }

  ConfigurationFile file_;
  FileDescriptor pid_file_;
  std::optional<Child> child_;
  int generation_ = 0;
};

}  // namespace

Result<std::unique_ptr<DirectorUnderTest>> start_nginx(const DirectorSite& site, NetworkNamespace netns,
                                                       WireFence fence, DirectorIdentity identity,
                                                       const ProductOptions& options) {
  LVSPEC_ASSIGN(ConfigurationFile file, ConfigurationFile::create());
  FileDescriptor pid_file(memfd_create("nginx.pid", MFD_CLOEXEC));
  if (!pid_file.valid()) return system_error("memfd_create(nginx.pid)");
  return std::unique_ptr<DirectorUnderTest>(new Nginx(site, std::move(netns), std::move(fence), std::move(identity),
                                                      std::move(file), std::move(pid_file), options));
}

}  // namespace lvspec
