#include "harness/fuzz/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace lvspec::fuzz {
namespace {

// In the order of enum Shape.
const std::array<std::string, kShapes> kNames = {"syn",          "open",       "nothing-said", "client-first",
                                                 "server-first", "half-close", "reset"};

}  // namespace

const std::string& name_of(Shape shape) { return kNames.at(static_cast<std::size_t>(shape)); }

Result<Shape> shape_named(const std::string& name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end())
    return usage_error(fmt::format("\"{}\" is no shape; there are {}", name, fmt::join(kNames, ", ")));
  return static_cast<Shape>(found - kNames.begin());
}

}  // namespace lvspec::fuzz
