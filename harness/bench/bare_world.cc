#include "harness/bench/bare_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace lvspec {
namespace {

class Builder {
 public:
  explicit Builder(int servers) : home_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    nodes_.reserve(static_cast<std::size_t>(servers) + 3);
    add_namespace(0);  // the segment
    add_namespace(254);
    add_namespace(1);
    for (int i = 1; i <= servers; ++i) add_namespace(10 + i);
    segment();
    client();
    end_node(2, nullptr, 2);
    for (std::size_t i = 3; i < nodes_.size(); ++i) end_node(i, "1", 1);
  }

  bool good() const { return good_; }
  std::vector<FileDescriptor> take_namespaces() {
    std::vector<FileDescriptor> namespaces;
    for (BareNode& node : nodes_) namespaces.push_back(std::move(node.netns));
    return namespaces;
  }

 private:
  struct BareNode {
    FileDescriptor netns;
    FileDescriptor socket;
    int byte = 0;
  };

  void add_namespace(int byte) {
    BareNode node;
    good_ &= ::unshare(CLONE_NEWNET) == 0;
    node.netns.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    node.socket.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    node.byte = byte;
    write_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
    if (byte == 254) write_sysctl("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
    good_ &= ::setns(home_.get(), CLONE_NEWNET) == 0;
    nodes_.push_back(std::move(node));
  }

  static void write_sysctl(const char* path, const char* value) {
    const FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (file.valid() && ::write(file.get(), value, 1) != 1) return;
  }

  template <typename Header>
  Header* begin(int type, int flags) {
    message_ = reinterpret_cast<nlmsghdr*>(buffer_.data() + used_);
    std::memset(message_, 0, NLMSG_SPACE(sizeof(Header)));
    message_->nlmsg_len = NLMSG_LENGTH(sizeof(Header));
    message_->nlmsg_type = static_cast<std::uint16_t>(type);
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    return static_cast<Header*>(NLMSG_DATA(message_));
  }
  void end() { used_ += NLMSG_ALIGN(message_->nlmsg_len); }

  rtattr* put(int type, const void* data, std::size_t size) {
    auto* attribute = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(message_) + NLMSG_ALIGN(message_->nlmsg_len));
    attribute->rta_type = static_cast<unsigned short>(type);
    attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    if (size > 0) std::memcpy(RTA_DATA(attribute), data, size);
    message_->nlmsg_len = NLMSG_ALIGN(message_->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
  }
  void put32(int type, std::uint32_t value) { put(type, &value, sizeof value); }
  rtattr* nest(int type) { return put(type, nullptr, 0); }
  void close_nest(rtattr* nest) {
    nest->rta_len = static_cast<unsigned short>(reinterpret_cast<char*>(message_) + message_->nlmsg_len -
                                                reinterpret_cast<char*>(nest));
  }
  void put_mac(int lan, int byte) {
    const std::array<std::uint8_t, 6> mac = {
        2, 0, 0xcb, 0, static_cast<std::uint8_t>(lan), static_cast<std::uint8_t>(byte)};
    put(IFLA_ADDRESS, mac.data(), mac.size());
  }
  int put_ip(int type, const char* text) {
    std::array<std::uint8_t, 16> bytes;
    const int family = std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET;
    good_ &= inet_pton(family, text, bytes.data()) == 1;
    put(type, bytes.data(), family == AF_INET6 ? 16 : 4);
    return family;
  }

  void quiet_ipv6(int ifindex) {
    begin<ifinfomsg>(RTM_SETLINK, 0)->ifi_index = ifindex;
    rtattr* spec = nest(IFLA_AF_SPEC);
    rtattr* inet6 = nest(AF_INET6);
    const std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    put(IFLA_INET6_ADDR_GEN_MODE, &none, 1);
    close_nest(inet6);
    close_nest(spec);
    end();
  }
  void eth0_settings(std::uint32_t arp_ignore, std::uint32_t arp_announce) {
    begin<ifinfomsg>(RTM_SETLINK, 0)->ifi_index = 2;
    rtattr* spec = nest(IFLA_AF_SPEC);
    rtattr* inet = nest(AF_INET);
    rtattr* conf = nest(IFLA_INET_CONF);
    put32(IPV4_DEVCONF_ACCEPT_LOCAL, 0);
    put32(IPV4_DEVCONF_ARP_ANNOUNCE, arp_announce);
    put32(IPV4_DEVCONF_ARP_IGNORE, arp_ignore);
    put32(IPV4_DEVCONF_FORWARDING, 0);
    put32(IPV4_DEVCONF_RP_FILTER, 0);
    close_nest(conf);
    close_nest(inet);
    rtattr* inet6 = nest(AF_INET6);
    const std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    put(IFLA_INET6_ADDR_GEN_MODE, &none, 1);
    close_nest(inet6);
    close_nest(spec);
    end();
  }
  void up(int ifindex) {
    auto* link = begin<ifinfomsg>(RTM_SETLINK, 0);
    link->ifi_index = ifindex;
    link->ifi_flags = link->ifi_change = IFF_UP;
    end();
  }
  void address(int ifindex, const char* text, int length, std::uint32_t flags = 0) {
    auto* header = begin<ifaddrmsg>(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    header->ifa_index = static_cast<std::uint32_t>(ifindex);
    header->ifa_prefixlen = static_cast<std::uint8_t>(length);
    header->ifa_family = static_cast<std::uint8_t>(put_ip(IFA_LOCAL, text));
    put_ip(IFA_ADDRESS, text);
    put32(IFA_FLAGS, flags | (header->ifa_family == AF_INET6 ? IFA_F_NODAD : 0U));
    end();
  }
  void route(const char* text, int length, int type, int ifindex, const char* via, const char* source) {
    auto* header = begin<rtmsg>(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    header->rtm_dst_len = static_cast<std::uint8_t>(length);
    header->rtm_type = static_cast<std::uint8_t>(type);
    header->rtm_protocol = RTPROT_STATIC;
    header->rtm_table = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
    header->rtm_scope = type == RTN_LOCAL
                            ? RT_SCOPE_HOST
                            : (type == RTN_UNICAST && via == nullptr ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    header->rtm_family = static_cast<std::uint8_t>(put_ip(RTA_DST, text));
    if (ifindex != 0) put32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
    if (via != nullptr) put_ip(RTA_GATEWAY, via);
    if (source != nullptr) put_ip(RTA_PREFSRC, source);
    end();
  }

  /// Sends what is in the buffer to one namespace and waits for the acknowledgement of the last message.
  void send(const BareNode& node) {
    message_->nlmsg_flags |= NLM_F_ACK;
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    good_ &= ::sendto(node.socket.get(), buffer_.data(), used_, 0, reinterpret_cast<const sockaddr*>(&kernel),
                      sizeof kernel) == static_cast<ssize_t>(used_);
    used_ = 0;
    if (!good_) return;
    std::array<char, 4096> answer;
    good_ &= ::recv(node.socket.get(), answer.data(), answer.size(), 0) > 0;
    // The first answer is a refusal or the acknowledgement at the end.
    good_ &= static_cast<nlmsgerr*>(NLMSG_DATA(answer.data()))->error == 0;
  }

  void segment() {
    begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)->ifi_index = 2;
    put(IFLA_IFNAME, "switch", sizeof "switch");
    put_mac(0x72, 0);
    rtattr* info = nest(IFLA_LINKINFO);
    put(IFLA_INFO_KIND, "bridge", sizeof "bridge");
    rtattr* data = nest(IFLA_INFO_DATA);
    put32(IFLA_BR_STP_STATE, 0);
    const std::uint8_t off = 0;
    put(IFLA_BR_MCAST_SNOOPING, &off, 1);
    close_nest(data);
    close_nest(info);
    end();
    quiet_ipv6(2);
    up(2);
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      const int port = 100 + nodes_[i].byte;
      begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL)->ifi_index = port;
      const std::string name = fmt::format("p{}", port);
      put(IFLA_IFNAME, name.c_str(), name.size() + 1);
      put_mac(0x72, nodes_[i].byte);
      put32(IFLA_NUM_TX_QUEUES, 1);
      put32(IFLA_NUM_RX_QUEUES, 1);
      put32(IFLA_MASTER, 2);
      info = nest(IFLA_LINKINFO);
      put(IFLA_INFO_KIND, "veth", sizeof "veth");
      data = nest(IFLA_INFO_DATA);
      ifinfomsg peer_link{};
      peer_link.ifi_index = 2;
      rtattr* peer = put(VETH_INFO_PEER, &peer_link, sizeof peer_link);
      put(IFLA_IFNAME, "eth0", sizeof "eth0");
      put_mac(0x71, nodes_[i].byte);
      put32(IFLA_NUM_TX_QUEUES, 1);
      put32(IFLA_NUM_RX_QUEUES, 1);
      put32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(nodes_[i].netns.get()));
      close_nest(peer);
      close_nest(data);
      close_nest(info);
      end();
      quiet_ipv6(port);
      up(port);
    }
    send(nodes_[0]);
  }

