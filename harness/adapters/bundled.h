#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "harness/adapters/director_under_test.h"
#include "harness/base/file_descriptor.h"
#include "harness/process/child.h"

namespace lvspec {

struct BundledOptions {
  std::string program;  ///< path of lvspec-director; of lvspec-director-faulty with a fault
  std::string fault;    ///< name of the fault to switch on; empty: none
  int timers_hz = 0;    ///< timers are late as a kernel's with this HZ; 0: exact
  /// For how long it may do nothing, and how much CPU time it may take, before it is said to hang: it needs ms.
  std::chrono::milliseconds patience{5000};
};

/// What the program says of itself: `PROGRAM --describe`.
Result<DirectorIdentity> bundled_identity(const std::string& program);

/// The bundled director: a process in the director's namespace, told by JSON lines over a socket pair, its clock
/// standing still but for advance().
class Bundled : public DirectorUnderTest {
 public:
  static Result<std::unique_ptr<Bundled>> start(const DirectorSite& site, const BundledOptions& options);

  /// Of the director's process.
  pid_t pid() const { return child_.pid(); }
  const DirectorIdentity& identity() const override { return identity_; }
  Status add_service(const VirtualService& service) override;
  Status edit_service(const VirtualService& service) override;
  Status remove_service(const ServiceId& id) override;
  Status add_server(const ServiceId& service, const RealServer& server) override;
  Status edit_server(const ServiceId& service, const RealServer& server) override;
  Status remove_server(const ServiceId& service, const Endpoint& server) override;
  Status clear() override;
  Status set_marks(const std::vector<MarkRule>& rules) override;
  Status set_sysctl(const std::string& name, int value) override;
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) override;
  Status zero() override;
  Status start_daemon(const SyncDaemon& daemon) override;
  Status stop_daemon(SyncRole role) override;
  Result<std::map<std::string, std::string>> settings() override;
  Result<Tables> tables() override;
  Status await_fence(std::uint64_t token) override;
  Status advance(std::chrono::nanoseconds step) override;
  std::chrono::nanoseconds granule(std::chrono::nanoseconds) const override { return {}; }
  std::string log() const override { return child_.output(); }

 private:
  class Conversation;

  Bundled(Child child, FileDescriptor socket, std::chrono::milliseconds patience)
      : child_(std::move(child)), socket_(std::move(socket)), patience_(patience) {}

  /// One request and its reply, both JSON text. Errors: see DirectorUnderTest.
  Result<std::string> exchange(const std::string& request, const std::string& verb);
  Error lost(const std::string& verb, const std::string& how);

  Child child_;
  FileDescriptor socket_;
  std::chrono::milliseconds patience_;
  std::string unread_;
  DirectorIdentity identity_;
};

}  // namespace lvspec
