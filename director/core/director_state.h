#pragma once

// What a Director consists of; private to director.cc and dispatch.cc.

#include "director/core/classifier.h"
#include "director/core/conn_table.h"
#include "director/core/defence.h"
#include "director/core/director.h"
#include "director/core/ftp.h"
#include "director/core/service_table.h"
#include "director/core/sync_policy.h"

namespace lvspec::director {

struct Director::State {
  State(std::size_t entries, std::uint64_t seed)
      : services({.sysctls = sysctls, .estimation = estimation, .wheel = wheel, .now = time, .armings = armings},
                 seed),
        connections(entries, &armings),
        defence(seed) {
    connections.on_extension = [this](ConnEntry& entry, DirectorTime fired_at) {
      sync_after_extension(entry, sync_context(fired_at), sync_sink);
    };
  }

  /// Time moves to `now`; timers fire. @return how many entries were removed.
  enum class Reading { kNo, kYes };
  std::size_t advance(DirectorTime now, Reading reading = Reading::kNo);
  std::optional<DirectorTime> next_deadline();

  /// After a server was removed: forgets what was bound to it, if `expire_nodest_conn` says so at this moment
  /// (VAL-21, VAL-23). The kernel does it one tick later; a director with exact timers has no tick to wait for.
  void sweep();

  SyncContext sync_context(DirectorTime now) const { return {sysctls, connections.engine_data(), now}; }

  Verdict handle(DirectorTime now, Packet packet);
  Verdict handle_reply(DirectorTime now, const Packet& packet);

  Sysctls sysctls;
  TimerWheel wheel;
  std::uint32_t armings = 0;
  EstimationTimer estimation;
  DirectorTime time{};
  ServiceTable services;
  ConnTable connections;
  Defence defence;
  Classifier classifier;
  Timeouts timeouts;
  Statistics totals;
  SyncSink* sync_sink = nullptr;  ///< while there is a sync master
  bool sync_backup = false;       ///< there is a sync backup
  /// Sync messages have no words for a server of another family than its client's, so the kernel does not let the two
  /// meet. Source: ip_vs_ctl.c, ip_vs_genl_set_cmd(), ip_vs_genl_new_daemon().
  bool sync_runs() const { return sync_sink != nullptr || sync_backup; }
  std::vector<std::pair<Family, Address>> own_addresses;

 private:
  /// What becomes of a packet for which there is an entry.
  enum class Hit { kFollow, kDrop, kScheduleAnew, kDiscardAndDrop };
  Hit examine(const ConnEntry& entry, const Packet& packet) const;
  bool reuse_expected(const ConnEntry& entry) const;

  bool may_create_entry(const Packet& packet) const;
  Verdict schedule(DirectorTime now, Packet packet);
  Verdict schedule_alone(DirectorTime now, VirtualService& service, const Packet& packet);
  Verdict schedule_persistent(DirectorTime now, VirtualService& service, const Packet& packet);
  Verdict without_server(DirectorTime now, const VirtualService& service, const Packet& packet);
  bool may_be_bypassed(const Packet& packet) const;
  ConnEntry* connect_out(DirectorTime now, const Packet& packet);
  ConnEntry* usable_template(const ConnKey& key, const Packet& packet);
  /// Null if the table is full.
  ConnEntry* new_connection(VirtualService& service, RealServer& server, std::uint16_t server_port,
                            const Packet& packet);
  Verdict follow_new(DirectorTime now, ConnEntry* entry, const Packet& packet);
  Verdict follow(DirectorTime now, ConnEntry& entry, const Packet& packet);
  void count_packet(RealServer& server, const Packet& packet, bool is_reply);
  Verdict verdict_of(const ConnEntry& entry) const;

  static bool is_ftp_control(const ConnEntry& entry, const Packet& packet);
  void begin_ftp_edit(ConnEntry& control, FtpEdit::Way way);
  void heed_ftp_client(DirectorTime now, ConnEntry& control, const Packet& packet);
  void heed_ftp_server(DirectorTime now, ConnEntry& control, const Packet& packet);
  void listen_for_ftp_data(DirectorTime now, ConnEntry& data);

  FtpEdit ftp_edit;  ///< of the last packet

  /// What bypassed connections are bound to (SVC-21): address and port 0, part of no service.
  RealServer bypass;
};

}  // namespace lvspec::director
