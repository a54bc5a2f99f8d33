#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "director/core/address.h"
#include "director/core/packet.h"
#include "director/core/statistics.h"
#include "director/core/time.h"

namespace lvspec::director {

class Scheduler;
struct VirtualService;

/// A service is known by {family, mark}, or by {family, protocol, address, port} (SVC-16). A mark of 0 means "by
/// address"; with a mark the other fields are zero.
struct ServiceKey {
  Family family = Family::kIpv4;
  std::uint32_t fwmark = 0;
  Protocol protocol = Protocol::kNone;
  Address address{};
  std::uint16_t port = 0;

  bool operator==(const ServiceKey&) const = default;
};

enum class ForwardMethod : std::uint8_t { kDirectRoute, kMasquerade, kTunnel };

/// How kTunnel wraps a packet (FWD-04); without meaning for the other methods.
enum class TunnelType : std::uint8_t { kIpip, kGue, kGre };
enum class TunnelChecksum : std::uint8_t { kNone, kFull, kRemote };
struct Tunnel {
  TunnelType type = TunnelType::kIpip;
  std::uint16_t port = 0;  ///< UDP port of GUE
  TunnelChecksum checksum = TunnelChecksum::kNone;

  bool operator==(const Tunnel&) const = default;
};

/// "flag-1" to "flag-3" of a service; what they mean is the scheduler's affair (sh: fallback, port; mh alike).
/// Source: Linux include/uapi/linux/ip_vs.h, IP_VS_SVC_F_SCHED1 to 3.
struct SchedulerFlags {
  bool first = false, second = false, third = false;

  bool operator==(const SchedulerFlags&) const = default;
};

/// What `ipvsadm -A` and `-E` set, as a whole (EDT-01).
struct ServiceSettings {
  std::string scheduler = "wlc";
  bool persistent = false;
  std::uint32_t timeout_s = 0;  ///< of templates made from now on (EDT-02); 0 with persistent is legal (NLK-07)
  AddressMask netmask = AddressMask::all();
  bool one_packet = false;
  SchedulerFlags flags{};
  std::string engine{};  ///< persistence engine: "sip", or empty (TPL-20)
};

/// What `ipvsadm -a` and `-e` set, as a whole (DST-07).
struct RealServerSettings {
  ForwardMethod method = ForwardMethod::kDirectRoute;
  std::int32_t weight = 1;
  std::uint32_t upper_threshold = 0, lower_threshold = 0;
  Tunnel tunnel{};
};

/// Identity of a real server inside its service (DST-09).
struct RealServerKey {
  Family family = Family::kIpv4;
  Address address{};
  std::uint16_t port = 0;

  bool operator==(const RealServerKey&) const = default;
};

/// The route to a server is kept from its first packet on, as that packet's method had it looked up: only direct
/// routing asks for one that names the server as next hop. With any other, a server on the director's own network is
/// looked for on the wire by the address that the packet bears. An edit, or coming back, begins anew (FWD-02).
/// Source: Linux ip_vs_xmit.c, __ip_vs_get_out_rt(), IP_VS_RT_MODE_KNOWN_NH; ip_vs_ctl.c, __ip_vs_dst_cache_reset().
enum class RouteKept : std::uint8_t { kNone, kNamesServer, kPlain };

/// The kernel's "destination". It outlives its removal for as long as something refers to it, and two minutes more
/// (DST-01, DST-02): `available` is then false, and a later `-a` of the same server brings this very object back
/// (DST-03).
struct RealServer {
  RealServerKey key;
  ServiceKey service;
  RealServerSettings settings;
  bool available = true;
  bool unbound = false;  ///< no server of any service, but the address in entries of a master whose service we lack
  bool overloaded = false;
  RouteKept route = RouteKept::kNone;
  std::int32_t last_weight = 0;                            ///< that was not zero; or that it was added with (DST-13)
  std::uint32_t active = 0, inactive = 0, persistent = 0;  ///< CON-70
  std::uint32_t references = 0;                            ///< entries, templates and caches that hold it
  Statistics statistics;
  VirtualService* listed_in = nullptr;       ///< the service that lists it; null while in the trash
  std::uint64_t counted_for = 0;             ///< serial of the service object whose time `statistics` cover (DST-04)
  std::optional<DirectorTime> idle_since{};  ///< in the trash: the check that first found it without references
};

/// A virtual service and its real servers, most recently added first (DST-05).
struct VirtualService {
  ServiceKey key;
  ServiceSettings settings;
  std::vector<RealServer*> servers;  ///< list order; owned by Director
  std::unique_ptr<Scheduler> scheduler;
  Statistics statistics;
  std::uint64_t serial = 0;  ///< no two service objects of one director share it, not even of the same key

  VirtualService();
  ~VirtualService();
};

/// Keeps a server from being freed while something that is neither entry nor template remembers it (DST-02).
class ServerReference {
 public:
  explicit ServerReference(RealServer& server) : server_(&server) { ++server.references; }
  ServerReference(ServerReference&& other) noexcept : server_(std::exchange(other.server_, nullptr)) {}
  ServerReference& operator=(ServerReference other) noexcept {
    std::swap(server_, other.server_);
    return *this;
  }
  ~ServerReference() {
    if (server_ != nullptr) --server_->references;
  }

  RealServer& operator*() const { return *server_; }

 private:
  RealServer* server_;
};

}  // namespace lvspec::director
