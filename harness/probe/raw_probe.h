#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/probe/answer.h"
#include "harness/probe/client.h"
#include "harness/probe/frame.h"

namespace lvspec {

/// Sends and hears frames below the client's network stack, from any address. From an address that is local, the
/// client's kernel answers a SYN-ACK with a RST of its own (which the director sees); from a mute one nobody does,
/// and the connection stays half open.
class RawProbe {
 public:
  /// A packet socket on `interface` of the clients' node. Errors name node and call.
  static Result<RawProbe> open(const NetworkNamespace& netns, const std::string& interface = "eth0");

  /// Sends one SYN to `vip_mac`, and nothing after it. kHalfOpen: a SYN-ACK came, `server` is the name that `names`
  /// has for its source MAC (or the MAC itself): in direct routing the real server answers without the director.
  /// kRefused: RST or ICMP port unreachable; kUnreachable: other ICMP; kSilence. `Attempt::close` is not used, and
  /// the client's port must be given (checked). Use fresh ports: a server that still holds the half-open connection
  /// of an earlier probe is recognised by its challenge ACK (`detail` says so), but sends one in 500 ms only.
  Result<Answer> syn(const Attempt& attempt, const MacAddress& vip_mac,
                     const std::map<MacAddress, std::string>& names);

  /// As syn, many at a time, in order; answer i belongs to attempt i. Attempts in flight together must differ in
  /// client or target; a SYN that gets lost is kSilence.
  Result<std::vector<Answer>> syn_all(const std::vector<Attempt>& attempts, const MacAddress& vip_mac,
                                      const std::map<MacAddress, std::string>& names, std::size_t in_flight = 64);

  /// Sends a frame and listens for nothing.
  Status send_segment(const TcpSegment& segment, const MacAddress& to);
  Status send_datagram(const UdpDatagram& datagram, const MacAddress& to);
  Status send_packet(const IpPacket& packet, const MacAddress& to);

  /// Sends an IP packet as it is; its family is that of its first four bits.
  Status send_packet(const std::vector<std::uint8_t>& packet, const MacAddress& to);

  /// The interface's own MAC.
  const MacAddress& mac() const { return mac_; }

 private:
  RawProbe(std::string node, FileDescriptor socket, MacAddress mac)
      : node_(std::move(node)), socket_(std::move(socket)), mac_(mac) {}
  Status send_frame(const std::vector<std::uint8_t>& frame, const std::string& what);
  void forget_what_came();

  std::string node_;
  FileDescriptor socket_;
  MacAddress mac_;
};

}  // namespace lvspec
