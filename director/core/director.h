#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "director/core/classifier.h"
#include "director/core/packet.h"
#include "director/core/service.h"
#include "director/core/sync_message.h"
#include "director/core/time.h"

namespace lvspec::director {

struct FtpEdit;

/// What to do with one packet.
struct Verdict {
  enum class Action : std::uint8_t {
    kForward,  ///< a packet for the server: to `server`, by `method`; a reply: to the client, as from the VIP
    kDrop,     ///< silently
    kPass,     ///< not ours: to the director's own stack, or, a reply, on its way as it is
    kReject,   ///< answer with ICMP port unreachable, then drop (SVC-21, FWD-15)
  };
  Action action = Action::kPass;
  // The rest is that of kForward.
  ForwardMethod method = ForwardMethod::kDirectRoute;
  Family server_family = Family::kIpv4;  ///< the packet's own, but for tunnels (FWD-05)
  Address server{};                      ///< the RIP
  std::uint16_t server_port = 0;         ///< the port the entry has (changed on the wire by NAT only)
  Address virtual_address{};             ///< what the client knows the server by: NAT writes it into replies
  std::uint16_t virtual_port = 0;
  Tunnel tunnel{};
  /// Direct routing over a route of another method's: the next hop is who has the packet's destination (FWD-02).
  bool asks_for_destination = false;
  bool path_mtu_discovery = true;  ///< sysctl pmtu_disc: do tunnels heed the packet's DF (FWD-04, FWD-07)?
  /// What NAT of an FTP control connection changes besides (FWD-16); valid until the director's next call.
  const FtpEdit* ftp = nullptr;
};

/// Result of a configuration command, named as the kernel's errno would be (NLK-02).
enum class Outcome {
  kOk,
  kServiceExists,    ///< EEXIST
  kNoSuchService,    ///< ESRCH
  kServerExists,     ///< EEXIST
  kNoSuchServer,     ///< ENOENT
  kNoSuchScheduler,  ///< ENOENT
  kOutOfRange,       ///< ERANGE: weight < 0, lower > upper threshold (DST-11)
  kInvalid,          ///< EINVAL: what the kernel takes for nonsense (NLK)
};

enum class TcpState : std::uint8_t {
  kNone,
  kEstablished,
  kSynSent,
  kSynRecv,
  kFinWait,
  kTimeWait,
  kClose,
  kCloseWait,
  kLastAck,
  kListen,
  kSynAck,
};

/// One row of `ipvsadm -L -n -c`: a connection entry, or a template (client port 0).
struct EntryView {
  Family family;
  Family server_family;  ///< differs with tunnels only (FWD-05)
  Protocol protocol;     ///< kNone ("IP") for templates of marks
  Address client, virtual_address, server;
  std::uint16_t client_port, virtual_port, server_port;
  bool is_template;
  std::string state;                    ///< as ipvsadm names it: "ESTABLISHED", "UDP", "NONE", "ASSURED", ...
  Duration expires_in;                  ///< until the deadline; never negative (TIM-05)
  Duration timeout;                     ///< the stored timeout that the next arming uses
  std::uint32_t controlled = 0;         ///< templates: connection entries that point here
  std::uint32_t fwmark = 0;             ///< of the service that made it
  std::uint32_t in_packets = 0;         ///< packets from the client; of a template: its one-packet datagrams (CON-61)
  std::string engine{}, engine_data{};  ///< templates of a persistence engine: "sip" and a Call-ID (TPL-20)
  bool bound_available = true;          ///< its real server is still part of a service
  bool learned = false;                 ///< from a sync master (origin SYNC, SYN-09)
};

/// `net.ipv4.vs.*` with the kernel's defaults (section 11 of the clauses).
struct Sysctls {
  int am_droprate = 10;
  int amemthresh = 1024;
  int backup_only = 0;
  int cache_bypass = 0;
  int conn_reuse_mode = 1;
  int drop_entry = 0;
  int drop_packet = 0;
  int expire_nodest_conn = 0;
  int expire_quiescent_template = 0;
  /// Without effect here: what a packet of another protocol has wrapped up is unwrapped by the director's own stack,
  /// behind us, and never comes back (CTL-12).
  int ignore_tunneled = 0;
  int lblc_expiration = 86400;   ///< seconds
  int lblcr_expiration = 86400;  ///< seconds
  int nat_icmp_send = 0;
  int pmtu_disc = 1;
  int run_estimation = 1;
  int schedule_icmp = 0;
  int secure_tcp = 0;
  int sloppy_sctp = 0;
  int sloppy_tcp = 0;
  int sync_persist_mode = 0;
  int sync_ports = 1;
  int sync_qlen_max = 3900;
  int sync_refresh_period = 0;  ///< seconds
  int sync_retries = 0;
  int sync_sock_size = 0;
  int sync_threshold = 3, sync_period = 50;  ///< the two integers of sync_threshold (CTL-27)
  int sync_version = 1;

  bool operator==(const Sysctls&) const = default;
};

/// Takes what a sync master has to tell, as it happens; called on the packet path.
class SyncSink {
 public:
  virtual void add(DirectorTime now, const SyncEntry& entry) = 0;

