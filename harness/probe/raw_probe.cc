#include "harness/probe/raw_probe.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "harness/probe/sockets.h"

namespace lvspec {
namespace {

constexpr int kReceiveBuffer = 8 << 20;  // a burst of SYN-ACKs while we are still sending

std::string mac_text(const MacAddress& mac) { return fmt::format("{:02x}", fmt::join(mac, ":")); }

// Rises with time (RFC 9293, 3.4.1), but by more than a window from one probe to the next: a server that still holds
// an earlier half-open connection of the same ports answers an in-window SYN with RST, and any other with a challenge
// ACK, by which it can be recognised. Source: Linux net/ipv4/tcp_minisocks.c, tcp_check_req().
std::uint32_t initial_sequence_number() {
  static std::atomic<std::uint32_t> next{std::random_device{}()};
  constexpr std::uint32_t kStep = 1 << 20;
  return next.fetch_add(kStep, std::memory_order_relaxed);
}

// One SYN under way.
struct Pending {
  std::size_t index = 0;
  std::uint32_t seq = 0;
  ProbeClock::time_point start;
  ProbeClock::time_point deadline;
};
using Tuple = std::pair<Endpoint, Endpoint>;  // client, target

// Fills `answer` if the frame answers this SYN. @return whether it does.
bool read_reply(const HeardFrame& heard, const Pending& pending, const std::map<MacAddress, std::string>& names,
                Answer* answer) {
  if (heard.kind == HeardFrame::Kind::kPortUnreachable || heard.kind == HeardFrame::Kind::kUnreachable) {
    const bool port = heard.kind == HeardFrame::Kind::kPortUnreachable;
    answer->outcome = port ? Outcome::kRefused : Outcome::kUnreachable;
    answer->detail = port ? "ICMP port unreachable" : "ICMP unreachable";
    answer->detail += " from " + mac_text(heard.from);
    return true;
  }
  const bool acks_us = (heard.flags & tcp_flags::kAck) != 0 && heard.ack == pending.seq + 1;
  if ((heard.flags & tcp_flags::kRst) != 0) {
    if ((heard.flags & tcp_flags::kAck) != 0 && !acks_us) return false;  // it answers an older segment
    answer->outcome = Outcome::kRefused;
    answer->detail = "RST from " + mac_text(heard.from);
    return true;
  }
  // A SYN-ACK for another number is the server's retransmission for an earlier SYN of the same ports. A bare ACK is a
  // challenge (RFC 5961, 4.2): this server still holds that earlier connection.
  const bool syn = (heard.flags & tcp_flags::kSyn) != 0;
  if ((heard.flags & tcp_flags::kAck) == 0 || (syn && !acks_us)) return false;
  answer->outcome = Outcome::kHalfOpen;
  const auto name = names.find(heard.from);
  answer->server = name != names.end() ? name->second : mac_text(heard.from);
  if (!syn) answer->detail = "challenge ACK: the server knows this connection already";
  return true;
}

}  // namespace

Result<RawProbe> RawProbe::open(const NetworkNamespace& netns, const std::string& interface) {
  return netns.call([&]() -> Result<RawProbe> {
    const auto failed = [&](const char* call) {
      return system_error(fmt::format("{}: {}({})", netns.name(), call, interface));
    };
    // Protocol 0: nothing arrives before bind says from which interface.
    FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return failed("socket AF_PACKET");
    const int on = 1;
    if (setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0)
      return failed("setsockopt PACKET_IGNORE_OUTGOING");
    if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);

    ifreq request{};
    if (interface.size() >= sizeof request.ifr_name) return usage_error(interface + ": not an interface name");
    std::memcpy(request.ifr_name, interface.data(), interface.size());
    if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return failed("ioctl SIOCGIFHWADDR");
    MacAddress mac;
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    if (ioctl(socket.get(), SIOCGIFINDEX, &request) != 0) return failed("ioctl SIOCGIFINDEX");

    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = request.ifr_ifindex;
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed("bind");
    return RawProbe(netns.name(), std::move(socket), mac);
  });
}

Status RawProbe::send_frame(const std::vector<std::uint8_t>& frame, const std::string& what) {
  if (send(socket_.get(), frame.data(), frame.size(), 0) < 0) return system_error(node_ + ": " + what);
  return {};
}

