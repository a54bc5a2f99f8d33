#pragma once

#include <string>
#include <string_view>

#include "harness/base/ip_address.h"
#include "harness/probe/answer.h"

namespace lvspec {

/// "server=real2 client=192.0.2.1:40112 target=198.51.100.10:80\n": the one line that real servers speak.
std::string identity_line(std::string_view server, const Endpoint& client, const Endpoint& target);

/// Finds an identity line in `text`, whatever stands before and after it, and fills `server` and `seen_client`.
/// @return whether there was one; if not, `answer` is untouched.
bool read_identity(std::string_view text, Answer* answer);

}  // namespace lvspec
