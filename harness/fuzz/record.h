#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace lvspec::fuzz {

/// What one director did at one step. Times are ticks of the kernel's clock (timer_wheel.h of the director).
struct StepRecord {
  std::int64_t acted_at = 0;   ///< the tick in which the step was carried out
  std::int64_t looked_at = 0;  ///< the tick in which the tables were read
  bool blurred = false;        ///< a tick passed in the middle: nobody knows what was before it and what after
  std::vector<std::string> outcome{};   ///< "real2", "RST", "port unreachable"; or how an order was refused
  std::vector<std::string> services{};  ///< a line a service and a line a server, in the order of its list
  std::vector<std::string> entries{};   ///< a line a connection or template, sorted
  std::vector<std::string> counts{};    ///< what the 2 s snapshot says of each service and server (CON-76)
  bool operator==(const StepRecord&) const = default;
};

/// What one director did at each step of a program, as far as it came.
struct Record {
  std::int64_t born_at = 0;  ///< the tick in which the director's namespace was made: its 2 s timer runs from there
  std::vector<StepRecord> steps{};
  bool operator==(const Record&) const = default;
};

/// Records as text, a line each thing, and back. Error: the number of the line.
std::string write_records(const std::vector<Record>& records);
Result<std::vector<Record>> read_records(std::string_view text);

}  // namespace lvspec::fuzz
