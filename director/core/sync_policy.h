#pragma once

#include <cstdint>

#include "director/core/conn_table.h"
#include "director/core/director.h"
#include "director/core/sync_message.h"

namespace lvspec::director {

/// Which packets make a master tell its backup of an entry. Source: Linux net/netfilter/ipvs/ip_vs_sync.c.

/// The kernel's jiffies of ConnEntry::sync_deadline: hundredths of a second, which wrap; the last two bits are free
/// for a count of retries.
std::uint32_t sync_ticks(DirectorTime time);

/// Is it time to send `entry`, which has had `packets` packets? If so it is marked as sent (SYN-03..05). The caller
/// has looked that it is not a one-packet entry. Source: ip_vs_sync_conn_needed().
bool sync_due(ConnEntry& entry, std::uint32_t packets, const Sysctls& sysctls, DirectorTime now);

/// The entry as messages say it: its stored timeout, its flags and state by the kernel's numbers (SYN-07).
/// The text of its engine's data stays where it is.
SyncEntry sync_entry_of(const ConnEntry& entry, const EngineData& engine_data);

/// What is looked at whenever an entry may be told of.
struct SyncContext {
  const Sysctls& sysctls;
  const EngineData& engine_data;
  DirectorTime now;
};

/// After a packet from a client was accepted: counts it and hands out the connection and its template as they are
/// due (SYN-04). `sink` null: there is no master, it only counts. Source: ip_vs_core.c, ip_vs_in_hook(), at its end;
/// ip_vs_sync.c, ip_vs_sync_conn(), ip_vs_sync_conn_v0().
void sync_after_packet(ConnEntry& entry, const SyncContext& context, SyncSink* sink);

/// After a timer has fired and its entry got 60 s more (SYN-06). Source: ip_vs_conn.c, ip_vs_conn_expire().
void sync_after_extension(ConnEntry& entry, const SyncContext& context, SyncSink* sink);

/// Would the kernel take these values? (CTL-22, CTL-25, CTL-27, CTL-28) Source: ip_vs_ctl.c, proc_do_sync_*().
bool sync_sysctls_valid(const Sysctls& sysctls);

}  // namespace lvspec::director
