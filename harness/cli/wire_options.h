#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/lab/wire.h"

namespace lvspec {

/// What the user says of an appliance and of the interfaces that it stands between, as typed.
struct WireOptions {
  std::string client_interface, server_interface, clients, client_gateway, server_gateway;
  std::vector<std::string> vips, servers, declared;
  bool direct_routing = false;
  int window_s = 300, settle_s = 0;

  bool any() const;
};

void add_wire_options(CLI::App* command, WireOptions* options);

/// The options as typed, for whom they are handed on to: the line that runs it again, and worker processes.
std::vector<std::string> words_of(const WireOptions& options);

/// @param appliance  what its column is called.
/// Error (kUsage): the option, what is wrong with it, and what it should be.
Result<WirePlan> plan_of(const WireOptions& options, const std::string& appliance);

}  // namespace lvspec
