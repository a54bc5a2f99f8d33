#pragma once

#include <optional>
#include <string>
#include <vector>

#include "director/control/protocol.h"
#include "director/ipvsadm/names.h"
#include "harness/base/result.h"
#include "harness/ruleset/ipvsadm_command.h"

/// What ipvsadm 1.31 prints, from what a director says it has; each function is pure and gives whole lines.
namespace lvspec::ipvsadm {

/// What a director says of itself ("dump").
struct Snapshot {
  director::protocol::Info info{};
  director::protocol::Tables tables{};
  director::protocol::Timeouts timeouts{};
  std::vector<director::protocol::Daemon> daemons{};
};

/// Error: a reply that is not a dump of the protocol, with the field that is wrong.
Result<Snapshot> snapshot_of(const nlohmann::json& dump);

/// Sorts as ipvsadm does (ADM-04): services by mark, family, protocol, address, port, and each one's servers by
/// address and port; marks and the 32-bit words of addresses by their signed difference, so that 203.0.113.1 and a
/// mark from 2^31 on come before 10.0.0.1 and the mark 1. Source: libipvs.c, ipvs_cmp_services(), ipvs_cmp_dests().
void sort_services(std::vector<director::protocol::ServiceRow>* services);

/// -L, as far as it lists services (ADM-01 to ADM-07, ADM-11, ADM-12), of `services` in their order.
/// @param info  absent: a single service is listed, and the first line is left out
std::string list_services(const std::vector<director::protocol::ServiceRow>& services,
                          const std::optional<director::protocol::Info>& info, const ListTables& how,
                          const NamesOf& names);
/// -L -c (ADM-08).
/// @param engine_data  with the columns of persistence engines: --persistent-conn
std::string list_entries(const std::vector<director::protocol::EntryRow>& entries, bool engine_data,
                         const NamesOf& names);
/// -L --timeout (ADM-09).
std::string list_timeouts(const director::protocol::Timeouts& timeouts);
/// -L --daemon (ADM-10): the master before the backup.
std::string list_daemons(const std::vector<director::protocol::Daemon>& daemons);
/// -S (ADM-13), of `services` in their order.
std::string save_services(const std::vector<director::protocol::ServiceRow>& services, const NamesOf& names);

/// A counter as --stats and --rate have it, right-aligned in nine columns or more (ADM-07).
std::string large_number(std::uint64_t value, bool exact);

}  // namespace lvspec::ipvsadm
