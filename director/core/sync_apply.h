#pragma once

#include "director/core/conn_table.h"
#include "director/core/director.h"
#include "director/core/service_table.h"
#include "director/core/sync_message.h"

namespace lvspec::director {

/// What a received entry does to a table, on a backup: it makes or refreshes ours, binds it to the local server if
/// there is one, takes over state and stored timeout and re-arms it, every time (SYN-07..12).
/// Source: Linux net/netfilter/ipvs/ip_vs_sync.c, ip_vs_proc_conn(), and before that ip_vs_proc_sync_conn().
SyncLearned sync_apply(const SyncEntry& said, ServiceTable& services, ConnTable& connections, const Sysctls& sysctls,
                       const Timeouts& timeouts, DirectorTime now);

}  // namespace lvspec::director
