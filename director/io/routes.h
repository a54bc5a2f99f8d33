#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "director/core/time.h"
#include "director/io/neighbours.h"

namespace lvspec::director {

/// Where packets for one address go.
struct Route {
  enum class Kind : std::uint8_t {
    kLocal,    ///< an address of this machine
    kUnicast,  ///< over the wire, to `next_hop`
    kOther,    ///< multicast, broadcast: the machine's own stack knows
    kNone,     ///< nowhere
  };
  Kind kind = Kind::kNone;
  Address next_hop{};     ///< the gateway, or the address itself
  Address source{};       ///< what the machine would send from
  std::uint32_t mtu = 0;  ///< of the path as far as it is known
};

/// The machine's routes. They are the kernel's, asked for one destination at a time and remembered until anything
/// about routes, addresses or links changes; so policy rules, metrics and gateways are as they are for everybody
/// else. Without a network stack to ask, every address is on the wire but the machine's own.
/// Source: rtnetlink(7), RTM_GETROUTE; Linux Documentation/networking/ip-sysctl.rst, "mtu_expires".
class Routes {
 public:
  static constexpr std::size_t kMostRemembered = 65536;
  static constexpr std::uint32_t kLeastMtu4 = 552;  ///< min_pmtu
  static constexpr Duration kPathMtuLasts = std::chrono::seconds(600);

  /// @param own  addresses of the machine, the first of a family being what it sends from; used without a stack
  /// @param mtu  of the wire
  Routes(std::vector<FamilyAddress> own, std::uint32_t mtu);
  ~Routes();
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  /// From now on asks the network namespace that the calling thread is in. @throws std::system_error
  void ask_kernel();
  /// Readable when routes may have changed; -1 without a kernel to ask.
  int fd() const { return changes_; }
  /// Forgets what may have changed.
  void refresh();

  /// Never fails: what the kernel refuses is kNone. The reference holds until the next call.
  const Route& to(const FamilyAddress& destination, DirectorTime now);
  /// A router on the way has said that it takes no longer packets (FWD-13).
  /// @return what the kernel would now tell others: of a path that nobody has complained about yet still the old MTU,
  ///     since it reads that off the route it had before. Source: Linux ip_vs_core.c, ip_vs_in_icmp(), "Prefer the
  ///     resulting PMTU"; net/ipv4/route.c, update_or_create_fnhe().
  std::uint32_t learn_mtu(const FamilyAddress& destination, std::uint32_t mtu, DirectorTime now);

 private:
  struct Remembered {
    Route route;
    std::uint32_t path_mtu = 0;  // 0: nobody has complained
    DirectorTime until{};
    Route effective;
  };
  Route ask(const FamilyAddress& destination);
  Route without_kernel(const FamilyAddress& destination) const;

  std::vector<FamilyAddress> own_;
  std::uint32_t mtu_;
  int questions_ = -1, changes_ = -1;
  std::uint32_t sequence_ = 0;
  std::unordered_map<FamilyAddress, Remembered, FamilyAddressHash> remembered_;
};

}  // namespace lvspec::director
