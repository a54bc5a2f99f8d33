#include "director/core/director.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "director/core/director_state.h"
#include "director/core/faults.h"
#include "director/core/scheduler.h"
#include "director/core/sctp_states.h"
#include "director/core/sip.h"
#include "director/core/sync_apply.h"
#include "director/core/sysctls.h"
#include "director/core/tcp_states.h"

namespace lvspec::director {
namespace {

// In seconds, as the reference kernel counts its ticks, 100 a second (NLK-06).
// Source: Linux net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout().
constexpr std::uint32_t kLongestTimeout = std::numeric_limits<std::int32_t>::max() / 100;

// With a mark the other fields mean nothing, so they are not compared either (SVC-16).
ServiceKey identity_of(const ServiceKey& key) {
  if (key.fwmark == 0) return key;
  return {.family = key.family, .fwmark = key.fwmark};
}

std::string state_name(const ConnEntry& entry) {
  if (entry.is_template) return entry.assured ? "ASSURED" : "NONE";
  if (entry.protocol() == Protocol::kUdp) return "UDP";
  if (entry.protocol() == Protocol::kSctp) return std::string(sctp_state_name(entry.sctp_state));
  return std::string(tcp_state_name(entry.state));
}

EntryView view_of(const ConnEntry& entry, const EngineData& engine_data, DirectorTime deadline, DirectorTime now) {
  return {.family = entry.family,
          .server_family = entry.server->key.family,
          .protocol = entry.protocol(),
          .client = entry.client(),
          .virtual_address = entry.virtual_address(),
          .server = entry.server->key.address,
          .client_port = entry.client_port,
          .virtual_port = entry.virtual_port,
          .server_port = entry.server_port,
          .is_template = entry.is_template,
          .state = state_name(entry),
          .expires_in = std::max<Duration>(deadline - now, Duration::zero()),
          .timeout = entry.timeout,
          .controlled = entry.controlled,
          .fwmark = entry.fwmark,
          .in_packets = entry.packets,
          .engine = std::string(entry.has_engine ? kSipEngine : ""),
          .engine_data = std::string(engine_data.text(entry.engine_data())),
          .bound_available = entry.server->available,
          .learned = entry.learned};
}

// For faults only: forget every entry that `doomed` picks.
template <typename Predicate>
void forget(ConnTable& connections, Predicate doomed) {
  std::vector<ConnEntry*> found;
  connections.for_each([&](ConnEntry& entry) {
    if (doomed(entry)) found.push_back(&entry);
  });
  for (ConnEntry* entry : found) connections.remove(*entry);
}

// For a fault only: templates that name a place in `before` follow that place to `after`.
void rebind_by_position(ConnTable& connections, const std::vector<RealServer*>& before,
                        const std::vector<RealServer*>& after) {
  std::vector<std::pair<ConnEntry*, RealServer*>> moves;
  connections.for_each([&](ConnEntry& entry) {
    if (!entry.is_template) return;
    const std::size_t place = std::find(before.begin(), before.end(), entry.server) - before.begin();
    if (place < before.size() && place < after.size()) moves.emplace_back(&entry, after[place]);
  });
  for (const auto& [entry, server] : moves) connections.rebind(*entry, *server);
}

// Call-IDs for which there is room once a service has an engine, 1 MiB; beyond that the room doubles.
constexpr std::size_t kCallIds = 4096;

constexpr Duration kSecond = std::chrono::seconds(1);

// Of time 0 and what came before it: 1 s.
DirectorTime next_second(DirectorTime time) {
  return std::chrono::floor<std::chrono::seconds>(std::max(time, DirectorTime{})) + kSecond;
}

}  // namespace

std::size_t Director::State::advance(DirectorTime now, Reading reading) {
  if (now < time) {
    std::fprintf(stderr, "lvspec director: time went back from %lld ns to %lld ns\n",
                 static_cast<long long>(time.time_since_epoch().count()),
                 static_cast<long long>(now.time_since_epoch().count()));
    std::abort();
  }
  // A kernel's estimation timer begins with its namespace; ours, to be late like it, with the first moment after
  // zero.
  if (!wheel.is_exact() && time == DirectorTime{} && now > time) {
    const DirectorTime first = wheel.fires(now, EstimationTimer::kPeriod);
    estimation.begin(first, wheel.fires(first, EstimationTimer::kPeriod) - first);
  }
  const DirectorTime before = std::exchange(time, now);
  estimation.advance(now, sysctls.run_estimation != 0);
  if (fault(Fault::kExpireOnlyOnRead) && reading == Reading::kNo) return 0;
  std::size_t removed = 0;
  const auto look_after_trash = [&](DirectorTime until) {
    while (services.trash_check().deadline <= wheel.horizon(until)) {
      removed += connections.fire_before(services.trash_check());
      services.check_trash();
    }
    removed += connections.fire(until);
  };
  if (defence.thins()) {
    for (DirectorTime second = next_second(before); second <= now && connections.size() != 0; second += kSecond) {
      look_after_trash(second);
      removed += defence.thin(second, connections);
    }
  }
  if (next_second(before) <= now) defence.take_level(sysctls);
  look_after_trash(now);
  return removed;
}

std::optional<DirectorTime> Director::State::next_deadline() {
  const std::optional<DirectorTime> timer = connections.next_deadline();
  if (!timer || !defence.thins()) return timer;
  return std::min(*timer, next_second(time));
}

void Director::State::sweep() {
  if (sysctls.expire_nodest_conn == 0 || fault(Fault::kNodestIgnored)) return;
  connections.remove_unavailable();
}

Director::Director(std::size_t entries, std::uint64_t seed) : state_(std::make_unique<State>(entries, seed)) {}
Director::~Director() = default;

void Director::set_timer_wheel(int hz) {
  state_->wheel = TimerWheel(hz);
  state_->connections.set_timer_wheel(state_->wheel);
}

DirectorTime Director::timer(DirectorTime now, Duration timeout) const { return state_->wheel.fires(now, timeout); }

void Director::limit_entries(std::size_t limit) { state_->connections.set_limit(limit); }
std::uint64_t Director::refused_entries() const { return state_->connections.refused(); }

Verdict Director::handle(DirectorTime now, const Packet& packet) { return state_->handle(now, packet); }
DirectorTime Director::time() const { return state_->time; }
Verdict Director::handle_reply(DirectorTime now, const Packet& packet) { return state_->handle_reply(now, packet); }
std::size_t Director::expire(DirectorTime now) { return state_->advance(now); }

std::optional<DirectorTime> Director::next_deadline() const {
  // Entries that nobody reads do not expire under this fault; who waits for them to would wait for ever.
  if (fault(Fault::kExpireOnlyOnRead)) return std::nullopt;
  return state_->next_deadline();
}

Outcome Director::add_service(const ServiceKey& key, const ServiceSettings& settings) {
  if (!settings.engine.empty()) state_->connections.engine_data().reserve(kCallIds);
  return state_->services.add(identity_of(key), settings);
}

Outcome Director::edit_service(const ServiceKey& key, const ServiceSettings& settings) {
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr && fault(Fault::kEditMakesServices)) return add_service(key, settings);
  if (service == nullptr) return Outcome::kNoSuchService;
  if (!settings.engine.empty()) state_->connections.engine_data().reserve(kCallIds);
  if (fault(Fault::kEditDropsTemplates)) {
    forget(state_->connections,
           [&](const ConnEntry& entry) { return entry.is_template && entry.server->service == service->key; });
  }
  return state_->services.edit(*service, settings);
}

