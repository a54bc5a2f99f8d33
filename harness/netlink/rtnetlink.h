#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/base/result.h"
#include "harness/netlink/mac_address.h"
#include "harness/netns/namespace.h"

struct nlmsghdr;  // linux/netlink.h

namespace lvspec {

/// One end of a link as we want it. We choose the ifindex, so that later messages of the same batch can name it.
struct LinkEnd {
  std::string name;  ///< shorter than IFNAMSIZ (16)
  int ifindex = 0;   ///< above 1, which is lo
  MacAddress mac{};
};

/// Values of /proc/sys/net/ipv4/conf/DEVICE/*, which a link message can carry: no file is opened, and it works where
/// a container has /proc/sys read-only. Unset ones keep what the namespace gave them.
struct Ipv4Conf {
  std::optional<std::uint32_t> accept_local = std::nullopt;
  std::optional<std::uint32_t> accept_redirects = std::nullopt;
  std::optional<std::uint32_t> arp_announce = std::nullopt;
  std::optional<std::uint32_t> arp_ignore = std::nullopt;
  std::optional<std::uint32_t> forwarding = std::nullopt;
  std::optional<std::uint32_t> rp_filter = std::nullopt;
  std::optional<std::uint32_t> send_redirects = std::nullopt;
};

/// What to change of a link.
struct LinkChange {
  std::optional<bool> up = std::nullopt;
  std::optional<bool> arp = std::nullopt;    ///< false sets IFF_NOARP: the device neither asks nor answers
  std::optional<int> bridge = std::nullopt;  ///< ifindex of the bridge that it becomes a port of
  bool no_ipv6_link_local = false;           ///< IN6_ADDR_GEN_MODE_NONE; has to come in a batch entry before `up`
  Ipv4Conf ipv4 = {};
};

enum class RouteType {
  kUnicast,    ///< through `ifindex`, or by `via`
  kLocal,      ///< "AnyIP": every address of the prefix is this node's own; `ifindex` is lo
  kBlackhole,  ///< what comes for the prefix vanishes, without RST or ICMP: a hole in a kLocal prefix
};

struct Route {
  Prefix to;
  RouteType type = RouteType::kUnicast;
  int ifindex = 0;
  std::optional<IpAddress> via = std::nullopt;     ///< the gateway; none: on-link
  std::optional<IpAddress> source = std::nullopt;  ///< preferred source address
};

/// An entry of a neighbour table: who we believe has `address`.
struct Neighbour {
  int ifindex = 0;
  IpAddress address;
  MacAddress mac{};
  std::uint16_t state = 0;  ///< NUD_*
};

/// A multicast group that a device listens to.
struct MulticastGroup {
  int ifindex = 0;
  IpAddress group;
};

/// A link as the kernel sees it.
struct LinkState {
  int ifindex = 0;
  bool operational = false;  ///< operstate UP: carrier, and the queues behind it are running
  bool forwarding = false;   ///< a bridge port that may pass frames; it does once it is operational, too
};

/// Messages to one namespace, sent together: one system call for dozens of requests, and one acknowledgement, of the
/// last; the kernel speaks up about an earlier one only to refuse it. Requests are carried out in the order in which
/// they were added, and a refusal does not stop those after it.
class RtBatch {
 public:
  /// Opens the socket, which stays in `netns` for good.
  static Result<RtBatch> open(const NetworkNamespace& netns);

  /// RTM_NEWLINK, kind bridge: STP and multicast snooping off, so that nothing on it speaks but the nodes.
  void add_bridge(const LinkEnd& bridge);
  /// RTM_NEWLINK, kind veth, one queue each way: `here` in this namespace, `there` directly in `other`. `bridge` is
  /// the ifindex of the bridge that `here` becomes a port of; 0 is none. The two ifindexes must differ although the
  /// namespaces do: the kernel takes a link whose peer has its own index for a link without a peer, and reports
  /// carrier up to a second late (net/core/link_watch.c, linkwatch_urgent_event()). Checked.
  void add_veth(const LinkEnd& here, const LinkEnd& there, const NetworkNamespace& other, int bridge = 0);
  /// RTM_NEWLINK, kind macvlan, mode passthru: all that `parent`, an interface of this namespace, receives comes out
  /// of `there` in `other`, and what is sent there leaves by it, whatever its MAC. There is one on a parent, at most;
  /// when it goes, the parent is as it was.
  void add_passthru(const LinkEnd& there, int parent, const NetworkNamespace& other);
  /// RTM_SETLINK.
  void change_link(int ifindex, const LinkChange& change);
  /// RTM_NEWADDR; for IPv6 without duplicate address detection, so it can be used as a source at once. (It can be
  /// asked for by others once its solicited-node group is among multicast_groups(): the kernel joins it later, from
  /// a work queue, also without DAD; net/ipv6/addrconf.c, addrconf_dad_start().) `prefix_route` false
  /// leaves out the on-link route that usually comes with an address.
  void add_address(int ifindex, const IpAddress& address, int prefix_length, bool prefix_route = true);
  /// RTM_NEWROUTE, into table main (kUnicast) or local (others).
  void add_route(const Route& route);
  /// RTM_NEWNEIGH: a permanent entry.
  void add_neighbour(int ifindex, const IpAddress& address, const MacAddress& mac);

  /// RTM_DELNEIGH: makes the kernel forget what it knows, or is still asking, about `address`.
  void forget_neighbour(int ifindex, const IpAddress& address);

  /// How many requests wait for commit().
  std::size_t size() const { return entries_.size(); }
  /// Sends all requests and waits for the kernel. The batch is empty afterwards and can be used again.
  /// Error: the first request that was refused, by node, request and reason, with the kernel's own words where it
  /// has some: "segment: RTM_NEWLINK veth p-real2 <-> real2/eth0: EEXIST (File exists)".
  Status commit();

  /// The links of this namespace: all, or of a bridge's namespace its ports alone.
  Result<std::vector<LinkState>> links();
  Result<std::vector<LinkState>> bridge_ports();
  /// Neighbours of both families that have been resolved or are being asked for.
  Result<std::vector<Neighbour>> neighbours();
  /// IPv6 only: the kernel dumps no others.
  Result<std::vector<MulticastGroup>> multicast_groups();

 private:
  struct Entry {
    std::size_t offset = 0;  ///< into buffer_
    std::string what;
  };

  RtBatch(std::string node, FileDescriptor socket) : node_(std::move(node)), socket_(std::move(socket)) {}
  nlmsghdr* begin(int type, int flags, std::string what);
  void finish(const nlmsghdr* message);
  Status send_chunk(std::size_t first, std::size_t last);
  Status read_acknowledgement(std::uint32_t last_sequence);
  template <typename Visit>
  Status dump(int type, int family, const char* what, Visit&& visit);

  std::string node_;
  FileDescriptor socket_;
  std::vector<char> buffer_;    ///< the messages, one behind the other
  std::vector<Entry> entries_;  ///< one a message
  std::uint32_t sequence_ = 0;  ///< of the first message in buffer_
};

}  // namespace lvspec
