#pragma once

#include <string>
#include <string_view>

#include "harness/doctor/configuration.h"
#include "harness/doctor/keepalived_tree.h"

namespace lvspec::doctor {

/// The virtual servers of a keepalived.conf(5) as the services that keepalived 2.2 makes of them: NAT and wlc where
/// nothing else is said, 360 s for persistence_timeout without a number, the service's port for servers of DR and
/// TUN, one service for each address and mark of a group (of a range, its first address). Words that have no part in
/// where a client goes are passed over; a known word with a value that it cannot have becomes a refusal, and the rest
/// is read.
/// @return  the configuration, or the error of read_keepalived_tree
Result<Configuration> read_keepalived(std::string_view text, const std::string& file,
                                      const TreeOptions& options = {});

/// Whether a text is a keepalived.conf rather than a script: one of its lines begins with a word of its own.
bool looks_like_keepalived(std::string_view text);

}  // namespace lvspec::doctor
