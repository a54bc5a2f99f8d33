#include "director/io/ingress.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

namespace lvspec::director {
namespace {

constexpr std::uint32_t kQdisc = TC_H_CLSACT & TC_H_MAJ_MASK;
constexpr std::uint32_t kIngress = kQdisc | TC_H_MIN_INGRESS;
constexpr std::uint32_t kPriority = 1;

struct Order {
  std::uint16_t type, flags;
  std::uint32_t handle, parent, info;
};

// One request and its acknowledgement. @return whether the kernel agreed.
bool agreed(int fd, int interface, const Order& order, const std::function<void(nlmsghdr*)>& add_attributes) {
  alignas(nlmsghdr) std::array<char, 512> request{};
  nlmsghdr* const message = mnl_nlmsg_put_header(request.data());
  message->nlmsg_type = order.type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | order.flags);
  auto* const what = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(tcmsg)));
  what->tcm_ifindex = interface;
  what->tcm_handle = order.handle;
  what->tcm_parent = order.parent;
  what->tcm_info = order.info;
  add_attributes(message);
  if (send(fd, message, message->nlmsg_len, 0) < 0) return false;
  alignas(nlmsghdr) std::array<char, 1024> answer{};
  const auto* const reply = reinterpret_cast<const nlmsghdr*>(answer.data());
  const ssize_t size = recv(fd, answer.data(), answer.size(), 0);
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr))) || reply->nlmsg_type != NLMSG_ERROR) return false;
  return static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(reply))->error == 0;
}

bool add_qdisc(int fd, int interface) {
  return agreed(fd, interface, {RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, kQdisc, TC_H_CLSACT, 0},
                [](nlmsghdr* message) { mnl_attr_put_strz(message, TCA_KIND, "clsact"); });
}

bool add_filter(int fd, int interface) {
  constexpr std::array<sock_filter, 4> kDropOurs = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT),
      BPF_STMT(BPF_RET | BPF_K, TC_ACT_OK),
  }};
  return agreed(
      fd, interface,
      {RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, 0, kIngress, TC_H_MAKE(kPriority << 16, htons(ETH_P_ALL))},
      [&](nlmsghdr* message) {
        mnl_attr_put_strz(message, TCA_KIND, "bpf");
        nlattr* const options = mnl_attr_nest_start(message, TCA_OPTIONS);
        mnl_attr_put_u16(message, TCA_BPF_OPS_LEN, kDropOurs.size());
        mnl_attr_put(message, TCA_BPF_OPS, sizeof kDropOurs, kDropOurs.data());
        mnl_attr_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
        mnl_attr_nest_end(message, options);
      });
}

void remove_qdisc(int fd, int interface) {
  agreed(fd, interface, {RTM_DELQDISC, 0, kQdisc, TC_H_CLSACT, 0}, [](nlmsghdr*) {});
}

}  // namespace

IngressEnd::IngressEnd(const std::string& interface)
    : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)),
      interface_(static_cast<int>(if_nametoindex(interface.c_str()))) {
  if (fd_ < 0 || interface_ == 0 || !add_qdisc(fd_, interface_)) return;
  holds_ = add_filter(fd_, interface_);
  if (!holds_) remove_qdisc(fd_, interface_);
}

IngressEnd::~IngressEnd() {
  if (holds_) remove_qdisc(fd_, interface_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace lvspec::director
