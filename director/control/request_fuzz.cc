// Lines on the control socket: each gets one answer that is JSON, and "ok" or an error with its reason.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "director/control/control.h"

using namespace lvspec::director;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Director director(64);
  Clock clock(true);
  Control control(director, clock);
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (std::size_t start = 0; start < text.size() && !control.stopped();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string answer = control.answer(1, text.substr(start, end - start));
    start = end + 1;
    if (answer.empty()) continue;  // it waits for a fence
    const auto reply = nlohmann::json::parse(answer, nullptr, false);
    if (!reply.is_object() || !reply.contains("ok")) std::abort();
    if (!reply["ok"].get<bool>() && reply.value("error", "").empty()) std::abort();
  }
  return 0;
}
