#pragma once

#include "harness/doctor/configuration.h"
#include "harness/netns/namespace.h"

namespace lvspec::doctor {

/// What the kernel's IPVS has in a network namespace: services, servers in the order in which they were added, and
/// the timeouts. Marks are netfilter's, and not looked at. Every place is "live".
/// @return  the configuration; an error of IpvsSocket (kUnsupported: the kernel has no IPVS)
Result<Configuration> read_live(const NetworkNamespace& netns);

}  // namespace lvspec::doctor
