// keepalived.conf: a configuration, or an error that begins with its place. What was understood can be examined and
// printed, and every finding has a place in the text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "harness/doctor/keepalived.h"
#include "harness/doctor/print.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lvspec::doctor;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto configuration = read_keepalived(text, "fuzz", {.config_id = "main"});
  if (!configuration.ok()) {
    if (!configuration.error().message.starts_with("fuzz:")) std::abort();
    return 0;
  }
  const Report report = report_on(*configuration);
  for (const Finding& one : report.findings)
    if (one.place.file != "fuzz" || one.place.line < 1) std::abort();
  to_text(report);
  to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  return 0;
}
