#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "director/core/director.h"
#include "director/core/packet.h"
#include "director/core/service.h"
#include "director/core/tcp_states.h"
#include "director/core/timer_queue.h"

namespace lvspec::director {

/// What an entry is found by. Connections have the packet's own addresses and ports (CON-01), templates what TPL-03
/// lists; the two never match each other (TPL-18).
struct ConnKey {
  Family family = Family::kIpv4;
  Protocol protocol = Protocol::kNone;
  bool is_template = false;
  std::uint16_t client_port = 0, virtual_port = 0;
  Address client{}, virtual_address{};

  bool operator==(const ConnKey&) const = default;
};

/// The key of the connection that a packet from a client belongs to.
ConnKey connection_key(const Packet& packet);

/// A connection entry or a template (the kernel's struct ip_vs_conn). What a lookup touches stands first and fits
/// one cache line.
struct alignas(64) ConnEntry {
  ConnEntry* chain = nullptr;  ///< next in its hash chain, or in the list of free entries
  std::uint32_t hash = 0;
  ConnKey key;
  bool hashed = false;   ///< found by lookups; false for one-packet entries (CON-50)
  bool renamed = false;  ///< a rejected template: listed, never found again (VAL-04)

  RealServer* server = nullptr;
  ConnEntry* controller = nullptr;  ///< the template that made this connection
  std::uint32_t controlled = 0;     ///< templates: connections whose controller this is
  std::uint32_t fwmark = 0;
  Timer timer;
  Duration timeout{};  ///< what the next arming uses; the template's own, not the service's (TPL-32)
  std::uint16_t server_port = 0;
  ForwardMethod method = ForwardMethod::kDirectRoute;  ///< of the server when the entry was made (DST-08)
  TcpState state = TcpState::kNone;
  bool active = false;        ///< counted in RealServer::active, else in inactive (CON-70)
  bool assured = false;       ///< templates (TPL-40)
  bool reply_unseen = false;  ///< no reply has passed: the IN-ONLY table holds (CON-03)
};

/// All connection entries and templates, with their timers. Entries live in blocks that are never given back, so
/// pointers stay valid until remove() and, up to the number reserved, no operation allocates.
/// Source: Linux net/netfilter/ipvs/ip_vs_conn.c.
class ConnTable {
 public:
  using ServerReleased = std::function<void(RealServer&)>;

  /// @param released  called when the last entry of an unavailable server is gone (DST-02).
  explicit ConnTable(ServerReleased released, std::size_t entries = 4096);

  /// Makes room for that many entries in all.
  void reserve(std::size_t entries);
  std::size_t size() const { return timers_.size(); }

  /// The connection or template with this key; the most recently inserted one if there were several (TPL-17).
  ConnEntry* find(const ConnKey& key);
  /// The connection to which a packet of a real server is the reply (CON-02).
  /// Source: Linux ip_vs_conn.c, ip_vs_conn_out_get().
  ConnEntry* find_reply(const Packet& packet);

  enum class Stored { kYes, kOnePacket };
  /// A new entry bound to `server` and counted there. Not armed: a stored entry must be armed before the next
  /// fire(), a one-packet entry removed. Source: Linux ip_vs_conn.c, ip_vs_conn_new(), ip_vs_bind_dest().
  ConnEntry& create(const ConnKey& key, RealServer& server, std::uint16_t server_port, Stored stored = Stored::kYes);
  /// Makes `controller`, a template, count `connection` as its own. Source: ip_vs_conn.c, ip_vs_control_add().
  void control(ConnEntry& connection, ConnEntry& controller);
  /// The deadline becomes `now` + the entry's timeout. Source: ip_vs_conn.c, __ip_vs_conn_put_timer().
  void arm(ConnEntry& entry, DirectorTime now);
  /// Moves the entry along for one packet: state, timeout (not armed yet), counters of its server, ASSURED of its
  /// template. Source: ip_vs_proto_tcp.c, set_tcp_state(); ip_vs_proto_udp.c, udp_state_transition().
  void update_state(ConnEntry& entry, bool is_reply, const Packet& packet, const Timeouts& timeouts);
  /// A template that may no longer be used: nobody finds it, its timer runs on (VAL-04).
  /// Source: ip_vs_conn.c, ip_vs_check_template().
  void rename(ConnEntry& entry);
  /// Takes the entry out at once. Connections that it controls go on without it.
  void remove(ConnEntry& entry);
  /// Takes out what is bound to servers that are no longer available: connections, a template together with its last
  /// connection even if ASSURED, then templates that control nothing (VAL-21).
  /// Source: ip_vs_conn.c, ip_vs_expire_nodest_conn_flush().
  void remove_unavailable();

  /// Lets every timer fire that is due by `now`, each as of its own deadline and oldest first.
  /// A template that still controls connections stays and is re-armed for 60 s, which replaces its timeout for good
  /// (TPL-34, TPL-35). At one and the same instant connections go before templates, so a template ends at the
  /// first p + 60k that is "not earlier than the removal of the last controlled entry" (TPL-36); otherwise first
  /// armed, first fired.
  /// @return how many entries and templates were removed.
  /// Source: ip_vs_conn.c, ip_vs_conn_expire(), `expire_later`.
  std::size_t fire(DirectorTime now);
  /// When the next timer fires, if one is armed.
  std::optional<DirectorTime> next_deadline();

  /// Binds an entry to another server, as a director would whose templates name a place in the list (a fault).
  void rebind(ConnEntry& entry, RealServer& server);

  template <typename Visit>
  void for_each(Visit visit) const {
    timers_.for_each(visit);
  }

 private:
  ConnEntry*& chain_of(std::uint32_t hash) { return chains_[hash & (chains_.size() - 1)]; }
  void add_block(std::size_t entries);
  void insert(ConnEntry& entry);
  void unlink(ConnEntry& entry);
  void bind(ConnEntry& entry, RealServer& server);
  void unbind(ConnEntry& entry);
  void release_controller(ConnEntry& connection);
  void set_active(ConnEntry& entry, bool active);
  std::optional<Duration> extension_of(const ConnEntry& entry) const;

  ServerReleased released_;
  std::vector<ConnEntry*> chains_;  // a power of two
  std::vector<std::unique_ptr<ConnEntry[]>> blocks_;
  ConnEntry* free_ = nullptr;
  std::size_t capacity_ = 0;
  std::uint64_t armings_ = 0;  // numbers every arming, so that of equal deadlines the first armed goes first
  TimerQueue<ConnEntry> timers_;
};

/// Sets or clears the overload flag from the number of connections: set from the upper threshold on, cleared below
/// the lower one, or below 3/4 of the upper where there is no lower; in between unchanged (DST-21, DST-23).
/// Source: Linux net/netfilter/ipvs/ip_vs_ctl.c, __ip_vs_dest_update_overload() of 6.1.192.
void update_overload(RealServer& server);

}  // namespace lvspec::director
