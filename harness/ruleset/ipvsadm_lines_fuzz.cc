// Lines of ipvsadm: a command, or an error that begins with its place. What was understood reads back the same from
// what we write of it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "harness/ruleset/read.h"
#include "harness/ruleset/write.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto command = lvspec::parse_ipvsadm_line(text, {"fuzz", 7});
  if (!command.ok()) {
    if (!command.error().message.starts_with("fuzz:7: ")) std::abort();
    return 0;
  }
  lvspec::Ruleset ruleset;
  if (!lvspec::apply_command(*command, &ruleset).ok() || ruleset.services.empty()) return 0;
  const std::string written = write_ipvsadm(ruleset);
  const auto again = lvspec::read_ruleset(written, "written");
  if (!again.ok() || write_ipvsadm(*again) != written) std::abort();
  return 0;
}
