#include "director/io/forwarder.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "director/control/protocol.h"
#include "director/core/faults.h"
#include "director/io/nat.h"
#include "director/io/segments.h"
#include "director/io/virtio_header.h"

namespace lvspec::director {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kVirtio = FrameSocket::kVirtioHeader;
constexpr int kBatchesAtOnce = 8;  // then the other side is asked

MutableBytes frame_of(MutableBytes buffer) { return buffer.subspan(kVirtio); }
MutableBytes packet_of(MutableBytes buffer) { return buffer.subspan(kVirtio + kEthernet); }

std::uint64_t fence_token(Bytes frame) {
  std::uint64_t token = 0;
  for (std::size_t i = 14; i < 22 && i < frame.size(); ++i)
    token = token << 8 | std::to_integer<std::uint64_t>(frame[i]);
  return token;
}

bool is_icmp(const IpHeader& ip) {
  return ip.protocol == (ip.family == Family::kIpv4 ? kIpprotoIcmp : kIpprotoIcmpv6);
}

FrameEvent event_of(Malformed kind) {
  switch (kind) {
    case Malformed::kWrongVersion:
      return FrameEvent::kWrongVersion;
    case Malformed::kWrongLength:
      return FrameEvent::kWrongLength;
    case Malformed::kWrongChecksum:
      return FrameEvent::kWrongChecksum;
    default:
      return FrameEvent::kHeaderShort;
  }
}

int open_namespace(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), std::string("open(") + path + ")");
  return fd;
}

// Opens the sockets that ask for routes in another namespace, and comes back.
void ask_kernel_of(Routes& routes, const std::string& netns) {
  const int back = open_namespace("/proc/thread-self/ns/net");
  const int there = open_namespace(netns.c_str());
  if (setns(there, CLONE_NEWNET) != 0)
    throw std::system_error(errno, std::generic_category(), "--stack-netns " + netns + ": setns(CLONE_NEWNET)");
  close(there);
  routes.ask_kernel();
  if (setns(back, CLONE_NEWNET) != 0) throw std::system_error(errno, std::generic_category(), "setns(back)");
  close(back);
}

}  // namespace

Forwarder::Forwarder(Director& director, Clock& clock, const Options& options)
    : director_(director),
      clock_(clock),
      wire_(options.wire, FrameSocket::Accept::kAddressedToUs),
      stack_(options.stack, FrameSocket::Accept::kEverything),
      wire_end_(options.wire),
      own_(options.own_addresses),
      routes_(options.own_addresses, wire_.mtu()) {
  if (!options.stack_netns.empty()) ask_kernel_of(routes_, options.stack_netns);
  neighbours_.ask = [this](const FamilyAddress& who) {
    const auto own = std::find_if(own_.begin(), own_.end(),
                                  [&](const FamilyAddress& address) { return address.family == who.family; });
    if (own != own_.end()) wire_.send_copy(neighbour_request(who.family, who.address, own->address, wire_.mac()));
  };
  neighbours_.timer = [this](DirectorTime now, Duration timeout) { return director_.timer(now, timeout); };
  // FWD-08: what the kernel's own neighbour table says of a packet that it must give up (arp_error_report()).
  neighbours_.give_up = [this](WaitingPacket& waiting, DirectorTime when) {
    count(FrameEvent::kUnanswered);
    if (waiting.is_own || fault(Fault::kHostUnreachableSilent)) return;
    const MutableBytes buffer = MutableBytes(waiting.buffer).subspan(FrameSocket::kHeadroom);
    const IpHeader ip = read_ip_header(packet_of(buffer));
    const Address from = routes_.to({ip.family, ip.source}, clock_.now()).source;
    // Just before: of one tick a timer goes before the statistics', which was armed earlier (timer_wheel.h).
    tell(frame_of(buffer), ip, {.kind = IcmpError::Kind::kHostUnreachable}, from,
         std::max(when - Duration(1), director_.time()));
  };
}