Outcome Director::remove_service(DirectorTime now, const ServiceKey& key) {
  state_->advance(now);
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr) return Outcome::kNoSuchService;
  state_->services.remove(*service);
  state_->sweep();
  return Outcome::kOk;
}

Outcome Director::add_server(const ServiceKey& key, const RealServerKey& server, const RealServerSettings& settings) {
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr) return Outcome::kNoSuchService;
  if (state_->sync_runs() && server.family != service->key.family) return Outcome::kInvalid;
  const std::vector<RealServer*> before = service->servers;
  const Outcome outcome = state_->services.add_server(*service, server, settings);
  if (outcome != Outcome::kOk) return outcome;
  if (fault(Fault::kKeyedByPosition)) rebind_by_position(state_->connections, before, service->servers);
  if (fault(Fault::kRevivalRestartsWindow)) {
    std::vector<ConnEntry*> revived;
    state_->connections.for_each([&](ConnEntry& entry) {
      if (entry.is_template && entry.server->key == server) revived.push_back(&entry);
    });
    for (ConnEntry* entry : revived) state_->connections.arm(*entry, state_->time);
  }
  return outcome;
}

Outcome Director::edit_server(const ServiceKey& key, const RealServerKey& server,
                              const RealServerSettings& settings) {
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr) return Outcome::kNoSuchService;
  if (state_->sync_runs() && server.family != service->key.family) return Outcome::kInvalid;
  return state_->services.edit_server(*service, server, settings);
}

