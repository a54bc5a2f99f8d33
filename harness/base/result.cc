#include "harness/base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace lvspec {

std::string errno_text(int error) {
  const char* name = strerrorname_np(error);
  const char* text = strerrordesc_np(error);
  if (name == nullptr || text == nullptr) return fmt::format("errno {}", error);
  return fmt::format("{} ({})", name, text);
}

Error system_error(const std::string& attempt, int error) { return {attempt + ": " + errno_text(error)}; }
Error system_error(const std::string& attempt) { return system_error(attempt, errno); }

void check_failed(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: lvspec has a bug: %s\n", file, line, what.c_str());
  std::abort();
}

}  // namespace lvspec
