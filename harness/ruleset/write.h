#pragma once

#include <string>

#include "harness/ruleset/ruleset.h"

namespace lvspec {

/// The services as `ipvsadm -S -n` prints them (ADM-13), one command a line, each ending in \n; services and servers
/// in the order of the model, where ipvsadm would sort (ADM-04). Reading it back gives the same services, but for
/// what `-S` does not save: thresholds (DST-25) and the mask of a service without persistence. Marks are unsigned,
/// because ipvsadm does not read back the negative numbers that it prints for marks from 2^31 on (FWM-02).
std::string write_ipvsadm(const Ruleset& ruleset);

/// One service of it: its `-A` line and its `-a` lines.
std::string write_ipvsadm(const VirtualService& service);

/// The marks of one family as iptables-save (AF_INET) or ip6tables-save (AF_INET6) prints the mangle table: a comment
/// that names the program, `*mangle`, the PREROUTING chain, COMMIT. Empty if the family has no rule.
/// Fit for iptables-restore; reading it back gives the same rules.
std::string write_iptables(const Ruleset& ruleset, int family = AF_INET);

}  // namespace lvspec