// The wire is asked again where it had something, since on a busy one there is more by then; a stack that has nothing
// need not be asked.
bool Forwarder::run_once(bool stack_waits) {
  const auto serve = [this](FrameSocket& side, void (Forwarder::*handle)(MutableBytes)) {
    for (int batch = 0; batch < kBatchesAtOnce; ++batch) {
      const auto frames = side.receive();
      if (frames.empty()) return false;
      for (const auto& buffer : frames) (this->*handle)(buffer);
      wire_.flush();
      stack_.flush();
    }
    return true;
  };
  const bool wire_has_more = serve(wire_, &Forwarder::from_wire);
  const bool stack_has_more = (stack_waits || wire_has_more) && serve(stack_, &Forwarder::from_stack);
  return wire_has_more || stack_has_more;
}

void Forwarder::expire(DirectorTime now) {
  neighbours_.expire(now);
  reassembly_.expire(now);
  wire_.flush();
}

void Forwarder::from_wire(MutableBytes buffer) {
  const MutableBytes frame = frame_of(buffer);
  const std::uint16_t type = ether_type_of(frame);
  if (type == protocol::kFenceEtherType) {
    on_fence(fence_token(frame));
    return;
  }
  if (type != kTypeIpv4 && type != kTypeIpv6) {
    if (const auto neighbour = neighbour_in(frame)) learn(*neighbour);
    stack_.send(buffer);
    return;
  }
  const IpHeader ip = read_ip_header(packet_of(buffer));
  if (ip.malformed != Malformed::kNone) return malformed(event_of(ip.malformed));
  if ((ip.family == Family::kIpv4) != (type == kTypeIpv4)) return malformed(FrameEvent::kWrongVersion);
  if (ip.is_fragment()) return handle_fragment(buffer, ip);
  handle_packet(buffer, ip);
}

void Forwarder::handle_fragment(MutableBytes buffer, const IpHeader& ip) {
  if (fault(Fault::kFragmentsDropped)) return;
  const MutableBytes packet = packet_of(buffer);
  const auto whole = reassembly_.add(clock_.now(), packet, ip);
  if (!whole) return;
  count(FrameEvent::kReassembled);
  std::vector<std::byte> memory(FrameSocket::kHeadroom + kVirtio + kEthernet + whole->size());
  const MutableBytes again = MutableBytes(memory).subspan(FrameSocket::kHeadroom);
  std::memcpy(frame_of(again).data(), frame_of(buffer).data(), kEthernet);
  std::memcpy(packet_of(again).data(), whole->data(), whole->size());
  const IpHeader header = read_ip_header(packet_of(again));
  if (header.malformed != Malformed::kNone) return malformed(event_of(header.malformed));
  handle_packet(again, header);
  wire_.flush();  // `memory` is about to go
  stack_.flush();
}

