#include "harness/topology/world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/neighbour.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/netlink/rtnetlink.h"
#include "harness/topology/parts.h"

namespace lvspec {

using namespace parts;

namespace {

constexpr int kStack0 = 3;
constexpr int kDirectorByte = 1;
constexpr int kStandbyByte = 2;
constexpr int kMaxServers = kClientByte - 1 - kServerByte;
constexpr std::size_t kNodesBesideServers = 2;  // in front of them; the standby stands behind

int host_length(const IpAddress& address) { return address.is_v6() ? 128 : 32; }

/// Neighbour discovery for a packet whose source is not an address of eth0 (a client's, or a VIP on lo) is sent from
/// eth0's link-local address, and not at all where there is none (net/ipv6/ndisc.c, ndisc_send_ns()). So each node
/// gets one, with the last byte of its LAN address, instead of one made by the kernel after a second of DAD.
IpAddress link_local(int last_byte) {
  static const IpAddress kBase = IpAddress::of("fe80::");
  return kBase.plus(static_cast<std::uint64_t>(last_byte));
}

/// A director that masquerades forwards between hosts of one link. It must not tell them so, or they would go round
/// it, and they are not to listen. What no link message carries.
void forward_without_redirects(const NetworkNamespace& director) {
  write_sysctl(director, "/proc/sys/net/ipv4/conf/all/send_redirects", "0");
  write_sysctl(director, "/proc/sys/net/ipv6/conf/all/forwarding", "1");
}
void ignore_redirects(const NetworkNamespace& server) {
  write_sysctl(server, "/proc/sys/net/ipv4/conf/all/accept_redirects", "0");
  write_sysctl(server, "/proc/sys/net/ipv6/conf/eth0/accept_redirects", "0");
}

/// Builds one world: carries what the furnishing of every node needs to know.
class Builder {
 public:
  explicit Builder(const Topology& topology) : topology_(topology) {}

  void segment(RtBatch& batch, const std::vector<Node>& nodes) const {
    batch.add_bridge({.name = "switch", .ifindex = kBridge, .mac = switch_mac(0)});
    batch.change_link(kBridge, {.no_ipv6_link_local = true});
    batch.change_link(kBridge, {.up = true});
    for (const Node& node : nodes) {
      const int port = node.port.segment_ifindex;
      batch.add_veth({.name = "p-" + node.name, .ifindex = port, .mac = switch_mac(port - kPortBase)},
                     {.name = node.port.name, .ifindex = node.port.ifindex, .mac = node.port.mac}, node.netns,
                     kBridge);
      batch.change_link(port, {.no_ipv6_link_local = true});
      batch.change_link(port, {.up = true});
    }
  }

  void client(RtBatch& batch, bool any_ipv6_source) const {
    // A router asks for its next hop from its own address on that link, not from the address of a client behind it.
    Ipv4Conf conf = plain_conf();
    conf.arp_announce = 2;
    raise_links(batch, conf);
    for (const int family : families()) {
      const auto source = first_client(family);
      for (const Prefix& prefix : topology_.client_prefixes)
        if (prefix.address.family() == family)
          batch.add_route({.to = prefix, .type = RouteType::kLocal, .ifindex = kLo});
      for (const Prefix& prefix : topology_.mute_prefixes)
        if (prefix.address.family() == family) batch.add_route({.to = prefix, .type = RouteType::kBlackhole});
      // In IPv6 a local route makes an address answer, but only an address makes it a preferred source; and only an
      // address can be bound, unless ip_nonlocal_bind is on.
      if (family == AF_INET6 && source.has_value())
        for (int i = 1; i <= (any_ipv6_source ? 1 : std::max(1, topology_.client_count)); ++i)
          batch.add_address(kLo, topology_.client(i, family), 128);
      add_lan_address(batch, family, kClientByte, /*prefix_route=*/!source.has_value());
      const Prefix& lan = family == AF_INET6 ? addresses::kLan6 : addresses::kLan;
      const Prefix& vips = family == AF_INET6 ? addresses::kVips6 : addresses::kVips;
      if (source.has_value()) batch.add_route({.to = lan, .ifindex = kEth0, .source = source});
      batch.add_route({.to = vips, .ifindex = kEth0, .source = source});
      for (const IpAddress& vip : topology_.vips)
        if (vip.family() == family && !vips.contains(vip) && !lan.contains(vip))
          batch.add_route({.to = {vip, host_length(vip)}, .ifindex = kEth0, .source = source});
    }
  }

