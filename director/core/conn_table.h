#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "director/core/conn_entry.h"
#include "director/core/director.h"
#include "director/core/ftp.h"
#include "director/core/packet.h"
#include "director/core/service.h"
#include "director/core/tcp_states.h"
#include "director/core/timer_wheel.h"
#include "director/table/table.h"

namespace lvspec::director {

/// All connection entries and templates, with their timers. Entries never move, so pointers stay valid until
/// remove(); up to the number reserved no operation allocates. Filled with as many entries as were reserved, an IPv4
/// template takes 63 bytes with everything, an IPv4 connection 73, those of IPv6 91 and 100.
/// Source: Linux net/netfilter/ipvs/ip_vs_conn.c.
class ConnTable {
 public:
  /// @param armings  numbers every arming of a timer, so that of one instant the first armed goes first, or with a
  ///                 wheel, whoever a kernel lets; shared with timers of others. Null: the table's own.
  explicit ConnTable(std::size_t entries = 4096, std::uint32_t* armings = nullptr);

  /// Before the first entry: timers are exact, or late like those of a kernel.
  void set_timer_wheel(TimerWheel wheel) { wheel_ = wheel; }
  /// When the timer of this entry runs out. It fires then, or with a wheel some time later.
  DirectorTime deadline_of(const ConnEntry& entry) const { return wheel_.deadline(entry.due()); }

  /// Makes room for that many connections, and that many templates, of each family. Memory is taken as it is used.
  void reserve(std::size_t entries);
  /// The table is full with that many entries and templates; 0: never. More than there are now stay.
  void set_limit(std::size_t limit) { limit_ = limit != 0 ? limit : std::numeric_limits<std::size_t>::max(); }
  std::uint64_t refused() const { return refused_; }
  /// Entries and templates, with what create() has just made and nobody has armed.
  std::size_t size() const;

  /// The connection or template with this key; the most recently inserted one if there were several (TPL-17).
  ConnEntry* find(const ConnKey& key);
  /// The connection to which a packet of a real server is the reply (CON-02).
  /// Source: Linux ip_vs_conn.c, ip_vs_conn_out_get().
  ConnEntry* find_reply(const Packet& packet);

  enum class Stored { kYes, kOnePacket };
  /// A new entry bound to `server` and counted there; null, which is counted, if the table is full. Not armed: a
  /// stored entry must be armed before the next fire(), a one-packet entry removed. Source: Linux ip_vs_conn.c,
  /// ip_vs_conn_new(), ip_vs_bind_dest().
  ConnEntry* create(const ConnKey& key, RealServer& server, std::uint16_t server_port, Stored stored = Stored::kYes);
  /// Makes `controller`, a template, count `connection` as its own. Source: ip_vs_conn.c, ip_vs_control_add().
  void control(ConnEntry& connection, ConnEntry& controller);
  /// The deadline becomes `now` + the entry's timeout. Source: ip_vs_conn.c, __ip_vs_conn_put_timer().
  void arm(ConnEntry& entry, DirectorTime now);
  /// The timer runs out `now` if it has not yet: the entry is taken out by the next fire(), with a wheel at the next
  /// tick. Until then it counts, it is found where no newer one has its key, and a packet that it takes renews it.
  /// Source: ip_vs_conn.c, ip_vs_conn_expire_now().
  void expire_now(ConnEntry& entry, DirectorTime now);
  /// Counts a connection as ActiveConn of its server, or as InActConn.
  void set_active(ConnEntry& entry, bool active);
  /// Moves the entry along for one packet: state, timeout (not armed yet), counters of its server, ASSURED of its
  /// template. AH and ESP, and SCTP packets without a chunk, move nothing. Source: ip_vs_proto_tcp.c,
  /// set_tcp_state(); ip_vs_proto_sctp.c, set_sctp_state(); ip_vs_proto_udp.c, udp_state_transition().
  /// @param secure_tcp  TCP goes by the table of CON-26.
  void update_state(ConnEntry& entry, bool is_reply, const Packet& packet, const Timeouts& timeouts,
                    bool secure_tcp = false);
  /// A template that may no longer be used: nobody finds it, its timer runs on (VAL-04).
  /// Source: ip_vs_conn.c, ip_vs_check_template().
  void rename(ConnEntry& entry);
  /// Takes the entry out at once. Connections that it controls go on without it.
  void remove(ConnEntry& entry);
  /// Takes out by force an entry that controls nothing, and with the last connection of a template that was never
  /// assured the template as well (TPL-51). @return how many were removed. Source: ip_vs_conn.c, ip_vs_conn_del().
  std::size_t force_out(ConnEntry& entry);
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
  /// Only those that go before a timer of somebody else's.
  std::size_t fire_before(const table::Due& other);
  /// Called by fire() for an entry that stays, with its new timeout and before it is armed (SYN-06).
  std::function<void(ConnEntry& entry, DirectorTime fired_at)> on_extension = [](ConnEntry&, DirectorTime) {};
  /// When the next timer fires, if one is armed.
  std::optional<DirectorTime> next_deadline();

