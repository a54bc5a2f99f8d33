#include "harness/testing/view.h"

#include <algorithm>
#include <array>

namespace lvspec::testing {

View view_of_expression(std::string_view expression) {
  constexpr std::array<std::string_view, 12> kOfTables = {"tables()",  "templates()", "connections()", ".server(",
                                                          ".service(", "entries",     "expires_in",    ".active",
                                                          ".inactive", "counts(",     ".persistent",   "daemons"};
  const bool inside = std::any_of(kOfTables.begin(), kOfTables.end(), [&](std::string_view words) {
    return expression.find(words) != std::string_view::npos;
  });
  return inside ? View::kInside : View::kOutside;
}

}  // namespace lvspec::testing
