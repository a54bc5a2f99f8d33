#include "harness/netlink/rtnetlink.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "harness/base/check.h"

namespace lvspec {
namespace {

/// Room for the largest request, a veth pair (some 250 bytes).
constexpr std::size_t kMaxRequest = 512;
/// Sent at once. A socket refuses more than its send buffer holds, by default 208 KiB (net.core.wmem_default).
constexpr std::size_t kMaxChunk = std::size_t{64} * 1024;
constexpr std::size_t kReceiveBuffer = std::size_t{32} * 1024;

void put_mac(nlmsghdr* message, const MacAddress& mac) {
  mnl_attr_put(message, IFLA_ADDRESS, mac.size(), mac.data());
}

void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
  mnl_attr_put(message, type, address.size(), address.bytes());
}

void put_name(nlmsghdr* message, const std::string& name) {
  LVSPEC_CHECK(name.size() < IFNAMSIZ);
  mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
}

/// By default a veth has a queue for every CPU, each with its kobjects in sysfs; with one it costs a fifth less to
/// make. Nothing is lost: a veth sends without a queue lock and receives on the sender's CPU.
void put_one_queue(nlmsghdr* message) {
  mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
  mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

void put_conf(nlmsghdr* message, int id, const std::optional<std::uint32_t>& value) {
  if (value.has_value()) mnl_attr_put_u32(message, static_cast<std::uint16_t>(id), *value);
}

bool empty(const Ipv4Conf& conf) {
  return !conf.accept_local && !conf.accept_redirects && !conf.arp_announce && !conf.arp_ignore && !conf.forwarding &&
         !conf.rp_filter && !conf.send_redirects;
}

/// Calls `visit` with every attribute behind `offset` bytes of payload. (libmnl's own loops are macros for C.)
template <typename Visit>
void for_each_attribute(const nlmsghdr* message, std::size_t offset, Visit&& visit) {
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, offset));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  for (; mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute))
    visit(attribute);
}

template <typename Visit>
void for_each_nested(const nlattr* nest, Visit&& visit) {
  const auto* attribute = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
  const auto* end = reinterpret_cast<const char*>(attribute) + mnl_attr_get_payload_len(nest);
  for (; mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = mnl_attr_next(attribute))
    visit(attribute);
}

/// What the kernel says beside the error number (NETLINK_EXT_ACK): ": Invalid source address", or nothing.
std::string extended_ack_text(const nlmsghdr* message, const nlmsgerr* refusal) {
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  std::size_t offset = sizeof *refusal;
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) offset += refusal->msg.nlmsg_len - sizeof(nlmsghdr);
  std::string text;
  for_each_attribute(message, offset, [&text](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG) text = fmt::format(": {}", mnl_attr_get_str(attribute));
  });
  return text;
}

}  // namespace

Result<RtBatch> RtBatch::open(const NetworkNamespace& netns) {
  return netns.call([&netns]() -> Result<RtBatch> {
    FileDescriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket.valid()) return system_error(fmt::format("{}: socket(AF_NETLINK, NETLINK_ROUTE)", netns.name()));
    // Comfort only: short answers, and reasons in words. Kernels without them still give the number.
    const int on = 1;
    ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    return RtBatch(netns.name(), std::move(socket));
  });
}

nlmsghdr* RtBatch::begin(int type, int flags, std::string what) {
  const std::size_t offset = buffer_.size();
  buffer_.resize(offset + kMaxRequest);
  nlmsghdr* message = mnl_nlmsg_put_header(buffer_.data() + offset);
  message->nlmsg_type = static_cast<std::uint16_t>(type);
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence_ + static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({offset, std::move(what)});
  return message;
}

void RtBatch::finish(const nlmsghdr* message) {
  LVSPEC_CHECK(message->nlmsg_len <= kMaxRequest);
  buffer_.resize(entries_.back().offset + MNL_ALIGN(message->nlmsg_len));
}

void RtBatch::add_bridge(const LinkEnd& bridge) {
  nlmsghdr* message =
      begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, fmt::format("RTM_NEWLINK bridge {}", bridge.name));
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_index = bridge.ifindex;
  put_name(message, bridge.name);
  put_mac(message, bridge.mac);  // else the bridge takes the lowest of its ports' and announces every change
  nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
  nlattr* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  mnl_attr_put_u32(message, IFLA_BR_STP_STATE, 0);
  mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  finish(message);
}

