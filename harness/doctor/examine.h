#pragma once

#include <string>
#include <vector>

#include "harness/doctor/configuration.h"
#include "harness/doctor/traps.h"

namespace lvspec::doctor {

struct Finding {
  const Trap* trap = nullptr;
  Place place;
  std::string text;     ///< what will happen, in plain words
  std::string instead;  ///< what to write or do instead; of an error empty, its text says it
};

/// Everything that a configuration steps into, in the order of its files and lines.
std::vector<Finding> examine(const Configuration& configuration);

}  // namespace lvspec::doctor
