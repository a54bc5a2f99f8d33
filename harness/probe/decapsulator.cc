#include "harness/probe/decapsulator.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/probe/frame.h"

namespace lvspec {
namespace {

using Bytes = std::span<std::uint8_t>;

constexpr std::size_t kVirtio = 10, kEthernet = 14, kIpv4 = 20, kIpv6 = 40, kUdp = 8, kGue = 4, kGre = 4;

int u16(Bytes bytes, std::size_t at) { return bytes[at] << 8 | bytes[at + 1]; }

/// struct virtio_net_hdr, of which we need this much; in the host's byte order.
struct Offload {
  std::uint8_t flags = 0, segments = 0;
  std::uint16_t headers = 0, segment_size = 0, checksum_from = 0, checksum_at = 0;
};
static_assert(sizeof(Offload) == kVirtio);

/// What a tunnel packet carries.
struct Inside {
  std::size_t at = 0;  ///< where it begins, from the outer IP header
  bool is_v6 = false;
};

/// The one's complement sum over a pseudo-header and `datagram` is all ones if its checksum is right.
bool udp_checksum_is_right(Bytes outer, std::size_t header, Bytes datagram) {
  std::vector<std::uint8_t> summed(outer.begin() + (header == kIpv4 ? 12 : 8),
                                   outer.begin() + (header == kIpv4 ? 20 : 40));
  const std::size_t length = datagram.size();
  for (const std::size_t byte : {std::size_t{0}, std::size_t{IPPROTO_UDP}, length >> 8, length & 0xff})
    summed.push_back(static_cast<std::uint8_t>(byte));
  summed.insert(summed.end(), datagram.begin(), datagram.end());
  return internet_checksum(summed) == 0;
}

/// GUE with a remote checksum: the far end left the inner checksum to us (draft-herbert-remotecsumoffload).
bool complete_remote_checksum(Bytes gue, Bytes inner) {
  constexpr std::uint8_t kPrivateFlags = 1, kRemote = 0x80;
  if ((gue[3] & kPrivateFlags) == 0) return true;
  if (gue.size() < 12 || (gue[4] & kRemote) == 0) return false;
  const auto from = static_cast<std::size_t>(u16(gue, 8)), at = static_cast<std::size_t>(u16(gue, 10));
  if (from >= inner.size() || at + 2 > inner.size()) return false;
  const std::uint16_t checksum = internet_checksum(inner.subspan(from));
  inner[at] = static_cast<std::uint8_t>(checksum >> 8);
  inner[at + 1] = static_cast<std::uint8_t>(checksum);
  return true;
}

/// @param is_whole  nothing of the outer packet is left to offloads, so its checksums can be looked at
std::optional<Inside> inside_of(Bytes outer, bool is_whole) {
  if (outer.size() < kIpv4) return std::nullopt;
  const bool six = outer[0] >> 4 == 6;
  const std::size_t header = six ? kIpv6 : kIpv4;
  if (outer.size() < header) return std::nullopt;
  if (!six && (outer[0] != 0x45 || (u16(outer, 6) & 0x3fff) != 0)) return std::nullopt;
  const Bytes payload = outer.subspan(header);
  switch (six ? outer[6] : outer[9]) {
    case IPPROTO_IPIP:
      return Inside{header, false};
    case IPPROTO_IPV6:
      return Inside{header, true};
    case IPPROTO_GRE: {
      if (payload.size() < 2 * kGre) return std::nullopt;
      const bool checksum = (payload[0] & 0x80) != 0;
      if (checksum && is_whole && internet_checksum(payload) != 0) return std::nullopt;
      return Inside{header + kGre + (checksum ? kGre : 0), u16(payload, 2) == ETHERTYPE_IPV6};
    }
    case IPPROTO_UDP: {
      if (payload.size() < kUdp + kGue || u16(payload, 2) != kGuePort) return std::nullopt;
      const bool checksum = u16(payload, 6) != 0;
      if (checksum && is_whole && !udp_checksum_is_right(outer, header, payload)) return std::nullopt;
      const Bytes gue = payload.subspan(kUdp);
      const std::size_t options = std::size_t{4} * (gue[0] & 0x1f);
      if (gue.size() < kGue + options) return std::nullopt;
      if (!complete_remote_checksum(gue, gue.subspan(kGue + options))) return std::nullopt;
      return Inside{header + kUdp + kGue + options, gue[1] == IPPROTO_IPV6};
    }
    default:
      return std::nullopt;
  }
}

Result<FileDescriptor> packet_socket(const std::string& node, const char* interface, int protocol) {
  FileDescriptor fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error(node + ": socket(AF_PACKET)");
  const int on = 1;
  if (setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0)
    return system_error(node + ": setsockopt(PACKET_VNET_HDR)");
  if (setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
    return system_error(node + ": setsockopt(PACKET_IGNORE_OUTGOING)");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
  at.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
    return system_error(fmt::format("{}: bind(AF_PACKET, {})", node, interface));
  return fd;
}

/// A socket that nobody reads: with it the kernel takes the protocol for served, and answers no ICMP.
Result<FileDescriptor> mute(const std::string& node, int family, int type, int protocol) {
  FileDescriptor fd(::socket(family, type | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return system_error(fmt::format("{}: socket({}, {}, {})", node, family, type, protocol));
  // Nothing is queued either: a socket whose buffer is full does not count as one that serves.
  sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog filter = {1, &nothing};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    return system_error(node + ": setsockopt(SO_ATTACH_FILTER)");
  if (type != SOCK_DGRAM) return fd;
  const int on = 1;
  sockaddr_storage at{};
  if (family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto& six = reinterpret_cast<sockaddr_in6&>(at);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(kGuePort);
  } else {
    auto& four = reinterpret_cast<sockaddr_in&>(at);
    four.sin_family = AF_INET;
    four.sin_port = htons(kGuePort);
  }
  const socklen_t length = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), length) != 0)
    return system_error(fmt::format("{}: bind(UDP {})", node, kGuePort));
  return fd;
}

/// One real server.
struct End {
  FileDescriptor wire, stack;
  std::vector<FileDescriptor> mutes;