  /// What engines add to keys: to be held by whoever builds one; entries in the table hold it for themselves.
  EngineData& engine_data() { return engine_data_; }
  const EngineData& engine_data() const { return engine_data_; }

  /// What an FTP connection behind NAT has beyond others (FWD-16), apart so that others stay small.
  struct Ftp {
    FtpRequest asked = FtpRequest::kNone;  ///< of a control connection: what the client wants and is not told yet
    FtpShift shift;                        ///< of what its server says
    bool awaits_client_port = false;       ///< of data: the client's first packet will say (IP_VS_CONN_F_NO_CPORT)
  };
  /// Made if it was not there; gone with the entry.
  Ftp& ftp_of(ConnEntry& entry);
  /// As find(); else the data connection that awaits this client and does not know its port yet.
  ConnEntry* find_or_awaiting(const ConnKey& key);
  /// A data connection that waits for its client's port. Null as create().
  ConnEntry* create_awaiting(ConnKey key, RealServer& server, std::uint16_t server_port);
  /// Does the entry wait for it? Then it becomes known. @return the entry, which is another one now. Source: Linux
  /// ip_vs_conn.c, ip_vs_conn_fill_cport().
  ConnEntry& with_client_port(ConnEntry& entry, std::uint16_t port);

  /// Binds an entry to another server: one that a sync message found (SYN-10).
  void rebind(ConnEntry& entry, RealServer& server);

  /// Every armed entry and template, in no particular order. `visit` takes a ConnEntry&, and must not create, arm or
  /// remove.
  template <typename Visit>
  void for_each(Visit visit) const {
    connections4_.for_each(visit);
    connections6_.for_each(visit);
    templates4_.for_each(visit);
    templates6_.for_each(visit);
    engine_templates4_.for_each(visit);
    engine_templates6_.for_each(visit);
  }
  /// The same of a part: what the hash has put together, as the kernel's chains are. @param bucket  below buckets().
  std::size_t buckets() const;
  template <typename Visit>
  void visit_bucket(std::size_t bucket, Visit visit) const {
    const auto visit_in = [&](const auto& table) {
      if (bucket < table.buckets()) table.visit_bucket(bucket, visit);
      bucket -= table.buckets();  // wraps where it was found: then it is beyond all others
    };
    visit_in(connections4_), visit_in(connections6_), visit_in(templates4_), visit_in(templates6_);
    visit_in(engine_templates4_), visit_in(engine_templates6_);
  }

 private:
  static constexpr std::uint32_t kLastOrder = std::numeric_limits<std::uint32_t>::max();
  /// Two entries with one key: the older is hidden as long as the newer lives.
  struct Shadow {
    ConnEntry *newer, *older;
  };

  template <typename Visit>
  decltype(auto) with_table_of(Family family, bool is_template, bool has_engine, Visit visit);
  template <typename Visit>
  decltype(auto) with_table_of(ConnEntry& entry, Visit visit);
  void arm(ConnEntry& entry, DirectorTime now, Duration timeout);
  void hide(ConnEntry& entry);
  void uncover(ConnEntry& entry);
  ConnEntry* find(const ConnKey& key, std::uint64_t hash);
  ConnEntry* find_reply(const ConnKey& turned, std::uint64_t hash);
  /// The first of those that fire not after `last`.
  ConnEntry* next(const table::Due& last = {std::numeric_limits<std::int64_t>::max(), kLastOrder});
  std::size_t fire_up_to(const table::Due& last);
  void bind(ConnEntry& entry, RealServer& server);
  void unbind(ConnEntry& entry);
  void release_controller(ConnEntry& connection);
  void forget_ftp(const ConnEntry& entry);
  void assure_controller(ConnEntry& entry);
  std::optional<Duration> extension_of(const ConnEntry& entry) const;

  table::Table<ConnectionEntry<Ipv4Bytes>> connections4_;
  table::Table<ConnectionEntry<Ipv6Bytes>> connections6_;
  table::Table<TemplateEntry<Ipv4Bytes>> templates4_;
  table::Table<TemplateEntry<Ipv6Bytes>> templates6_;
  table::Table<EngineTemplateEntry<Ipv4Bytes>> engine_templates4_;  // apart, so that the others stay small
  table::Table<EngineTemplateEntry<Ipv6Bytes>> engine_templates6_;
  EngineData engine_data_;
  std::vector<Shadow> shadows_;
  /// Behind NAT two of one client's connections, to two virtual services, may lead to one port of one server. These,
  /// oldest first, are newer than another with the same reply.
  std::vector<ConnEntry*> rivals_;
  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::uint64_t refused_ = 0;
  std::unordered_map<const ConnEntry*, Ftp> ftp_;
  std::size_t awaiting_ = 0;  // of ftp_, those that await a client's port
  std::uint32_t own_armings_ = 0, *armings_;
  TimerWheel wheel_;
};

}  // namespace lvspec::director