void RtBatch::add_veth(const LinkEnd& here, const LinkEnd& there, const NetworkNamespace& other, int bridge) {
  LVSPEC_CHECK(here.ifindex != there.ifindex);
  nlmsghdr* message = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                            fmt::format("RTM_NEWLINK veth {} <-> {}/{}", here.name, other.name(), there.name));
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_index = here.ifindex;
  put_name(message, here.name);
  put_mac(message, here.mac);
  put_one_queue(message);
  if (bridge != 0) mnl_attr_put_u32(message, IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
  auto* peer_link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  peer_link->ifi_index = there.ifindex;
  put_name(message, there.name);
  put_mac(message, there.mac);
  put_one_queue(message);
  mnl_attr_put_u32(message, IFLA_NET_NS_FD, static_cast<std::uint32_t>(other.fd()));
  mnl_attr_nest_end(message, peer);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  finish(message);
}

void RtBatch::add_passthru(const LinkEnd& there, int parent, const NetworkNamespace& other) {
  nlmsghdr* message = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                            fmt::format("RTM_NEWLINK macvlan {}/{} on ifindex {}", other.name(), there.name, parent));
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_index = there.ifindex;
  put_name(message, there.name);
  mnl_attr_put_u32(message, IFLA_LINK, static_cast<std::uint32_t>(parent));
  mnl_attr_put_u32(message, IFLA_NET_NS_FD, static_cast<std::uint32_t>(other.fd()));
  nlattr* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "macvlan");
  nlattr* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  finish(message);
}

void RtBatch::change_link(int ifindex, const LinkChange& change) {
  nlmsghdr* message = begin(RTM_SETLINK, 0, fmt::format("RTM_SETLINK ifindex {}", ifindex));
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_index = ifindex;
  if (change.up.has_value()) {
    link->ifi_change |= IFF_UP;
    if (*change.up) link->ifi_flags |= IFF_UP;
  }
  if (change.arp.has_value()) {
    link->ifi_change |= IFF_NOARP;
    if (!*change.arp) link->ifi_flags |= IFF_NOARP;
  }
  if (change.bridge.has_value()) mnl_attr_put_u32(message, IFLA_MASTER, static_cast<std::uint32_t>(*change.bridge));
  if (change.no_ipv6_link_local || !empty(change.ipv4)) {
    nlattr* families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    if (!empty(change.ipv4)) {
      nlattr* inet = mnl_attr_nest_start(message, AF_INET);
      nlattr* conf = mnl_attr_nest_start(message, IFLA_INET_CONF);
      put_conf(message, IPV4_DEVCONF_ACCEPT_LOCAL, change.ipv4.accept_local);
      put_conf(message, IPV4_DEVCONF_ACCEPT_REDIRECTS, change.ipv4.accept_redirects);
      put_conf(message, IPV4_DEVCONF_ARP_ANNOUNCE, change.ipv4.arp_announce);
      put_conf(message, IPV4_DEVCONF_ARP_IGNORE, change.ipv4.arp_ignore);
      put_conf(message, IPV4_DEVCONF_FORWARDING, change.ipv4.forwarding);
      put_conf(message, IPV4_DEVCONF_RP_FILTER, change.ipv4.rp_filter);
      put_conf(message, IPV4_DEVCONF_SEND_REDIRECTS, change.ipv4.send_redirects);
      mnl_attr_nest_end(message, conf);
      mnl_attr_nest_end(message, inet);
    }
    if (change.no_ipv6_link_local) {
      nlattr* inet6 = mnl_attr_nest_start(message, AF_INET6);
      mnl_attr_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
      mnl_attr_nest_end(message, inet6);
    }
    mnl_attr_nest_end(message, families);
  }
  finish(message);
}

void RtBatch::add_address(int ifindex, const IpAddress& address, int prefix_length, bool prefix_route) {
  nlmsghdr* message = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                            fmt::format("RTM_NEWADDR {}/{} on ifindex {}", address.str(), prefix_length, ifindex));
  auto* header = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
  header->ifa_family = static_cast<std::uint8_t>(address.family());
  header->ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  header->ifa_index = static_cast<std::uint32_t>(ifindex);
  std::uint32_t flags = 0;
  if (address.is_v6()) flags |= IFA_F_NODAD;
  if (!prefix_route) flags |= IFA_F_NOPREFIXROUTE;
  mnl_attr_put_u32(message, IFA_FLAGS, flags);  // the header's own flags have eight bits: no room for the second
  put_address(message, IFA_LOCAL, address);
  put_address(message, IFA_ADDRESS, address);
  finish(message);
}

