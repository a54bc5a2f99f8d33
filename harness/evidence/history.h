#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "harness/evidence/timeline.h"

namespace lvspec {

/// What was done in a case and what came of it, in order, with the time of the protocol (not of the wall).
/// Bounded: when more happens than fits, the beginning and the end are kept, and the gap says its size.
/// One case is one thread; so is this.
class History {
 public:
  explicit History(std::size_t limit = 2000) : limit_(limit) {}

  /// add(300s, "client1 connect 198.51.100.10:80 -> answered by real2")
  void add(std::chrono::nanoseconds virtual_time, std::string_view what);
  /// The same, and what a picture shows of it; the moment's time is set here.
  void add(std::chrono::nanoseconds virtual_time, std::string_view what, Moment moment);
  /// What a picture shows, and the text does not: what the tables held when a case looked.
  void seen(std::chrono::nanoseconds virtual_time, Moment moment);
  void clear();

  /// Lines as "   300.000 s  client1 connect 198.51.100.10:80 -> answered by real2".
  std::string text() const;
  const Timeline& timeline() const { return timeline_; }

 private:
  std::size_t limit_;
  std::vector<std::string> first_;
  std::deque<std::string> last_;
  std::size_t left_out_ = 0;
  Timeline timeline_;
};

}  // namespace lvspec