void Forwarder::handle_packet(MutableBytes buffer, const IpHeader& ip) {
  const DirectorTime now = clock_.now();
  const Route::Kind there = routes_.to({ip.family, ip.destination}, now).kind;
  if (is_icmp(ip)) {
    if (const auto neighbour = neighbour_in(frame_of(buffer))) learn(*neighbour);
    if (fault(Fault::kEchoSwallowed) && there == Route::Kind::kLocal && ip.transport < ip.total &&
        u8_at(packet_of(buffer), ip.transport) == 8)
      return;
    if (!handle_error(buffer, ip, there == Route::Kind::kLocal)) pass(buffer, ip);
    return;
  }
  const std::optional<Packet> packet = parse_frame(frame_of(buffer));
  if (!packet || there == Route::Kind::kOther || there == Route::Kind::kNone) return pass(buffer, ip);
  if (is_loopback(ip.family, ip.source)) return count(FrameEvent::kBoundary);  // FWD-11, a martian

  const bool is_local = there == Route::Kind::kLocal;
  Verdict verdict = is_local ? director_.handle(now, *packet) : director_.handle_reply(now, *packet);
  if (fault(Fault::kTunnelTypeIgnored)) verdict.tunnel = {};
  switch (verdict.action) {
    case Verdict::Action::kPass:
      return pass(buffer, ip);
    case Verdict::Action::kDrop:
      return count(FrameEvent::kDropped);
    case Verdict::Action::kReject: {
      // About a reply (FWD-15) it is we who complain, not the client it was for.
      if (!is_local && fault(Fault::kNoComplaint)) return pass(buffer, ip);
      std::optional<Address> from;
      if (!is_local) from = routes_.to({ip.family, ip.source}, now).source;
      return tell(frame_of(buffer), ip, {.kind = IcmpError::Kind::kPortUnreachable}, from);
    }
    case Verdict::Action::kForward: {
      const Way way = is_local ? Way::kToServer : Way::kToClient;
      if (verdict.ftp == nullptr) return deliver(buffer, ip, verdict, way);
      IpHeader edited = ip;
      if (edit(buffer, edited, verdict)) deliver(buffer, edited, verdict, way);
      return;
    }
  }
}

bool Forwarder::edit(MutableBytes& buffer, IpHeader& ip, Verdict& verdict) {
  FtpEdit edit = *std::exchange(verdict.ftp, nullptr);
  if (fault(Fault::kFtpSequenceKept)) edit.shift = {};
  const MutableBytes edited =
      edit_ftp(buffer, kVirtio + kEthernet, ip, edit, VirtioHeader::read(buffer).is_partial());
  if (edited.empty()) {
    count(FrameEvent::kDropped);
    return false;
  }
  buffer = edited;
  if (edit.replaces()) ip = read_ip_header(packet_of(buffer));
  return true;
}

// FWD-12. Source: Linux ip_vs_core.c, ip_vs_out_icmp(), then ip_vs_in_icmp().
bool Forwarder::handle_error(MutableBytes buffer, const IpHeader& ip, bool is_local) {
  const DirectorTime now = clock_.now();
  const Bytes packet = packet_of(buffer);
  if (const auto quotation = read_quotation(packet, ip)) {
    const Verdict reply = director_.handle_reply(now, quotation->turned);
    if (reply.action == Verdict::Action::kForward) {
      deliver(buffer, ip, reply, Way::kToClient);
      return true;
    }
    const Verdict verdict = director_.handle(now, quotation->turned);
    if (verdict.action == Verdict::Action::kForward) deliver(buffer, ip, verdict, Way::kToServer);
    if (verdict.action != Verdict::Action::kPass) return true;
  }
  if (!is_local || fault(Fault::kTunnelErrorsKept)) return false;
  if (const auto error = read_tunnel_quotation(packet, ip)) {
    const Verdict verdict = director_.handle(now, error->inner.turned);
    if (verdict.action == Verdict::Action::kForward && verdict.method == ForwardMethod::kTunnel &&
        verdict.server == error->outer.destination) {
      relay_tunnel_error(buffer, *error);
      return true;
    }
  }
  return false;
}

// FWD-13: the client hears of it as if its own packet had met the trouble.
void Forwarder::relay_tunnel_error(MutableBytes buffer, const TunnelQuotation& error) {
  const DirectorTime now = clock_.now();
  const Quotation& inner = error.inner;
  IcmpError told{.kind = IcmpError::Kind::kOther, .mtu = 0, .type = inner.type, .code = inner.code};
  if (inner.type == 3 && inner.code == 4) {
    const FamilyAddress server{error.outer.family, error.outer.destination};
    const std::uint32_t mtu = routes_.learn_mtu(server, inner.mtu, now);
    if (!inner.ip.dont_fragment) return;
    constexpr std::uint32_t kOuterHeader = 20, kLeast = 68;
    told = {.kind = IcmpError::Kind::kTooBig, .mtu = mtu > kLeast + kOuterHeader ? mtu - kOuterHeader : mtu};
  }
  const Bytes quoted = Bytes(packet_of(buffer)).subspan(inner.at);
  if (!may_be_told(quoted, inner.ip)) return;
  std::vector<std::byte> frame(kEthernet);
  put_u16(frame, 12, inner.ip.family == Family::kIpv4 ? kTypeIpv4 : kTypeIpv6);
  frame.insert(frame.end(), quoted.begin(), quoted.end());
  count(FrameEvent::kRelayed);
  send_own(icmp_error(frame, told, wire_.mac()), {inner.ip.family, inner.ip.source});
}