void RtBatch::add_route(const Route& route) {
  static constexpr std::array<const char*, 3> kWords = {"", "local ", "blackhole "};
  std::string what =
      fmt::format("RTM_NEWROUTE {}{}", kWords.at(static_cast<std::size_t>(route.type)), route.to.str());
  if (route.via.has_value()) what += fmt::format(" via {}", route.via->str());
  if (route.ifindex != 0) what += fmt::format(" on ifindex {}", route.ifindex);
  if (route.source.has_value()) what += fmt::format(" src {}", route.source->str());
  nlmsghdr* message = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, std::move(what));
  auto* header = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  header->rtm_family = static_cast<std::uint8_t>(route.to.address.family());
  header->rtm_dst_len = static_cast<std::uint8_t>(route.to.length);
  header->rtm_protocol = RTPROT_STATIC;
  switch (route.type) {
    case RouteType::kUnicast:
      header->rtm_type = RTN_UNICAST;
      header->rtm_table = RT_TABLE_MAIN;
      header->rtm_scope = route.via.has_value() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
      break;
    case RouteType::kLocal:
      header->rtm_type = RTN_LOCAL;
      header->rtm_table = RT_TABLE_LOCAL;
      header->rtm_scope = RT_SCOPE_HOST;
      break;
    case RouteType::kBlackhole:
      header->rtm_type = RTN_BLACKHOLE;
      header->rtm_table = RT_TABLE_LOCAL;
      header->rtm_scope = RT_SCOPE_UNIVERSE;
      break;
  }
  put_address(message, RTA_DST, route.to.address);
  if (route.via.has_value()) put_address(message, RTA_GATEWAY, *route.via);
  if (route.ifindex != 0) mnl_attr_put_u32(message, RTA_OIF, static_cast<std::uint32_t>(route.ifindex));
  if (route.source.has_value()) put_address(message, RTA_PREFSRC, *route.source);
  finish(message);
}

void RtBatch::add_neighbour(int ifindex, const IpAddress& address, const MacAddress& mac) {
  nlmsghdr* message = begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
                            fmt::format("RTM_NEWNEIGH {} on ifindex {}", address.str(), ifindex));
  auto* header = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  header->ndm_family = static_cast<std::uint8_t>(address.family());
  header->ndm_ifindex = ifindex;
  header->ndm_state = NUD_PERMANENT;
  put_address(message, NDA_DST, address);
  mnl_attr_put(message, NDA_LLADDR, mac.size(), mac.data());
  finish(message);
}

void RtBatch::forget_neighbour(int ifindex, const IpAddress& address) {
  nlmsghdr* message = begin(RTM_DELNEIGH, 0, fmt::format("RTM_DELNEIGH {} on ifindex {}", address.str(), ifindex));
  auto* header = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  header->ndm_family = static_cast<std::uint8_t>(address.family());
  header->ndm_ifindex = ifindex;
  put_address(message, NDA_DST, address);
  finish(message);
}

Status RtBatch::commit() {
  Status status;
  for (std::size_t first = 0; first < entries_.size() && status.ok();) {
    std::size_t last = first;
    const std::size_t start = entries_[first].offset;
    while (last + 1 < entries_.size() && entries_[last + 1].offset + kMaxRequest - start <= kMaxChunk) ++last;
    status = send_chunk(first, last);
    first = last + 1;
  }
  sequence_ += static_cast<std::uint32_t>(entries_.size());
  entries_.clear();
  buffer_.clear();
  return status;
}

Status RtBatch::send_chunk(std::size_t first, std::size_t last) {
  const std::size_t start = entries_[first].offset;
  const std::size_t end = last + 1 < entries_.size() ? entries_[last + 1].offset : buffer_.size();
  reinterpret_cast<nlmsghdr*>(buffer_.data() + entries_[last].offset)->nlmsg_flags |= NLM_F_ACK;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket_.get(), buffer_.data() + start, end - start, 0, reinterpret_cast<const sockaddr*>(&kernel),
               sizeof kernel) < 0)
    return system_error(fmt::format("{}: sendto(NETLINK_ROUTE, {} requests)", node_, last - first + 1));
  return read_acknowledgement(sequence_ + static_cast<std::uint32_t>(last));
}

Status RtBatch::read_acknowledgement(std::uint32_t last_sequence) {
  alignas(nlmsghdr) std::array<char, kReceiveBuffer> answers;
  Status first_refusal;
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), answers.data(), answers.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(fmt::format("{}: recv(NETLINK_ROUTE)", node_));
    int left = static_cast<int>(got);
    for (const auto* answer = reinterpret_cast<const nlmsghdr*>(answers.data()); mnl_nlmsg_ok(answer, left);
         answer = mnl_nlmsg_next(answer, &left)) {
      if (answer->nlmsg_type != NLMSG_ERROR) continue;
      const auto* refusal = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer));
      if (refusal->error != 0 && first_refusal.ok()) {
        const Entry& entry = entries_.at(answer->nlmsg_seq - sequence_);
        Error error = system_error(fmt::format("{}: {}", node_, entry.what), -refusal->error);
        error.message += extended_ack_text(answer, refusal);
        first_refusal = std::move(error);
      }
      if (answer->nlmsg_seq == last_sequence) return first_refusal;
    }
  }
}

