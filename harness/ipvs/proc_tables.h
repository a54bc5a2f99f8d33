#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// One line of /proc/net/ip_vs_conn or ip_vs_conn_sync, the only places where the kernel shows its connection entries
/// and templates (NLK-08).
struct ProcEntry {
  std::string protocol;  ///< "TCP", "UDP", "SCTP"; "IP" for the template of a mark (TPL-13)
  Endpoint client, target, server;
  /// Client port 0, and a state that templates have: "NONE" or "ASSURED". A connection entry may have client port 0
  /// as well, while IPVS does not know that port yet (FTP data), but its state is one of its protocol.
  bool is_template = false;
  std::string state;
  std::uint32_t expires_s = 0;   ///< whole seconds, truncated, 0 also past the deadline (TIM-05)
  std::string pe_name, pe_data;  ///< of ip_vs_conn; empty: none
  std::string origin;            ///< of ip_vs_conn_sync: "LOCAL" or "SYNC" (SYN-09); else empty

  bool operator==(const ProcEntry&) const = default;
};

/// The text of either file; its title says which of the two it is (ADM-16). The order is the kernel's (CON-04:
/// random). Error (kWorld): a line that cannot be read, quoted, with its number. Source: Linux
/// net/netfilter/ipvs/ip_vs_conn.c, ip_vs_conn_seq_show(), ip_vs_conn_sync_seq_show().
Result<std::vector<ProcEntry>> parse_connections(std::string_view text);

enum class ConnectionFile { kConnections, kSync };

/// The file as a thread inside `netns` sees it. The kernel hands it out in pieces of a page: a table that changes
/// meanwhile may show an entry twice or not at all.
Result<std::vector<ProcEntry>> read_connections(const NetworkNamespace& netns,
                                                ConnectionFile file = ConnectionFile::kConnections);

/// A whole file below /proc, which has no size before it is read. Error: path and errno.
Result<std::string> read_proc_file(const std::string& path);

}  // namespace lvspec
