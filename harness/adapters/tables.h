#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "harness/base/ip_address.h"
#include "harness/ruleset/ruleset.h"
#include "harness/ruleset/sync_daemon.h"

namespace lvspec {

/// What a director believes: the inside view of a case, one model for all directors.

/// One line of `ipvsadm -L -n -c`.
struct Entry {
  std::string protocol;  ///< "TCP", "UDP", "SCTP"; "IP" for the template of a mark
  Endpoint client;       ///< of a template: the masked address, port 0 (TPL-12)
  Endpoint target;       ///< virtual address and port; of a mark's template the mark as an address (TPL-13)
  Endpoint server;
  bool is_template = false;
  std::string state;                      ///< "ESTABLISHED", "UDP", "NONE", "ASSURED", ...
  std::string engine{}, engine_data{};    ///< templates of a persistence engine: "sip" and a Call-ID
  std::chrono::nanoseconds expires_in{};  ///< as exactly as the director says it; whole seconds from a kernel
  std::string origin = "LOCAL";           ///< or "SYNC": learned from a sync master (SYN-09)
};

/// What has passed, as `--stats` shows it: a snapshot (CON-76).
struct Traffic {
  std::uint64_t in_packets = 0, out_packets = 0, in_bytes = 0, out_bytes = 0;
};

/// One real server of one service, with its counters (CON-70).
struct ServerState {
  RealServer server;
  std::uint32_t active = 0, inactive = 0, persistent = 0;
  std::uint64_t connections = 0;  ///< "Conns" of --stats
  Traffic traffic{};
};

struct ServiceState {
  VirtualService service;  ///< read back as the director has it; servers in the order of the director's own list
  std::vector<ServerState> servers;
  std::uint64_t connections = 0;
  Traffic traffic{};
};

struct Tables {
  std::vector<ServiceState> services;
  std::vector<Entry> entries;       ///< connection entries and templates, sorted, since no order is promised (CON-04)
  std::vector<SyncDaemon> daemons;  ///< those that run, master before backup

  /// As `ipvsadm -L -n --persistent-conn` and `ipvsadm -L -n -c` would show them.
  std::string str() const;
};

std::ostream& operator<<(std::ostream& out, const Entry& entry);
std::ostream& operator<<(std::ostream& out, const ServerState& server);

}  // namespace lvspec
