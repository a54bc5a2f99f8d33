#include "director/core/sync_policy.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "director/core/faults.h"
#include "director/core/sip.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

using Ticks = std::chrono::duration<std::int64_t, std::centi>;
constexpr std::int64_t kTicksPerSecond = 100;
constexpr std::uint32_t kRetryBits = 3;

std::int64_t ticks_of(Duration duration) { return std::chrono::duration_cast<Ticks>(duration).count(); }

std::uint32_t method_flag(ForwardMethod method) {
  switch (method) {
    case ForwardMethod::kMasquerade:
      return sync_flags::kMasquerade;
    case ForwardMethod::kTunnel:
      return sync_flags::kTunnel;
    case ForwardMethod::kDirectRoute:
      break;
  }
  return sync_flags::kDirectRoute;
}

// States that come before or after a connection's life are not worth a message.
bool is_told(TcpState state) {
  switch (state) {
    case TcpState::kEstablished:
    case TcpState::kFinWait:
    case TcpState::kClose:
    case TcpState::kCloseWait:
    case TcpState::kTimeWait:
      return true;
    default:
      return false;
  }
}
bool is_told(SctpState state) {
  switch (state) {
    case SctpState::kEstablished:
    case SctpState::kShutdownSent:
    case SctpState::kShutdownReceived:
    case SctpState::kShutdownAckSent:
    case SctpState::kClosed:
      return true;
    default:
      return false;
  }
}

// sync_refresh_period: not again while the deadline that the backup knows is near enough to the true one, except for
// `sync_retries` repetitions, an eighth of the period apart. @return what to remember; 0 with *due = false: not now.
std::uint32_t deadline_to_tell(const ConnEntry& entry, const Sysctls& sysctls, DirectorTime now, bool* due) {
  const std::int64_t timeout = ticks_of(entry.timeout);
  const std::uint32_t known = entry.sync_deadline;
  std::uint32_t next = (sync_ticks(now) + static_cast<std::uint32_t>(timeout)) & ~kRetryBits;
  const std::int64_t period = sysctls.sync_refresh_period * kTicksPerSecond;
  *due = true;
  if (period <= 0) return next;
  const std::int64_t difference = static_cast<std::int32_t>(next - known);
  const std::int64_t near = std::min(period, std::max(timeout / 2, 10 * kTicksPerSecond));
  if (std::abs(difference) >= near) return next;
  const std::uint32_t retries = known & kRetryBits;
  const std::uint32_t next_retry =
      known - static_cast<std::uint32_t>(timeout) + static_cast<std::uint32_t>(period / 8);
  const bool too_early = static_cast<std::int32_t>(sync_ticks(now) - next_retry) < 0;
  *due = static_cast<int>(retries) < sysctls.sync_retries && !too_early;
  return next | (retries + 1);
}

// The entry's count has 20 bits; where it is full it goes back by whole periods, so that it stays the same for
// sync_due(), and not so far that it could be the count of a young entry.
std::uint32_t count_packet(ConnEntry& entry, const Sysctls& sysctls) {
  constexpr int kFull = 0xfffff, kYoung = 256;
  const int period = sysctls.sync_period;
  if (entry.packets == kFull && period > 0)
    entry.packets = static_cast<std::uint32_t>(kFull - (kFull - kYoung) / period * period);
  entry.count_packet();
  return entry.packets;
}

// A template of an engine that has no server is kept to oneself. Source: ip_vs_sync_conn(), "pe_data invalid".
void tell(ConnEntry& entry, const SyncContext& context, SyncSink& sink) {
  if (entry.has_engine && entry.server->unbound && context.sysctls.sync_version != 0) return;
  sink.add(context.now, sync_entry_of(entry, context.engine_data));
}

// A template counts the packets of its connections, but only here: while there is a master.
void consider_controller(const ConnEntry& entry, const SyncContext& context, SyncSink& sink) {
  ConnEntry* const tmpl = entry.controller();
  if (tmpl == nullptr || fault(Fault::kSyncWithoutTemplates)) return;
  const std::uint32_t packets = count_packet(*tmpl, context.sysctls);
  if (sync_due(*tmpl, packets, context.sysctls, context.now)) tell(*tmpl, context, sink);
}

}  // namespace

std::uint32_t sync_ticks(DirectorTime time) {
  return static_cast<std::uint32_t>(ticks_of(time.time_since_epoch())) & ~kRetryBits;
}

