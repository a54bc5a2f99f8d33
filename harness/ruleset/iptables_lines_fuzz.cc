// Files of iptables and ipvsadm lines: rules, or an error that begins with file and line; marks read back the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "harness/ruleset/read.h"
#include "harness/ruleset/write.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto ruleset = lvspec::read_ruleset(text, "fuzz");
  if (!ruleset.ok()) {
    if (!ruleset.error().message.starts_with("fuzz:")) std::abort();
    return 0;
  }
  for (const int family : {AF_INET, AF_INET6}) {
    const std::string written = write_iptables(*ruleset, family);
    if (written.empty()) continue;
    const auto again = lvspec::read_ruleset(written, "written");
    if (!again.ok() || write_iptables(*again, family) != written) std::abort();
  }
  return 0;
}
