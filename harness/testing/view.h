#pragma once

#include <ranges>
#include <string_view>
#include <type_traits>

#include "harness/adapters/tables.h"
#include "harness/base/result.h"
#include "harness/probe/answer.h"
#include "harness/probe/real_servers.h"
#include "harness/report/model.h"

namespace lvspec::testing {

/// The view of a value that says nothing itself (a number, a name): that of the expression it came from, by the
/// calls of Bench that ask the director.
View view_of_expression(std::string_view expression);

/// From where a case looks, when it looks at a `T` that `expression` yields: the type decides; of several, or of one
/// that may be missing, that of each.
template <typename T>
View view_of(std::string_view expression) {
  if constexpr (std::is_same_v<T, Answer> || std::is_same_v<T, Sighting>) {
    return View::kOutside;
  } else if constexpr (std::is_same_v<T, Entry> || std::is_same_v<T, ServerState> ||
                       std::is_same_v<T, ServiceState> || std::is_same_v<T, Tables> ||
                       std::is_same_v<T, SyncDaemon> || std::is_same_v<T, RealServer> ||
                       std::is_same_v<T, VirtualService> || std::is_same_v<T, Status>) {
    return View::kInside;
  } else if constexpr (requires { typename T::value_type; }) {
    if constexpr (std::is_same_v<typename T::value_type, T>) {
      return view_of_expression(expression);
    } else {
      return view_of<typename T::value_type>(expression);
    }
  } else {
    return view_of_expression(expression);
  }
}

}  // namespace lvspec::testing
