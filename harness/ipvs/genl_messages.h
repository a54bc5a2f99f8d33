#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/ruleset/ruleset.h"
#include "harness/ruleset/sync_daemon.h"

struct nl_msg;
struct nlattr;

namespace lvspec {

/// Counters of a service or of one of its servers, as `ipvsadm -L --stats` and `--rate` show them.
struct IpvsStats {
  std::uint64_t connections = 0;  ///< "Conns"; templates do not count (CON-72)
  std::uint64_t in_packets = 0, out_packets = 0, in_bytes = 0, out_bytes = 0;
  std::uint64_t connections_per_s = 0, in_packets_per_s = 0, out_packets_per_s = 0;
  std::uint64_t in_bytes_per_s = 0, out_bytes_per_s = 0;
};

/// One server as the kernel has it.
struct IpvsServer {
  RealServer server;
  std::uint32_t active = 0, inactive = 0, persistent = 0;  ///< CON-70
  IpvsStats stats;
};

/// One service as the kernel has it, without its servers.
struct IpvsService {
  VirtualService service;
  IpvsStats stats;
};

/// Seconds; 0 keeps (NLK-06).
struct IpvsTimeouts {
  std::uint32_t tcp = 0, tcp_fin = 0, udp = 0;

  bool operator==(const IpvsTimeouts&) const = default;
};

/// The nested attributes of section 12, to and from our own words. Pure: no socket, no kernel.
namespace genl {

/// How much of an object a message carries (NLK-01).
enum class Detail { kIdentity, kFull };

void put_service(nl_msg* message, const VirtualService& service, Detail detail);
void put_server(nl_msg* message, const RealServer& server, Detail detail);
void put_daemon(nl_msg* message, const SyncDaemon& daemon, Detail detail);
void put_timeouts(nl_msg* message, const IpvsTimeouts& timeouts);

/// @param nest  the attribute SERVICE, DEST or DAEMON. Error (kWorld): an attribute that must be there is not.
Result<IpvsService> read_service(const nlattr* nest);
/// @param family  that of the service, for a server that does not say its own.
/// The kernel has two methods more than the model: local and bypass. It never reports either for a server that came
/// by way of ipvsadm or of us; they are read as direct routing, which is where the packet stays as it is.
Result<IpvsServer> read_server(const nlattr* nest, int family);
Result<SyncDaemon> read_daemon(const nlattr* nest);

/// Scheduler flags 0x8, 0x10, 0x20 by the names that ipvsadm lists them by, and back (ADM-37).
std::vector<std::string> sched_flag_names(std::uint32_t flags, const std::string& scheduler);
std::uint32_t sched_flag_bits(const std::vector<std::string>& names);

}  // namespace genl
}  // namespace lvspec
