#include "director/core/service_table.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "director/core/faults.h"
#include "director/core/persistence.h"
#include "director/core/scheduler.h"
#include "director/core/sip.h"
#include "director/core/thresholds.h"

namespace lvspec::director {
namespace {

// net.ipv4.ip_unprivileged_port_start as it is by default: the setting is the machine's, not the director's (SVC-04).
constexpr std::uint16_t kFirstUnprivilegedPort = 1024;

constexpr Duration kTrashPeriod = std::chrono::seconds(120);

// Source: Linux ip_vs_ctl.c, ip_vs_add_service(), ip_vs_edit_service(): what is tested after the scheduler's name.
Outcome check(const ServiceSettings& settings, Family family) {
  if (!settings.engine.empty() && settings.engine != kSipEngine) return Outcome::kNoSuchScheduler;
  const bool everybody = family == Family::kIpv6 && settings.netmask == AddressMask::prefix(0);
  if (everybody && !fault(Fault::kPrefixUnchecked)) return Outcome::kInvalid;
  return Outcome::kOk;
}

// What the kernel tests before it looks whether the server exists (DST-11).
Outcome check(const VirtualService& service, const RealServerKey& key, const RealServerSettings& settings) {
  const bool tunnel = settings.method == ForwardMethod::kTunnel;
  if (key.family != service.key.family && (!tunnel || fault(Fault::kFamiliesNotMixed))) return Outcome::kInvalid;
  if (fault(Fault::kImpossibleServers)) return Outcome::kOk;
  if (settings.weight < 0) return Outcome::kOutOfRange;
  if (settings.lower_threshold > settings.upper_threshold) return Outcome::kOutOfRange;
  if (settings.tunnel.type == TunnelType::kGue && settings.tunnel.port == 0) return Outcome::kInvalid;
  return Outcome::kOk;
}

// May a server have this address (DST-11)? What only the machine's own addresses and routes tell (broadcast of a
// subnet, an own link-local address) the core cannot know.
// Source: Linux ip_vs_ctl.c, ip_vs_new_dest(); net/ipv4/fib_frontend.c, inet_addr_type(); net/ipv6/addrconf_core.c,
// __ipv6_addr_type().
bool is_unicast(Family family, const Address& address) {
  const auto& bytes = address.bytes;
  if (family == Family::kIpv4) {
    const bool multicast = bytes[0] >= 224 && bytes[0] < 240;
    return !multicast && address.v4_host_order() != 0 && address.v4_host_order() != 0xffffffff;
  }
  const bool multicast = bytes[0] == 0xff, link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  const bool ten_zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  const bool mapped = ten_zeros && bytes[10] == 0xff && bytes[11] == 0xff;
  return !multicast && !link_local && !mapped && address != Address{};
}

std::size_t position_of(const VirtualService& service, const RealServerKey& key) {
  const auto same = [&](const RealServer* server) {
    if (fault(Fault::kServersFolded)) return server->key.address == key.address;
    return server->key == key;
  };
  return std::find_if(service.servers.begin(), service.servers.end(), same) - service.servers.begin();
}

}  // namespace

ServiceTable::ServiceTable(const Context& context, std::uint64_t seed) : context_(context), seed_(seed) {}
ServiceTable::~ServiceTable() = default;

std::size_t ServiceTable::KeyHash::operator()(const ServiceKey& key) const {
  std::uint64_t high, low;
  std::memcpy(&high, key.address.bytes.data(), sizeof high);
  std::memcpy(&low, key.address.bytes.data() + sizeof high, sizeof low);
  const std::uint64_t rest = (std::uint64_t{key.fwmark} << 32) | (std::uint64_t{key.port} << 16) |
                             (static_cast<std::uint64_t>(key.protocol) << 8) | static_cast<std::uint64_t>(key.family);
  std::uint64_t hash = (high ^ (low * 0x9e3779b97f4a7c15)) + rest * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

VirtualService* ServiceTable::find(const ServiceKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

VirtualService* ServiceTable::match(const Packet& packet) const {
  const auto by_port = [&](std::uint16_t port) {
    return find({.family = packet.family,
                 .fwmark = 0,
                 .protocol = packet.protocol,
                 .address = packet.destination,
                 .port = port});
  };
  if (packet.mark != 0) {
    if (VirtualService* service = find({.family = packet.family, .fwmark = packet.mark})) return service;
  }
  if (fault(Fault::kPortZeroShadowsExact)) {
    if (VirtualService* service = by_port(0)) return service;
  }
  if (VirtualService* service = by_port(packet.destination_port)) return service;
  // The kernel counts its port-21 and port-0 services and skips these two searches at a count of zero: faster, with
  // the same result (SVC-09).
  const bool may_be_ftp = packet.protocol == Protocol::kTcp && (packet.destination_port == kFtpDataPort ||
                                                                packet.destination_port >= kFirstUnprivilegedPort);
  if (may_be_ftp && !fault(Fault::kFtpPortsIgnored)) {
    if (VirtualService* service = by_port(kFtpPort)) return service;
  }
  if (!fault(Fault::kPortZeroNotForwarded)) {
    if (VirtualService* service = by_port(0)) return service;
  }
  if (fault(Fault::kUnmarkedBalanced)) {
    for (const auto& service : services_) {
      if (service->key.fwmark != 0 && service->key.family == packet.family) return service.get();
    }
  }
  return nullptr;
}

bool ServiceTable::has_hooks(Family family) const {
  return of_family_[static_cast<std::size_t>(family)] != 0 || fault(Fault::kHooksStay);
}

RealServer* ServiceTable::masqueraded(const Packet& packet) const {
  const auto sends = [&](const auto& server) {
    return server->available && server->settings.method == ForwardMethod::kMasquerade &&
           server->key.family == packet.family && server->key.address == packet.source &&
           server->key.port == packet.source_port &&
           (server->service.fwmark != 0 || server->service.protocol == packet.protocol);
  };
  const auto found = std::find_if(servers_.rbegin(), servers_.rend(), sends);
  return found == servers_.rend() ? nullptr : found->get();
}

std::unique_ptr<Scheduler> ServiceTable::new_scheduler(const std::string& name, const VirtualService& service) {
  return make_scheduler(name, service, {.sysctls = context_.sysctls, .now = context_.now, .seed = seed_++});
}

Outcome ServiceTable::add(const ServiceKey& key, const ServiceSettings& settings) {
  if (find(key) != nullptr) return Outcome::kServiceExists;
  if (fault(Fault::kVipsAreUnicast) && key.fwmark == 0 && !is_unicast(key.family, key.address)) {
    return Outcome::kInvalid;
  }
  auto service = std::make_unique<VirtualService>();
  service->key = key;
  service->settings = settings;
  service->scheduler = new_scheduler(settings.scheduler, *service);
  if (service->scheduler == nullptr) return Outcome::kNoSuchScheduler;
  if (const Outcome outcome = check(settings, key.family); outcome != Outcome::kOk) return outcome;
  service->serial = ++serials_;
  service->statistics.resume(context_.estimation.rounds());
  by_key_.emplace(key, service.get());
  ++of_family_[static_cast<std::size_t>(key.family)];
  services_.push_back(std::move(service));
  return Outcome::kOk;
}

// Everything is replaced (EDT-01), except that an unchanged scheduler keeps its place (EDT-06). A new one is made
// before anything else changes, so that an unknown name changes nothing (EDT-09).
Outcome ServiceTable::edit(VirtualService& service, const ServiceSettings& settings) {
  std::unique_ptr<Scheduler> scheduler;
  if (settings.scheduler != service.settings.scheduler || fault(Fault::kEditRestartsScheduler)) {
    scheduler = new_scheduler(settings.scheduler, service);
    if (scheduler == nullptr && fault(Fault::kRefusedEditCounts)) {
      service.settings.persistent = settings.persistent;
      service.settings.timeout_s = settings.timeout_s;
    }
    if (scheduler == nullptr) return Outcome::kNoSuchScheduler;
  }
  if (const Outcome outcome = check(settings, service.key.family); outcome != Outcome::kOk) return outcome;
  if (scheduler != nullptr) service.scheduler = std::move(scheduler);
  const ServiceSettings before = std::exchange(service.settings, settings);
  if (fault(Fault::kEditTimeoutIgnored) && before.persistent) service.settings.timeout_s = before.timeout_s;
  if (fault(Fault::kEditPersistenceIgnored)) {
    service.settings.persistent = before.persistent;
    service.settings.timeout_s = before.timeout_s;
  }
  return Outcome::kOk;
}

void ServiceTable::remove(VirtualService& service) {
  // The scheduler goes first, with what it remembers: a table of mh is not built anew for each server that follows.
  service.scheduler = new_scheduler("none", service);
  while (!service.servers.empty()) unlink_server(service, service.servers.size() - 1);
  by_key_.erase(service.key);
  --of_family_[static_cast<std::size_t>(service.key.family)];
  std::erase_if(services_, [&](const auto& owned) { return owned.get() == &service; });
}

Outcome ServiceTable::add_server(VirtualService& service, const RealServerKey& key,
                                 const RealServerSettings& settings) {
  if (const Outcome outcome = check(service, key, settings); outcome != Outcome::kOk) return outcome;
  if (position_of(service, key) != service.servers.size()) return Outcome::kServerExists;

  // Whoever is still bound to it finds the same object again, counters and all (DST-03, EDT-11). Identity in the
  // trash is that of the server and of the *key* of the service, which may be a new service by now.
  const auto in_trash = [&](const auto& server) {
    return !server->available && server->key == key && server->service == service.key;
  };
  const auto found = std::find_if(servers_.begin(), servers_.end(), in_trash);
  if (found != servers_.end() && !fault(Fault::kRevivalLost)) {
    --trashed_;
    link_server(service, **found, settings);
    return Outcome::kOk;
  }
  if (!is_unicast(key.family, key.address)) return Outcome::kInvalid;
  servers_.push_back(std::make_unique<RealServer>());
  servers_.back()->key = key;
  servers_.back()->service = service.key;
  link_server(service, *servers_.back(), settings);
  return Outcome::kOk;
}

// Source: Linux ip_vs_ctl.c, __ip_vs_update_dest(), `add`.
void ServiceTable::link_server(VirtualService& service, RealServer& server, const RealServerSettings& settings) {
  const std::uint64_t round = context_.estimation.rounds();
  if (server.counted_for != service.serial) server.statistics.zero(round);  // they belong to the object (DST-04)
  server.counted_for = service.serial;
  server.statistics.resume(round);
  edit_thresholds(server, settings);
  server.settings = settings;
  server.route = RouteKept::kNone;
  server.last_weight = settings.weight;
  server.available = true;
  server.listed_in = &service;

  const std::size_t position = fault(Fault::kTailInsertion) ? service.servers.size() : 0;  // head, DST-05
  service.servers.insert(service.servers.begin() + position, &server);
  service.scheduler->server_added(service, position);
}

Outcome ServiceTable::edit_server(VirtualService& service, const RealServerKey& key,
                                  const RealServerSettings& settings) {
  if (const Outcome outcome = check(service, key, settings); outcome != Outcome::kOk) return outcome;
  const std::size_t position = position_of(service, key);
  if (position == service.servers.size()) return Outcome::kNoSuchServer;
  RealServer& server = *service.servers[position];
  if (fault(Fault::kEditMovesServers)) {
    std::rotate(service.servers.begin(), service.servers.begin() + position, service.servers.begin() + position + 1);
  }
  if (!fault(Fault::kEditKeepsThresholds)) edit_thresholds(server, settings);
  const RealServerSettings before = std::exchange(server.settings, settings);
  if (fault(Fault::kEditKeepsThresholds)) {
    server.settings.upper_threshold = before.upper_threshold;
    server.settings.lower_threshold = before.lower_threshold;
  }
  server.route = RouteKept::kNone;
  if (settings.weight != 0) server.last_weight = settings.weight;
  service.scheduler->server_edited(service);
  return Outcome::kOk;
}

Outcome ServiceTable::remove_server(VirtualService& service, const RealServerKey& key) {
  const std::size_t position = position_of(service, key);
  if (position == service.servers.size()) return Outcome::kNoSuchServer;
  unlink_server(service, position);
  return Outcome::kOk;
}

void ServiceTable::unlink_server(VirtualService& service, std::size_t position) {
  RealServer& server = *service.servers[position];
  service.servers.erase(service.servers.begin() + position);
  service.scheduler->server_removed(service, position);
  server.statistics.pause(context_.estimation.rounds());
  trash(server);
}

void ServiceTable::trash(RealServer& server) {
  server.available = false;
  server.listed_in = nullptr;
  server.idle_since.reset();
  if (trashed_++ == 0) arm_trash_check(context_.now, trash_check_);
}

RealServer& ServiceTable::stand_in(Family family, const Address& address, ForwardMethod method) {
  const RealServerKey key{.family = family, .address = address};
  for (const auto& server : servers_) {
    if (!server->unbound || server->key != key || server->settings.method != method) continue;
    server->idle_since.reset();
    return *server;
  }
  servers_.push_back(std::make_unique<RealServer>());
  RealServer& server = *servers_.back();
  server.key = key;
  server.settings.method = method;
  server.unbound = true;
  trash(server);
  return server;
}

void ServiceTable::check_trash() {
  const DirectorTime now = context_.wheel.fires(trash_check_);
  for (const auto& service : services_) service->scheduler->expire(now);
  trashed_ -= std::erase_if(servers_, [&](const auto& server) {
    if (server->available || server->references != 0 || fault(Fault::kTrashNeverEmptied)) return false;
    if (server->idle_since) return now >= *server->idle_since + kTrashPeriod;
    server->idle_since = now;
    return false;
  });
  trash_check_ = table::kNever;
  if (trashed_ != 0) arm_trash_check(now, table::kNever);
}

void ServiceTable::arm_trash_check(DirectorTime now, const table::Due& before) {
  trash_check_ = context_.wheel.arm(now, kTrashPeriod / 2, before, context_.armings++);
}

void ServiceTable::settle_statistics() {
  const std::uint64_t round = context_.estimation.rounds();
  for (const auto& service : services_) {
    service->statistics.settle(round);
    for (RealServer* server : service->servers) server->statistics.settle(round);
  }
}

void ServiceTable::zero(VirtualService& service) {
  if (fault(Fault::kZeroIgnored)) return;
  const std::uint64_t round = context_.estimation.rounds();
  for (RealServer* server : service.servers) server->statistics.zero(round);
  service.statistics.zero(round);
}

}  // namespace lvspec::director
