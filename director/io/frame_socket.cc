#include "director/io/frame_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <system_error>

namespace lvspec::director {
namespace {

[[noreturn]] void fail(const std::string& attempt) {
  throw std::system_error(errno, std::generic_category(), attempt);
}

template <typename Value>
void set_option(int fd, int level, int option, Value value, const char* attempt) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) fail(attempt);
}

}  // namespace

FrameSocket::FrameSocket(const std::string& interface, Accept accept) {
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) fail("socket(AF_PACKET)");
  set_option(fd_, SOL_PACKET, PACKET_VNET_HDR, 1, "setsockopt(PACKET_VNET_HDR)");
  set_option(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "setsockopt(PACKET_IGNORE_OUTGOING)");
  // A burst of GSO frames must not be dropped between two receive() calls; more than rmem_max needs privilege on the
  // host, and what we get without it is enough for worlds.
  const int wanted = 8 << 20;
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0)
    set_option(fd_, SOL_SOCKET, SO_RCVBUF, wanted, "setsockopt(SO_RCVBUF)");

  // In the kernel, so that nobody is woken for what is not ours.
  if (accept == Accept::kAddressedToUs) {
    std::array<sock_filter, 4> drop_others = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, std::numeric_limits<std::uint32_t>::max()),
    }};
    const sock_fprog program{.len = drop_others.size(), .filter = drop_others.data()};
    set_option(fd_, SOL_SOCKET, SO_ATTACH_FILTER, program, "setsockopt(SO_ATTACH_FILTER)");
  }

  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd_, SIOCGIFHWADDR, &request) != 0) fail("ioctl(SIOCGIFHWADDR, " + interface + ")");
  std::memcpy(mac_.data(), request.ifr_hwaddr.sa_data, mac_.size());
  if (ioctl(fd_, SIOCGIFMTU, &request) != 0) fail("ioctl(SIOCGIFMTU, " + interface + ")");
  mtu_ = static_cast<std::uint32_t>(request.ifr_mtu);

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) fail("if_nametoindex(" + interface + ")");
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("bind(AF_PACKET, " + interface + ")");

  buffers_ = std::make_unique<std::byte[]>(kBatch * (kHeadroom + kLargestFrame));
  for (std::size_t i = 0; i < kBatch; ++i) {
    receive_vectors_[i] = {buffers_.get() + i * (kHeadroom + kLargestFrame) + kHeadroom, kLargestFrame};
    receive_headers_[i].msg_hdr.msg_iov = &receive_vectors_[i];
    receive_headers_[i].msg_hdr.msg_iovlen = 1;
    send_headers_[i].msg_hdr.msg_iov = &send_vectors_[i];
    send_headers_[i].msg_hdr.msg_iovlen = 1;
  }
  made_.resize(kBatch);
}

FrameSocket::~FrameSocket() { close(fd_); }

std::span<const std::span<std::byte>> FrameSocket::receive() {
  const int count = recvmmsg(fd_, receive_headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
  std::size_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (receive_headers_[i].msg_len < kVirtioHeader + sizeof(ethhdr)) continue;
    received_[kept++] = {static_cast<std::byte*>(receive_vectors_[i].iov_base), receive_headers_[i].msg_len};
  }
  // An interface that went down (ENETDOWN) is an empty interface: it may come back.
  return {received_.data(), kept};
}

void FrameSocket::send(std::span<std::byte> frame) {
  send_vectors_[queued_] = {frame.data(), frame.size()};
  if (++queued_ == kBatch) flush();
}

std::span<std::byte> FrameSocket::make(std::size_t frame_without_header) {
  if (made_count_ == kBatch) flush();
  std::vector<std::byte>& frame = made_[made_count_++];
  frame.resize(kVirtioHeader + frame_without_header);
  std::memset(frame.data(), 0, kVirtioHeader);
  return frame;
}

void FrameSocket::send_copy(std::span<const std::byte> frame_without_header) {
  const std::span<std::byte> copy = make(frame_without_header.size());
  std::memcpy(copy.data() + kVirtioHeader, frame_without_header.data(), frame_without_header.size());
  send(copy);
}

void FrameSocket::flush() {
  std::size_t sent = 0;
  while (sent < queued_) {
    const int count = sendmmsg(fd_, send_headers_.data() + sent, static_cast<unsigned>(queued_ - sent), 0);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      ++sent;  // this frame cannot leave (link down, queue full): the wire loses it, as wires do
    }
  }
  queued_ = 0;
  made_count_ = 0;
}

}  // namespace lvspec::director
