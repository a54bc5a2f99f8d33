#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "harness/base/moment.h"

namespace lvspec {

/// The moments of a case, few enough for every case of every report to carry its own. Alike ones at one time are
/// counted, not repeated; when more happens than fits, the beginning and the end are kept, and the gap says its size.
class Timeline {
 public:
  /// @param limit  bytes that the moments may take as JSON, about.
  explicit Timeline(std::size_t limit = 1400) : limit_(limit) {}

  void add(Moment moment);
  std::vector<Moment> moments() const;

 private:
  bool counted_with_another(const Moment& moment);

  std::size_t limit_;
  std::deque<Moment> first_, last_;
  std::size_t first_bytes_ = 0, last_bytes_ = 0;
  int left_out_ = 0;
};

}  // namespace lvspec
