#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/ruleset/ipvsadm_command.h"
#include "harness/ruleset/ipvsadm_options.h"

namespace lvspec::ruleset {

/// One option as it stands on the line.
struct Given {
  const OptionSpec* spec = nullptr;
  std::string word;                  ///< "-p" or "--persistent", for messages
  std::string typed;                 ///< the whole word that it came in, "-gp", which ipvsadm's own messages show
  std::optional<std::string> value;  ///< absent: none was given
};

/// A line taken apart, not yet understood.
struct SplitLine {
  std::vector<Given> given;
  std::vector<std::string> others;       ///< words that belong to no option
  std::optional<Complaint> first_error;  ///< what stopped the walk; ipvsadm reads the values before it first
};

/// Takes the words after the program's name apart as popt does for ipvsadm: letters may be joined ("-gw2"), a value
/// may be attached ("-p600", "--weight=2"), an optional value must not begin with a dash, "--" ends the options.
SplitLine split_options(std::vector<std::string> words);

}  // namespace lvspec::ruleset