Status RawProbe::send_segment(const TcpSegment& segment, const MacAddress& to) {
  return send_frame(tcp_frame(mac_, to, segment), fmt::format("send(TCP to {})", segment.target.str()));
}

Status RawProbe::send_datagram(const UdpDatagram& datagram, const MacAddress& to) {
  return send_frame(udp_frame(mac_, to, datagram), fmt::format("send(UDP to {})", datagram.target.str()));
}

Status RawProbe::send_packet(const std::vector<std::uint8_t>& packet, const MacAddress& to) {
  LVSPEC_CHECK(!packet.empty());
  std::vector<std::uint8_t> frame(to.begin(), to.end());
  frame.insert(frame.end(), mac_.begin(), mac_.end());
  const bool six = packet.front() >> 4 == 6;
  frame.push_back(six ? 0x86 : 0x08);
  frame.push_back(six ? 0xdd : 0x00);
  frame.insert(frame.end(), packet.begin(), packet.end());
  return send_frame(frame, fmt::format("send({} bytes of IP)", packet.size()));
}

Status RawProbe::send_packet(const IpPacket& packet, const MacAddress& to) {
  return send_frame(ip_frame(mac_, to, packet), fmt::format("send(IP to {})", packet.target.str()));
}

void RawProbe::forget_what_came() {
  char byte = 0;
  while (recv(socket_.get(), &byte, 1, 0) >= 0) {
  }
}

Result<Answer> RawProbe::syn(const Attempt& attempt, const MacAddress& vip_mac,
                             const std::map<MacAddress, std::string>& names) {
  LVSPEC_ASSIGN(auto answers, syn_all({attempt}, vip_mac, names, 1));
  return std::move(answers.front());
}

Result<std::vector<Answer>> RawProbe::syn_all(const std::vector<Attempt>& attempts, const MacAddress& vip_mac,
                                              const std::map<MacAddress, std::string>& names, std::size_t in_flight) {
  LVSPEC_CHECK(in_flight > 0);
  forget_what_came();
  std::vector<Answer> answers(attempts.size());
  std::map<Tuple, Pending> pending;
  std::vector<std::uint8_t> buffer(1 << 16);
  std::size_t next = 0;
  while (next < attempts.size() || !pending.empty()) {
    for (; next < attempts.size() && pending.size() < in_flight; ++next) {
      const Attempt& attempt = attempts[next];
      LVSPEC_CHECK(attempt.client.port != 0);
      answers[next].client = attempt.client;
      answers[next].target = attempt.target;
      const std::uint32_t seq = initial_sequence_number();
      const auto now = ProbeClock::now();
      const bool fresh =
          pending.try_emplace({attempt.client, attempt.target}, Pending{next, seq, now, now + attempt.patience})
              .second;
      LVSPEC_CHECK(fresh);
      LVSPEC_TRY(send_segment(
          {.source = attempt.client, .target = attempt.target, .flags = tcp_flags::kSyn, .seq = seq}, vip_mac));
    }

    const auto soonest = std::min_element(pending.begin(), pending.end(), [](const auto& a, const auto& b) {
      return a.second.deadline < b.second.deadline;
    });
    wait_readable(socket_, soonest->second.deadline);
    for (;;) {
      const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) break;
      if (size < 0) return system_error(node_ + ": recv(packet socket)");
      const auto heard = read_frame({buffer.data(), static_cast<std::size_t>(size)});
      if (!heard || heard->kind == HeardFrame::Kind::kUdp) continue;
      // ICMP quotes our own packet, a segment comes the other way.
      const bool from_target = heard->kind == HeardFrame::Kind::kTcp;
      const auto found =
          pending.find(from_target ? Tuple{heard->target, heard->source} : Tuple{heard->source, heard->target});
      if (found == pending.end()) continue;
      Answer& answer = answers[found->second.index];
      if (!read_reply(*heard, found->second, names, &answer)) continue;
      answer.took = since(found->second.start);
      pending.erase(found);
    }
    // Whether frames came or not: those of others must not keep a deadline from passing.
    const auto now = ProbeClock::now();
    std::erase_if(pending, [&](const auto& entry) {
      const Pending& syn = entry.second;
      if (now < syn.deadline) return false;
      answers[syn.index].detail = fmt::format("no SYN-ACK within {} ms", attempts[syn.index].patience.count());
      answers[syn.index].took = since(syn.start);
      return true;
    });
  }
  return answers;
}

}  // namespace lvspec
