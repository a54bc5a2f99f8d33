#include "harness/fuzz/wire.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "harness/netlink/rtnetlink.h"

namespace lvspec::fuzz {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

constexpr std::uint64_t kServerByte = 10;  // as in harness/topology: real server i is 10 + i
constexpr std::uint64_t kDirectorByte = 1;
constexpr std::uint64_t kRouterByte = 254;  // what leads to the clients
constexpr int kEth0 = 2;                    // in the director's stack
constexpr std::uint16_t kEtherFence = 0x88b5;
constexpr std::size_t kEthernet = 14;

MacAddress server_mac(int i) {
  return {0x02, 0x00, 0xcb, 0x00, 0x71, static_cast<std::uint8_t>(kServerByte + static_cast<std::uint64_t>(i))};
}

IpAddress on_lan(std::uint64_t byte, int family) {
  return (family == AF_INET6 ? addresses::kLan6 : addresses::kLan).address.plus(byte);
}

/// A kernel that has said "unreachable" keeps the next one back for a while of its own time, or of the machine's:
/// here every refusal must be seen. Source: Linux net/ipv4/icmp.c, icmpv4_xrlim_allow(); net/ipv6/icmp.c.
Status let_every_icmp_out(const NetworkNamespace& netns) {
  return netns.call([]() -> Status {
    for (const auto& [path, value] :
         {std::pair("/proc/sys/net/ipv4/icmp_ratemask", "0"), std::pair("/proc/sys/net/ipv6/icmp/ratemask", "255")}) {
      const FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
      const std::string_view text = value;
      if (!file.valid() || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return system_error(fmt::format("write({}, {})", path, value));
    }
    return {};
  });
}

std::uint16_t get16(View bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]); }

/// What AF_PACKET with PACKET_VNET_HDR puts before a frame, in host order. linux/virtio_net.h is no C++.
struct Offload {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  std::uint8_t flags = 0, segmentation = 0;
  std::uint16_t header_length = 0, segment_size = 0, checksum_start = 0, checksum_offset = 0;
};

/// Frames come as from a network card that has looked at their checksums, or from a neighbour in the same machine.
/// Without that the kernel sums IPv6 segments up itself when it tracks connections, header included, and then its
/// IPVS takes each of them for damaged when FTP is behind NAT. Source: Linux net/netfilter/utils.c,
/// nf_ip6_checksum(); ip_vs_proto_tcp.c, tcp_csum_check().
Offload offload_of(View frame) {
  Offload offload;
  const std::uint16_t type = get16(frame, 12);
  if (type != ETHERTYPE_IP && type != ETHERTYPE_IPV6) return offload;
  const bool v6 = type == ETHERTYPE_IPV6;
  const std::uint8_t protocol = frame[kEthernet + (v6 ? 6 : 9)];
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return offload;
  offload.flags = Offload::kNeedsChecksum;
  offload.checksum_start = static_cast<std::uint16_t>(kEthernet + (v6 ? 40 : 20));
  offload.checksum_offset = protocol == IPPROTO_TCP ? 16 : 6;
  return offload;
}

/// What a frame of the director says. Nothing of one that is neither for a real server nor about a packet.
std::optional<Wire::Sight> sight_of(View frame) {
  Wire::Sight sight;
  MacAddress to{};
  std::copy_n(frame.begin(), 6, to.begin());
  for (int i = 1; i <= Wire::kServers; ++i)
    if (to == server_mac(i)) sight.server = i;
  auto heard = read_frame(frame);
  // What the director itself sends to a real server is a tunnel's; GUE takes a UDP port from a hash with a seed.
  if (heard && sight.server != 0 && heard->source.address == on_lan(kDirectorByte, heard->source.address.family()))
    heard.reset();
  if (heard) {
    sight.source = heard->source;
    sight.target = heard->target;
  }
  if (sight.server != 0) {
    const bool v6 = get16(frame, 12) == ETHERTYPE_IPV6;
    if (frame.size() < kEthernet + (v6 ? 40 : 20)) return std::nullopt;
    const int ttl = frame[kEthernet + (v6 ? 7 : 8)], protocol = frame[kEthernet + (v6 ? 6 : 9)];
    if (v6 && protocol == 58) return std::nullopt;  // neighbour discovery
    sight.text =
        heard ? fmt::format("real{} {} > {} ttl {}", sight.server, sight.source.str(), sight.target.str(), ttl)
              : fmt::format("real{} IP protocol {}, {} bytes, ttl {}", sight.server, protocol, frame.size(), ttl);
    return sight;
  }
  if (!heard) return std::nullopt;
  if (heard->kind == HeardFrame::Kind::kPortUnreachable) {
    sight.text = "port unreachable";
  } else if (heard->kind == HeardFrame::Kind::kUnreachable) {
    sight.text = "unreachable";
  } else if (heard->kind == HeardFrame::Kind::kTcp && (heard->flags & tcp_flags::kRst) != 0) {
    sight.text = "RST";
  } else {
    sight.text = fmt::format("to {} from {}", heard->target.str(), heard->source.str());
  }
  return sight;
}