Outcome Director::remove_server(DirectorTime now, const ServiceKey& key, const RealServerKey& server) {
  state_->advance(now);
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr) return Outcome::kNoSuchService;
  const std::vector<RealServer*> before = service->servers;
  const Outcome outcome = state_->services.remove_server(*service, server);
  if (outcome != Outcome::kOk) return outcome;
  if (fault(Fault::kKeyedByPosition)) rebind_by_position(state_->connections, before, service->servers);
  state_->sweep();
  return outcome;
}

void Director::clear(DirectorTime now) {
  state_->advance(now);
  while (!state_->services.all().empty()) state_->services.remove(*state_->services.all().front());
  state_->sweep();
  if (fault(Fault::kClearDropsTemplates)) {
    forget(state_->connections, [](const ConnEntry&) { return true; });
  }
}

void Director::set_marks(std::vector<MarkRule> rules) { state_->classifier.replace(std::move(rules)); }

Outcome Director::set_sysctls(const Sysctls& sysctls) {
  Sysctls& current = state_->sysctls;
  if (!are_accepted(sysctls, current)) return Outcome::kInvalid;
  const bool levels_written = sysctls.drop_entry != current.drop_entry ||
                              sysctls.drop_packet != current.drop_packet || sysctls.secure_tcp != current.secure_tcp;
  // What was due by now goes by the old values.
  for (const auto& service : state_->services.all()) service->scheduler->expire(state_->time);
  current = sysctls;
  if (levels_written) state_->defence.take_level(current);
  return Outcome::kOk;
}
void Director::set_own_addresses(std::vector<std::pair<Family, Address>> addresses) {
  state_->own_addresses = std::move(addresses);
}
Sysctls Director::sysctls() const { return state_->sysctls; }

void Director::set_sync_master(SyncSink* sink) { state_->sync_sink = sink; }
void Director::set_sync_backup(bool running) { state_->sync_backup = running; }

SyncLearned Director::learn(DirectorTime now, const SyncEntry& entry) {
  state_->advance(now);
  return sync_apply(entry, state_->services, state_->connections, state_->sysctls, state_->timeouts, now);
}

Outcome Director::set_timeouts(const Timeouts& timeouts) {
  for (const std::uint32_t timeout_s : {timeouts.tcp_s, timeouts.tcp_fin_s, timeouts.udp_s}) {
    if (timeout_s > kLongestTimeout) return Outcome::kInvalid;
  }
  Timeouts& current = state_->timeouts;
  if (timeouts.tcp_s != 0) current.tcp_s = timeouts.tcp_s;
  if (timeouts.tcp_fin_s != 0) current.tcp_fin_s = timeouts.tcp_fin_s;
  if (timeouts.udp_s != 0) current.udp_s = timeouts.udp_s;
  return Outcome::kOk;
}

Outcome Director::zero(DirectorTime now, const ServiceKey& key) {
  state_->advance(now);
  VirtualService* const service = state_->services.find(identity_of(key));
  if (service == nullptr) return Outcome::kNoSuchService;
  state_->services.zero(*service);
  return Outcome::kOk;
}

void Director::zero(DirectorTime now) {
  state_->advance(now);
  for (const auto& service : state_->services.all()) state_->services.zero(*service);
  state_->totals.zero(state_->estimation.rounds());
}

Timeouts Director::timeouts() const { return state_->timeouts; }

std::vector<const VirtualService*> Director::services() const {
  state_->services.settle_statistics();
  std::vector<const VirtualService*> result;
  for (const auto& service : state_->services.all()) result.push_back(service.get());
  return result;
}

Counters Director::totals() const {
  state_->totals.settle(state_->estimation.rounds());
  return state_->totals.shown();
}

std::vector<EntryView> Director::entries(DirectorTime now) const {
  state_->advance(now, State::Reading::kYes);
  std::vector<EntryView> result;
  result.reserve(state_->connections.size());
  state_->connections.for_each([&](const ConnEntry& entry) {
    const ConnTable& connections = state_->connections;
    result.push_back(view_of(entry, connections.engine_data(), connections.deadline_of(entry), now));
  });
  return result;
}

}  // namespace lvspec::director
