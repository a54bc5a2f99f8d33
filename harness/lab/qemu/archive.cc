#include "harness/lab/qemu/archive.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace lvspec {
namespace {

constexpr char kLibrary[] = "libarchive.so.13";  // the version of its interface since 2011

/// Never closed: handles may live as long as the program.
void* library() {
  static void* const handle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  return handle;
}

}  // namespace

Status load_libarchive() {
  if (library() == nullptr)
    return Error{fmt::format("{}: not there; install Debian's package libarchive13", kLibrary)};
  return {};
}

void* libarchive_function(const char* name) {
  LVSPEC_CHECK(library() != nullptr);
  void* const function = dlsym(library(), name);
  LVSPEC_CHECK(function != nullptr);
  return function;
}

Error archive_failure(const std::string& attempt, archive* handle) {
  const char* text = LIBARCHIVE(archive_error_string)(handle);
  return {attempt + ": " + (text != nullptr ? text : "libarchive does not say why")};
}

}  // namespace lvspec
