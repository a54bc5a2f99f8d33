// results.json: a run, or an error that names the file; a run that was read is written and read back the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "harness/report/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto run = lvspec::read_run({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  if (!run.ok()) {
    if (run.error().message.find("fuzz.json") == std::string::npos) std::abort();
    return 0;
  }
  const std::string written = lvspec::to_json(*run).dump();
  const auto again = lvspec::read_run(written, "written.json");
  if (!again.ok() || lvspec::to_json(*again).dump() != written) std::abort();
  return 0;
}
