#include <fmt/format.h>
#include <net/if.h>

#include "harness/topology/parts.h"
#include "harness/topology/world.h"

namespace lvspec {

using namespace parts;

namespace {

constexpr int kClientSwitch = kBridge, kServerSwitch = kBridge + 1;
constexpr int kClientUplink = 50, kServerUplink = 51;

/// The ifindex of an interface that is ours to use. Error: it is not there.
Result<int> interface_named(const std::string& name, const char* option) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) return usage_error(fmt::format("{} {}: {}", option, name, system_error("if_nametoindex").message));
  return static_cast<int>(index);
}

void add_switch(RtBatch& batch, int ifindex) {
  batch.add_bridge({.name = fmt::format("switch{}", ifindex), .ifindex = ifindex, .mac = switch_mac(ifindex)});
  batch.change_link(ifindex, {.no_ipv6_link_local = true});
  batch.change_link(ifindex, {.up = true});
}

void add_port(RtBatch& batch, const Node& node, int at) {
  const int port = node.port.segment_ifindex;
  batch.add_veth({.name = "p-" + node.name, .ifindex = port, .mac = switch_mac(port - kPortBase)},
                 {.name = node.port.name, .ifindex = node.port.ifindex, .mac = node.port.mac}, node.netns, at);
  batch.change_link(port, {.no_ipv6_link_local = true});
  batch.change_link(port, {.up = true});
}

/// An uplink. That of the world before this one goes a moment after it (World), and there can only be one, so a
/// refusal counts only when it has lasted.
Status put_on(RtBatch& machine, const LinkEnd& uplink, int parent, const NetworkNamespace& segment,
              const std::string& option) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  for (;;) {
    machine.add_passthru(uplink, parent, segment);
    const Status put = machine.commit();
    if (put.ok()) return put;
    if (std::chrono::steady_clock::now() > deadline)
      return put.error().in(
          fmt::format("{} cannot be lent, for 2 s now (another lvspec, a bridge or a macvlan has it?)", option));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

/// A way to `to`, over a gateway that is on the link, or on the link itself.
void add_way(RtBatch& batch, const Prefix& to, const std::optional<IpAddress>& gateway, const IpAddress& source) {
  if (gateway) batch.add_route({.to = {*gateway, 32}, .ifindex = kEth0, .source = source});
  batch.add_route({.to = to, .ifindex = kEth0, .via = gateway, .source = source});
}

/// Every client's address is the node's own; it asks for its next hop from the address that it speaks from, since
/// that is all that the other side knows of it.
void furnish_clients(RtBatch& batch, const Topology& topology) {
  raise_links(batch, plain_conf());
  for (int i = 1; i <= topology.client_count; ++i)
    batch.add_route({.to = {topology.client(i), 32}, .type = RouteType::kLocal, .ifindex = kLo});
  for (const IpAddress& vip : topology.vips)
    add_way(batch, {vip, 32}, topology.wire->client_gateway, topology.client(1));
}

void furnish_server(RtBatch& batch, const Topology& topology, int i) {
  const bool has_vip = topology.reach == Reach::kDirectly;
  Ipv4Conf conf = plain_conf();
  if (has_vip) {  // as real servers of ours are furnished (world.cc)
    conf.arp_ignore = 1;
    conf.arp_announce = 2;
  }
  raise_links(batch, conf);
  const IpAddress rip = topology.real_server(i);
  batch.add_address(kEth0, rip, topology.wire->server_prefix_length);
  if (has_vip)
    for (const IpAddress& vip : topology.vips) batch.add_address(kLo, vip, 32);
  const Prefix lan{rip, topology.wire->server_prefix_length};
  if (topology.wire->server_gateway) {
    batch.add_route({.to = topology.wire->clients, .ifindex = kEth0, .via = topology.wire->server_gateway});
  } else if (!lan.contains(topology.wire->clients.address)) {
    batch.add_route({.to = topology.wire->clients, .ifindex = kEth0, .source = rip});
  }
}

}  // namespace

/// As every world, but the switch has two halves, each with an uplink to one of the interfaces, and nothing of ours
/// between them.
Result<World> World::on_wire(const Topology& topology) {
  const Wire& wire = *topology.wire;
  LVSPEC_ASSIGN(const int client_parent, interface_named(wire.client_interface, "--client-if"));
  LVSPEC_ASSIGN(const int server_parent, interface_named(wire.server_interface, "--server-if"));
  const bool one_arm = client_parent == server_parent;

  LVSPEC_ASSIGN(NetworkNamespace segment, NetworkNamespace::create("segment"));
  for (const char* who : {"iptables", "ip6tables"})
    write_sysctl(segment, fmt::format("/proc/sys/net/bridge/bridge-nf-call-{}", who).c_str(), "0");
  World world(topology, std::move(segment));
  const auto add_node = [&](std::string name, Port port) -> Status {
    LVSPEC_ASSIGN(NetworkNamespace netns, NetworkNamespace::create(name));
    world.nodes_.push_back({std::move(name), std::move(netns), std::move(port)});
    return {};
  };
  LVSPEC_TRY(add_node("client", {"eth0", kEth0, node_mac(kClientByte), kPortBase + kClientByte}));
  LVSPEC_TRY(add_node("director", {}));
  for (int i = 1; i <= topology.server_count; ++i)
    LVSPEC_TRY(
        add_node(fmt::format("real{}", i), {"eth0", kEth0, node_mac(kServerByte + i), kPortBase + kServerByte + i}));

  LVSPEC_ASSIGN(NetworkNamespace machine, NetworkNamespace::current("this machine"));
  LVSPEC_ASSIGN(RtBatch here, RtBatch::open(machine));
  LVSPEC_TRY(put_on(here, {.name = "up-client", .ifindex = kClientUplink}, client_parent, world.segment_,
                    "--client-if " + wire.client_interface));
  if (!one_arm)
    LVSPEC_TRY(put_on(here, {.name = "up-server", .ifindex = kServerUplink}, server_parent, world.segment_,
                      "--server-if " + wire.server_interface));

  LVSPEC_ASSIGN(RtBatch batch, RtBatch::open(world.segment_));
  std::vector<int> ports;
  add_switch(batch, kClientSwitch);
  if (!one_arm) add_switch(batch, kServerSwitch);
  for (const Node& node : world.nodes_) {
    if (node.port.segment_ifindex == 0) continue;
    add_port(batch, node, node.name == "client" || one_arm ? kClientSwitch : kServerSwitch);
    ports.push_back(node.port.segment_ifindex);
  }
  for (const int uplink : {kClientUplink, kServerUplink}) {
    if (uplink == kServerUplink && one_arm) continue;
    batch.change_link(uplink, {.no_ipv6_link_local = true});
    batch.change_link(uplink, {.up = true, .bridge = uplink == kClientUplink ? kClientSwitch : kServerSwitch});
    ports.push_back(uplink);
  }
  LVSPEC_TRY(batch.commit());
  // Nodes' own ends first: an uplink without carrier is the owner's to mend, and waited for last.
  for (Node& node : world.nodes_) {
    if (node.port.segment_ifindex == 0) continue;
    LVSPEC_ASSIGN(RtBatch furnishing, RtBatch::open(node.netns));
    if (node.name == "client") {
      furnish_clients(furnishing, topology);
    } else {
      furnish_server(furnishing, topology, node.port.segment_ifindex - kPortBase - kServerByte);
    }
    LVSPEC_TRY(furnishing.commit());
  }
  LVSPEC_TRY(wait_for_ports(batch, ports));
  return world;
}

}  // namespace lvspec
