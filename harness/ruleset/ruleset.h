#pragma once

#include <netinet/in.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/ip_address.h"

/// The one model of what a director is told: virtual services, their real servers, and the rules that put firewall
/// marks on packets. It is read from and written as ipvsadm and iptables lines (read.h, write.h), given to every
/// director by its adapter, and compared with what a director says it has.
namespace lvspec {

/// The port of a service that takes every port of its address (PCC); needs persistence (ADM-60, SVC-12).
inline constexpr std::uint16_t kAnyPort = 0;

/// What `-p` without a value means. The man page says 300 s, the program does this (ADM-33).
inline constexpr std::chrono::seconds kDefaultPersistence{360};

/// The longest persistence that ipvsadm takes: 31 days (ADM-33).
inline constexpr std::chrono::seconds kLongestPersistence{2678400};

enum class Protocol { kTcp, kUdp, kSctp };
enum class ForwardMethod { kDirectRoute, kMasquerade, kTunnel };
enum class TunnelType { kIpip, kGue, kGre };
enum class TunnelChecksum { kNone, kFull, kRemote };

/// IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP.
int protocol_number(Protocol protocol);
/// "TCP", "UDP", "SCTP".
std::string protocol_name(Protocol protocol);
/// As `ipvsadm -L` shows it: "Route", "Masq", "Tunnel".
std::string method_name(ForwardMethod method);

/// What makes a service that service: {family, protocol, address, port}, or {family, fwmark} (SVC-16).
/// In a mark service protocol, address and port keep their defaults, so that == compares what counts.
struct ServiceId {
  int family = AF_INET;
  std::uint32_t fwmark = 0;  ///< 0: an address service (FWM-01)
  Protocol protocol = Protocol::kTcp;
  IpAddress address{};
  std::uint16_t port = 0;

  static ServiceId of(Protocol protocol, const IpAddress& address, std::uint16_t port);
  static ServiceId of_mark(std::uint32_t fwmark, int family = AF_INET);

  bool is_mark() const { return fwmark != 0; }
  /// As ipvsadm lists it: "TCP 198.51.100.10:80", "UDP [2001:db8::1]:53", "FWM 8", "FWM 9 IPv6". Marks are written
  /// unsigned, although ipvsadm shows those from 2^31 on as negative numbers (FWM-02).
  std::string str() const;

  auto operator<=>(const ServiceId&) const = default;
};

/// How kTunnel wraps a packet (FWD-04); without meaning for the other methods.
struct Tunnel {
  TunnelType type = TunnelType::kIpip;
  std::uint16_t port = 0;  ///< UDP port of GUE, host order; 0 for the others
  TunnelChecksum checksum = TunnelChecksum::kNone;

  auto operator<=>(const Tunnel&) const = default;
};

/// One real server of one service; the kernel's "destination". Identity within the service: {address, port} (DST-09).
struct RealServer {
  IpAddress address{};
  std::uint16_t port = 0;  ///< 0 in a mark service keeps the packet's own port (FWM-05)
  ForwardMethod method = ForwardMethod::kDirectRoute;
  std::int32_t weight = 1;  ///< 0: quiescent (DST-12)
  std::uint32_t upper = 0;  ///< connections at which the server counts as overloaded; 0: never (DST-21)
  std::uint32_t lower = 0;  ///< connections below which it recovers; 0: three quarters of upper (DST-21)
  Tunnel tunnel{};

  Endpoint endpoint() const { return {address, port}; }
  /// "203.0.113.11:80 Route weight 2", then thresholds and tunnel when they are not the defaults.
  std::string str() const;

  auto operator<=>(const RealServer&) const = default;
};

/// Scheduler flags 1 to 3 by the names that ipvsadm lists them by, "sh-port" or "flag-2", and back (ADM-37).
std::vector<std::string> scheduler_flag_names(const std::vector<int>& flags, const std::string& scheduler);
std::vector<int> scheduler_flags(const std::vector<std::string>& names);

struct VirtualService {
  ServiceId id{};
  std::string scheduler = "wlc";
  std::optional<std::uint32_t> persistent_s{};  ///< seconds; absent: not persistent
  /// Which bits of a client's address a template keeps (TPL-10). Only the member of the service's family counts; the
  /// other keeps its default.
  IpAddress netmask = IpAddress::v4(0xffffffff);
  int prefix_length = 128;  ///< IPv6: 1 to 128
  bool one_packet = false;
  std::string pe{};                        ///< persistence engine, "sip"; empty: none
  std::vector<std::string> sched_flags{};  ///< "sh-fallback", "sh-port", "mh-...", "flag-1"; ascending by flag
  /// In the order of their `-a` lines. The director puts each new one at the *head* of its own list (DST-05), so its
  /// schedulers meet the last one first.
  std::vector<RealServer> servers{};