void Forwarder::pass(MutableBytes buffer, const IpHeader& ip) {
  count(FrameEvent::kPassed);
  // Only what we have put together ourselves can be too long for the way to the stack.
  if (!VirtioHeader::read(buffer).has_segments() && ip.total > stack_.mtu()) {
    return send_cut(stack_, frame_of(buffer), ip, stack_.mtu());
  }
  stack_.send(buffer);
}

void Forwarder::deliver(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict, Way way) {
  const DirectorTime now = clock_.now();
  const bool to_server = way == Way::kToServer;
  const FamilyAddress to =
      to_server ? FamilyAddress{verdict.server_family, verdict.server} : FamilyAddress{ip.family, ip.destination};
  const Route route = routes_.to(to, now);
  const MutableBytes frame = frame_of(buffer);
  if (route.kind == Route::Kind::kLocal) return deliver_locally(buffer, ip, verdict);
  if (route.kind != Route::Kind::kUnicast) {  // FWD-08
    count(FrameEvent::kNoRoute);
    if (!fault(Fault::kHostUnreachableSilent)) tell(frame, ip, {.kind = IcmpError::Kind::kHostUnreachable});
    return;
  }
  if (ip.ttl <= 1 && !fault(Fault::kTtlKept)) {  // FWD-06
    count(FrameEvent::kTimeExceeded);
    return tell(frame, ip, {.kind = IcmpError::Kind::kTimeExceeded});
  }

  const VirtioHeader offload = VirtioHeader::read(buffer);
  const bool is_tunnel = to_server && verdict.method == ForwardMethod::kTunnel;
  std::size_t mtu = route.mtu;
  if (is_tunnel) {
    const bool remote = verdict.tunnel.type == TunnelType::kGue &&
                        verdict.tunnel.checksum == TunnelChecksum::kRemote && offload.is_partial();
    const std::size_t overhead = tunnel_overhead(verdict.tunnel, to.family, remote);
    const std::size_t least = to.family == Family::kIpv4 ? 68 : 1280;
    if (mtu < least + overhead) return count(FrameEvent::kTooBig);
    mtu -= overhead;
  }
  // FWD-07. What has to be cut on its way is cut below; an ICMP error is cut rather than answered by an error.
  std::size_t longest = ip.total;
  if (offload.has_segments()) {
    constexpr std::size_t kUdpHeader = 8;
    longest = ip.protocol == kIpprotoTcp ? TcpSegments(packet_of(buffer), ip, offload.segment_size).longest()
                                         : ip.transport + kUdpHeader + offload.segment_size;
  }
  const bool may_be_cut =
      ip.family == Family::kIpv4 && (!ip.dont_fragment || is_icmp(ip) || (is_tunnel && !verdict.path_mtu_discovery));
  if (longest > mtu && !may_be_cut) {
    count(FrameEvent::kTooBig);
    if (!fault(Fault::kTooBigSilent)) {
      tell(frame, ip, {.kind = IcmpError::Kind::kTooBig, .mtu = static_cast<std::uint32_t>(mtu)});
    }
    return;
  }
  const bool asks_for_destination = to_server && verdict.asks_for_destination && route.next_hop == to.address;
  const FamilyAddress hop{to.family, asks_for_destination ? ip.destination : route.next_hop};
  const Mac* const mac = neighbours_.find(hop, now);
  if (mac == nullptr) return wait_for_neighbour(hop, buffer, verdict, way);

  count(to_server ? FrameEvent::kForwarded : FrameEvent::kReplies);
  if (!fault(Fault::kTtlKept)) decrement_ttl(frame);
  if (is_tunnel) return send_through_tunnel(buffer, ip, verdict, route, *mac);
  translate_towards(buffer, ip, verdict, way);
  rewrite_macs(frame, *mac, wire_.mac());
  if (longest <= mtu) return wire_.send(buffer);
  const VirtioHeader now_offload = VirtioHeader::read(buffer);
  if (now_offload.is_partial()) {
    complete_checksum(packet_of(buffer), ip, now_offload.checksum_from - kEthernet, now_offload.checksum_at);
  }
  send_cut(wire_, frame, ip, mtu);
}

