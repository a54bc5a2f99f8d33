#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/ipvs/genl_messages.h"
#include "harness/netns/namespace.h"
#include "harness/ruleset/ruleset.h"

struct nl_sock;
struct nlmsghdr;

namespace lvspec {

/// What the kernel says of its IPVS (GET_INFO).
struct IpvsInfo {
  std::string version;                 ///< "1.2.1"
  std::uint32_t connection_table = 0;  ///< buckets
};

/// A conversation with the IPVS of one network namespace: every command of the generic netlink family "IPVS"
/// (section 12 of the clauses). Move-only; for one thread at a time, in whatever namespace that thread is.
///
/// Errors name the command and the object: "new server TCP 198.51.100.10:80 203.0.113.11:80: Destination already
/// exists (EEXIST)". What the kernel's IPVS refuses (EEXIST, ESRCH, ENOENT, EINVAL, ERANGE) is kDirector, in the
/// words that ipvsadm has for it (ADM-50..58, SYN-14); everything else, and a failing socket, is kWorld.
class IpvsSocket {
 public:
  /// Error (kUnsupported) where the running kernel has no IPVS, in one sentence that says what to do.
  static Result<IpvsSocket> open(const NetworkNamespace& netns);
  IpvsSocket(IpvsSocket&&) noexcept;
  IpvsSocket& operator=(IpvsSocket&&) noexcept;
  ~IpvsSocket();

  /// The service without its servers.
  Status add_service(const VirtualService& service);
  /// Replaces everything but identity and servers (EDT-01).
  Status edit_service(const VirtualService& service);
  Status remove_service(const ServiceId& id);
  Result<IpvsService> service(const ServiceId& id);
  /// In the kernel's order: by hash, address services before those of marks (NLK-05).
  Result<std::vector<IpvsService>> services();

  Status add_server(const ServiceId& service, const RealServer& server);
  Status edit_server(const ServiceId& service, const RealServer& server);
  Status remove_server(const ServiceId& service, const Endpoint& server);
  /// In the order in which schedulers meet them: the last one added first (DST-05). Empty for an unknown service as
  /// well (NLK-03).
  Result<std::vector<IpvsServer>> servers(const ServiceId& service);

  Status start_daemon(const SyncDaemon& daemon);
  Status stop_daemon(SyncRole role);
  Result<std::vector<SyncDaemon>> daemons();

  Status set_timeouts(const IpvsTimeouts& timeouts);
  Result<IpvsTimeouts> timeouts();
  Result<IpvsInfo> info();
  /// Sets the counters of a service and its servers to zero, or those of all.
  Status zero(const std::optional<ServiceId>& service = std::nullopt);
  /// Removes all services.
  Status flush();

 private:
  struct Order;
  struct Closer {
    void operator()(nl_sock* socket) const;
  };
  using MessageReader = std::function<void(nlmsghdr*)>;

  IpvsSocket(std::unique_ptr<nl_sock, Closer> socket, int family);
  Status carry_out(const Order& order, const MessageReader& read = nullptr);

  std::unique_ptr<nl_sock, Closer> socket_;
  int family_;
};

}  // namespace lvspec
