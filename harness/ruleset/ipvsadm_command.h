#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "harness/ruleset/read.h"

/// ipvsadm 1.31 as a program: every command line, with every command. A ruleset (read.h) is made of some of them.
namespace lvspec {

/// -L. At most one of service, connections, timeouts and daemons is given (ADM-31).
struct ListTables {
  std::optional<ServiceId> service{};
  bool connections = false, timeouts = false, daemons = false;
  bool numeric = false, exact = false, sorted = true, tunnels = false;
  bool stats = false, rates = false, thresholds = false, persistent_connections = false;
  bool operator==(const ListTables&) const = default;
};
/// -S.
struct SaveServices {
  bool numeric = false;
  bool operator==(const SaveServices&) const = default;
};
/// -R.
struct RestoreServices {
  bool operator==(const RestoreServices&) const = default;
};
/// -Z; no service means all.
struct ZeroCounters {
  std::optional<ServiceId> service{};
  bool operator==(const ZeroCounters&) const = default;
};
/// --set, in seconds; 0 keeps the value.
struct SetTimeouts {
  std::uint32_t tcp = 0, tcp_fin = 0, udp = 0;
  bool operator==(const SetTimeouts&) const = default;
};
enum class DaemonRole { kMaster, kBackup };
/// --start-daemon (SYN-01).
struct StartDaemon {
  DaemonRole role = DaemonRole::kMaster;
  std::string interface = "eth0";
  std::uint32_t sync_id = 0;
  std::optional<std::uint16_t> max_length{};  ///< bytes
  std::optional<IpAddress> group{};
  std::optional<std::uint16_t> port{};
  std::optional<std::uint8_t> ttl{};
  bool operator==(const StartDaemon&) const = default;
};
/// --stop-daemon.
struct StopDaemon {
  DaemonRole role = DaemonRole::kMaster;
  bool operator==(const StopDaemon&) const = default;
};
struct ShowHelp {
  bool operator==(const ShowHelp&) const = default;
};
struct ShowVersion {
  bool operator==(const ShowVersion&) const = default;
};

using IpvsadmCommand = std::variant<Command, ListTables, SaveServices, RestoreServices, ZeroCounters, SetTimeouts,
                                    StartDaemon, StopDaemon, ShowHelp, ShowVersion>;

/// Why ipvsadm does not take a command line.
struct Complaint {
  std::string token;    ///< the word that is wrong
  std::string message;  ///< what is wrong with it
  std::string advice;
  std::string said;          ///< the line that ipvsadm writes to stderr, without its end
  int status = 2;            ///< with which it exits
  bool ends_restore = true;  ///< whether -R stops at such a line; it goes on to the next one if not (ADM-38)
};

/// How names become numbers where ipvsadm resolves them (ADM-36). An empty function: they do not.
struct NameLookup {
  std::function<std::optional<IpAddress>(const std::string& host)> host{};  ///< IPv4
  std::function<std::optional<std::uint16_t>(const std::string& service, Protocol protocol)> port{};
};

/// Reads a command line as ipvsadm does; of two mistakes it complains of the one that ipvsadm would.
/// @param words    the arguments, without the program's name
/// @param program  the name that the program was called by, for ADM-80
std::variant<IpvsadmCommand, Complaint> parse_ipvsadm_words(std::vector<std::string> words,
                                                            const NameLookup& names = {},
                                                            const std::string& program = "ipvsadm");

}  // namespace lvspec
