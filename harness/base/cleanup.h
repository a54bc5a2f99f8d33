#pragma once

#include <utility>

namespace lvspec {

/// Runs a function when the scope ends, however it ends.
template <typename Function>
class [[nodiscard]] Cleanup {
 public:
  explicit Cleanup(Function function) : function_(std::move(function)) {}
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() { function_(); }

 private:
  Function function_;
};

}  // namespace lvspec
