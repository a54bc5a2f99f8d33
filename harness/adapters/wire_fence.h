#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"

namespace lvspec {

/// Hears the fences that a bench sends, at a node whose own stack is the director (DirectorPlace::kStack): the kernel
/// takes frames off a link in the order in which they came, so a fence that is here has everything sent before it in
/// front of it.
class WireFence {
 public:
  static Result<WireFence> open(const NetworkNamespace& netns);

  /// Error: the fence did not arrive within `patience`, as `who` would say it.
  Status await(std::uint64_t token, std::chrono::milliseconds patience, const std::string& who);

 private:
  explicit WireFence(FileDescriptor socket) : socket_(std::move(socket)) {}

  FileDescriptor socket_;
};

/// Sleeps by the monotonic clock, whatever interrupts: in a guest whose time jumps over idleness, at no cost.
Status sleep_for(std::chrono::nanoseconds time);

}  // namespace lvspec
