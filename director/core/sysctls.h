#pragma once

#include "director/core/director.h"

namespace lvspec::director {

/// Would the kernel take the values of `wanted` that differ from those of `current`? Most sysctls take any int; the
/// others answer EINVAL and keep what they had (CTL-08, CTL-22, CTL-25, CTL-27, CTL-28).
/// Source: Linux net/netfilter/ipvs/ip_vs_ctl.c, vs_vars[], proc_do_defense_mode() and its neighbours.
bool are_accepted(const Sysctls& wanted, const Sysctls& current);

}  // namespace lvspec::director
