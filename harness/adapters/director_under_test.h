#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/adapters/tables.h"
#include "harness/base/result.h"
#include "harness/netns/namespace.h"
#include "harness/ruleset/ruleset.h"
#include "harness/ruleset/sync_daemon.h"

namespace lvspec {

/// Where a director is to run: its node in a world.
struct DirectorSite {
  const NetworkNamespace* netns = nullptr;        ///< the wire is "eth0" here
  std::string stack_interface;                    ///< inline directors: the way to the node's own stack; else empty
  std::vector<IpAddress> addresses;               ///< DIPs, then VIPs
  const NetworkNamespace* stack_netns = nullptr;  ///< inline directors: whose addresses and routes count
};

/// What a product says of its affinity, so that profile `affinity` can judge it by its own words.
struct Affinity {
  enum class Key { kSourceAddress, kSourceAddressAndPort };  ///< what makes two connections one client
  enum class Scope { kService, kAllServices };               ///< whether services share what they remember
  enum class Window { kAsConfigured, kForEver };             ///< -p, or a hash that never forgets
  enum class RenewedBy { kConnection, kPacket, kNothing };   ///< what begins the window anew
  Key key = Key::kSourceAddress;
  Scope scope = Scope::kService;
  Window window = Window::kAsConfigured;
  RenewedBy renewed_by = RenewedBy::kConnection;
  bool operator==(const Affinity&) const = default;
};

/// What a director says of itself. Suite `declared` holds it to its capabilities, suite `affinity` to its affinity.
struct DirectorIdentity {
  std::string name, version;
  std::vector<std::string> capabilities;
  std::optional<Affinity> affinity{};  ///< absent: it claims none
};

/// An adapter: one director, running in one world. Suites never see which one it is.
///
/// Errors: kWorld if the director died, hangs or cannot be reached (the text says how it ended); kUnsupported if it
/// does not claim what is asked; kDirector if it refuses an order, in its own words ("Service already exists");
/// kEnvironment if this machine or lab lacks what it needs.
class DirectorUnderTest {
 public:
  virtual ~DirectorUnderTest() = default;

  virtual const DirectorIdentity& identity() const = 0;

  /// The service, then its servers in their order.
  virtual Status add_service(const VirtualService& service) = 0;
  /// Everything but identity and servers, as a whole (EDT-01).
  virtual Status edit_service(const VirtualService& service) = 0;
  virtual Status remove_service(const ServiceId& id) = 0;
  virtual Status add_server(const ServiceId& service, const RealServer& server) = 0;
  virtual Status edit_server(const ServiceId& service, const RealServer& server) = 0;
  virtual Status remove_server(const ServiceId& service, const Endpoint& server) = 0;
  virtual Status clear() = 0;
  /// Replaces all mark rules.
  virtual Status set_marks(const std::vector<MarkRule>& rules) = 0;
  /// `net.ipv4.vs.NAME`.
  virtual Status set_sysctl(const std::string& name, int value) = 0;
  /// `ipvsadm --set`, in seconds; 0 keeps.
  virtual Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) = 0;
  /// `ipvsadm -Z`, of all services (CON-77).
  virtual Status zero() = 0;

  /// State sync. Starting a daemon that runs, or stopping one that does not, is refused (SYN-14).
  virtual Status start_daemon(const SyncDaemon& daemon) = 0;
  virtual Status stop_daemon(SyncRole role) = 0;

  /// All that decides about clients beside the tables, as it is now, by name: "net.ipv4.vs.conn_reuse_mode" -> "1",
  /// "timeout tcp" -> "900", of a kernel its module's parameters as well ("ip_vs.conn_tab_bits").
  virtual Result<std::map<std::string, std::string>> settings() {
    return unsupported(identity().name + " has no settings that it could tell");
  }
  virtual Result<Tables> tables() = 0;

  /// Returns when everything that was on the wire before the fence `token` has been handled.
  virtual Status await_fence(std::uint64_t token) = 0;
  /// Moves the director's own clock; returns when every timer due has fired. For labs whose clock it is.
  virtual Status advance(std::chrono::nanoseconds step) = 0;
  /// How late a timer of this length may fire (TIM-02); zero for exact timers.
  virtual std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const = 0;

  /// What the director wrote, for evidence.
  virtual std::string log() const = 0;
  /// The configuration that we wrote for it, for evidence; empty for who has no such file.
  virtual std::string configuration() const { return ""; }
};

/// A whole ruleset: marks first, so that no packet meets a service without its mark.
Status apply(DirectorUnderTest& director, const Ruleset& ruleset);

}  // namespace lvspec