Bytes arp_reply(View request, const MacAddress& mac) {
  Bytes reply(request.begin(), request.begin() + 42);
  std::copy_n(request.begin() + 6, 6, reply.begin());
  std::copy(mac.begin(), mac.end(), reply.begin() + 6);
  reply[21] = 2;                                          // opcode
  std::copy(mac.begin(), mac.end(), reply.begin() + 22);  // sender: the one asked for
  std::copy_n(request.begin() + 38, 4, reply.begin() + 28);
  std::copy_n(request.begin() + 22, 10, reply.begin() + 32);  // target: who asked
  return reply;
}

/// RFC 4861, 4.4.
Bytes neighbour_advertisement(View solicitation, const MacAddress& mac) {
  Bytes reply(kEthernet + 40 + 32);
  std::copy_n(solicitation.begin() + 6, 6, reply.begin());
  std::copy(mac.begin(), mac.end(), reply.begin() + 6);
  reply[12] = 0x86;
  reply[13] = 0xdd;
  reply[14] = 0x60;
  reply[19] = 32;                                                  // payload
  reply[20] = 58;                                                  // ICMPv6
  reply[21] = 255;                                                 // hop limit
  std::copy_n(solicitation.begin() + 62, 16, reply.begin() + 22);  // from: the target of the question
  std::copy_n(solicitation.begin() + 22, 16, reply.begin() + 38);  // to: who asked
  reply[54] = 136;
  reply[58] = 0x60;  // solicited, override
  std::copy_n(solicitation.begin() + 62, 16, reply.begin() + 62);
  reply[78] = 2;  // target's link-layer address
  reply[79] = 1;
  std::copy(mac.begin(), mac.end(), reply.begin() + 80);
  std::array<std::uint8_t, 72> summed{};  // RFC 8200, 8.1: both addresses, length, next header, then the message
  std::copy_n(reply.begin() + 22, 32, summed.begin());
  summed[35] = 32;
  summed[39] = 58;
  std::copy_n(reply.begin() + 54, 32, summed.begin() + 40);
  const std::uint16_t sum = internet_checksum(summed);
  reply[56] = static_cast<std::uint8_t>(sum >> 8);
  reply[57] = static_cast<std::uint8_t>(sum);
  return reply;
}

}  // namespace

IpAddress Wire::rip(int i, int family) { return on_lan(kServerByte + static_cast<std::uint64_t>(i), family); }

Result<World> Wire::build_world(DirectorPlace place) {
  Topology topology;
  topology.server_count = 0;
  topology.director_place = place;
  topology.reach = Reach::kMasqueraded;  // the director's stack forwards what comes from real servers
  topology.vips = {IpAddress::of("198.51.100.10"), IpAddress::of("198.51.100.11"), IpAddress::of("2001:db8:51::10"),
                   IpAddress::of("2001:db8:51::11")};
  LVSPEC_ASSIGN(World world, World::build(topology));
  // Nobody is at home but the director.
  LVSPEC_TRY(world.set_link(world.client(), false));
  LVSPEC_TRY(let_every_icmp_out(world.director_stack()));
  LVSPEC_ASSIGN(RtBatch stack, RtBatch::open(world.director_stack()));
  for (const int family : {AF_INET, AF_INET6}) {
    stack.add_neighbour(kEth0, on_lan(kRouterByte, family), world.client().port.mac);
    for (int i = 1; i <= kServers; ++i) stack.add_neighbour(kEth0, rip(i, family), server_mac(i));
  }
  LVSPEC_TRY(stack.commit());
  return world;
}