void Forwarder::deliver_locally(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict) {
  const bool nat = verdict.method == ForwardMethod::kMasquerade;
  // FWD-11: from outside nobody is translated to a loopback address.
  if ((nat || fault(Fault::kLoopbackDropped)) && is_loopback(verdict.server_family, verdict.server)) {
    return count(FrameEvent::kBoundary);
  }
  count(FrameEvent::kLocal);
  if (nat) translate_towards(buffer, ip, verdict, Way::kToServer);
  pass(buffer, ip);
}

void Forwarder::translate_towards(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict, Way way) {
  const bool to_server = way == Way::kToServer;
  if (verdict.method != ForwardMethod::kMasquerade && !fault(Fault::kPortRewritten)) return;
  if (!to_server && fault(Fault::kNatSourceKept)) return;
  const MutableBytes packet = packet_of(buffer);
  Address address = to_server ? verdict.server : verdict.virtual_address;
  std::uint16_t port = to_server ? verdict.server_port : verdict.virtual_port;
  if (fault(Fault::kPortRewritten) && verdict.method != ForwardMethod::kMasquerade) {
    address = to_server ? ip.destination : ip.source;
  }
  if (fault(Fault::kNatPortKept)) port = to_server ? verdict.virtual_port : verdict.server_port;
  if (is_icmp(ip)) {
    if (const auto quotation = read_quotation(packet, ip)) {
      translate_error(packet, ip, to_server ? End::kDestination : End::kSource, quotation->ip, quotation->at, address,
                      port);
    }
    return;
  }
  if (!has_ports(packet, ip)) return;
  VirtioHeader offload = VirtioHeader::read(buffer);
  translate(packet, ip, to_server ? End::kDestination : End::kSource, address, port, offload.is_partial());
  if (ip.protocol == kIpprotoSctp && offload.is_partial()) {  // its checksum has been completed
    offload.flags &= static_cast<std::uint8_t>(~VirtioHeader::kNeedsChecksum);
    offload.write(buffer);
  }
}

// FWD-04. Offloads end here: a virtio header cannot say "the segments are inside".
void Forwarder::send_through_tunnel(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict,
                                    const Route& route, const Mac& mac) {
  const VirtioHeader offload = VirtioHeader::read(buffer);
  const MutableBytes packet = packet_of(buffer).first(ip.total);
  const std::size_t own_headers = kVirtio + kEthernet;
  if (offload.has_segments()) {
    const std::uint8_t kind = offload.segments & ~VirtioHeader::kEcn;
    if (kind != VirtioHeader::kTcpIpv4 && kind != VirtioHeader::kTcpIpv6) return count(FrameEvent::kUnsegmentable);
    const std::size_t overhead = tunnel_overhead(verdict.tunnel, verdict.server_family, false);
    TcpSegments segments(packet, ip, offload.segment_size);
    for (;;) {
      const MutableBytes room = wire_.make(kEthernet + overhead + segments.longest());
      const std::size_t length = segments.next(room.subspan(own_headers + overhead));
      if (length == 0) return wire_.flush();  // the last room was not needed
      send_wrapped(room.first(own_headers + overhead + length), overhead, verdict, route, mac, std::nullopt);
    }
  }
  std::optional<RemoteChecksum> remote;
  if (offload.is_partial()) {
    const auto from = static_cast<std::uint16_t>(offload.checksum_from - kEthernet);
    const bool wanted = verdict.tunnel.type == TunnelType::kGue && verdict.tunnel.checksum == TunnelChecksum::kRemote;
    if (wanted) {
      remote = RemoteChecksum{from, static_cast<std::uint16_t>(from + offload.checksum_at)};
    } else {
      complete_checksum(packet, ip, from, offload.checksum_at);
    }
  }
  const std::size_t overhead = tunnel_overhead(verdict.tunnel, verdict.server_family, remote.has_value());
  const MutableBytes room(buffer.data() - overhead, own_headers + overhead + ip.total);
  send_wrapped(room, overhead, verdict, route, mac, remote);
}