  void client() {
    up(1);
    eth0_settings(0, 2);
    up(2);
    route("192.0.2.0", 24, RTN_LOCAL, 1, nullptr, nullptr);
    route("192.0.2.240", 28, RTN_BLACKHOLE, 0, nullptr, nullptr);
    address(2, "203.0.113.254", 24, IFA_F_NOPREFIXROUTE);
    route("203.0.113.0", 24, RTN_UNICAST, 2, nullptr, "192.0.2.1");
    route("198.51.100.0", 24, RTN_UNICAST, 2, nullptr, "192.0.2.1");
    route("2001:db8:2::", 64, RTN_LOCAL, 1, nullptr, nullptr);
    address(1, "2001:db8:2::1", 128);
    address(2, "2001:db8:113::fe", 64, IFA_F_NOPREFIXROUTE);
    address(2, "fe80::fe", 64);
    route("2001:db8:113::", 64, RTN_UNICAST, 2, nullptr, "2001:db8:2::1");
    route("2001:db8:51::", 64, RTN_UNICAST, 2, nullptr, "2001:db8:2::1");
    send(nodes_[1]);
  }

  void end_node(std::size_t index, const char* real, int vip_ifindex) {
    const int byte = nodes_[index].byte;
    up(1);
    eth0_settings(real != nullptr ? 1 : 0, real != nullptr ? 2 : 0);
    up(2);
    const std::string own = fmt::format("203.0.113.{}", byte);
    const std::string own6 = fmt::format("2001:db8:113::{:x}", byte);
    const std::string link = fmt::format("fe80::{:x}", byte);
    address(2, own.c_str(), 24);
    address(vip_ifindex, "198.51.100.10", 32);
    route("192.0.2.0", 24, RTN_UNICAST, 2, "203.0.113.254", own.c_str());
    address(2, own6.c_str(), 64);
    address(2, link.c_str(), 64);
    address(vip_ifindex, "2001:db8:51::10", 128);
    route("2001:db8:2::", 64, RTN_UNICAST, 2, "2001:db8:113::fe", own6.c_str());
    send(nodes_[index]);
  }

  FileDescriptor home_;
  std::vector<BareNode> nodes_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{256} * 1024);
  std::size_t used_ = 0;
  nlmsghdr* message_ = nullptr;
  bool good_ = true;
};

}  // namespace

Result<BareWorld> BareWorld::build(int servers) {
  Builder builder(servers);
  if (!builder.good()) return Error{"the bare rtnetlink program was refused something"};
  return BareWorld(builder.take_namespaces());
}

}  // namespace lvspec
