#pragma once

#include "director/core/service.h"

namespace lvspec::director {

/// The connections that thresholds are about: every entry except templates (DST-20).
inline std::uint32_t connections_of(const RealServer& server) { return server.active + server.inactive; }

// When a server counts as full. The rules are those of Linux 6.1.176: what an edit changes is looked at when the next
// entry comes or goes (DST-23). Kernels from 6.1.192 on look at once.

/// An entry or template has been bound to the server and counted.
/// Source: Linux net/netfilter/ipvs/ip_vs_conn.c, ip_vs_bind_dest().
inline void check_upper_threshold(RealServer& server) {
  const std::uint32_t upper = server.settings.upper_threshold;
  if (upper != 0 && connections_of(server) >= upper) server.overloaded = true;
}

/// An entry or template has been taken from the server. In between of the two thresholds nothing changes; without a
/// lower one, three quarters of the upper one take its place (DST-21).
/// Source: Linux net/netfilter/ipvs/ip_vs_conn.c, ip_vs_unbind_dest().
inline void check_lower_threshold(RealServer& server) {
  const std::uint32_t upper = server.settings.upper_threshold, lower = server.settings.lower_threshold;
  const std::uint32_t connections = connections_of(server);
  // Products modulo 2^32, as the kernel has them.
  const bool below = lower != 0 ? connections < lower : upper == 0 || connections * 4 < upper * 3;
  if (below) server.overloaded = false;
}

/// The server is about to be given `settings` by `-a` or `-e`.
/// Source: Linux net/netfilter/ipvs/ip_vs_ctl.c, __ip_vs_update_dest().
inline void edit_thresholds(RealServer& server, const RealServerSettings& settings) {
  const std::uint32_t upper = settings.upper_threshold;
  if (upper == 0 || upper > server.settings.upper_threshold) server.overloaded = false;
}

}  // namespace lvspec::director