void Forwarder::send_wrapped(MutableBytes room, std::size_t overhead, const Verdict& verdict, const Route& route,
                             const Mac& mac, const std::optional<RemoteChecksum>& remote) {
  VirtioHeader{}.write(room);
  const MutableBytes frame = frame_of(room), outer = packet_of(room);
  const IpHeader inner = read_ip_header(outer.subspan(overhead));
  TunnelEnds ends{.family = verdict.server_family, .source = route.source, .destination = verdict.server};
  ends.dont_fragment = verdict.path_mtu_discovery && inner.family == Family::kIpv4 && inner.dont_fragment &&
                       !fault(Fault::kOuterDfMissing);
  if (!ends.dont_fragment) ends.id = static_cast<std::uint16_t>(++packet_ids_);
  encapsulate(outer, verdict.tunnel, ends, inner, remote);
  rewrite_macs(frame, mac, wire_.mac());
  put_u16(frame, 12, ends.family == Family::kIpv4 ? kTypeIpv4 : kTypeIpv6);
  if (outer.size() <= route.mtu) return wire_.send(room);
  send_cut(wire_, frame, read_ip_header(outer), route.mtu);
}

// For packets without offloads.
void Forwarder::send_cut(FrameSocket& socket, Bytes frame, const IpHeader& ip, std::size_t mtu) {
  count(FrameEvent::kFragmented);
  Fragments fragments(frame.subspan(kEthernet), ip, mtu, ++packet_ids_);
  for (;;) {
    const MutableBytes piece = socket.make(kEthernet + mtu);
    const std::size_t length = fragments.next(packet_of(piece));
    if (length == 0) break;
    std::memcpy(frame_of(piece).data(), frame.data(), kEthernet);
    socket.send(piece.first(kVirtio + kEthernet + length));
  }
}

void Forwarder::wait_for_neighbour(const FamilyAddress& who, MutableBytes buffer, const Verdict& verdict, Way way) {
  count(FrameEvent::kWaiting);
  WaitingPacket waiting{.buffer = {}, .verdict = verdict, .is_reply = way == Way::kToClient};
  waiting.buffer.reserve(FrameSocket::kHeadroom + buffer.size());
  waiting.buffer.resize(FrameSocket::kHeadroom);
  waiting.buffer.insert(waiting.buffer.end(), buffer.begin(), buffer.end());
  neighbours_.wait(who, clock_.now(), std::move(waiting));
}

void Forwarder::learn(const Neighbour& neighbour) {
  for (WaitingPacket& waiting : neighbours_.learn(neighbour, clock_.now())) {
    const MutableBytes buffer = MutableBytes(waiting.buffer).subspan(FrameSocket::kHeadroom);
    if (waiting.is_own) {
      rewrite_macs(frame_of(buffer), neighbour.mac, wire_.mac());
      wire_.send(buffer);
    } else {
      deliver(buffer, read_ip_header(packet_of(buffer)), waiting.verdict,
              waiting.is_reply ? Way::kToClient : Way::kToServer);
    }
    wire_.flush();  // the packet that waited is about to be freed
  }
}

