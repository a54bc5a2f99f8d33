#pragma once

#include <functional>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "director/ipvsadm/names.h"
#include "harness/base/result.h"

namespace lvspec::ipvsadm {

/// What a command line works on, so that a test can be all of it.
struct Surroundings {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// One request of director/control/protocol.h and its reply. Error: there is no director, or it is gone.
  std::function<Result<nlohmann::json>(const nlohmann::json& request)> ask;
  NameLookup lookup{};
  NamesOf names{};
};

/// ipvsadm 1.31 with a director behind it: the same words on stdout and stderr, the same exit status (ADM-30 to
/// ADM-80).
/// @param program    the name that it was called by: argv[0]. A last component ipvsadm-save or ipvsadm-restore makes
/// it
///                   that script.
/// @param arguments  argv[1] and on
/// @return           the exit status: 0; 1 -L of an unknown service; 2 a wrong option, or no director; 255 the
/// director
///                   refused, or not a command at all.
int run(const std::string& program, const std::vector<std::string>& arguments, const Surroundings& around);

}  // namespace lvspec::ipvsadm
