#include "director/core/service_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "director/core/conn_table.h"
#include "director/core/faults.h"
#include "director/core/persistence.h"
#include "director/core/scheduler.h"

namespace lvspec::director {
namespace {

constexpr std::uint16_t kFirstUnprivilegedPort = 1024;  // net.ipv4.ip_unprivileged_port_start

// Source: Linux ip_vs_ctl.c, ip_vs_add_service(), "unknown pe".
Outcome check(const ServiceSettings& settings) {
  if (settings.engine.empty()) return Outcome::kOk;
  return settings.engine == "sip" ? Outcome::kUnsupported : Outcome::kNoSuchScheduler;
}

Outcome missing_scheduler(const std::string& name) {
  return is_kernel_scheduler(name) ? Outcome::kUnsupported : Outcome::kNoSuchScheduler;
}

// What the kernel tests before it looks whether the server exists (DST-11).
Outcome check(const VirtualService& service, const RealServerKey& key, const RealServerSettings& settings) {
  if (settings.weight < 0) return Outcome::kOutOfRange;
  if (settings.lower_threshold > settings.upper_threshold) return Outcome::kOutOfRange;
  // A server of the other family can only be reached through a tunnel (FWD-05), which the core does not build.
  if (key.family != service.key.family) return Outcome::kUnsupported;
  return Outcome::kOk;
}

std::size_t position_of(const VirtualService& service, const RealServerKey& key) {
  const auto same = [&](const RealServer* server) {
    if (fault(Fault::kServersFolded)) return server->key.address == key.address;
    return server->key == key;
  };
  return std::find_if(service.servers.begin(), service.servers.end(), same) - service.servers.begin();
}

}  // namespace

ServiceTable::ServiceTable(const Sysctls& sysctls, std::uint64_t seed) : sysctls_(sysctls), seed_(seed) {}
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

bool ServiceTable::has_hooks(Family family) const { return of_family_[static_cast<std::size_t>(family)] != 0; }

std::unique_ptr<Scheduler> ServiceTable::new_scheduler(const std::string& name, const VirtualService& service,
                                                       DirectorTime now) {
  return make_scheduler(name, service, {.sysctls = sysctls_, .now = now, .seed = seed_++});
}

Outcome ServiceTable::add(const ServiceKey& key, const ServiceSettings& settings, DirectorTime now) {
  if (find(key) != nullptr) return Outcome::kServiceExists;
  if (const Outcome outcome = check(settings); outcome != Outcome::kOk) return outcome;
  auto service = std::make_unique<VirtualService>();
  service->key = key;
  service->settings = settings;
  service->scheduler = new_scheduler(settings.scheduler, *service, now);
  service->serial = ++serials_;
  if (service->scheduler == nullptr) return missing_scheduler(settings.scheduler);
  by_key_.emplace(key, service.get());
  ++of_family_[static_cast<std::size_t>(key.family)];
  services_.push_back(std::move(service));
  return Outcome::kOk;
}

// Everything is replaced (EDT-01), except that an unchanged scheduler keeps its place (EDT-06). A new one is made
// before anything else changes, so that an unknown name changes nothing (EDT-09).
Outcome ServiceTable::edit(VirtualService& service, const ServiceSettings& settings, DirectorTime now) {
  if (const Outcome outcome = check(settings); outcome != Outcome::kOk) return outcome;
  if (settings.scheduler != service.settings.scheduler || fault(Fault::kEditRestartsScheduler)) {
    std::unique_ptr<Scheduler> scheduler = new_scheduler(settings.scheduler, service, now);
    if (scheduler == nullptr) return missing_scheduler(settings.scheduler);
    service.scheduler = std::move(scheduler);
  }
  const ServiceSettings before = std::exchange(service.settings, settings);
  if (fault(Fault::kEditTimeoutIgnored) && before.persistent) service.settings.timeout_s = before.timeout_s;
  if (fault(Fault::kEditPersistenceIgnored)) {
    service.settings.persistent = before.persistent;
    service.settings.timeout_s = before.timeout_s;
  }
  return Outcome::kOk;
}

void ServiceTable::remove(VirtualService& service) {
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
  auto found = std::find_if(servers_.begin(), servers_.end(), in_trash);
  if (found == servers_.end() || fault(Fault::kRevivalLost)) {
    servers_.push_back(std::make_unique<RealServer>());
    found = servers_.end() - 1;
    (*found)->key = key;
    (*found)->service = service.key;
  }
  RealServer& server = **found;
  if (server.counted_for != service.serial) server.counters = {};  // statistics belong to the object (DST-04)
  server.counted_for = service.serial;
  server.settings = settings;
  server.available = true;
  server.listed_in = &service;
  update_overload(server);

  const std::size_t position = fault(Fault::kTailInsertion) ? service.servers.size() : 0;  // head, DST-05
  service.servers.insert(service.servers.begin() + position, &server);
  service.scheduler->server_added(service, position);
  return Outcome::kOk;
}

Outcome ServiceTable::edit_server(VirtualService& service, const RealServerKey& key,
                                  const RealServerSettings& settings) {
  if (const Outcome outcome = check(service, key, settings); outcome != Outcome::kOk) return outcome;
  const std::size_t position = position_of(service, key);
  if (position == service.servers.size()) return Outcome::kNoSuchServer;
  RealServer& server = *service.servers[position];
  server.settings = settings;
  update_overload(server);
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
  server.available = false;
  server.listed_in = nullptr;
  if (server.references == 0) release(server);
}

void ServiceTable::release(RealServer& server) {
  std::erase_if(servers_, [&](const auto& owned) { return owned.get() == &server; });
}

}  // namespace lvspec::director
