#include "director/io/frame_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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

FrameSocket::FrameSocket(const std::string& interface, Accept accept) : accept_(accept) {
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) fail("socket(AF_PACKET)");
  set_option(fd_, SOL_PACKET, PACKET_VNET_HDR, 1, "setsockopt(PACKET_VNET_HDR)");
  set_option(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "setsockopt(PACKET_IGNORE_OUTGOING)");
  // A burst of GSO frames must not be dropped between two receive() calls; more than rmem_max needs privilege on the
  // host, and what we get without it is enough for worlds.
  const int wanted = 8 << 20;
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0)
    set_option(fd_, SOL_SOCKET, SO_RCVBUF, wanted, "setsockopt(SO_RCVBUF)");

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
    receive_headers_[i].msg_hdr.msg_name = &receive_from_[i];
    send_headers_[i].msg_hdr.msg_iov = &send_vectors_[i];
    send_headers_[i].msg_hdr.msg_iovlen = 1;
  }
  made_.resize(kBatch);
}

FrameSocket::~FrameSocket() { close(fd_); }

std::span<const std::span<std::byte>> FrameSocket::receive() {
  for (auto& header : receive_headers_) header.msg_hdr.msg_namelen = sizeof(sockaddr_ll);
  const int count = recvmmsg(fd_, receive_headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
  std::size_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (accept_ == Accept::kAddressedToUs && receive_from_[i].sll_pkttype == PACKET_OTHERHOST) continue;
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
