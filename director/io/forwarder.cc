#include "director/io/forwarder.h"

#include <algorithm>
#include <cstring>

#include "director/control/protocol.h"

namespace lvspec::director {
namespace {

/// Frames kept for a neighbour that has not answered yet; the oldest goes first, as in the kernel's neighbour queue.
constexpr std::size_t kMostWaiting = 64;

std::span<std::byte> frame_of(std::span<std::byte> buffer) { return buffer.subspan(FrameSocket::kVirtioHeader); }

std::uint64_t fence_token(std::span<const std::byte> frame) {
  std::uint64_t token = 0;
  for (std::size_t i = 14; i < 22 && i < frame.size(); ++i)
    token = token << 8 | std::to_integer<std::uint64_t>(frame[i]);
  return token;
}

}  // namespace

Forwarder::Forwarder(Director& director, Clock& clock, const Options& options)
    : director_(director),
      clock_(clock),
      wire_(options.wire, FrameSocket::Accept::kAddressedToUs),
      stack_(options.stack, FrameSocket::Accept::kEverything),
      own_(options.own_addresses) {}

bool Forwarder::run_once() {
  const auto wire = wire_.receive();
  for (const auto& buffer : wire) from_wire(buffer);
  wire_.flush();
  stack_.flush();
  const auto stack = stack_.receive();
  for (const auto& buffer : stack) from_stack(buffer);
  wire_.flush();
  return !wire.empty() || !stack.empty();
}

void Forwarder::from_wire(std::span<std::byte> buffer) {
  const std::span<std::byte> frame = frame_of(buffer);
  if (ether_type_of(frame) == protocol::kFenceEtherType) {
    on_fence(fence_token(frame));
    return;
  }
  const std::optional<Packet> packet = parse_frame(frame);
  if (!packet) {
    if (const auto neighbour = neighbour_in(frame)) learn(*neighbour);
    stack_.send(buffer);
    return;
  }
  const Verdict verdict = director_.handle(clock_.now(), *packet);
  switch (verdict.action) {
    case Verdict::Action::kPass:
      stack_.send(buffer);
      break;
    case Verdict::Action::kDrop:
      break;
    case Verdict::Action::kReject:
      wire_.send_copy(icmp_error(frame, IcmpError::kPortUnreachable, wire_.mac()));
      break;
    case Verdict::Action::kForward:
      // FWD-01: a real server that is this machine gets the packet through its own stack, whatever the method.
      if (is_local(packet->family, verdict.server)) {
        stack_.send(buffer);
      } else {
        forward(buffer, packet->family, verdict.server);
      }
      break;
  }
}

void Forwarder::from_stack(std::span<std::byte> buffer) {
  if (const std::optional<Packet> packet = parse_frame(frame_of(buffer)))
    director_.handle_reply(clock_.now(), *packet);
  wire_.send(buffer);
}

void Forwarder::forward(std::span<std::byte> buffer, Family family, const Address& server) {
  const std::span<std::byte> frame = frame_of(buffer);
  if (!decrement_ttl(frame)) {
    wire_.send_copy(icmp_error(frame, IcmpError::kTimeExceeded, wire_.mac()));
    return;
  }
  Route& route = routes_[{family, server}];
  rewrite_macs(frame, route.mac, wire_.mac());
  if (route.known) {
    wire_.send(buffer);
    return;
  }
  if (route.waiting.size() == kMostWaiting) route.waiting.erase(route.waiting.begin());
  route.waiting.emplace_back(buffer.begin(), buffer.end());
  const auto own =
      std::find_if(own_.begin(), own_.end(), [&](const auto& address) { return address.first == family; });
  if (own != own_.end()) wire_.send_copy(neighbour_request(family, server, own->second, wire_.mac()));
}

void Forwarder::learn(const Neighbour& neighbour) {
  const auto found = routes_.find({neighbour.family, neighbour.address});
  if (found == routes_.end()) return;
  Route& route = found->second;
  route.known = true;
  route.mac = neighbour.mac;
  for (auto& buffer : route.waiting) {
    rewrite_macs(frame_of(buffer), route.mac, wire_.mac());
    wire_.send(buffer);
  }
  wire_.flush();  // the frames that waited are about to be freed
  route.waiting.clear();
}

bool Forwarder::is_local(Family family, const Address& address) const {
  if (family == Family::kIpv4 && address.bytes[0] == 127) return true;
  constexpr Address kIpv6Loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  if (family == Family::kIpv6 && address == kIpv6Loopback) return true;
  return std::find(own_.begin(), own_.end(), std::pair(family, address)) != own_.end();
}

}  // namespace lvspec::director