template <typename Visit>
Status RtBatch::dump(int type, int family, const char* what, Visit&& visit) {
  LVSPEC_CHECK(entries_.empty());
  alignas(nlmsghdr) std::array<char, kReceiveBuffer> buffer;
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = static_cast<std::uint16_t>(type);
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = sequence_++;
  const std::uint32_t sequence = request->nlmsg_seq;
  if (type == RTM_GETLINK) {
    auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
    link->ifi_family = static_cast<std::uint8_t>(family);
    mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  } else if (type == RTM_GETMULTICAST) {
    auto* address = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)));
    address->ifa_family = static_cast<std::uint8_t>(family);
  } else {
    auto* neighbour = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
    neighbour->ndm_family = static_cast<std::uint8_t>(family);
  }
  const auto failed = [&](const char* call, int error) {
    return system_error(fmt::format("{}: {} ({})", node_, what, call), error);
  };
  if (::send(socket_.get(), request, request->nlmsg_len, 0) < 0) return failed("send", errno);
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("recv", errno);
    int left = static_cast<int>(got);
    for (const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(answer, left);
         answer = mnl_nlmsg_next(answer, &left)) {
      if (answer->nlmsg_seq != sequence) continue;
      if (answer->nlmsg_type == NLMSG_DONE) return {};
      if (answer->nlmsg_type == NLMSG_ERROR)
        return failed("dump", -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer))->error);
      visit(answer);
    }
  }
}

Result<std::vector<LinkState>> RtBatch::links() {
  std::vector<LinkState> links;
  LVSPEC_TRY(dump(RTM_GETLINK, AF_UNSPEC, "RTM_GETLINK", [&links](const nlmsghdr* answer) {
    LinkState& link = links.emplace_back();
    link.ifindex = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(answer))->ifi_index;
    for_each_attribute(answer, sizeof(ifinfomsg), [&link](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == IFLA_OPERSTATE) link.operational = mnl_attr_get_u8(attribute) == IF_OPER_UP;
    });
  }));
  return links;
}

Result<std::vector<LinkState>> RtBatch::bridge_ports() {
  std::vector<LinkState> ports;
  LVSPEC_TRY(dump(RTM_GETLINK, AF_BRIDGE, "RTM_GETLINK of bridge ports", [&ports](const nlmsghdr* answer) {
    LinkState port;
    port.ifindex = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(answer))->ifi_index;
    bool is_port = false;
    for_each_attribute(answer, sizeof(ifinfomsg), [&port, &is_port](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == IFLA_OPERSTATE) port.operational = mnl_attr_get_u8(attribute) == IF_OPER_UP;
      if (mnl_attr_get_type(attribute) != IFLA_PROTINFO) return;
      is_port = true;
      for_each_nested(attribute, [&port](const nlattr* detail) {
        if (mnl_attr_get_type(detail) == IFLA_BRPORT_STATE)
          port.forwarding = mnl_attr_get_u8(detail) == BR_STATE_FORWARDING;
      });
    });
    if (is_port) ports.push_back(port);
  }));
  return ports;
}

Result<std::vector<Neighbour>> RtBatch::neighbours() {
  std::vector<Neighbour> neighbours;
  LVSPEC_TRY(dump(RTM_GETNEIGH, AF_UNSPEC, "RTM_GETNEIGH", [&neighbours](const nlmsghdr* answer) {
    const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(answer));
    if ((header->ndm_state & NUD_NOARP) != 0) return;  // broadcast and multicast, which nobody has to ask for
    Neighbour neighbour;
    neighbour.ifindex = header->ndm_ifindex;
    neighbour.state = header->ndm_state;
    for_each_attribute(answer, sizeof(ndmsg), [&neighbour, header](const nlattr* attribute) {
      const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
      if (mnl_attr_get_type(attribute) == NDA_DST)
        neighbour.address = IpAddress::from_bytes(header->ndm_family, payload);
      if (mnl_attr_get_type(attribute) == NDA_LLADDR && mnl_attr_get_payload_len(attribute) == neighbour.mac.size())
        std::copy_n(payload, neighbour.mac.size(), neighbour.mac.begin());
    });
    neighbours.push_back(neighbour);
  }));
  return neighbours;
}

Result<std::vector<MulticastGroup>> RtBatch::multicast_groups() {
  std::vector<MulticastGroup> groups;
  LVSPEC_TRY(dump(RTM_GETMULTICAST, AF_INET6, "RTM_GETMULTICAST", [&groups](const nlmsghdr* answer) {
    MulticastGroup& group = groups.emplace_back();
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(answer));
    group.ifindex = static_cast<int>(header->ifa_index);
    for_each_attribute(answer, sizeof(ifaddrmsg), [&group](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == IFA_MULTICAST)
        group.group = IpAddress::from_bytes(AF_INET6, mnl_attr_get_payload(attribute));
    });
  }));
  return groups;
}

}  // namespace lvspec
