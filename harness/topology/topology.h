#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/ip_address.h"

namespace lvspec {

/// Addresses that every world uses, from RFC 5737 and RFC 3849, so that any packet in any capture is recognisably
/// ours. IPv6 twins have the same last byte.
namespace addresses {
inline const Prefix kClients = Prefix::of("192.0.2.0/24");      ///< client i is 192.0.2.i
inline const Prefix kClients6 = Prefix::of("2001:db8:2::/64");  ///< client i is 2001:db8:2::i
inline const Prefix kVips = Prefix::of("198.51.100.0/24");
inline const Prefix kVips6 = Prefix::of("2001:db8:51::/64");
inline const Prefix kLan =
    Prefix::of("203.0.113.0/24");  ///< director .1, standby .2, real server i .10+i, clients' router .254
inline const Prefix kLan6 = Prefix::of("2001:db8:113::/64");  ///< the same: ::1, ::(10+i), ::fe
}  // namespace addresses

/// How the director under test sits in its node.
enum class DirectorPlace {
  kStack,   ///< it is, or uses, the node's own network stack: kernel IPVS, keepalived, a proxy
  kInline,  ///< it is a process between the wire and the stack: the bundled director
};

/// How real servers are to be reached, which decides how they are furnished.
enum class Reach {
  kDirectly,     ///< the VIP on lo, answers straight to the clients
  kMasqueraded,  ///< no VIP; the way to the clients leads through the director, whose stack forwards
  kTunnelled,    ///< as kDirectly; the far end of a tunnel delivers to lo
};

/// Two interfaces of this machine with somebody's appliance between them, and the addresses that its owner lets us
/// have: clients are behind the one, real servers behind the other. IPv4. The same name twice: the appliance has one
/// arm.
struct Wire {
  std::string client_interface, server_interface;
  Prefix clients{};                  ///< addresses that may be ours as clients
  std::uint64_t first_client = 1;    ///< client 1 is this one of them
  std::vector<IpAddress> servers{};  ///< RIPs, in order
  int server_prefix_length = 24;
  std::optional<IpAddress> client_gateway{};  ///< the clients' way to the VIPs; none: they are on the link
  std::optional<IpAddress> server_gateway{};  ///< the servers' way to the clients; none: they are on the link
};

/// A world as plain data: one segment with clients, one director and real servers.
///
///   clients ──┐                    ┌── real1
///             ├── segment (bridge) ┼── real2
///   director ─┘                    └── real3
///
/// All clients share one node: a router that owns whole prefixes of client addresses, as a router in front of a
/// network does, so that a thousand clients cost no more than one. Their addresses are local to it; those of
/// `mute_prefixes` are routed to it but not local, so what is sent to them vanishes (a client that fell silent).
struct Topology {
  int client_count = 1;  ///< clients 1..n that a case means to use; the whole prefix is always there
  std::vector<Prefix> client_prefixes = {addresses::kClients, addresses::kClients6};
  std::vector<Prefix> mute_prefixes = {Prefix::of("192.0.2.240/28")};  ///< taken out of client_prefixes
  int server_count = 3;
  std::vector<IpAddress> vips = {IpAddress::of("198.51.100.10"), IpAddress::of("2001:db8:51::10")};
  DirectorPlace director_place = DirectorPlace::kStack;
  /// A second director with the same VIPs, which takes over when the first fails; none: there is no such node. The
  /// router in front of both has a static neighbour entry for each VIP then, and World::fail_over() changes it.
  std::optional<DirectorPlace> standby_place = std::nullopt;
  bool ipv6 = true;
  Reach reach = Reach::kDirectly;
  /// Somebody else's appliance is the director: node `director` has no link then, client addresses and RIPs are the
  /// owner's, and of `reach` only whether the servers have the VIP.
  std::optional<Wire> wire = std::nullopt;

  IpAddress client(int i, int family = AF_INET) const;       ///< i from 1
  IpAddress real_server(int i, int family = AF_INET) const;  ///< RIP; i from 1
  IpAddress director(int family = AF_INET) const;            ///< DIP
  IpAddress standby(int family = AF_INET) const;             ///< DIP of the second director
};

}  // namespace lvspec
