#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/lab/lab.h"
#include "harness/ruleset/ruleset.h"
#include "harness/topology/topology.h"

namespace lvspec {

/// An appliance between two interfaces of this machine, as its owner has set it up and tells us.
struct WirePlan {
  std::string appliance = "appliance";  ///< what its column is called
  Wire wire;
  std::vector<ServiceId> services;  ///< with affinity, each in front of all of wire.servers; at most one address
  bool direct_routing = false;      ///< the servers have the VIP themselves
  std::chrono::seconds window{300};
  /// How long it may take until its health checks have found all servers of a new world; 0: it has none.
  std::chrono::seconds settle{0};
  Affinity affinity{};
};

/// Which of the addresses that may be clients have been clients. The appliance remembers them, so none is used twice
/// in a run, of which all processes share `fd`: a file with the number of the next one in it.
class WireClients {
 public:
  explicit WireClients(int fd) : fd_(fd) {}
  /// The first of `count` unused ones. Error (kEnvironment): there are not as many.
  Result<std::uint64_t> offer(const Prefix& clients, int count);
  /// What was offered last is going to be used.
  Status use();

 private:
  int fd_;
  std::uint64_t offered_end_ = 1;
};

/// Clients and real servers on somebody's wire. Time is real and nothing of it is skipped.
Lab wire_lab(const WirePlan& plan, std::shared_ptr<WireClients> clients);

/// The appliance as a director under test that takes no orders but those which its owner has carried out already:
/// a service that it has, with all its servers. Everything else is not for us to ask (kUnsupported), its tables too.
DirectorFactory appliance_on(const WirePlan& plan, std::shared_ptr<WireClients> clients);
/// What it says of itself, by its owner.
DirectorIdentity appliance_identity(const WirePlan& plan);

}  // namespace lvspec