  /// The stack of a director: of its own node, or of the namespace behind it.
  void director_stack(RtBatch& batch, int last_byte) const {
    Ipv4Conf conf = plain_conf();
    if (topology_.reach == Reach::kMasqueraded) {
      conf.forwarding = 1;
      conf.send_redirects = 0;
    }
    raise_links(batch, conf);
    for (const int family : families()) {
      add_lan_address(batch, family, last_byte);
      add_vips(batch, family, kEth0);
      add_routes_to_clients(batch, family, last_byte);
    }
  }

  /// The wire side of an inline director: no address, and no ARP, so nothing here answers but the director. (With
  /// IFF_NOARP the kernel drops ARP that comes in; packet sockets see it all the same.)
  void inline_director(RtBatch& batch, const NetworkNamespace& stack, int last_byte) const {
    // stack0 has an address of its own kind: what the director sends into it is for the MAC of the wire, which is
    // that of eth0 at the other end.
    batch.add_veth({.name = "stack0", .ifindex = kStack0, .mac = switch_mac(0)},
                   {.name = "eth0", .ifindex = kEth0, .mac = node_mac(last_byte)}, stack);
    batch.change_link(kLo, {.up = true});
    for (const int port : {kEth0, kStack0}) {
      batch.change_link(port, {.arp = false, .no_ipv6_link_local = true, .ipv4 = plain_conf()});
      batch.change_link(port, {.up = true});
    }
  }

  void real_server(RtBatch& batch, int i) const {
    // The VIP is on lo, where it must be neither announced nor answered for: the ARP problem of direct routing. The
    // kernel uses the larger of conf/all and conf/eth0 for both settings, so eth0's are enough.
    Ipv4Conf conf = plain_conf();
    conf.arp_ignore = 1;
    conf.arp_announce = 2;
    raise_links(batch, conf);
    // What comes out of a tunnel comes from lo, whatever its source.
    if (topology_.reach == Reach::kTunnelled) batch.change_link(kLo, {.ipv4 = plain_conf()});
    const bool masqueraded = topology_.reach == Reach::kMasqueraded;
    for (const int family : families()) {
      add_lan_address(batch, family, kServerByte + i);
      if (!masqueraded) add_vips(batch, family, kLo);
      add_routes_to_clients(batch, family, kServerByte + i, masqueraded ? kDirectorByte : kClientByte);
    }
  }

  /// With two directors nobody asks who has a VIP: the router knows.
  void vips_at(RtBatch& client, int last_byte) const {
    for (const IpAddress& vip : topology_.vips)
      if (topology_.ipv6 || !vip.is_v6()) client.add_neighbour(kEth0, vip, node_mac(last_byte));
  }

  /// What a director's eth0 is asked for.
  std::vector<IpAddress> director_addresses(int last_byte) const {
    std::vector<IpAddress> all = topology_.vips;
    for (const Prefix& lan : {addresses::kLan, addresses::kLan6})
      all.push_back(lan.address.plus(static_cast<std::uint64_t>(last_byte)));
    return all;
  }

 private:
  std::vector<int> families() const {
    return topology_.ipv6 ? std::vector<int>{AF_INET, AF_INET6} : std::vector<int>{AF_INET};
  }

  std::optional<IpAddress> first_client(int family) const {
    const bool any = std::any_of(topology_.client_prefixes.begin(), topology_.client_prefixes.end(),
                                 [family](const Prefix& p) { return p.address.family() == family; });
    if (!any) return std::nullopt;
    return topology_.client(1, family);
  }

  void add_lan_address(RtBatch& batch, int family, int last_byte, bool prefix_route = true) const {
    const Prefix& lan = family == AF_INET6 ? addresses::kLan6 : addresses::kLan;
    batch.add_address(kEth0, lan.address.plus(static_cast<std::uint64_t>(last_byte)), lan.length, prefix_route);
    if (family == AF_INET6) batch.add_address(kEth0, link_local(last_byte), 64);
  }

  void add_vips(RtBatch& batch, int family, int ifindex) const {
    for (const IpAddress& vip : topology_.vips)
      if (vip.family() == family) batch.add_address(ifindex, vip, host_length(vip));
  }

  /// What the node says of its own accord comes from its own address; IPv6 would rather choose a VIP.
  void add_routes_to_clients(RtBatch& batch, int family, int last_byte, int gateway_byte = kClientByte) const {
    const Prefix& lan = family == AF_INET6 ? addresses::kLan6 : addresses::kLan;
    for (const Prefix& prefix : topology_.client_prefixes)
      if (prefix.address.family() == family)
        batch.add_route({.to = prefix,
                         .ifindex = kEth0,
                         .via = lan.address.plus(static_cast<std::uint64_t>(gateway_byte)),
                         .source = lan.address.plus(static_cast<std::uint64_t>(last_byte))});
  }

