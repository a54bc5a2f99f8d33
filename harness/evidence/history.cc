#include "harness/evidence/history.h"

#include <fmt/format.h>

#include <utility>

namespace lvspec {

void History::add(std::chrono::nanoseconds virtual_time, std::string_view what) {
  const double seconds = std::chrono::duration<double>(virtual_time).count();
  std::string line = fmt::format("{:>10.3f} s  {}\n", seconds, what);
  if (first_.size() < limit_ / 2) {
    first_.push_back(std::move(line));
    return;
  }
  last_.push_back(std::move(line));
  if (last_.size() > limit_ - limit_ / 2) {
    last_.pop_front();
    ++left_out_;
  }
}

void History::add(std::chrono::nanoseconds virtual_time, std::string_view what, Moment moment) {
  add(virtual_time, what);
  seen(virtual_time, std::move(moment));
}

void History::seen(std::chrono::nanoseconds virtual_time, Moment moment) {
  moment.at_s = std::chrono::duration<double>(virtual_time).count();
  timeline_.add(std::move(moment));
}

void History::clear() {
  first_.clear();
  last_.clear();
  left_out_ = 0;
  timeline_ = Timeline();
}

std::string History::text() const {
  std::string out;
  for (const std::string& line : first_) out += line;
  if (left_out_ > 0) out += fmt::format("             ... {} lines left out ...\n", left_out_);
  for (const std::string& line : last_) out += line;
  return out;
}

}  // namespace lvspec
