#include "director/core/sync_apply.h"

#include <algorithm>

#include "director/core/faults.h"
#include "director/core/sctp_states.h"
#include "director/core/sip.h"
#include "director/core/sync_policy.h"
#include "director/core/tcp_states.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

constexpr Duration kTemplateOfUnknownTimeout = seconds(180);  // SYN-08
// Source: Linux include/net/ip_vs.h, IP_VS_TCP_S_LAST, IP_VS_SCTP_S_LAST, IP_VS_UDP_S_LAST.
constexpr std::uint16_t kTcpStates = 11, kSctpStates = 14, kUdpStates = 1;

std::uint16_t states_of(std::uint8_t protocol) {
  switch (static_cast<Protocol>(protocol)) {
    case Protocol::kTcp:
      return kTcpStates;
    case Protocol::kUdp:
      return kUdpStates;
    case Protocol::kSctp:
      return kSctpStates;
    case Protocol::kAh:
    case Protocol::kEsp:
    case Protocol::kNone:
      break;
  }
  return 0;
}

ForwardMethod method_of(std::uint32_t flags) {
  switch (flags & sync_flags::kMethodMask) {
    case sync_flags::kMasquerade:
      return ForwardMethod::kMasquerade;
    case sync_flags::kTunnel:
      return ForwardMethod::kTunnel;
    default:
      return ForwardMethod::kDirectRoute;  // also to the local node: the packet stays as it is
  }
}

ConnKey key_of(const SyncEntry& said, EngineData::Id engine_data) {
  return {.family = said.family,
          .protocol = static_cast<Protocol>(said.protocol),
          .is_template = said.is_template(),
          .client_port = said.client_port,
          .virtual_port = said.virtual_port,
          .client = said.client,
          .virtual_address = said.virtual_address,
          .engine_data = engine_data};
}

// With a mark and without NAT templates hold no port, so port 0 is tried before the one that was said; otherwise the
// other way round (SYN-09). Source: Linux ip_vs_ctl.c, ip_vs_find_dest().
RealServer* find_server(const ServiceTable& services, const SyncEntry& said) {
  Packet packet;
  packet.family = said.family;
  packet.protocol = static_cast<Protocol>(said.protocol);
  packet.destination = said.virtual_address;
  packet.destination_port = said.virtual_port;
  packet.mark = said.fwmark;
  const VirtualService* const service = services.match(packet);
  if (service == nullptr || fault(Fault::kSyncNeverBound)) return nullptr;
  const auto with_port = [&](std::uint16_t port) -> RealServer* {
    const RealServerKey key{.family = said.family, .address = said.server, .port = port};
    for (RealServer* server : service->servers)
      if (server->key == key) return server;
    return nullptr;
  };
  const bool zero_first = said.fwmark != 0 && method_of(said.flags) != ForwardMethod::kMasquerade;
  if (RealServer* const server = with_port(zero_first ? 0 : said.server_port)) return server;
  return with_port(zero_first ? said.server_port : 0);
}

// The kernel reads the name as a C string: up to a zero, if there is one.
bool is_engine_here(std::string_view name) { return name.substr(0, name.find('\0')) == kSipEngine; }

bool leads_elsewhere(const ConnEntry& entry, const SyncEntry& said) {
  return entry.server_port != said.server_port || entry.server->key.address != said.server;
}

Duration timeout_of(const SyncEntry& said, const ConnEntry& entry, const Timeouts& timeouts) {
  if (said.timeout_s != 0) return seconds(said.timeout_s);
  if (said.is_template()) return fault(Fault::kSyncUntimedLongest) ? seconds(360) : kTemplateOfUnknownTimeout;
  switch (entry.protocol()) {
    case Protocol::kUdp:
      return seconds(timeouts.udp_s);
    case Protocol::kSctp:
      return seconds(sctp_timeout_s(entry.sctp_state));
    default:
      return seconds(tcp_timeout_s(entry.state, timeouts));
  }
}

}  // namespace

std::string_view text_of(SyncLearned learned) {
  switch (learned) {
    case SyncLearned::kTaken:
      return "taken";
    case SyncLearned::kStale:
      return "the end of a connection that was replaced";
    case SyncLearned::kOnePacket:
      return "of a single packet";
    case SyncLearned::kUnknownProtocol:
      return "of an unknown protocol";
    case SyncLearned::kUnknownState:
      return "of a state that its protocol has not";
    case SyncLearned::kNoRoom:
      return "for which there is no room";
    case SyncLearned::kUnknownEngine:
      break;
  }
  return "of a persistence engine that is not here";
}

SyncLearned sync_apply(const SyncEntry& said, ServiceTable& services, ConnTable& connections, const Sysctls& sysctls,
                       const Timeouts& timeouts, DirectorTime now) {
  const bool is_template = said.is_template();
  const bool of_mark = is_template && said.protocol == 0;
  if (!of_mark && states_of(said.protocol) == 0) return SyncLearned::kUnknownProtocol;
  if (!is_template && said.state >= states_of(said.protocol)) return SyncLearned::kUnknownState;
  if ((said.flags & sync_flags::kOnePacket) != 0) return SyncLearned::kOnePacket;
  if (!said.engine.empty() && !is_engine_here(said.engine)) return SyncLearned::kUnknownEngine;
  const bool active = (said.flags & sync_flags::kInactive) == 0;

  // Connections have no use for an engine's data, and the kernel takes it of templates alone.
  EngineData::Hold engine_data;
  if (is_template && !said.engine_data.empty()) engine_data = connections.engine_data().hold(said.engine_data);
  const ConnKey key = key_of(said, engine_data.id());
  ConnEntry* entry = connections.find(key);
  if (entry != nullptr && !is_template && leads_elsewhere(*entry, said)) {
    if (!active && !fault(Fault::kSyncInactiveReplaces)) return SyncLearned::kStale;
    connections.expire_now(*entry, now);
    entry = nullptr;
  }
  const bool known = entry != nullptr;
  if (!known || entry->server->unbound) {
    RealServer* server = find_server(services, said);
    if (!known) {
      const bool found = server != nullptr;
      if (!found) server = &services.stand_in(said.family, said.server, method_of(said.flags));
      entry = connections.create(key, *server, said.server_port);
      if (entry == nullptr) return SyncLearned::kNoRoom;
      if (!found) entry->reply_unseen = (said.flags & sync_flags::kNoOutput) != 0;
      entry->learned = true;
      entry->fwmark = said.fwmark;
    } else if (server != nullptr) {
      connections.rebind(*entry, *server);
      entry->method = server->settings.method;
    }
  }

  if (fault(Fault::kSyncTemplateMoves) && is_template && known && leads_elsewhere(*entry, said)) {
    if (RealServer* const server = find_server(services, said)) connections.rebind(*entry, *server);
  }

  if (is_template) {
    entry->assured = said.state == 1;
  } else {
    connections.set_active(*entry, active);
    if (entry->protocol() == Protocol::kSctp) {
      entry->sctp_state = static_cast<SctpState>(said.state);
    } else {
      entry->state = static_cast<TcpState>(said.state);
    }
  }
  entry->told_state = entry->state_number();
  entry->packets = static_cast<std::uint32_t>(std::min(sysctls.sync_threshold, 0xfffff));
  entry->timeout = timeout_of(said, *entry, timeouts);
  if (fault(Fault::kSyncWindowNotRestarted) && is_template && known) return SyncLearned::kTaken;
  connections.arm(*entry, now);
  return SyncLearned::kTaken;
}

}  // namespace lvspec::director