 protected:
  ~SyncSink() = default;
};

/// What became of an entry that a master told us of.
enum class SyncLearned {
  kTaken,            ///< made or refreshed
  kStale,            ///< the end of a connection that has been replaced here (SYN-12)
  kOnePacket,        ///< of version 0 alone, which may say so; there is nothing to learn (SYN-11)
  kUnknownProtocol,  ///< not ours: neither TCP, UDP nor SCTP
  kUnknownState,     ///< the protocol has no such state
  kUnknownEngine,    ///< of a persistence engine that is not here
  kNoRoom,           ///< the table is full
};
std::string_view text_of(SyncLearned learned);

/// `ipvsadm --set`; 0 keeps the value (CON-21).
struct Timeouts {
  std::uint32_t tcp_s = 900, tcp_fin_s = 120, udp_s = 300;
};

/// Decides like Linux IPVS: pure, told the time, no system calls, no globals.
/// Time begins at 0 and never goes back: `now` is never before an earlier one (checked). Before it does anything
/// else, every call that takes `now` lets all timers due by then fire, each at its own deadline and oldest first, so
/// one step over an hour gives the same tables as 3600 steps of a second.
class Director {
 public:
  /// @param entries  entries and templates for which room is made at once; beyond that the table grows by doubling.
  /// @param seed     of whatever is decided by chance (scheduler twos, drop_entry): the same seed, the same
  /// decisions.
  explicit Director(std::size_t entries = 4096, std::uint64_t seed = 1);
  ~Director();
  Director(const Director&) = delete;
  Director& operator=(const Director&) = delete;

  /// Before the first packet: timers are late as those of a Linux kernel with this HZ (timer_wheel.h); 0: exact. The
  /// first time after 0 that it is told is then when the director came into being, as its statistics see it.
  void set_timer_wheel(int hz);
  /// When a timer fires that is armed at `now`: exactly then, or late as the wheel has it.
  DirectorTime timer(DirectorTime now, Duration timeout) const;

  /// A packet from the wire, marked by the classifier here. Source: core.c, ip_vs_in_hook().
  Verdict handle(DirectorTime now, const Packet& packet);
  /// A packet on its way to a client, from the director's own stack or through the director: the reply of an entry
  /// moves its state and, with NAT, is to leave as from the VIP (CON-02, CON-03, FWD-03). Source: ip_vs_out_hook().
  Verdict handle_reply(DirectorTime now, const Packet& packet);
  /// From now on no more than that many entries and templates; 0: as memory lasts. What needs one more is treated as
  /// by a kernel that has no memory left for it: dropped silently (SVC-22).
  void limit_entries(std::size_t limit);
  /// How often an entry or a template was not made because of the limit.
  std::uint64_t refused_entries() const;
  /// Lets timers fire up to and including `now`. @return how many entries and templates were removed.
  std::size_t expire(DirectorTime now);
  /// The next moment at which an entry's timer fires, if there is one. Other timers change nothing that could be seen
  /// before the next call.
  std::optional<DirectorTime> next_deadline() const;
  /// The latest moment it has been told of.
  DirectorTime time() const;

  Outcome add_service(const ServiceKey& key, const ServiceSettings& settings);
  Outcome edit_service(const ServiceKey& key, const ServiceSettings& settings);
  Outcome remove_service(DirectorTime now, const ServiceKey& key);
  Outcome add_server(const ServiceKey& service, const RealServerKey& server, const RealServerSettings& settings);
  Outcome edit_server(const ServiceKey& service, const RealServerKey& server, const RealServerSettings& settings);
  Outcome remove_server(DirectorTime now, const ServiceKey& service, const RealServerKey& server);
  /// `ipvsadm -Z`: what was shown last is the zero point from now on (CON-77).
  Outcome zero(DirectorTime now, const ServiceKey& service);
  void zero(DirectorTime now);
  /// `ipvsadm -C`: entries and templates stay (EDT-10).
  void clear(DirectorTime now);
  void set_marks(std::vector<MarkRule> rules);
  /// @return kInvalid, and nothing is changed, if the kernel would answer EINVAL to one of the values that differ.
  Outcome set_sysctls(const Sysctls& sysctls);
  Sysctls sysctls() const;
  /// kInvalid, and nothing changes, if one is too long for a kernel (NLK-06).
  Outcome set_timeouts(const Timeouts& timeouts);
  Timeouts timeouts() const;

  /// While there is a sink we are a sync master: it is told of connections and templates (SYN-03..06). Null: none.
  void set_sync_master(SyncSink* sink);
  /// A sync backup is running, which backup_only looks at (SYN-13).
  void set_sync_backup(bool running);
  /// What a master has told us (SYN-07..12).
  SyncLearned learn(DirectorTime now, const SyncEntry& entry);
  /// Addresses of the director itself, virtual ones included: packets to them are never bypassed (SVC-21).
  void set_own_addresses(std::vector<std::pair<Family, Address>> addresses);

  /// Services in the order they were added; their servers in list order. Statistics are as of the last round of the
  /// estimation timer (CON-76), everything else as it is now.
  std::vector<const VirtualService*> services() const;
  /// Connections, packets and bytes of all services, also of those that are gone (CON-75); as of that round, too.
  Counters totals() const;
  /// Every entry and template, in no particular order (CON-04).
  std::vector<EntryView> entries(DirectorTime now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lvspec::director
