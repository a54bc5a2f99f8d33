#pragma once

#include <utility>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"

namespace lvspec {

/// The floor under World: the same namespaces, links, addresses and routes (default Topology, kStack) from what one
/// would write for this one world and no more, raw rtnetlink without names for errors. It has nothing of
/// harness/netlink, on purpose: it is what that room is measured against. Unlike World::build() it does not wait
/// until the links carry frames.
class BareWorld {
 public:
  /// Error: that something was refused, no more.
  static Result<BareWorld> build(int servers);

 private:
  explicit BareWorld(std::vector<FileDescriptor> namespaces) : namespaces_(std::move(namespaces)) {}

  std::vector<FileDescriptor> namespaces_;
};

}  // namespace lvspec
