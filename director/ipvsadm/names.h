#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "harness/base/ip_address.h"
#include "harness/ruleset/ipvsadm_command.h"

namespace lvspec::ipvsadm {

/// Numbers as names, for listings without -n. An empty function: numbers stay numbers.
struct NamesOf {
  std::function<std::optional<std::string>(const IpAddress& address)> host{};
  /// @param protocol  "tcp", "udp", "sctp"; others have no names
  std::function<std::optional<std::string>(std::uint16_t port, const std::string& protocol)> port{};
};

/// This machine's names: /etc/hosts, DNS, /etc/services, in nsswitch's order.
NamesOf system_names();
NameLookup system_lookup();

/// "198.51.100.10:http", "[2001:db8::1]:80".
/// @param longest  to which an IPv4 name with its port is cut (ADM-12); IPv6 never is
std::string endpoint_text(const IpAddress& address, std::uint16_t port, const std::string& protocol,
                          const NamesOf& names, std::size_t longest = std::string::npos);

}  // namespace lvspec::ipvsadm
