#include "director/io/segments.h"

#include <algorithm>
#include <cstring>

#include "director/io/checksum.h"

namespace lvspec::director {
namespace {
constexpr std::size_t kSequence = 4, kDataOffset = 12, kFlags = 13, kChecksum = 16;
constexpr unsigned kFin = 0x01, kPush = 0x08, kCongestionReduced = 0x80;
}  // namespace

TcpSegments::TcpSegments(Bytes packet, const IpHeader& ip, std::size_t segment_size)
    : packet_(packet.first(ip.total)),
      ip_(ip),
      segment_size_(std::max<std::size_t>(segment_size, 1)),
      headers_(std::min(ip.transport + std::size_t{4} * (u8_at(packet, ip.transport + kDataOffset) >> 4), ip.total)) {
}

std::size_t TcpSegments::longest() const { return std::min(headers_ + segment_size_, packet_.size()); }

std::size_t TcpSegments::next(MutableBytes packet) {
  const std::size_t left = packet_.size() - headers_ - sent_;
  if (left == 0) return 0;
  const std::size_t payload = std::min(left, segment_size_);
  const std::size_t length = headers_ + payload;
  std::memcpy(packet.data(), packet_.data(), headers_);
  std::memcpy(packet.data() + headers_, packet_.data() + headers_ + sent_, payload);

  if (ip_.family == Family::kIpv4) {
    put_u16(packet, 2, static_cast<unsigned>(length));
    put_u16(packet, 4, u16_at(packet, 4) + count_);
    put_u16(packet, 10, 0);
    put_u16(packet, 10, checksum_of(sum_of(packet.first(std::size_t{4} * (u8_at(packet, 0) & 0x0f)))));
  } else {
    put_u16(packet, 4, static_cast<unsigned>(length - 40));
  }
  const MutableBytes tcp = packet.subspan(ip_.transport, length - ip_.transport);
  put_u32(tcp, kSequence, u32_at(tcp, kSequence) + static_cast<std::uint32_t>(sent_));
  unsigned flags = u8_at(tcp, kFlags);
  if (payload < left) flags &= ~(kFin | kPush);
  if (sent_ != 0) flags &= ~kCongestionReduced;
  put_u8(tcp, kFlags, flags);
  put_u16(tcp, kChecksum, 0);
  put_u16(tcp, kChecksum,
          checksum_of(sum_of(tcp, pseudo_sum(ip_.family, ip_.source, ip_.destination, kIpprotoTcp, tcp.size()))));
  sent_ += payload;
  ++count_;
  return length;
}

}  // namespace lvspec::director
