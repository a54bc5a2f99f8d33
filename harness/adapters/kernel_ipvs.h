#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "harness/adapters/director_under_test.h"
#include "harness/adapters/wire_fence.h"
#include "harness/ipvs/genl_ipvs.h"
#include "harness/ipvs/mark_table.h"

namespace lvspec {

struct KernelIpvsOptions {
  int hz = 0;  ///< ticks of the kernel's timers in a second; 0: ask the kernel (kernel_clock.h)
  /// Whether tables() first lets a tick pass, so that what came before is in them. Not for who keeps time himself.
  bool tick_before_tables = true;
  /// How long a fence may take on its way.
  std::chrono::milliseconds patience{5000};
};

/// The kernel's own IPVS, in the director's network namespace: ordered by generic netlink, its tables read from there
/// and from /proc/net/ip_vs_conn, its marks given by netfilter.
///
/// It belongs where the node's stack is the director (DirectorPlace::kStack). Nothing of it outlives the namespace.
class KernelIpvs : public DirectorUnderTest {
 public:
  static Result<std::unique_ptr<DirectorUnderTest>> start(const DirectorSite& site, const KernelIpvsOptions& options);
  /// Whether the running kernel has IPVS, seen from the calling thread's namespace. Error: one sentence.
  static Status available();

  const DirectorIdentity& identity() const override { return identity_; }
  Status add_service(const VirtualService& service) override;
  Status edit_service(const VirtualService& service) override { return ipvs_.edit_service(service); }
  Status remove_service(const ServiceId& id) override { return ipvs_.remove_service(id); }
  Status add_server(const ServiceId& service, const RealServer& server) override {
    return ipvs_.add_server(service, server);
  }
  Status edit_server(const ServiceId& service, const RealServer& server) override {
    return ipvs_.edit_server(service, server);
  }
  Status remove_server(const ServiceId& service, const Endpoint& server) override {
    return ipvs_.remove_server(service, server);
  }
  Status clear() override { return ipvs_.flush(); }
  Status set_marks(const std::vector<MarkRule>& rules) override;
  Status set_sysctl(const std::string& name, int value) override;
  Status zero() override { return ipvs_.zero(); }
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) override {
    return ipvs_.set_timeouts({tcp, tcp_fin, udp});
  }

  Status start_daemon(const SyncDaemon& daemon) override;
  Status stop_daemon(SyncRole role) override { return ipvs_.stop_daemon(role); }

  Result<std::map<std::string, std::string>> settings() override;
  /// Lets one tick of the kernel's clock pass before it looks, so that what an entry has left is the same whole
  /// second whether or not a tick fell between its last packet and our reading; see longest_shown_as, which says what
  /// Entry::expires_in is then: the upper end of the second that the kernel shows, never above the true value by a
  /// second or more, never below it.
  Result<Tables> tables() override;

  /// The kernel takes frames off a link in the order in which they came, on the CPU that sent them, before the
  /// sender's system call returns (net/core/dev.c, process_backlog(), run by local_bh_enable()) or, if they are many,
  /// a little later in ksoftirqd. So when the fence has reached a packet socket of the director's node, IPVS has
  /// decided on everything before it.
  Status await_fence(std::uint64_t token) override;
  /// Sleeps by the monotonic clock: for real on the host; in a guest whose time jumps over idleness, at no cost.
  Status advance(std::chrono::nanoseconds step) override;
  std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const override;
  /// The last lines of the kernel's log, where we may read it; it is one log for all namespaces.
  std::string log() const override;

 private:
  KernelIpvs(NetworkNamespace netns, IpvsSocket ipvs, WireFence fence, const KernelIpvsOptions& options, int hz)
      : netns_(std::move(netns)), ipvs_(std::move(ipvs)), fence_(std::move(fence)), options_(options), hz_(hz) {}

  NetworkNamespace netns_;
  IpvsSocket ipvs_;
  WireFence fence_;
  KernelIpvsOptions options_;
  int hz_;
  bool was_backup_ = false;  ///< there may be entries of origin SYNC
  DirectorIdentity identity_;
  std::unique_ptr<MarkTable> marks_;  // made when the first mark is
};

}  // namespace lvspec
