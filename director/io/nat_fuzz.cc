// Any packet translated, and any FTP segment edited: no byte outside is touched, lengths are as promised, and a right
// checksum stays right.
// Input: one byte of flags, 16 that say what FTP's edit is to be, and an IP packet.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "director/io/checksum.h"
#include "director/io/nat.h"

using namespace lvspec::director;

namespace {

void require(bool so) {
  if (!so) std::abort();
}

// Of TCP, whose checksum has no value that means "none".
bool is_right(Bytes packet, const IpHeader& ip) {
  const Bytes segment = packet.subspan(ip.transport, ip.total - ip.transport);
  return folded(sum_of(segment, pseudo_sum(ip.family, ip.source, ip.destination, ip.protocol, segment.size()))) ==
         0xffff;
}

void make_right(MutableBytes packet, const IpHeader& ip) {
  const MutableBytes segment = packet.subspan(ip.transport, ip.total - ip.transport);
  put_u16(segment, 16, 0);
  const std::uint32_t pseudo = pseudo_sum(ip.family, ip.source, ip.destination, ip.protocol, segment.size());
  put_u16(segment, 16, checksum_of(sum_of(segment, pseudo)));
}

FtpEdit edit_of(Bytes words) {
  FtpEdit edit;
  edit.way = (u8_at(words, 0) & 1) != 0 ? FtpEdit::Way::kFromClient : FtpEdit::Way::kFromServer;
  edit.inserted_length = u8_at(words, 1) % (edit.inserted.size() + 1);
  edit.inserted.fill('7');
  edit.at = u8_at(words, 2);
  edit.removed = u8_at(words, 3);
  edit.shift.position = u32_at(words, 4);
  edit.shift.before = static_cast<std::int32_t>(u32_at(words, 8));
  edit.shift.after = static_cast<std::int32_t>(u32_at(words, 12));
  return edit;
}

void check_edit(Bytes original, const IpHeader& ip, const FtpEdit& edit, bool is_partial) {
  constexpr std::size_t kFront = 24;
  std::vector<std::byte> memory(kFtpLongestGrowth + kFront);
  memory.insert(memory.end(), original.begin(), original.end());
  const MutableBytes buffer = MutableBytes(memory).subspan(kFtpLongestGrowth);
  const bool was_right = is_right(original, ip);
  const MutableBytes edited = edit_ftp(buffer, kFront, ip, edit, is_partial);
  if (edited.empty()) return;
  require(edited.data() + edited.size() == buffer.data() + buffer.size());
  const std::size_t growth = edit.replaces() ? edit.inserted_length - edit.removed : 0;
  require(edited.size() == buffer.size() + growth);
  const Bytes packet = edited.subspan(kFront);
  const IpHeader now = read_ip_header(packet);
  require(now.malformed == Malformed::kNone && now.total == ip.total + growth);
  require(is_partial || is_right(packet, now) == was_right);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kWords = 17;
  if (size < kWords) return 0;
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  const unsigned flags = u8_at(input, 0);
  std::vector<std::byte> packet(input.begin() + kWords, input.end());
  const IpHeader ip = read_ip_header(packet);
  if (ip.malformed != Malformed::kNone || !has_ports(packet, ip)) return 0;
  if (ip.protocol != kIpprotoTcp && ip.protocol != kIpprotoUdp && ip.protocol != kIpprotoSctp) return 0;
  const bool is_tcp = ip.protocol == kIpprotoTcp, is_partial = (flags & 1) != 0;
  if (is_tcp && (flags & 2) != 0) make_right(packet, ip);
  if (is_tcp) check_edit(packet, ip, edit_of(input.subspan(1)), is_partial);

  const std::vector<std::byte> before = packet;
  const End end = (flags & 4) != 0 ? End::kSource : End::kDestination;
  const bool was_right = is_tcp && is_right(packet, ip);
  translate(packet, ip, end, Address::v4(0xcb00710b), 8080, is_partial);
  const IpHeader now = read_ip_header(packet);
  require(now.malformed == Malformed::kNone && now.total == ip.total && now.transport == ip.transport);
  require(u16_at(packet, ip.transport + (end == End::kSource ? 0 : 2)) == 8080);
  require(!is_tcp || is_partial || is_right(packet, now) == was_right);
  const auto payload = static_cast<std::ptrdiff_t>(ip.transport + (is_tcp                       ? 20
                                                                   : ip.protocol == kIpprotoUdp ? 8
                                                                                                : 12));
  require(std::equal(packet.begin() + payload, packet.end(), before.begin() + payload));
  return 0;
}
