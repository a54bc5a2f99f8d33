#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harness/adapters/director_under_test.h"
#include "harness/base/result.h"
#include "harness/topology/topology.h"

namespace lvspec {

class Bench;

/// Which director to put into a world, and how it sits there.
struct DirectorFactory {
  std::string name;  ///< "bundled"
  DirectorPlace place = DirectorPlace::kInline;
  std::function<Result<std::unique_ptr<DirectorUnderTest>>(const DirectorSite&)> start;
};

/// What cases about affinity choose for themselves in worlds of ours, and an appliance's owner has chosen for them.
struct Terms {
  IpAddress vip = IpAddress::of("198.51.100.10");
  std::uint16_t port = 80, other_port = 81;  ///< of one service with affinity, and of another
  std::chrono::seconds window{300};
  std::chrono::seconds margin{5};  ///< who comes back this much before the window's end is in time for sure
};

/// The network stack that a world lives in, with its clock.
struct Lab {
  std::string name;   ///< "host"
  std::string clock;  ///< whose time it is, in words, for the report
  /// Lets time pass for everything in the world; returns when every timer due has fired.
  std::function<Status(DirectorUnderTest&, std::chrono::nanoseconds)> elapse;
  /// A lab whose time passes by itself, however little, tells it here; elsewhere time is what elapse has added up.
  std::function<std::chrono::nanoseconds()> now;
  Terms terms{};
  /// A lab whose addresses are not ours puts them in here; else empty. Error: what the world wants is not to be had.
  std::function<Status(Topology*)> place{};
  /// A lab whose director needs a while to believe in its servers waits here, after a service has been added; else
  /// empty. Error: it does not.
  std::function<Status(Bench&, const VirtualService&)> await_service{};
};

/// Namespaces of the running kernel; time is the director's own and moves by message.
Lab host_lab();

/// A user-mode-linux guest, from inside: time is the guest's, which jumps over idleness (uml/clock_preload.c), so a
/// director without a clock of its own sleeps at no cost.
Lab uml_lab();

/// A qemu guest, from inside: its time is the number of instructions it has executed, and idleness is skipped.
Lab qemu_lab();

}  // namespace lvspec