void Forwarder::send_own(std::vector<std::byte> frame, const FamilyAddress& to) {
  const DirectorTime now = clock_.now();
  const Route route = routes_.to(to, now);
  if (route.kind != Route::Kind::kUnicast) return;
  const FamilyAddress hop{to.family, route.next_hop};
  if (const Mac* const mac = neighbours_.find(hop, now)) {
    rewrite_macs(frame, *mac, wire_.mac());
    wire_.send_copy(frame);
    return;
  }
  WaitingPacket waiting{.buffer = {}, .verdict = {}, .is_own = true};
  waiting.buffer.resize(FrameSocket::kHeadroom + kVirtio);
  waiting.buffer.insert(waiting.buffer.end(), frame.begin(), frame.end());
  neighbours_.wait(hop, now, std::move(waiting));
}

void Forwarder::tell(Bytes frame, const IpHeader& ip, const IcmpError& error, const std::optional<Address>& from,
                     std::optional<DirectorTime> when) {
  if (!may_be_told(frame.subspan(kEthernet), ip)) return;
  count(FrameEvent::kTold);
  const std::vector<std::byte> told = icmp_error(frame.first(kEthernet + ip.total), error, wire_.mac(), from);
  std::vector<std::byte> memory(FrameSocket::kHeadroom + kVirtio + told.size());
  const MutableBytes buffer = MutableBytes(memory).subspan(FrameSocket::kHeadroom);
  std::memcpy(frame_of(buffer).data(), told.data(), told.size());
  let_out(buffer, read_ip_header(packet_of(buffer)), when.value_or(clock_.now()));
  wire_.flush();  // `memory` is about to go
}

void Forwarder::malformed(FrameEvent event) {
  if (counters_[event]++ == 0) log(std::string(FrameCounters::name_of(event)) + ": dropped, as will be others");
}

void Forwarder::from_stack(MutableBytes buffer) {
  const MutableBytes frame = frame_of(buffer);
  const std::uint16_t type = ether_type_of(frame);
  if (type != kTypeIpv4 && type != kTypeIpv6) return wire_.send(buffer);
  const IpHeader ip = read_ip_header(packet_of(buffer));
  if (ip.malformed != Malformed::kNone || ip.is_fragment()) return wire_.send(buffer);
  let_out(buffer, ip, clock_.now());
}

// Source: Linux ip_vs_core.c, the LOCAL_OUT hook: IPVS sees errors of its own making as well.
void Forwarder::let_out(MutableBytes buffer, IpHeader ip, DirectorTime now) {
  const MutableBytes frame = frame_of(buffer);
  Verdict verdict;
  if (is_icmp(ip)) {
    if (auto quotation = read_quotation(packet_of(buffer), ip)) {
      if (ip.family == Family::kIpv6) quotation->turned.quoted = Quoted::kByOwnIcmpv6;
      verdict = director_.handle_reply(now, quotation->turned);
    }
  } else if (const std::optional<Packet> packet = parse_frame(frame)) {
    verdict = director_.handle_reply(now, *packet);
  }
  if (verdict.action == Verdict::Action::kReject) {
    if (fault(Fault::kNoComplaint)) return wire_.send(buffer);
    stack_.send_copy(icmp_error(frame, {.kind = IcmpError::Kind::kPortUnreachable}, wire_.mac()));
    return;
  }
  if (verdict.action == Verdict::Action::kDrop) return count(FrameEvent::kDropped);
  if (verdict.ftp != nullptr && !edit(buffer, ip, verdict)) return;
  if (verdict.action == Verdict::Action::kForward) translate_towards(buffer, ip, verdict, Way::kToClient);
  wire_.send(buffer);
}

}  // namespace lvspec::director
