#pragma once

#include <cstddef>

#include "director/io/bytes.h"
#include "director/io/ip_header.h"
#include "director/io/virtio_header.h"

namespace lvspec::director {

/// Cuts a TCP packet that stands for many (GSO) into the segments it stands for, each a packet of its own with all
/// checksums. Needed where an offload ends: inside a tunnel. Source: Linux net/ipv4/tcp_offload.c, tcp_gso_segment().
class TcpSegments {
 public:
  TcpSegments(Bytes packet, const IpHeader& ip, std::size_t segment_size);
  /// Writes the next packet. @return its length; 0 when there are no more.
  std::size_t next(MutableBytes packet);
  /// Of the longest segment.
  std::size_t longest() const;

 private:
  Bytes packet_;
  const IpHeader& ip_;
  std::size_t segment_size_;
  std::size_t headers_;
  std::size_t sent_ = 0;
  unsigned count_ = 0;
};

}  // namespace lvspec::director