bool sync_due(ConnEntry& entry, std::uint32_t packets, const Sysctls& sysctls, DirectorTime now) {
  const bool is_template = entry.is_template;
  if (!is_template && sysctls.sync_persist_mode != 0 && entry.controller() != nullptr &&
      !fault(Fault::kSyncPersistModeIgnored)) {
    return false;
  }
  const bool tcp = !is_template && entry.protocol() == Protocol::kTcp;
  const bool sctp = !is_template && entry.protocol() == Protocol::kSctp;
  if ((tcp && !is_told(entry.state)) || (sctp && !is_told(entry.sctp_state))) return false;
  const bool changed = (tcp || sctp) && entry.state_number() != entry.told_state;
  const bool established =
      (tcp && entry.state == TcpState::kEstablished) || (sctp && entry.sctp_state == SctpState::kEstablished);
  bool due = true;
  std::uint32_t deadline = (sync_ticks(now) + static_cast<std::uint32_t>(ticks_of(entry.timeout))) & ~kRetryBits;
  if (!changed || established) {
    deadline = deadline_to_tell(entry, sysctls, now, &due);
    if (!due) return false;
    const auto threshold = static_cast<std::uint32_t>(sysctls.sync_threshold);
    if (sysctls.sync_period > 0) {
      const bool counted = packets % static_cast<std::uint32_t>(sysctls.sync_period) == threshold;
      if (!is_template && !counted && !fault(Fault::kSyncThresholdIgnored)) return false;
    } else if (sysctls.sync_refresh_period == 0 && packets != threshold) {
      return false;
    }
  }
  entry.told_state = entry.state_number();
  entry.sync_deadline = deadline;
  return true;
}

SyncEntry sync_entry_of(const ConnEntry& entry, const EngineData& engine_data) {
  SyncEntry said;
  said.family = entry.family;
  said.protocol = static_cast<std::uint8_t>(entry.protocol());
  said.flags = method_flag(entry.method);
  if (entry.is_template) {
    said.flags |= sync_flags::kTemplate | sync_flags::kInactive;
    if (entry.method != ForwardMethod::kMasquerade) said.flags |= sync_flags::kNoOutput;
    said.state = entry.assured ? 1 : 0;
  } else {
    if (!entry.active) said.flags |= sync_flags::kInactive;
    if (entry.reply_unseen) said.flags |= sync_flags::kNoOutput;
    said.state = entry.state_number();
  }
  if (entry.learned) said.flags |= sync_flags::kSync;
  said.client_port = entry.client_port;
  said.virtual_port = entry.virtual_port;
  said.server_port = entry.server_port;
  said.fwmark = entry.fwmark;
  said.timeout_s = static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(Duration(entry.timeout)).count());
  said.client = entry.client();
  said.virtual_address = entry.virtual_address();
  said.server = entry.server->key.address;
  if (entry.has_engine) {
    said.engine = kSipEngine;
    said.engine_data = engine_data.text(entry.engine_data());
  }
  return said;
}

void sync_after_packet(ConnEntry& entry, const SyncContext& context, SyncSink* sink) {
  const Sysctls& sysctls = context.sysctls;
  const std::uint32_t packets = count_packet(entry, sysctls);
  if (!entry.hashed) {
    // A one-packet entry is never sent, its template is; that counts the packet also where there is no master.
    if (sink == nullptr && entry.controller() != nullptr) count_packet(*entry.controller(), sysctls);
    if (sink != nullptr && sysctls.sync_version != 0) consider_controller(entry, context, *sink);
    return;
  }
  if (sink == nullptr) return;
  const bool due = sync_due(entry, packets, sysctls, context.now);
  if (due) tell(entry, context, *sink);
  // With version 0 a template goes out only behind one of its connections.
  if (due || sysctls.sync_version != 0) consider_controller(entry, context, *sink);
}

void sync_after_extension(ConnEntry& entry, const SyncContext& context, SyncSink* sink) {
  if (sink == nullptr || fault(Fault::kSyncExtensionSilent)) return;
  const auto packets = static_cast<std::uint32_t>(context.sysctls.sync_threshold);
  if (sync_due(entry, packets, context.sysctls, context.now)) tell(entry, context, *sink);
}

bool sync_sysctls_valid(const Sysctls& sysctls) {
  const int threshold = sysctls.sync_threshold, period = sysctls.sync_period;
  if (threshold < 0 || period < 0 || (period != 0 && threshold >= period)) return false;
  if (sysctls.sync_version < 0 || sysctls.sync_version > 1) return false;
  if (sysctls.sync_retries < 0 || sysctls.sync_retries > 3) return false;
  return sysctls.sync_ports >= 1 && std::has_single_bit(static_cast<unsigned>(sysctls.sync_ports));
}

}  // namespace lvspec::director
