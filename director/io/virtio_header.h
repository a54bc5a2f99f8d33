#pragma once

#include <cstdint>
#include <cstring>

#include "director/io/bytes.h"
#include "director/io/frame_socket.h"

namespace lvspec::director {

/// struct virtio_net_hdr: what a packet socket says of a frame's checksum and segments, in the host's byte order.
/// Offsets are from the Ethernet header.
struct VirtioHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kNoSegments = 0, kTcpIpv4 = 1, kUdp = 3, kTcpIpv6 = 4, kUdpSegments = 5, kEcn = 0x80;

  std::uint8_t flags = 0;
  std::uint8_t segments = kNoSegments;
  std::uint16_t headers = 0;        ///< length of everything before the payload
  std::uint16_t segment_size = 0;   ///< payload of each segment
  std::uint16_t checksum_from = 0;  ///< the transport header: it is to be summed from here on
  std::uint16_t checksum_at = 0;    ///< and the sum goes here, from `checksum_from`; it holds the pseudo-header's sum

  bool is_partial() const { return (flags & kNeedsChecksum) != 0; }
  bool has_segments() const { return segments != kNoSegments; }

  static VirtioHeader read(Bytes buffer) {
    VirtioHeader header;
    std::memcpy(&header, buffer.data(), sizeof header);
    return header;
  }
  void write(MutableBytes buffer) const { std::memcpy(buffer.data(), this, sizeof *this); }
};
static_assert(sizeof(VirtioHeader) == FrameSocket::kVirtioHeader);

}  // namespace lvspec::director