  const Topology& topology_;
};

/// As wait_for_ports(), for a node's own end.
Status wait_for_link(RtBatch& batch, const std::string& node, int ifindex) {
  return wait_until(fmt::format("{}: link {} is operational", node, ifindex), [&]() -> Result<bool> {
    LVSPEC_ASSIGN(const std::vector<LinkState> links, batch.links());
    return std::any_of(links.begin(), links.end(),
                       [ifindex](const LinkState& link) { return link.ifindex == ifindex && link.operational; });
  });
}

/// The group that neighbour discovery asks in, ff02::1:ffXX:XXXX with the last three bytes of the address (RFC 4291).
IpAddress solicited_node_group(const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
  std::copy_n(address.bytes() + 13, 3, bytes.begin() + 13);
  return IpAddress::from_bytes(AF_INET6, bytes.data());
}

/// Until eth0 hears those who ask for any of these addresses; see RtBatch::add_address(). IPv4 has no such delay.
Status wait_for_groups(RtBatch& batch, const std::string& node, const std::vector<IpAddress>& addresses) {
  return wait_until(fmt::format("{}: neighbour discovery is heard", node), [&]() -> Result<bool> {
    LVSPEC_ASSIGN(const std::vector<MulticastGroup> joined, batch.multicast_groups());
    return std::all_of(addresses.begin(), addresses.end(), [&joined](const IpAddress& address) {
      return !address.is_v6() ||
             std::any_of(joined.begin(), joined.end(), [group = solicited_node_group(address)](const auto& one) {
               return one.ifindex == kEth0 && one.group == group;
             });
    });
  });
}

/// A node that asked for a neighbour while the link was cut asks again only a second after its last try
/// (neigh/default/retrans_time_ms), and keeps its packets until then. Let it ask anew with its next packet.
Status forget_unanswered(const NetworkNamespace& netns) {
  LVSPEC_ASSIGN(RtBatch batch, RtBatch::open(netns));
  LVSPEC_ASSIGN(const std::vector<Neighbour> neighbours, batch.neighbours());
  for (const Neighbour& neighbour : neighbours)
    if ((neighbour.state & (NUD_INCOMPLETE | NUD_FAILED | NUD_PROBE)) != 0)
      batch.forget_neighbour(neighbour.ifindex, neighbour.address);
  // An entry that has meanwhile gone by itself is refused, and is what we wanted.
  (void)batch.commit();
  return {};
}

}  // namespace

Result<World> World::build(const Topology& topology) {
  if (topology.wire) return on_wire(topology);
  if (topology.server_count < 0 || topology.server_count > kMaxServers)
    return usage_error(fmt::format("a world has 0 to {} real servers, not {}: the LAN is a /24", kMaxServers,
                                   topology.server_count));

  LVSPEC_ASSIGN(NetworkNamespace segment, NetworkNamespace::create("segment"));
  // A switch does not look into packets: with br_netfilter loaded, ours would drop those with broken IP headers.
  for (const char* who : {"iptables", "ip6tables"})
    write_sysctl(segment, fmt::format("/proc/sys/net/bridge/bridge-nf-call-{}", who).c_str(), "0");
  World world(topology, std::move(segment));
  const Builder builder(world.topology_);

  std::vector<RtBatch> batches;
  const auto add_node = [&](std::string name, int last_byte) -> Status {
    LVSPEC_ASSIGN(NetworkNamespace netns, NetworkNamespace::create(name));
    if (topology.ipv6) {
      // Nobody on the segment advertises routers, and captures are easier to read without three solicitations a node.
      write_sysctl(netns, "/proc/sys/net/ipv6/conf/default/accept_ra", "0");
    }
    LVSPEC_ASSIGN(RtBatch batch, RtBatch::open(netns));
    batches.push_back(std::move(batch));
    world.nodes_.push_back(
        {std::move(name), std::move(netns), Port{"eth0", kEth0, node_mac(last_byte), kPortBase + last_byte}});
    return {};
  };
  world.nodes_.reserve(kNodesBesideServers + static_cast<std::size_t>(topology.server_count) + 1);
  batches.reserve(world.nodes_.capacity());
  LVSPEC_TRY(add_node("client", kClientByte));
  LVSPEC_TRY(add_node("director", kDirectorByte));
  for (int i = 1; i <= topology.server_count; ++i) LVSPEC_TRY(add_node(fmt::format("real{}", i), kServerByte + i));
  if (topology.standby_place) LVSPEC_TRY(add_node("standby", kStandbyByte));

  LVSPEC_ASSIGN(RtBatch segment_batch, RtBatch::open(world.segment_));
  builder.segment(segment_batch, world.nodes_);
  LVSPEC_TRY(segment_batch.commit());

  const bool any_ipv6_source =
      topology.ipv6 && write_sysctl(world.client().netns, "/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
  builder.client(batches[0], any_ipv6_source);
  // @param stacks  where the namespace behind an inline director goes
  const auto furnish_director = [&](RtBatch& batch, const std::string& name, int last_byte, DirectorPlace place,
                                    std::vector<NetworkNamespace>* stacks) -> Status {
    if (place == DirectorPlace::kStack) {
      builder.director_stack(batch, last_byte);
      return {};
    }
    LVSPEC_ASSIGN(NetworkNamespace stack, NetworkNamespace::create(name + "-stack"));
    LVSPEC_ASSIGN(RtBatch stack_batch, RtBatch::open(stack));
    builder.inline_director(batch, stack, last_byte);
    LVSPEC_TRY(batch.commit());
    builder.director_stack(stack_batch, last_byte);
    LVSPEC_TRY(stack_batch.commit());
    LVSPEC_TRY(wait_for_link(batch, name, kStack0));
    if (topology.ipv6)
      LVSPEC_TRY(wait_for_groups(stack_batch, name + "-stack", builder.director_addresses(last_byte)));
    stacks->push_back(std::move(stack));
    return {};
  };
  LVSPEC_TRY(
      furnish_director(batches[1], "director", kDirectorByte, topology.director_place, &world.director_stack_));
  if (!world.director_stack_.empty())
    world.stack_port_ = Port{World::kStackInterface, kStack0, node_mac(kDirectorByte), 0};
  if (topology.standby_place) {
    LVSPEC_TRY(
        furnish_director(batches.back(), "standby", kStandbyByte, *topology.standby_place, &world.standby_stack_));
    builder.vips_at(batches[0], kDirectorByte);
  }
  if (topology.reach == Reach::kMasqueraded) {
    forward_without_redirects(world.director_stack());
    for (int i = 1; i <= topology.server_count; ++i) ignore_redirects(world.real_server(i).netns);
  }
  for (int i = 1; i <= topology.server_count; ++i)
    builder.real_server(batches[kNodesBesideServers + static_cast<std::size_t>(i) - 1], i);
  for (RtBatch& batch : batches) LVSPEC_TRY(batch.commit());

  std::vector<int> ports;
  for (const Node& node : world.nodes_) ports.push_back(node.port.segment_ifindex);
  LVSPEC_TRY(wait_for_ports(segment_batch, ports));
  if (!topology.ipv6) return world;
  LVSPEC_TRY(wait_for_groups(batches[0], "client", {addresses::kLan6.address.plus(kClientByte)}));
  if (topology.director_place == DirectorPlace::kStack)
    LVSPEC_TRY(wait_for_groups(batches[1], "director", builder.director_addresses(kDirectorByte)));
  if (topology.standby_place == DirectorPlace::kStack)
    LVSPEC_TRY(wait_for_groups(batches.back(), "standby", builder.director_addresses(kStandbyByte)));
  for (int i = 1; i <= topology.server_count; ++i)
    LVSPEC_TRY(wait_for_groups(batches[kNodesBesideServers + static_cast<std::size_t>(i) - 1],
                               world.real_server(i).name, {topology.real_server(i, AF_INET6)}));
  return world;
}

Status World::set_link(Node& node, bool up) {
  LVSPEC_ASSIGN(RtBatch segment, RtBatch::open(segment_));
  segment.change_link(node.port.segment_ifindex, {.up = up});
  LVSPEC_TRY(segment.commit());
  if (!up) return {};
  LVSPEC_TRY(wait_for_ports(segment, {node.port.segment_ifindex}));
  LVSPEC_ASSIGN(RtBatch batch, RtBatch::open(node.netns));
  LVSPEC_TRY(wait_for_link(batch, node.name, node.port.ifindex));
  for (const Node& other : nodes_) LVSPEC_TRY(forget_unanswered(other.netns));
  for (const NetworkNamespace& stack : director_stack_) LVSPEC_TRY(forget_unanswered(stack));
  for (const NetworkNamespace& stack : standby_stack_) LVSPEC_TRY(forget_unanswered(stack));
  return {};
}

Status World::fail_over() { return lead_clients_to(kStandbyByte); }
Status World::fail_back() { return lead_clients_to(kDirectorByte); }

Status World::lead_clients_to(int last_byte) {
  LVSPEC_CHECK(topology_.standby_place.has_value());
  LVSPEC_ASSIGN(RtBatch batch, RtBatch::open(client().netns));
  Builder(topology_).vips_at(batch, last_byte);
  return batch.commit();
}

}  // namespace lvspec
