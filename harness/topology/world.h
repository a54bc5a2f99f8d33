#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/netlink/mac_address.h"
#include "harness/netns/namespace.h"
#include "harness/topology/topology.h"

namespace lvspec {

/// One end of a link, as a node sees it: always "eth0".
struct Port {
  std::string name;  ///< "eth0"
  int ifindex = 0;
  MacAddress mac{};         ///< 02:00:cb:00:71:NN, fixed by us, so that captures read well and nobody has to ask
  int segment_ifindex = 0;  ///< ifindex of the switch's end of this link, in the segment's namespace; 0: no link
};

struct Node {
  std::string name;  ///< "client", "director", "real1"
  NetworkNamespace netns;
  Port port;
};

/// A topology that is up. Everything in it is held by descriptors; destroying a World closes them and the kernel
/// cleans up behind our back (that takes it some 65 ms, which nobody waits for).
class World {
 public:
  /// Errors name the node and the netlink request.
  static Result<World> build(const Topology& topology);

  const Topology& topology() const { return topology_; }
  Node& client() { return nodes_[0]; }
  /// Where the director's process runs; its eth0 is the wire.
  Node& director() { return nodes_[1]; }
  /// The second director's node; there must be one.
  Node& standby() { return nodes_.back(); }
  /// i from 1.
  Node& real_server(int i) { return nodes_[1 + static_cast<std::size_t>(i)]; }
  /// All nodes with a link to the segment: client, director, real servers, standby.
  std::vector<Node>& nodes() { return nodes_; }
  /// The switch: a bridge and the far ends of all links; the place to capture.
  NetworkNamespace& segment() { return segment_; }
  /// The network stack that owns DIP and VIPs. kStack: the director's own namespace. kInline: a namespace behind the
  /// director, linked to it by the pair `stack0` (director's side) and `eth0` (this side).
  NetworkNamespace& director_stack() { return director_stack_.empty() ? director().netns : director_stack_[0]; }
  NetworkNamespace& standby_stack() { return standby_stack_.empty() ? standby().netns : standby_stack_[0]; }
  /// The name of the director's side of that pair, whichever of the two directors has one.
  static constexpr const char* kStackInterface = "stack0";
  /// That side of the first director, kInline only, and the MAC that both its wire and its stack have.
  const Port& stack_port() const { return stack_port_; }

  /// Raises or cuts the link of a node, at the switch's end: the node sees its carrier go. When it returns from
  /// raising, frames pass, and no node waits any longer for an ARP or ND answer that the cut has swallowed.
  Status set_link(Node& node, bool up);

  /// From now on packets for the VIPs go to the standby.
  Status fail_over();
  /// And now to the first director again.
  Status fail_back();

 private:
  static Result<World> on_wire(const Topology& topology);
  Status lead_clients_to(int last_byte);

  World(Topology topology, NetworkNamespace segment) : topology_(std::move(topology)), segment_(std::move(segment)) {}

  Topology topology_;
  NetworkNamespace segment_;
  std::vector<Node> nodes_;
  std::vector<NetworkNamespace> director_stack_;  // none or one
  std::vector<NetworkNamespace> standby_stack_;   // none or one
  Port stack_port_;
};

}  // namespace lvspec
