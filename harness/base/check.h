#pragma once

#include <sstream>
#include <string>

namespace lvspec {

/// Prints where and why, then aborts: a bug of ours, which no caller can handle.
[[noreturn]] void check_failed(const char* file, int line, const std::string& what);

template <typename A, typename B>
std::string describe_both(const A& a, const B& b) {
  std::ostringstream text;
  text << " (" << a << " against " << b << ")";
  return text.str();
}

}  // namespace lvspec

#define LVSPEC_CHECK(condition)                                                           \
  do {                                                                                    \
    if (!(condition)) ::lvspec::check_failed(__FILE__, __LINE__, "expected " #condition); \
  } while (false)

#define LVSPEC_CHECK_EQ(a, b)                                                                         \
  do {                                                                                                \
    const auto& lvspec_a = (a);                                                                       \
    const auto& lvspec_b = (b);                                                                       \
    if (!(lvspec_a == lvspec_b))                                                                      \
      ::lvspec::check_failed(__FILE__, __LINE__,                                                      \
                             "expected " #a " == " #b + ::lvspec::describe_both(lvspec_a, lvspec_b)); \
  } while (false)

#define LVSPEC_CHECK_OK(result)                                                                       \
  do {                                                                                                \
    if (!(result).ok())                                                                               \
      ::lvspec::check_failed(__FILE__, __LINE__, "value() of an error: " + (result).error().message); \
  } while (false)
