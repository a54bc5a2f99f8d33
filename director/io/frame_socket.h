#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lvspec::director {

/// Frames in and out of one interface, in batches.
///
/// AF_PACKET with recvmmsg, sendmmsg and PACKET_VNET_HDR, because of all user-space paths that were measured it has
/// the lowest latency at the CPU price of the best (ci/bench shows it against no director and HAProxy):
///   - The virtio header that precedes each frame carries "this checksum is partial" and "this is a GSO packet of up
///     to 64 KiB" through us untouched. Without it veth's partial checksums go out wrong, or the sender's offloads
///     must be switched off, which costs a factor of ten in bulk.
///   - TPACKET_V3 holds frames back until a block fills (2 ms at one connection at a time); V2 rings carry no virtio
///     header for sending.
///   - NFQUEUE is as fast but needs rules, routes and ip_forward in the namespace, and decrements the TTL itself.
///   - XDP_TX on veth drops silently unless the peer runs a program too.
class FrameSocket {
 public:
  static constexpr std::size_t kBatch = 32;
  /// struct virtio_net_hdr of <linux/virtio_net.h>, which is not C++ (it has a member called "class").
  static constexpr std::size_t kVirtioHeader = 10;
  static constexpr std::size_t kLargestFrame = 65536 + 14 + kVirtioHeader;
  /// Bytes in front of every received frame that may be written to: room for the outer headers of a tunnel.
  static constexpr std::size_t kHeadroom = 128;

  /// Which frames are ours. The wire is a shared segment, and the bridge floods what it has not learned yet; the way
  /// to our own stack carries what that stack sends, to whomever.
  enum class Accept { kAddressedToUs, kEverything };

  /// @throws std::system_error naming the call and the interface
  FrameSocket(const std::string& interface, Accept accept);
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  int fd() const { return fd_; }
  const std::array<std::uint8_t, 6>& mac() const { return mac_; }
  std::uint32_t mtu() const { return mtu_; }

  /// Takes up to kBatch waiting frames without blocking. Each span starts with the virtio header and may be written
  /// to; they stay valid until the next receive().
  std::span<const std::span<std::byte>> receive();

  /// Queues a frame (virtio header first); the memory must stay until flush(). A full queue flushes by itself.
  void send(std::span<std::byte> frame);
  /// Memory for a frame of our own, virtio header (all zero) first, until the next flush(); to be sent with send().
  std::span<std::byte> make(std::size_t frame_without_header);
  /// Queues a frame that we made: copied, virtio header added.
  void send_copy(std::span<const std::byte> frame_without_header);
  void flush();

 private:
  int fd_ = -1;
  std::array<std::uint8_t, 6> mac_{};
  std::unique_ptr<std::byte[]> buffers_;
  std::array<iovec, kBatch> receive_vectors_{};
  std::array<mmsghdr, kBatch> receive_headers_{};
  std::array<std::span<std::byte>, kBatch> received_;
  std::array<iovec, kBatch> send_vectors_{};
  std::array<mmsghdr, kBatch> send_headers_{};
  std::size_t queued_ = 0;
  std::uint32_t mtu_ = 0;
  std::vector<std::vector<std::byte>> made_;  // kept from flush to flush, so that only longer ones allocate
  std::size_t made_count_ = 0;
};

}  // namespace lvspec::director
