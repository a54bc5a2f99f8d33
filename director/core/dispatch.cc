// What happens to one packet: it follows an entry, or it is scheduled and makes one.

#include <algorithm>

#include "director/core/director_state.h"
#include "director/core/faults.h"
#include "director/core/persistence.h"
#include "director/core/scheduler.h"
#include "director/core/sip.h"

namespace lvspec::director {
namespace {

constexpr Verdict kToLocalStack{.action = Verdict::Action::kPass};
constexpr Verdict kSilence{.action = Verdict::Action::kDrop};
constexpr Verdict kUnreachable{.action = Verdict::Action::kReject};

/// Keeps the server's route, if this is the first packet. @return whether direct routing has to do with another's
bool takes_plain_route(const ConnEntry& entry) {
  RealServer& server = *entry.server;
  const bool direct = entry.method == ForwardMethod::kDirectRoute;
  if (server.unbound || fault(Fault::kRouteNotKept)) return false;
  if (server.route == RouteKept::kNone) server.route = direct ? RouteKept::kNamesServer : RouteKept::kPlain;
  return direct && server.route == RouteKept::kPlain;
}

/// Nobody can take the packet: ICMP port unreachable, never a TCP RST. What came to an FTP service for another port
/// than 21 was perhaps never meant for it (SVC-11, SVC-21). Source: Linux ip_vs_core.c, ip_vs_leave().
Verdict no_destination(const VirtualService& service, const Packet& packet) {
  if (packet.quoted != Quoted::kNo) return kSilence;
  if (service.key.port == kFtpPort && packet.destination_port != kFtpPort) return kToLocalStack;
  if (fault(Fault::kNoUnreachable)) return kSilence;
  return kUnreachable;
}

// One-packet scheduling is for datagrams, also where a mark service gets TCP as well (FWM-10).
ConnTable::Stored stored(const VirtualService& service, const Packet& packet) {
  const bool wanted =
      (service.settings.one_packet && !fault(Fault::kOnePacketIgnored)) || fault(Fault::kOnePacketAlways);
  const bool one_packet = wanted && packet.protocol == Protocol::kUdp;
  return one_packet ? ConnTable::Stored::kOnePacket : ConnTable::Stored::kYes;
}

// Source: Linux ip_vs_core.c, ip_vs_in_icmp(), handle_response_icmp(): __ip_vs_conn_put().
bool restarts_timer(const Packet& packet) {
  return packet.quoted == Quoted::kNo || fault(Fault::kErrorsRestartTimers);
}

// Does the packet want to begin a connection? Source: Linux ip_vs_core.c, is_new_conn().
bool opens(const Packet& packet) {
  if (packet.protocol == Protocol::kTcp) return packet.tcp.syn;
  return packet.protocol == Protocol::kSctp && packet.sctp.first == SctpEvent::kInit;
}

}  // namespace

// SVC-02: an entry decides alone; marks, services and templates are asked only where there is none.
// Source: Linux net/netfilter/ipvs/ip_vs_core.c, ip_vs_in_hook().
Verdict Director::State::handle(DirectorTime now, Packet packet) {
  advance(now);
  if (!services.has_hooks(packet.family)) return kToLocalStack;
  if (sync_backup && sysctls.backup_only != 0 && !fault(Fault::kBackupOnlyIgnored)) return kToLocalStack;  // SYN-13
  ConnEntry* const entry = connections.find_or_awaiting(connection_key(packet));
  if (entry == nullptr) return schedule(now, packet);
  if (packet.quoted != Quoted::kNo) {
    return fault(Fault::kQuotedIgnored) ? kToLocalStack : follow(now, *entry, packet);
  }
  switch (examine(*entry, packet)) {
    case Hit::kFollow:
      return follow(now, connections.with_client_port(*entry, packet.source_port), packet);
    case Hit::kDrop:
      if (fault(Fault::kDroppedPacketsRenew)) connections.arm(*entry, now);
      return kSilence;  // state and timer stay as the last accepted packet left them (VAL-20)
    case Hit::kScheduleAnew:
      connections.expire_now(*entry, now);
      return schedule(now, packet);
    case Hit::kDiscardAndDrop:
      connections.remove(*entry);
      return kSilence;
  }
  return kSilence;
}

Director::State::Hit Director::State::examine(const ConnEntry& entry, const Packet& packet) const {
  const RealServer& server = *entry.server;
  const bool expire_nodest = sysctls.expire_nodest_conn != 0 && !fault(Fault::kNodestIgnored);
  if (opens(packet)) {
    if (expire_nodest && server.settings.weight == 0) return Hit::kScheduleAnew;  // VAL-22
    if (reuse_expected(entry)) {
      return fault(Fault::kReuseSynDropped) ? Hit::kDiscardAndDrop : Hit::kScheduleAnew;
    }
  }
  if (server.available || server.unbound || fault(Fault::kRemovedServerUsed)) return Hit::kFollow;
  return expire_nodest ? Hit::kScheduleAnew : Hit::kDrop;  // VAL-20
}

// Has the client begun a new connection from an old port? A connection of a template never counts as such: the
// new one uses the old entry (CON-40..42). Source: ip_vs_core.c, is_new_conn_expected().
bool Director::State::reuse_expected(const ConnEntry& entry) const {
  const int mode = fault(Fault::kReuseModeIgnored) ? 1 : sysctls.conn_reuse_mode;
  if (mode == 0) return false;
  if (entry.controller() != nullptr && !fault(Fault::kReuseUnpins)) return false;
  if (entry.protocol() == Protocol::kSctp) return entry.sctp_state == SctpState::kClosed;
  if (entry.state == TcpState::kTimeWait || entry.state == TcpState::kClose) return true;
  return ((mode & 2) != 0 || fault(Fault::kReuseAfterFin)) && entry.state == TcpState::kFinWait && entry.reply_unseen;
}

// SVC-03. A SYN+ACK qualifies too. AH and ESP never do, quoted neither (SVC-20).
// Source: Linux ip_vs_proto_tcp.c, tcp_conn_schedule(); ip_vs_proto_sctp.c, sctp_conn_schedule().
bool Director::State::may_create_entry(const Packet& packet) const {
  const bool ipsec = packet.protocol == Protocol::kAh || packet.protocol == Protocol::kEsp;
  if (packet.quoted != Quoted::kNo)
    return sysctls.schedule_icmp != 0 && !ipsec && !fault(Fault::kScheduleIcmpIgnored);
  switch (packet.protocol) {
    case Protocol::kUdp:
      return true;
    case Protocol::kTcp: {
      const bool sloppy = sysctls.sloppy_tcp != 0 && !fault(Fault::kSloppyTcpIgnored);
      return !packet.tcp.rst && (packet.tcp.syn || sloppy || fault(Fault::kMidStreamScheduled));
    }
    case Protocol::kSctp: {
      if (fault(Fault::kSctpNotScheduled)) return false;
      const bool sloppy = sysctls.sloppy_sctp != 0 && !fault(Fault::kSloppySctpIgnored);
      return packet.sctp.first == SctpEvent::kInit || (sloppy && packet.sctp.first != SctpEvent::kAbort);
    }
    default:
      return false;
  }
}

// Source: Linux ip_vs_core.c, ip_vs_try_to_schedule(), ip_vs_schedule(). SVC-15, replies of a local real server, does
// not arise: packets of the director's own stack come in through handle_reply().
Verdict Director::State::schedule(DirectorTime now, Packet packet) {
  if (packet.protocol == Protocol::kSctp && packet.sctp.first == SctpEvent::kNone) return kSilence;
  if (!may_create_entry(packet)) return kToLocalStack;
  packet.mark = classifier.mark_of(packet);
  VirtualService* const service = services.match(packet);
  if (service == nullptr) return kToLocalStack;
  if (defence.drops_packet()) return kSilence;  // SVC-19
  // A server's active FTP data, SVC-14.
  if (packet.source_port == kFtpDataPort && !fault(Fault::kFtpDataBalanced)) return kToLocalStack;
  if (is_persistent(*service)) return schedule_persistent(now, *service, packet);
  if (fault(Fault::kPersistenceOffSticks) && connections.find(template_key(*service, packet).key) != nullptr) {
    return schedule_persistent(now, *service, packet);
  }
  return schedule_alone(now, *service, packet);
}

Verdict Director::State::schedule_alone(DirectorTime now, VirtualService& service, const Packet& packet) {
  // Found by way of port 0 or FTP, which only persistent services serve (SVC-11, SVC-12).
  const bool other_port = service.key.fwmark == 0 && packet.destination_port != service.key.port;
  if (other_port && !service.settings.persistent) return without_server(now, service, packet);
  RealServer* const server = service.scheduler->pick(service, packet, now);
  if (server == nullptr) return without_server(now, service, packet);
  // Unlike a persistent service, one by mark honours its servers' ports here (TPL-09).
  const std::uint16_t port = server->key.port != 0 ? server->key.port : packet.destination_port;
  return follow_new(now, new_connection(service, *server, port, packet), packet);
}

// TPL-01. Source: Linux ip_vs_core.c, ip_vs_sched_persist().
Verdict Director::State::schedule_persistent(DirectorTime now, VirtualService& service, const Packet& packet) {
  TemplateKey wanted = template_key(service, packet);
  EngineData::Hold engine_data;
  if (!service.settings.engine.empty() && !fault(Fault::kCallIdIgnored)) {
    const std::string_view call_id = call_id_of(packet);
    if (call_id.empty() && !fault(Fault::kNoCallIdBalanced)) return kSilence;  // TPL-21, SVC-22
    if (!call_id.empty()) engine_data = connections.engine_data().hold(call_id);
    wanted.key.engine_data = engine_data.id();
    if (fault(Fault::kCallIdAlone)) wanted.key.client = {};
  }
  const bool pinned_before = fault(Fault::kNotPinnedAgain) && connections.find(wanted.key) != nullptr;
  ConnEntry* tmpl = usable_template(wanted.key, packet);
  const bool found = tmpl != nullptr;
  if (!found) {
    RealServer* const server = service.scheduler->pick(service, packet, now);
    if (server == nullptr) return without_server(now, service, packet);  // and no template, TPL-02
    if (pinned_before) {
      const std::uint16_t port = persistent_server_port(service, *server, packet);
      return follow_new(now, new_connection(service, *server, port, packet), packet);
    }
    tmpl = connections.create(wanted.key, *server, wanted.has_server_port ? server->key.port : 0);
    if (tmpl == nullptr) return kSilence;  // SVC-22
    tmpl->timeout = template_timeout(service);
    tmpl->fwmark = service.key.fwmark;
    tmpl->sync_deadline = sync_ticks(now);
  } else if (fault(Fault::kEditReachesTemplates)) {
    tmpl->timeout = template_timeout(service);
  }

  RealServer& server = *tmpl->server;
  const std::uint16_t port = persistent_server_port(service, server, packet);
  ConnEntry* const connection = new_connection(service, server, port, packet);
  if (connection != nullptr) connections.control(*connection, *tmpl);
  // The one place where a template's window restarts, and it is the template's own window (TPL-31, TPL-32).
  if (!found || !fault(Fault::kWindowNotRenewed)) connections.arm(*tmpl, now);
  const Verdict verdict = follow_new(now, connection, packet);
  return !found && fault(Fault::kFirstPacketDropped) ? kSilence : verdict;
}

// Nobody can take the packet. With `cache_bypass` a mark service then lets it go on to where it was sent, which is
// what the director's own stack does with an address that is not its own, and remembers that; else SVC-21. Source:
// Linux ip_vs_core.c, ip_vs_leave().
Verdict Director::State::without_server(DirectorTime now, const VirtualService& service, const Packet& packet) {
  if (sysctls.cache_bypass == 0 || service.key.fwmark == 0 || !may_be_bypassed(packet)) {
    return no_destination(service, packet);
  }
  ConnEntry* const entry = connections.create(connection_key(packet), bypass, 0, stored(service, packet));
  if (entry == nullptr) return kSilence;
  entry->fwmark = service.key.fwmark;
  entry->reply_unseen = false;  // it has the tables for both directions from the start
  return follow(now, *entry, packet);
}

// Unicast, and in IPv4 not an address of our own. Source: Linux ip_vs_core.c, ip_vs_addr_is_unicast().
bool Director::State::may_be_bypassed(const Packet& packet) const {
  const std::uint8_t first = packet.destination.bytes[0];
  if (packet.family == Family::kIpv6) return first != 0xff;
  const bool own = std::find(own_addresses.begin(), own_addresses.end(),
                             std::pair(packet.family, packet.destination)) != own_addresses.end() &&
                   !fault(Fault::kBypassOwn);
  return first != 0 && first != 127 && first < 224 && !own;
}

// The template if there is one and it may be used; one that may not is renamed out of the way (VAL-01..08).
ConnEntry* Director::State::usable_template(const ConnKey& key, const Packet& packet) {
  ConnEntry* const tmpl = connections.find(key);
  if (tmpl == nullptr) return nullptr;
  if (fault(Fault::kPinnedAfterHandshake) && packet.protocol == Protocol::kTcp && !tmpl->assured) return nullptr;
  if (is_valid_for_template(*tmpl->server, sysctls)) return tmpl;
  if (!fault(Fault::kNotPinnedAgain)) connections.rename(*tmpl);
  return nullptr;
}

ConnEntry* Director::State::new_connection(VirtualService& service, RealServer& server, std::uint16_t server_port,
                                           const Packet& packet) {
  ConnEntry* const connection =
      connections.create(connection_key(packet), server, server_port, stored(service, packet));
  if (connection == nullptr) return nullptr;
  connection->fwmark = service.key.fwmark;
  connection->sync_deadline = sync_ticks(time);
  for (Statistics* statistics : {&server.statistics, &service.statistics, &totals}) {
    statistics->count_connection(estimation.rounds());
  }
  return connection;
}

// For the server, the service that lists it, and in total, while the server is available (CON-75). The service need
// not be the one that scheduled: templates may be shared (TPL-08).
void Director::State::count_packet(RealServer& server, const Packet& packet, bool is_reply) {
  if (server.listed_in == nullptr) return;  // gone, or what is bypassed
  const std::uint64_t round = estimation.rounds();
  server.statistics.count_packet(round, packet.length, is_reply);
  server.listed_in->statistics.count_packet(round, packet.length, is_reply);
  totals.count_packet(round, packet.length, is_reply);
}

// SVC-22: no room for the entry.
Verdict Director::State::follow_new(DirectorTime now, ConnEntry* entry, const Packet& packet) {
  return entry != nullptr ? follow(now, *entry, packet) : kSilence;
}

// Every accepted packet is counted, moves the state and restarts the entry's own timer (CON-21).
Verdict Director::State::follow(DirectorTime now, ConnEntry& entry, const Packet& packet) {
  Verdict verdict = verdict_of(entry);
  if (verdict.action == Verdict::Action::kForward) verdict.asks_for_destination = takes_plain_route(entry);
  if (packet.quoted != Quoted::kByTunnelError) count_packet(*entry.server, packet, /*is_reply=*/false);
  // An ICMP error says nothing about the connection's state, and starts only the timer of a new one (FWD-12).
  if (packet.quoted == Quoted::kNo) {
    connections.update_state(entry, /*is_reply=*/false, packet, timeouts, defence.secure_tcp());
    sync_after_packet(entry, sync_context(now), sync_sink);
  }
  if (is_ftp_control(entry, packet)) {
    begin_ftp_edit(entry, FtpEdit::Way::kFromClient);
    heed_ftp_client(now, entry, packet);
    if (ftp_edit.shift.any()) verdict.ftp = &ftp_edit;
  }
  if (!entry.hashed) {
    connections.remove(entry);  // one packet was all (CON-50); its template has been armed (CON-51)
    return verdict;
  }
  if (!entry.armed() || restarts_timer(packet)) connections.arm(entry, now);
  if (entry.controller() != nullptr) {
    if (fault(Fault::kWindowRenewedByPackets)) connections.arm(*entry.controller(), now);
    if (fault(Fault::kDroppedOnRst) && packet.tcp.rst) connections.remove(*entry.controller());
  }
  return verdict;
}

Verdict Director::State::verdict_of(const ConnEntry& entry) const {
  if (entry.server == &bypass) return kToLocalStack;
  return {.action = Verdict::Action::kForward,
          .method = fault(Fault::kEditReachesMethod) ? entry.server->settings.method : entry.method,
          .server_family = entry.server->key.family,
          .server = entry.server->key.address,
          .server_port = entry.server_port,
          .virtual_address = entry.virtual_address(),
          .virtual_port = entry.virtual_port,
          .tunnel = entry.server->settings.tunnel,
          .path_mtu_discovery = sysctls.pmtu_disc != 0};
}

// Source: Linux ip_vs_core.c, ip_vs_out_hook(), handle_response(), handle_response_icmp().
Verdict Director::State::handle_reply(DirectorTime now, const Packet& packet) {
  advance(now);
  if (!services.has_hooks(packet.family)) return kToLocalStack;
  if (packet.quoted != Quoted::kNo && fault(Fault::kQuotedIgnored)) return kToLocalStack;
  ConnEntry* entry = connections.find_reply(packet);
  if (entry == nullptr && packet.quoted == Quoted::kNo) entry = connect_out(now, packet);
  if (entry == nullptr) {
    // FWD-15: a server behind NAT that goes on about a connection we do not know is told so.
    const bool complain = sysctls.nat_icmp_send != 0 && packet.quoted == Quoted::kNo && !packet.tcp.rst;
    return complain && services.masqueraded(packet) != nullptr ? kUnreachable : kToLocalStack;
  }
  if (packet.quoted == Quoted::kByOwnIcmpv6 && entry->method == ForwardMethod::kMasquerade) return kSilence;
  count_packet(*entry->server, packet, /*is_reply=*/true);
  const bool is_control = is_ftp_control(*entry, packet);
  if (is_control) {
    begin_ftp_edit(*entry, FtpEdit::Way::kFromServer);
    heed_ftp_server(now, *entry, packet);
  }
  const bool heard = packet.quoted == Quoted::kNo && !fault(Fault::kLocalRepliesIgnored);
  if (heard) connections.update_state(*entry, /*is_reply=*/true, packet, timeouts, defence.secure_tcp());
  Verdict verdict = verdict_of(*entry);
  if (is_control && (ftp_edit.replaces() || ftp_edit.shift.any())) verdict.ftp = &ftp_edit;
  if (entry->hashed) {
    if (restarts_timer(packet)) connections.arm(*entry, now);
  } else {
    connections.remove(*entry);
  }
  return verdict;
}

// TPL-23: a datagram that a server behind NAT sends of itself pins its Call-ID to that server, so that the answer
// finds the way back. Source: Linux ip_vs_core.c, __ip_vs_rs_conn_out(), ip_vs_new_conn_out().
ConnEntry* Director::State::connect_out(DirectorTime now, const Packet& packet) {
  if (packet.protocol != Protocol::kUdp || fault(Fault::kServerCallsIgnored)) return nullptr;
  RealServer* const server = services.masqueraded(packet);
  if (server == nullptr || server->listed_in->settings.engine.empty()) return nullptr;
  VirtualService& service = *server->listed_in;
  if (service.key.fwmark != 0 || service.key.port == 0 || packet.source_port == 0) return nullptr;

  // As if the client had sent it to the service.
  Packet turned = packet;
  turned.source = packet.destination;
  turned.source_port = packet.destination_port;
  turned.destination = service.key.address;
  turned.destination_port = service.key.port;
  ConnEntry* tmpl = nullptr;
  if (service.settings.persistent) {
    const std::string_view call_id = call_id_of(packet);
    if (call_id.empty()) return nullptr;
    TemplateKey wanted = template_key(service, turned);
    wanted.key.virtual_port = service.key.port;  // also where it is 21
    const EngineData::Hold engine_data = connections.engine_data().hold(call_id);
    wanted.key.engine_data = engine_data.id();
    tmpl = usable_template(wanted.key, turned);
    if (tmpl != nullptr && tmpl->server != server) {
      connections.rename(*tmpl);
      tmpl = nullptr;
    }
    if (tmpl == nullptr) {
      tmpl = connections.create(wanted.key, *server, packet.source_port);
      if (tmpl == nullptr) return nullptr;
      tmpl->timeout = template_timeout(service);
    }
  }
  ConnEntry* const connection = new_connection(service, *server, packet.source_port, turned);
  if (tmpl != nullptr) {
    if (connection != nullptr) connections.control(*connection, *tmpl);
    connections.arm(*tmpl, now);
  }
  return connection;
}

}  // namespace lvspec::director