Result<Wire> Wire::open(World& world) {
  const Node& director = world.director();
  return world.segment().call([&]() -> Result<Wire> {
    FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error("segment: socket(AF_PACKET)");
    const int on = 1, buffer = 4 << 20;
    if (setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
      return system_error("segment: setsockopt(PACKET_IGNORE_OUTGOING)");
    if (setsockopt(socket.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0)
      return system_error("segment: setsockopt(PACKET_VNET_HDR)");
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = director.port.segment_ifindex;
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0)
      return system_error("segment: bind(p-director)");
    return Wire(std::move(socket), director.port.mac, world.client().port.mac);
  });
}

Status Wire::send_frame(const Bytes& frame) {
  Offload offload = offload_of(frame);
  std::array<iovec, 2> parts{{{&offload, sizeof offload}, {const_cast<std::uint8_t*>(frame.data()), frame.size()}}};
  if (writev(socket_.get(), parts.data(), parts.size()) < 0) return system_error("segment: writev(frame)");
  return {};
}

Status Wire::send_tcp(const Endpoint& from, const Endpoint& to, std::uint8_t flags, std::uint32_t seq,
                      const std::string& payload) {
  const bool ack = (flags & tcp_flags::kAck) != 0;
  return send_frame(tcp_frame(
      router_, director_,
      {.source = from, .target = to, .flags = flags, .seq = seq, .ack = ack ? 1U : 0U, .payload = payload}));
}

Status Wire::send_udp(const Endpoint& from, const Endpoint& to, const std::string& payload) {
  return send_frame(udp_frame(router_, director_, {.source = from, .target = to, .payload = payload}));
}

Status Wire::reply_tcp(int server, const Endpoint& from, const Endpoint& to, std::uint8_t flags, std::uint32_t seq) {
  return send_frame(tcp_frame(server_mac(server), director_,
                              {.source = from, .target = to, .flags = flags, .seq = seq, .ack = 1, .payload = ""}));
}

Status Wire::reply_udp(int server, const Endpoint& from, const Endpoint& to, const std::string& payload) {
  return send_frame(udp_frame(server_mac(server), director_, {.source = from, .target = to, .payload = payload}));
}

Status Wire::raise_fence(DirectorUnderTest& director) {
  ++fence_;
  Bytes frame(60);
  std::copy(director_.begin(), director_.end(), frame.begin());
  std::copy(router_.begin(), router_.end(), frame.begin() + 6);
  frame[12] = kEtherFence >> 8;
  frame[13] = kEtherFence & 0xff;
  for (int i = 0; i < 8; ++i)
    frame[static_cast<std::size_t>(14 + i)] = static_cast<std::uint8_t>(fence_ >> (56 - 8 * i));
  LVSPEC_TRY(send_frame(frame));
  return director.await_fence(fence_);
}

/// Who of us has this address: a real server, or the router in front of the clients.
std::optional<MacAddress> Wire::owner_of(const IpAddress& address) const {
  for (int i = 1; i <= kServers; ++i)
    if (rip(i, address.family()) == address) return server_mac(i);
  if (on_lan(kRouterByte, address.family()) == address) return router_;
  return std::nullopt;
}

Result<bool> Wire::answer_neighbour(View frame) {
  const std::uint16_t type = get16(frame, 12);
  if (type == ETHERTYPE_ARP && frame.size() >= 42 && get16(frame, 20) == 1) {
    const auto owner = owner_of(IpAddress::from_bytes(AF_INET, &frame[38]));
    if (!owner) return false;
    LVSPEC_TRY(send_frame(arp_reply(frame, *owner)));
    return true;
  }
  if (type == ETHERTYPE_IPV6 && frame.size() >= 78 && frame[20] == 58 && frame[54] == 135) {
    const auto owner = owner_of(IpAddress::from_bytes(AF_INET6, &frame[62]));
    if (!owner) return false;
    LVSPEC_TRY(send_frame(neighbour_advertisement(frame, *owner)));
    return true;
  }
  return false;
}

Result<bool> Wire::drain(std::vector<Sight>* seen) {
  bool answered = false;
  std::array<std::uint8_t, 2048> buffer{};
  for (;;) {
    Offload ignored;
    std::array<iovec, 2> parts{{{&ignored, sizeof ignored}, {buffer.data(), buffer.size()}}};
    const ssize_t size = readv(socket_.get(), parts.data(), parts.size()) - static_cast<ssize_t>(sizeof ignored);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return answered;
    if (size < 0) return system_error("segment: readv(frame)");
    if (static_cast<std::size_t>(size) < kEthernet) continue;
    const View frame(buffer.data(), static_cast<std::size_t>(size));
    LVSPEC_ASSIGN(const bool asked, answer_neighbour(frame));
    if (asked) {
      answered = true;
      continue;
    }
    if (std::optional<Sight> sight = sight_of(frame)) seen->push_back(*std::move(sight));
  }
}

Result<std::vector<Wire::Sight>> Wire::settle(DirectorUnderTest& director) {
  std::vector<Sight> seen;
  for (bool again = true; again;) {
    LVSPEC_TRY(raise_fence(director));
    LVSPEC_ASSIGN(again, drain(&seen));
  }
  return seen;
}

}  // namespace lvspec::fuzz
