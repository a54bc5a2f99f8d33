#pragma once

#include <string>

namespace lvspec::director {

/// Ends the way of what comes in on an interface for its own address, once packet sockets have seen it. The stack of
/// the interface's namespace would else ask its routes about every packet that we forward, find none and throw it
/// away, which is the dearest thing that happens to a small one. Multicast goes on: sync daemons listen for it.
/// For as long as the object lives, by a `clsact` qdisc with a classic BPF filter; where the kernel has none, or
/// something else holds the place, the object does nothing.
class IngressEnd {
 public:
  explicit IngressEnd(const std::string& interface);
  ~IngressEnd();
  IngressEnd(const IngressEnd&) = delete;
  IngressEnd& operator=(const IngressEnd&) = delete;

  bool holds() const { return holds_; }

 private:
  int fd_ = -1, interface_ = 0;
  bool holds_ = false;
};

}  // namespace lvspec::director
