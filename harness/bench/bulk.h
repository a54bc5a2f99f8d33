#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/topology/world.h"

namespace lvspec {

/// A port on every real server of a world that throws away what it reads and, when no more comes, says how much that
/// was and when it ended. One thread serves them all, one connection at a time.
class BulkSink {
 public:
  static Result<BulkSink> start(World& world, std::uint16_t port);
  BulkSink(BulkSink&&) noexcept;
  /// Closes the ports and joins the thread.
  ~BulkSink();

 private:
  struct State;
  explicit BulkSink(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct Upload {
  double megabytes = 0;
  double gbit_per_second = 0;  ///< of payload, from the SYN to the last byte that the sink has read
};

/// Sends for that long over one connection to a BulkSink, then waits until all of it has been read.
/// Errors name the call: refused, or nothing moved for 5 s.
Result<Upload> upload(const NetworkNamespace& netns, const IpAddress& client, const Endpoint& sink,
                      std::chrono::milliseconds duration);

}  // namespace lvspec
