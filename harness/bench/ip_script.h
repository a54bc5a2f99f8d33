#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/process/child.h"

namespace lvspec {

/// A bash at work on the `ip netns` script that everybody writes, for the world of the default Topology (kStack).
/// What it names under /run/netns stands in a mount namespace of its own: seen nowhere else, and gone with the bash.
class IpScript {
 public:
  /// Returns when bash is ready to begin. Errors: no unshare, bash or ip; what they wrote is in the text.
  static Result<IpScript> start(int servers);
  IpScript(IpScript&&) noexcept = default;
  IpScript& operator=(IpScript&&) = delete;
  ~IpScript();

  /// Returns when the world is up.
  Status build() { return go_on_until("built"); }
  /// After build(): returns when it has taken everything down.
  Status destroy() { return go_on_until("gone"); }

 private:
  IpScript(Child child, FileDescriptor orders, FileDescriptor words)
      : child_(std::move(child)), orders_(std::move(orders)), words_(std::move(words)) {}
  Status go_on_until(const std::string& word);
  Status expect(const std::string& line);

  Child child_;
  FileDescriptor orders_, words_;
};

}  // namespace lvspec
