#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/adapters/wire_fence.h"
#include "harness/base/file_descriptor.h"
#include "harness/process/child.h"
#include "harness/ruleset/read.h"

namespace lvspec {

struct ProductOptions {
  /// Time passes for real: what would have to wait for long is refused as not possible here.
  bool real_time = false;
  /// A lie for tests, "marks" or "window=for-ever": what the product says of itself beyond the truth; empty: none.
  std::string claims{};
};

/// What orders a product takes. Whatever is not in here is refused as not claimed.
struct Claims {
  std::vector<Protocol> protocols;
  std::vector<std::string> schedulers;
  bool ipv6 = true, marks = false, any_port = false, masks = false, thresholds = false, server_ports = false;
  bool one_packet = false, engines = false, flags = false;
  /// Empty: it forwards in its own way whatever the ruleset says, as proxies do, and declares none of dr, nat and
  /// tun.
  std::vector<ForwardMethod> methods{};
};

/// A product that knows only configurations: every order becomes a new one, which it is started with, or made to
/// read. What it claims is looked at before it is told, so that a refused order changes nothing.
class Product : public DirectorUnderTest {
 public:
  const DirectorIdentity& identity() const override { return identity_; }
  Status add_service(const VirtualService& service) override { return order(AddService{service}); }
  Status edit_service(const VirtualService& service) override { return order(EditService{service}); }
  Status remove_service(const ServiceId& id) override { return order(DeleteService{id}); }
  Status add_server(const ServiceId& service, const RealServer& server) override {
    return order(AddServer{service, server});
  }
  Status edit_server(const ServiceId& service, const RealServer& server) override {
    return order(EditServer{service, server});
  }
  Status remove_server(const ServiceId& service, const Endpoint& server) override {
    return order(DeleteServer{service, server.address, server.port});
  }
  Status clear() override { return order(ClearServices{}); }
  Status set_marks(const std::vector<MarkRule>& rules) override;
  Status set_sysctl(const std::string& name, int value) override;
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) override;
  Status zero() override { return not_claimed("counters"); }
  Status start_daemon(const SyncDaemon& daemon) override;
  Status stop_daemon(SyncRole role) override;
  Result<Tables> tables() override { return not_claimed("tables that can be read"); }

  Status await_fence(std::uint64_t token) override;
  /// Sleeps. Error (kEnvironment): in real time, what would take longer than a person waits for a case.
  Status advance(std::chrono::nanoseconds step) override;
  /// Whole seconds, as proxies count them.
  std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const override;
  std::string log() const override;
  std::string configuration() const override { return configuration_; }

 protected:
  Product(const DirectorSite& site, NetworkNamespace netns, WireFence fence, DirectorIdentity identity, Claims claims,
          const ProductOptions& options);

  /// Makes the product do what `wanted` says; `configuration_` then holds what it was told.
  virtual Status bring(const Ruleset& wanted) = 0;

  Error not_claimed(const std::string& what) const;
  /// The error of a product that does not do what it was told, with its own last words.
  Error failed(const std::string& what, Child* child) const;
  /// A program in the director's namespace; its output goes to the log also after its end.
  Result<Child> start(std::vector<std::string> argv, std::vector<std::pair<int, int>> fds = {}) const;
  /// Looks until `holds`, for some seconds. Error: `what` did not come to be; the child has ended, or its last words.
  Status await(const std::string& what, Child* child, const std::function<Result<bool>()>& holds) const;
  /// Whether somebody listens at the endpoint, by the kernel's tables: nothing is sent.
  Result<bool> listens(Protocol protocol, const Endpoint& at) const;
  /// What a program says to whom connects to it in the director's namespace and asks `question`; none: nobody there.
  /// @param to  "127.0.0.1:10024" or "@name", an abstract Unix socket of that name and zeros
  std::optional<std::string> ask(const std::string& to, const std::string& question) const;
  /// Whether time passes for real, so that waiting costs the user something.
  bool real_time() const { return options_.real_time; }
  /// Ends a child and keeps its last words.
  void end(Child child);

  NetworkNamespace netns_;
  DirectorIdentity identity_;
  std::string configuration_;
  std::vector<std::string> past_logs_;
  virtual std::string live_log() const { return ""; }

 private:
  Status order(const Command& command);
  Status check(const Ruleset& wanted) const;

  WireFence fence_;
  Claims claims_;
  ProductOptions options_;
  Ruleset ruleset_;
};

/// A text that a child reads as a file, and reads anew when it was written anew; nothing of it is on a disk.
class ConfigurationFile {
 public:
  static Result<ConfigurationFile> create();
  Status write(const std::string& text);
  int fd() const { return file_.get(); }

 private:
  explicit ConfigurationFile(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

/// The number of a configuration file in a child, and its name there.
inline constexpr int kConfigurationFd = 9;
inline constexpr const char* kConfigurationPath = "/proc/self/fd/9";

/// Whether a server is to get new clients.
inline bool takes_clients(const RealServer& server) { return server.weight > 0; }

/// Where a program of a package lies, also where PATH is that of a guest without one. Error (kEnvironment): not
/// installed, and what installs it.
Result<std::string> program_path(const std::string& name);

}  // namespace lvspec
