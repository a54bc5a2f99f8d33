// Packets as they may come off a wire, read for what they quote: a quotation lies within its packet, and an error
// about any packet is a right one, no longer than routers make them.
// Input: one IP packet.

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "director/io/checksum.h"
#include "director/io/icmp.h"
#include "director/io/nat.h"

using namespace lvspec::director;

namespace {

void require(bool so) {
  if (!so) std::abort();
}

// Few inputs would come with the checksum that is looked at first.
void put_right_checksum(MutableBytes packet, const IpHeader& ip) {
  if (ip.total < ip.transport + 8) return;
  const MutableBytes icmp = packet.subspan(ip.transport, ip.total - ip.transport);
  put_u16(icmp, 2, 0);
  const bool six = ip.family == Family::kIpv6;
  const std::uint32_t pseudo =
      six ? pseudo_sum(ip.family, ip.source, ip.destination, kIpprotoIcmpv6, icmp.size()) : 0;
  put_u16(icmp, 2, checksum_of(sum_of(icmp, pseudo)));
}

void tell(Bytes packet, const IpHeader& ip) {
  if (!may_be_told(packet, ip)) return;
  std::vector<std::byte> frame(14);
  put_u16(frame, 12, ip.family == Family::kIpv4 ? kTypeIpv4 : kTypeIpv6);
  frame.insert(frame.end(), packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(ip.total));
  const std::vector<std::byte> told = icmp_error(frame, {.kind = IcmpError::Kind::kTooBig, .mtu = 1400}, {});
  const std::size_t most = ip.family == Family::kIpv4 ? 576 : 1280;
  require(told.size() <= 14 + most);
  const IpHeader header = read_ip_header(Bytes(told).subspan(14));
  require(header.malformed == Malformed::kNone && header.total + 14 == told.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  std::vector<std::byte> packet(input.begin(), input.end());
  const IpHeader ip = read_ip_header(packet);
  if (ip.malformed != Malformed::kNone) return 0;
  require(ip.transport <= ip.total && ip.total <= packet.size());
  tell(packet, ip);
  put_right_checksum(packet, ip);
  if (const auto error = read_tunnel_quotation(packet, ip)) {
    require(error->inner.at + error->inner.ip.transport + 4 <= ip.total);
  }
  const auto quotation = read_quotation(packet, ip);
  if (!quotation) return 0;
  require(quotation->at + quotation->ip.transport + 4 <= ip.total);
  translate_error(packet, ip, End::kDestination, quotation->ip, quotation->at, ip.source, 8080);
  const auto again = read_quotation(packet, read_ip_header(packet));
  require(again && again->ip.source == ip.source && again->turned.destination_port == 8080);
  return 0;
}
