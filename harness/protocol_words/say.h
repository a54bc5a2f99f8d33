#pragma once

#include "director/control/protocol.h"
#include "harness/ruleset/ruleset.h"

namespace lvspec {

/// "tcp", "udp", "sctp".
std::string protocol_word(Protocol protocol);
/// "ipv4", "ipv6".
std::string family_word(int family);

director::protocol::ServiceId say(const ServiceId& id);
/// Everything of a service but its identity and its servers.
director::protocol::ServiceSettings say_settings(const VirtualService& service);
director::protocol::ServerId say_id(const RealServer& server);
/// Everything of a server but its identity.
director::protocol::ServerSettings say_settings(const RealServer& server);

}  // namespace lvspec
