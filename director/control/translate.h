#pragma once

#include <stdexcept>

#include "director/control/protocol.h"
#include "director/core/director.h"

namespace lvspec::director {

/// A request that cannot be understood; what() names the field and its value.
struct BadRequest : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The words of the protocol as the core's types, and back. @throws BadRequest
ServiceKey to_core(const protocol::ServiceId& id);
ServiceSettings to_core(const protocol::ServiceSettings& settings, Family family);
RealServerKey to_core(const protocol::ServerId& id);
RealServerSettings to_core(const protocol::ServerSettings& settings);
MarkRule to_core(const protocol::Mark& mark);
/// `current` with what `said` names changed.
Sysctls to_core(const protocol::Sysctls& said, Sysctls current);
protocol::Sysctls words_of(Sysctls sysctls);

protocol::Tables tables_of(const Director& director, DirectorTime now);

/// "192.0.2.1" or "2001:db8::1".
std::string text_of(Family family, const Address& address);
/// @throws BadRequest naming `what`
Address address_of(const std::string& text, const char* what, Family* family);

/// ipvsadm's words for an outcome (ADM-50..58), and a stable code for programs.
const char* text_of(Outcome outcome);
const char* code_of(Outcome outcome);

}  // namespace lvspec::director