  /// @return the server, or nullptr.
  const RealServer* find(const IpAddress& address, std::uint16_t port) const;
  RealServer* find(const IpAddress& address, std::uint16_t port);
  /// One line as `ipvsadm -L -n` has it (ADM-02), without the servers: "TCP 198.51.100.10:80 rr persistent 300 ops".
  std::string title() const;
  /// The title and one indented line for each server.
  std::string str() const;

  bool operator==(const VirtualService&) const = default;
};

/// Ports first to last, both included.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 65535;

  bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  /// "80" or "8000:8080".
  std::string str() const;

  auto operator<=>(const PortRange&) const = default;
};

/// One rule of mangle PREROUTING: a packet that fits every part gets its mark rewritten, and goes on to the next rule
/// (MARK does not end the walk, so of two fitting rules the later one has the last word).
struct MarkRule {
  int family = AF_INET;
  std::optional<Protocol> protocol{};  ///< absent: every protocol
  std::optional<Prefix> source{};      ///< absent: every address; host bits are zero
  std::optional<Prefix> destination{};
  std::vector<PortRange> source_ports{};       ///< fits if one of them does; empty: every port
  std::vector<PortRange> destination_ports{};  ///< as source_ports; neither without a protocol
  std::string in_interface{};                  ///< "eth0"; "eth+" for all that begin so; empty: every interface
  /// new mark = (old mark & ~mask) ^ mark, the kernel's own form and that of `--set-xmark mark/mask`.
  std::uint32_t mark = 0;
  std::uint32_t mask = 0xffffffff;

  /// The mark a fitting packet leaves with.
  std::uint32_t apply(std::uint32_t old_mark) const { return (old_mark & ~mask) ^ mark; }
  /// "-d 198.51.100.10/32 -i eth0 -p tcp --dport 80 -> mark 8".
  std::string str() const;

  bool operator==(const MarkRule&) const = default;
};

struct Ruleset {
  std::vector<VirtualService> services{};  ///< in the order of their `-A` lines
  std::vector<MarkRule> marks{};           ///< in the order in which packets meet them

  const VirtualService* find(const ServiceId& id) const;
  VirtualService* find(const ServiceId& id);
  std::string str() const;

  bool operator==(const Ruleset&) const = default;
};

std::ostream& operator<<(std::ostream& out, Protocol protocol);
std::ostream& operator<<(std::ostream& out, ForwardMethod method);
std::ostream& operator<<(std::ostream& out, const ServiceId& id);
std::ostream& operator<<(std::ostream& out, const RealServer& server);
std::ostream& operator<<(std::ostream& out, const VirtualService& service);
std::ostream& operator<<(std::ostream& out, const PortRange& range);
std::ostream& operator<<(std::ostream& out, const MarkRule& rule);
std::ostream& operator<<(std::ostream& out, const Ruleset& ruleset);

/// What a test may say about a server; everything else has ipvsadm's defaults (ADM-32).
struct ServerOptions {
  std::optional<std::uint16_t> port{};  ///< absent: the service's port
  ForwardMethod method = ForwardMethod::kDirectRoute;
  std::int32_t weight = 1;
  std::uint32_t upper = 0;
  std::uint32_t lower = 0;
  Tunnel tunnel{};
};

/// A service as a sentence, and a VirtualService wherever one is wanted:
///
///   TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.0").server(rip, {.weight = 2})
///
/// It says what the kernel would be told, and checks nothing: tests must be able to say what ipvsadm refuses (a port
/// zero service without persistence, SVC-12). Wrong address text is a bug and stops the program.
class ServiceBuilder {
 public:
  explicit ServiceBuilder(ServiceId id) { service_.id = id; }

  ServiceBuilder& scheduler(std::string name);
  ServiceBuilder& persistent(std::chrono::seconds timeout = kDefaultPersistence);
  /// IPv4: a mask in dots, "255.255.255.0". IPv6: a prefix length.
  ServiceBuilder& mask(std::string_view dotted);
  ServiceBuilder& mask(int prefix_length);
  ServiceBuilder& one_packet();
  ServiceBuilder& pe(std::string name);
  ServiceBuilder& flags(std::vector<std::string> sched_flags);
  ServiceBuilder& server(const IpAddress& address, const ServerOptions& options = {});
  ServiceBuilder& server(std::string_view address, const ServerOptions& options = {});

  const VirtualService& get() const { return service_; }
  operator VirtualService() const { return service_; }

 private:
  VirtualService service_;
};

ServiceBuilder TcpService(const IpAddress& address, std::uint16_t port);
ServiceBuilder TcpService(std::string_view address, std::uint16_t port);
ServiceBuilder UdpService(const IpAddress& address, std::uint16_t port);
ServiceBuilder UdpService(std::string_view address, std::uint16_t port);
ServiceBuilder SctpService(const IpAddress& address, std::uint16_t port);
ServiceBuilder SctpService(std::string_view address, std::uint16_t port);
ServiceBuilder MarkService(std::uint32_t fwmark, int family = AF_INET);

}  // namespace lvspec
