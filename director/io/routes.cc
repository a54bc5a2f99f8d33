#include "director/io/routes.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "director/io/ip_header.h"

namespace lvspec::director {
namespace {

int open_netlink(std::uint32_t groups) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket(NETLINK_ROUTE)");
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = groups;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    const int error = errno;
    close(fd);
    throw std::system_error(error, std::generic_category(), "bind(NETLINK_ROUTE)");
  }
  return fd;
}

Address address_in(const nlattr* attribute, Family family) {
  Address address;
  std::memcpy(address.bytes.data(), mnl_attr_get_payload(attribute),
              std::min<std::size_t>(mnl_attr_get_payload_len(attribute), length_of(family)));
  return address;
}

// libmnl's own loops are not C++.
template <typename Visit>
void each_attribute(const void* first, const void* end, Visit visit) {
  const auto left = [end](const nlattr* at) {
    return static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(at));
  };
  for (auto* at = static_cast<const nlattr*>(first); mnl_attr_ok(at, left(at)); at = mnl_attr_next(at)) visit(at);
}

std::uint32_t mtu_in(const nlattr* metrics, std::uint32_t mtu) {
  const char* const first = static_cast<const char*>(mnl_attr_get_payload(metrics));
  each_attribute(first, first + mnl_attr_get_payload_len(metrics), [&](const nlattr* metric) {
    if (mnl_attr_get_type(metric) == RTAX_MTU) mtu = mnl_attr_get_u32(metric);
  });
  return mtu;
}

Route read_route(const nlmsghdr* message, const FamilyAddress& destination, std::uint32_t link_mtu) {
  const auto* said = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  Route route;
  route.next_hop = destination.address;
  route.mtu = link_mtu;
  switch (said->rtm_type) {
    case RTN_LOCAL:
      route.kind = Route::Kind::kLocal;
      break;
    case RTN_UNICAST:
      route.kind = Route::Kind::kUnicast;
      break;
    case RTN_MULTICAST:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
      route.kind = Route::Kind::kOther;
      break;
    default:
      return route;  // blackhole, unreachable, prohibit
  }
  each_attribute(mnl_nlmsg_get_payload_offset(message, sizeof(rtmsg)), mnl_nlmsg_get_payload_tail(message),
                 [&](const nlattr* attribute) {
                   switch (mnl_attr_get_type(attribute)) {
                     case RTA_GATEWAY:
                       route.next_hop = address_in(attribute, destination.family);
                       break;
                     case RTA_PREFSRC:
                       route.source = address_in(attribute, destination.family);
                       break;
                     case RTA_METRICS:
                       route.mtu = std::min(link_mtu, mtu_in(attribute, link_mtu));
                       break;
                     default:
                       break;
                   }
                 });
  return route;
}

}  // namespace

Routes::Routes(std::vector<FamilyAddress> own, std::uint32_t mtu) : own_(std::move(own)), mtu_(mtu) {}

Routes::~Routes() {
  if (questions_ >= 0) close(questions_);
  if (changes_ >= 0) close(changes_);
}

void Routes::ask_kernel() {
  questions_ = open_netlink(0);
  changes_ = open_netlink(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                          RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE);
}

void Routes::refresh() {
  std::array<char, 8192> ignored{};
  // ENOBUFS says that more has changed than was told, which comes to the same.
  while (recv(changes_, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS || errno == EINTR) {
    remembered_.clear();
  }
}

const Route& Routes::to(const FamilyAddress& destination, DirectorTime now) {
  auto found = remembered_.find(destination);
  if (found == remembered_.end()) {
    if (remembered_.size() >= kMostRemembered) remembered_.clear();
    const Route route = questions_ >= 0 ? ask(destination) : without_kernel(destination);
    found = remembered_.emplace(destination, Remembered{.route = route, .effective = route}).first;
  }
  Remembered& remembered = found->second;
  if (remembered.path_mtu != 0 && remembered.until <= now) {
    remembered.path_mtu = 0;
    remembered.effective = remembered.route;
  }
  return remembered.effective;
}

std::uint32_t Routes::learn_mtu(const FamilyAddress& destination, std::uint32_t mtu, DirectorTime now) {
  const Route& route = to(destination, now);
  const std::uint32_t least = destination.family == Family::kIpv4 ? kLeastMtu4 : 1280;
  mtu = std::max(mtu, std::min(least, route.mtu));
  if (mtu >= route.mtu) return route.mtu;
  Remembered& remembered = remembered_.at(destination);
  const std::uint32_t told = remembered.path_mtu != 0 ? mtu : route.mtu;
  remembered.path_mtu = mtu;
  remembered.until = now + kPathMtuLasts;
  remembered.effective.mtu = mtu;
  return told;
}

Route Routes::without_kernel(const FamilyAddress& destination) const {
  Route route;
  route.next_hop = destination.address;
  route.mtu = mtu_;
  const bool own = std::find(own_.begin(), own_.end(), destination) != own_.end();
  if (own || is_loopback(destination.family, destination.address)) {
    route.kind = Route::Kind::kLocal;
    return route;
  }
  const bool unicast = is_unicast(destination.family, destination.address);
  route.kind = unicast ? Route::Kind::kUnicast : Route::Kind::kOther;
  const auto first = std::find_if(own_.begin(), own_.end(),
                                  [&](const FamilyAddress& one) { return one.family == destination.family; });
  if (first != own_.end()) route.source = first->address;
  return route;
}

Route Routes::ask(const FamilyAddress& destination) {
  std::array<char, 512> question{};
  nlmsghdr* const message = mnl_nlmsg_put_header(question.data());
  message->nlmsg_type = RTM_GETROUTE;
  message->nlmsg_flags = NLM_F_REQUEST;
  message->nlmsg_seq = ++sequence_;
  auto* const asked = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  asked->rtm_family = destination.family == Family::kIpv4 ? AF_INET : AF_INET6;
  asked->rtm_dst_len = static_cast<unsigned char>(8 * length_of(destination.family));
  mnl_attr_put(message, RTA_DST, length_of(destination.family), destination.address.bytes.data());
  if (send(questions_, message, message->nlmsg_len, 0) < 0) return {};

  alignas(nlmsghdr) std::array<char, 8192> answer{};
  for (;;) {
    const ssize_t count = recv(questions_, answer.data(), answer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return {};
    int left = static_cast<int>(count);
    for (const auto* reply = reinterpret_cast<const nlmsghdr*>(answer.data()); mnl_nlmsg_ok(reply, left);
         reply = mnl_nlmsg_next(reply, &left)) {
      if (reply->nlmsg_seq != sequence_) continue;
      if (reply->nlmsg_type != RTM_NEWROUTE) return {};  // NLMSG_ERROR: ENETUNREACH, EHOSTUNREACH, ...
      return read_route(reply, destination, mtu_);
    }
  }
}

}  // namespace lvspec::director
