#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "director/control/control.h"
#include "director/core/director.h"
#include "director/io/fragments.h"
#include "director/io/frame_counters.h"
#include "director/io/frame_socket.h"
#include "director/io/icmp.h"
#include "director/io/ingress.h"
#include "director/io/ip_header.h"
#include "director/io/neighbours.h"
#include "director/io/routes.h"
#include "director/io/tunnel.h"

namespace lvspec::director {

/// Carries frames between the wire and the director's own stack and lets the core decide about each.
///
///      wire (eth0)                                            stack (stack0)
///   ------------------> core.handle: forward -> back out on the wire: direct, translated or in a tunnel
///    to a local address              pass    -------------------------------->  the machine's own TCP/IP
///                                    reject  -> ICMP port unreachable, back out
///                                    drop
///   ------------------> core.handle_reply: replies of servers behind NAT: back out as from the VIP
///    to anywhere else                      all else: to the stack, which may route it
///   <-----------------------------------------------  core.handle_reply: replies of local servers, all else
///
/// So the machine's stack sits behind the director as it sits behind the LOCAL_IN hook: ARP, RSTs for ports that no
/// service has, and real servers on the director itself are the kernel's, not ours (SVC-01, SVC-13).
class Forwarder {
 public:
  struct Options {
    std::string wire = "eth0";
    std::string stack = "stack0";
    /// The network namespace whose routes are asked for, as a path. Without it every address but `own_addresses`
    /// is on the wire.
    std::string stack_netns;
    /// Every address of the machine, VIPs included; the first of each family asks for its neighbours.
    std::vector<FamilyAddress> own_addresses;
  };

  /// @throws std::system_error
  Forwarder(Director& director, Clock& clock, const Options& options);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  int wire_fd() const { return wire_.fd(); }
  int stack_fd() const { return stack_.fd(); }
  /// Readable when routes have changed: then refresh_routes(). -1 where nobody can tell.
  int routes_fd() const { return routes_.fd(); }
  void refresh_routes() { routes_.refresh(); }
  /// Handles what waits on the wire, and what the stack has sent if `stack_waits`. @return whether to ask again,
  /// since more came than is handled at once.
  bool run_once(bool stack_waits);
  /// Lets time pass for neighbours that are asked for and packets that are put together.
  void expire(DirectorTime now);
  std::optional<DirectorTime> next_deadline() const { return neighbours_.next_deadline(); }
  const FrameCounters& counters() const { return counters_; }

  std::function<void(std::uint64_t token)> on_fence = [](std::uint64_t) {};
  /// The first of each kind of malformed packet, in words.
  std::function<void(const std::string&)> log = [](const std::string&) {};

 private:
  enum class Way : std::uint8_t { kToServer, kToClient };

  void from_wire(MutableBytes buffer);
  void from_stack(MutableBytes buffer);
  void handle_packet(MutableBytes buffer, const IpHeader& ip);
  void handle_fragment(MutableBytes buffer, const IpHeader& ip);
  /// @return whether it was an ICMP error of ours to handle
  bool handle_error(MutableBytes buffer, const IpHeader& ip, bool is_local);
  void relay_tunnel_error(MutableBytes buffer, const TunnelQuotation& error);

  void pass(MutableBytes buffer, const IpHeader& ip);
  void deliver(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict, Way way);
  void deliver_locally(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict);
  /// FTP's part of NAT, done at once, since the verdict knows it no longer than until the next one.
  /// @return whether the packet can go on; `buffer` and `ip` are then those of the edited one
  bool edit(MutableBytes& buffer, IpHeader& ip, Verdict& verdict);
  void translate_towards(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict, Way way);
  void send_through_tunnel(MutableBytes buffer, const IpHeader& ip, const Verdict& verdict, const Route& route,
                           const Mac& mac);
  /// Wraps the packet that stands behind `overhead` bytes, and sends it.
  void send_wrapped(MutableBytes room, std::size_t overhead, const Verdict& verdict, const Route& route,
                    const Mac& mac, const std::optional<RemoteChecksum>& remote);
  void send_cut(FrameSocket& socket, Bytes frame, const IpHeader& ip, std::size_t mtu);
  void send_own(std::vector<std::byte> frame, const FamilyAddress& to);
  void wait_for_neighbour(const FamilyAddress& who, MutableBytes buffer, const Verdict& verdict, Way way);
  void learn(const Neighbour& neighbour);
  void tell(Bytes frame, const IpHeader& ip, const IcmpError& error,
            const std::optional<Address>& from = std::nullopt, std::optional<DirectorTime> when = std::nullopt);
  /// Sends what this machine itself says, unless it belongs to a connection: then as that wants it.
  void let_out(MutableBytes buffer, IpHeader ip, DirectorTime now);
  void count(FrameEvent event) { ++counters_[event]; }
  void malformed(FrameEvent event);

  Director& director_;
  Clock& clock_;
  FrameSocket wire_, stack_;
  IngressEnd wire_end_;
  std::vector<FamilyAddress> own_;
  Routes routes_;
  Neighbours neighbours_;
  Reassembly reassembly_;
  FrameCounters counters_;
  std::uint32_t packet_ids_ = 0;
};

}  // namespace lvspec::director
