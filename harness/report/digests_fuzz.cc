// SHA256SUMS: digests of files below the folder, or an error that names the file; what was read is written the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/report/digests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto digests = lvspec::read_digests({reinterpret_cast<const char*>(data), size}, "fuzz.sums");
  if (!digests.ok()) {
    if (digests.error().message.find("fuzz.sums") == std::string::npos) std::abort();
    return 0;
  }
  for (const auto& [path, digest] : *digests)
    if (path.front() == '/' || path.starts_with("../") || path == ".." || digest.size() != 64) std::abort();
  const auto again = lvspec::read_digests(lvspec::digests_text(*digests), "written.sums");
  if (!again.ok() || *again != *digests) std::abort();
  return 0;
}
