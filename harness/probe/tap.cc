#include "harness/probe/tap.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "harness/base/world_error.h"

namespace lvspec {
namespace {

constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40;

std::optional<HeardPacket> packet_in(const std::uint8_t* frame, std::size_t size) {
  if (size < kEthernet + kIpv4) return std::nullopt;
  const int type = frame[12] << 8 | frame[13];
  if (type != ETHERTYPE_IP && (type != ETHERTYPE_IPV6 || size < kEthernet + kIpv6)) return std::nullopt;
  HeardPacket packet;
  std::copy_n(frame, 6, packet.to.begin());
  std::copy_n(frame + 6, 6, packet.from.begin());
  packet.bytes.assign(frame + kEthernet, frame + size);
  const auto& bytes = packet.bytes;
  const std::size_t total = packet.is_v6() ? kIpv6 + (bytes[4] << 8 | bytes[5]) : bytes[2] << 8 | bytes[3];
  if (total < bytes.size()) packet.bytes.resize(total);
  return packet;
}

}  // namespace

IpAddress HeardPacket::source() const {
  return IpAddress::from_bytes(is_v6() ? AF_INET6 : AF_INET, bytes.data() + (is_v6() ? 8 : 12));
}
IpAddress HeardPacket::destination() const {
  return IpAddress::from_bytes(is_v6() ? AF_INET6 : AF_INET, bytes.data() + (is_v6() ? 24 : 16));
}
std::vector<std::uint8_t> HeardPacket::payload() const {
  const std::size_t header = is_v6() ? kIpv6 : std::size_t{4} * (bytes[0] & 0x0f);
  return {bytes.begin() + static_cast<std::ptrdiff_t>(std::min(header, bytes.size())), bytes.end()};
}

std::ostream& operator<<(std::ostream& out, const HeardPacket& packet) {
  return out << fmt::format("{} -> {}, protocol {}, TTL {}, {} bytes", packet.source().str(),
                            packet.destination().str(), packet.protocol(), packet.ttl(), packet.bytes.size());
}

Result<Tap> Tap::open(const NetworkNamespace& netns, const std::string& interface) {
  LVSPEC_ASSIGN(FileDescriptor socket, netns.call([&]() -> Result<FileDescriptor> {
    FileDescriptor fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return system_error(netns.name() + ": socket(AF_PACKET)");
    const int on = 1;
    if (setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
      return system_error(netns.name() + ": setsockopt(PACKET_IGNORE_OUTGOING)");
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      return system_error(fmt::format("{}: bind(AF_PACKET, {})", netns.name(), interface));
    return fd;
  }));
  return Tap(std::move(socket));
}

std::optional<HeardPacket> Tap::await(const std::function<bool(const HeardPacket&)>& fits,
                                      std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<std::uint8_t> buffer(1 << 16);
  for (;;) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t size =
        recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size >= 0) {
      if (from.sll_pkttype == PACKET_OTHERHOST) continue;  // the switch floods what it has not learned yet
      auto packet = packet_in(buffer.data(), static_cast<std::size_t>(size));
      if (packet && fits(*packet)) return packet;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != ENETDOWN) throw WorldError(system_error("tap: recv"));
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) return std::nullopt;
  }
}

}  // namespace lvspec