  void serve(Bytes buffer) const {
    for (;;) {
      sockaddr_ll from{};
      socklen_t length = sizeof from;
      const ssize_t size =
          recvfrom(wire.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size < 0 && errno == EINTR) continue;
      if (size >= 0 && from.sll_pkttype == PACKET_OTHERHOST) continue;  // the switch floods what it has not learned
      if (size < static_cast<ssize_t>(kVirtio + kEthernet)) return;
      carry(buffer.first(static_cast<std::size_t>(size)));
    }
  }

  void carry(Bytes buffer) const {
    Offload offload;
    std::memcpy(&offload, buffer.data(), sizeof offload);
    const Bytes frame = buffer.subspan(kVirtio);
    Bytes outer = frame.subspan(kEthernet);
    const int type = u16(frame, 12);
    if (type != ETHERTYPE_IP && type != ETHERTYPE_IPV6) return;
    if (type == ETHERTYPE_IP && outer.size() >= kIpv4)
      outer = outer.first(std::min(outer.size(), static_cast<std::size_t>(u16(outer, 2))));
    const std::optional<Inside> inside = inside_of(outer, offload.flags == 0 && offload.segments == 0);
    if (!inside || inside->at >= outer.size()) return;
    // What is still partial is so inside: the kernel's own tunnels leave inner checksums to the far device.
    std::array<std::uint8_t, kVirtio + kEthernet> head{};
    if (offload.checksum_from >= kEthernet + inside->at) {
      offload.checksum_from = static_cast<std::uint16_t>(offload.checksum_from - inside->at);
      // Said of segments only, else zero.
      if (offload.headers > inside->at) offload.headers = static_cast<std::uint16_t>(offload.headers - inside->at);
    } else {
      offload = {};
    }
    std::memcpy(head.data(), &offload, sizeof offload);
    head[kVirtio + 12] = inside->is_v6 ? 0x86 : 0x08;
    head[kVirtio + 13] = inside->is_v6 ? 0xdd : 0x00;
    const Bytes inner = outer.subspan(inside->at);
    iovec parts[2] = {{head.data(), head.size()}, {inner.data(), inner.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    (void)sendmsg(stack.get(), &message, 0);  // a packet that lo does not take is lost, as on a wire
  }
};

}  // namespace

struct Decapsulators::State {
  FileDescriptor epoll, stop;
  std::mutex mutex;
  std::deque<End> ends;
  std::thread thread;

  ~State() {
    if (!thread.joinable()) return;
    const std::uint64_t one = 1;
    (void)!write(stop.get(), &one, sizeof one);
    thread.join();
  }

  void run() {
    std::vector<std::uint8_t> buffer(kVirtio + kEthernet + 65536);
    for (;;) {
      epoll_event event{};
      if (epoll_wait(epoll.get(), &event, 1, -1) < 1) continue;
      if (event.data.ptr == nullptr) return;
      static_cast<const End*>(event.data.ptr)->serve(buffer);
    }
  }

  Status watch(int fd, const End* end) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = const_cast<End*>(end);
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl(decapsulator)");
    return {};
  }
};

Decapsulators::Decapsulators(std::unique_ptr<State> state) : state_(std::move(state)) {}
Decapsulators::Decapsulators(Decapsulators&&) noexcept = default;
Decapsulators& Decapsulators::operator=(Decapsulators&&) noexcept = default;
Decapsulators::~Decapsulators() = default;

Result<Decapsulators> Decapsulators::create() {
  auto state = std::make_unique<State>();
  state->epoll = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
  if (!state->epoll.valid()) return system_error("epoll_create1");
  state->stop = FileDescriptor(eventfd(0, EFD_CLOEXEC));
  if (!state->stop.valid()) return system_error("eventfd");
  LVSPEC_TRY(state->watch(state->stop.get(), nullptr));
  state->thread = std::thread([state = state.get()] { state->run(); });
  return Decapsulators(std::move(state));
}

Status Decapsulators::add(const NetworkNamespace& netns) {
  LVSPEC_ASSIGN(End end, netns.call([&]() -> Result<End> {
    End made;
    const std::string& node = netns.name();
    LVSPEC_ASSIGN(made.wire, packet_socket(node, "eth0", ETH_P_ALL));
    LVSPEC_ASSIGN(made.stack, packet_socket(node, "lo", 0));
    for (const int family : {AF_INET, AF_INET6}) {
      for (const int protocol : {IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_GRE}) {
        LVSPEC_ASSIGN(FileDescriptor socket, mute(node, family, SOCK_RAW, protocol));
        made.mutes.push_back(std::move(socket));
      }
      LVSPEC_ASSIGN(FileDescriptor socket, mute(node, family, SOCK_DGRAM, IPPROTO_UDP));
      made.mutes.push_back(std::move(socket));
    }
    return made;
  }));
  const std::lock_guard lock(state_->mutex);
  state_->ends.push_back(std::move(end));
  return state_->watch(state_->ends.back().wire.get(), &state_->ends.back());
}

}  // namespace lvspec
