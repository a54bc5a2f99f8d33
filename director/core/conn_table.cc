#include "director/core/conn_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "director/core/faults.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

constexpr Duration kExtension = seconds(60);    // TPL-34
constexpr Duration kFreshTimeout = seconds(3);  // TIM-06, until the first packet has set the state's own
constexpr std::uint64_t kTemplatesLast = std::uint64_t{1} << 63;

std::uint64_t mix(std::uint64_t value) {
  value *= 0x9e3779b97f4a7c15;
  return value ^ (value >> 32);
}

std::uint64_t words_of(const Address& address) {
  std::uint64_t high, low;
  std::memcpy(&high, address.bytes.data(), sizeof high);
  std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
  return mix(high) + low;
}

// Connections hash by the client's side only, as in the kernel: a reply, which may come from the VIP or from the
// real server, is then found in the same chain. Templates have no replies, and one client may have many of them.
std::uint32_t hash_of(const ConnKey& key) {
  std::uint64_t hash = mix(words_of(key.client) + key.client_port);
  hash = mix(hash + static_cast<std::uint64_t>(key.protocol) + 256 * static_cast<std::uint64_t>(key.family));
  if (key.is_template) hash = mix(hash + mix(words_of(key.virtual_address)) + key.virtual_port + 1);
  return static_cast<std::uint32_t>(mix(hash));
}

}  // namespace

ConnKey connection_key(const Packet& packet) {
  return {.family = packet.family,
          .protocol = packet.protocol,
          .is_template = false,
          .client_port = packet.source_port,
          .virtual_port = packet.destination_port,
          .client = packet.source,
          .virtual_address = packet.destination};
}

void update_overload(RealServer& server) {
  const std::uint64_t connections = std::uint64_t{server.active} + server.inactive;
  const std::uint64_t upper = server.settings.upper_threshold, lower = server.settings.lower_threshold;
  if (upper == 0) {
    server.overloaded = false;
  } else if (connections >= upper) {
    server.overloaded = true;
  } else if (lower != 0 ? connections < lower : connections * 4 < upper * 3) {
    server.overloaded = false;
  }
}

ConnTable::ConnTable(ServerReleased released, std::size_t entries) : released_(std::move(released)) {
  reserve(entries);
}

void ConnTable::reserve(std::size_t entries) {
  if (entries > capacity_) add_block(entries - capacity_);
  timers_.reserve(entries);
  const std::size_t chains = std::bit_ceil(std::max<std::size_t>(entries, 1));
  if (chains <= chains_.size()) return;
  const std::vector<ConnEntry*> old = std::exchange(chains_, std::vector<ConnEntry*>(chains));
  for (ConnEntry* entry : old) {
    // Oldest first, so that after head insertion the newest of equal keys is found first again (TPL-17).
    ConnEntry* reversed = nullptr;
    while (entry != nullptr) {
      ConnEntry* const following = std::exchange(entry->chain, reversed);
      reversed = std::exchange(entry, following);
    }
    while (reversed != nullptr) {
      ConnEntry* const following = reversed->chain;
      insert(*reversed);
      reversed = following;
    }
  }
}

void ConnTable::add_block(std::size_t entries) {
  blocks_.push_back(std::make_unique<ConnEntry[]>(entries));
  for (std::size_t i = entries; i-- > 0;) blocks_.back()[i].chain = std::exchange(free_, &blocks_.back()[i]);
  capacity_ += entries;
}

ConnEntry* ConnTable::find(const ConnKey& key) {
  const std::uint32_t hash = hash_of(key);
  for (ConnEntry* entry = chain_of(hash); entry != nullptr; entry = entry->chain) {
    if (entry->hash == hash && entry->key == key && !entry->renamed) return entry;
  }
  return nullptr;
}

ConnEntry* ConnTable::find_reply(const Packet& packet) {
  const std::uint32_t hash = hash_of({.family = packet.family,
                                      .protocol = packet.protocol,
                                      .client_port = packet.destination_port,
                                      .client = packet.destination});
  for (ConnEntry* entry = chain_of(hash); entry != nullptr; entry = entry->chain) {
    const ConnKey& key = entry->key;
    if (entry->hash != hash || key.is_template || key.family != packet.family || key.protocol != packet.protocol ||
        key.client != packet.destination || key.client_port != packet.destination_port) {
      continue;
    }
    // Only NAT leaves the reply with the real server's address; otherwise the real server answers as the VIP.
    const bool nat = entry->method == ForwardMethod::kMasquerade;
    const Address& address = nat ? entry->server->key.address : key.virtual_address;
    const std::uint16_t port = nat ? entry->server_port : key.virtual_port;
    if (address == packet.source && port == packet.source_port) return entry;
  }
  return nullptr;
}

ConnEntry& ConnTable::create(const ConnKey& key, RealServer& server, std::uint16_t server_port, Stored stored) {
  if (free_ == nullptr) reserve(std::max<std::size_t>(2 * capacity_, 64));
  ConnEntry& entry = *free_;
  free_ = entry.chain;
  entry = ConnEntry{};
  entry.key = key;
  entry.hash = hash_of(key);
  entry.server_port = server_port;
  entry.method = server.settings.method;
  entry.reply_unseen = entry.method != ForwardMethod::kMasquerade;
  entry.timeout = kFreshTimeout;
  if (stored == Stored::kYes) insert(entry);
  bind(entry, server);
  return entry;
}

void ConnTable::insert(ConnEntry& entry) {
  ConnEntry*& head = chain_of(entry.hash);
  entry.chain = head;
  head = &entry;
  entry.hashed = true;
}

void ConnTable::unlink(ConnEntry& entry) {
  ConnEntry** link = &chain_of(entry.hash);
  while (*link != &entry) link = &(*link)->chain;
  *link = entry.chain;
  entry.hashed = false;
}

// A connection begins as inactive; its first state decides (CON-70).
void ConnTable::bind(ConnEntry& entry, RealServer& server) {
  entry.server = &server;
  ++server.references;
  if (entry.key.is_template) {
    ++server.persistent;
    return;
  }
  entry.active = false;
  ++server.inactive;
  update_overload(server);
}

void ConnTable::unbind(ConnEntry& entry) {
  RealServer& server = *entry.server;
  entry.server = nullptr;
  --server.references;
  if (entry.key.is_template) {
    --server.persistent;
  } else {
    --(entry.active ? server.active : server.inactive);
    update_overload(server);
  }
  if (server.references == 0 && !server.available) released_(server);
}

void ConnTable::rebind(ConnEntry& entry, RealServer& server) {
  unbind(entry);
  bind(entry, server);
}

void ConnTable::control(ConnEntry& connection, ConnEntry& controller) {
  release_controller(connection);
  connection.controller = &controller;
  ++controller.controlled;
}

void ConnTable::release_controller(ConnEntry& connection) {
  if (connection.controller == nullptr) return;
  --connection.controller->controlled;
  connection.controller = nullptr;
}

void ConnTable::arm(ConnEntry& entry, DirectorTime now) {
  const std::uint64_t last = entry.key.is_template ? kTemplatesLast : 0;
  timers_.arm(entry, {.deadline = now + entry.timeout, .order = last | armings_++});
}

void ConnTable::set_active(ConnEntry& entry, bool active) {
  if (entry.active == active) return;
  entry.active = active;
  RealServer& server = *entry.server;
  ++(active ? server.active : server.inactive);
  --(active ? server.inactive : server.active);
}

void ConnTable::update_state(ConnEntry& entry, bool is_reply, const Packet& packet, const Timeouts& timeouts) {
  if (packet.protocol != Protocol::kTcp) {
    // UDP has one state, never active; only a reply that passes here proves the server alive (CON-30, TPL-40).
    if (is_reply && entry.controller != nullptr) entry.controller->assured = true;
    entry.timeout = seconds(timeouts.udp_s);
    return;
  }
  if (is_reply) entry.reply_unseen = false;
  const Direction direction = is_reply ? Direction::kOut : entry.reply_unseen ? Direction::kInOnly : Direction::kIn;
  const TcpState next = next_tcp_state(direction, tcp_event(packet.tcp), entry.state);
  if (next != entry.state) {
    set_active(entry, is_active(next));
    if (next == TcpState::kEstablished && entry.controller != nullptr) entry.controller->assured = true;
    entry.state = next;
  }
  entry.timeout = seconds(tcp_timeout_s(next, timeouts));
}

// The kernel gives it client port 0, virtual port 65535 and server port 65535, which no packet of a service on an
// ordinary port can ask for; the flag makes that true of a service on port 65535 as well.
void ConnTable::rename(ConnEntry& entry) {
  unlink(entry);
  entry.renamed = true;
  entry.key.client_port = 0;
  entry.key.virtual_port = 0xffff;
  entry.server_port = 0xffff;
  entry.hash = hash_of(entry.key);
  insert(entry);
}

void ConnTable::remove(ConnEntry& entry) {
  timers_.cancel(entry);
  if (entry.hashed) unlink(entry);
  release_controller(entry);
  if (entry.controlled != 0) {
    for_each([&](ConnEntry& connection) {
      if (connection.controller == &entry) connection.controller = nullptr;
    });
  }
  unbind(entry);
  entry.chain = std::exchange(free_, &entry);
}

void ConnTable::remove_unavailable() {
  std::vector<ConnEntry*> gone;
  const auto collect = [&](bool templates) {
    gone.clear();
    for_each([&](ConnEntry& entry) {
      const bool idle = entry.controlled == 0;
      if (entry.key.is_template == templates && !entry.server->available && idle) gone.push_back(&entry);
    });
  };
  collect(false);
  for (ConnEntry* connection : gone) {
    ConnEntry* const controller = connection->controller;
    remove(*connection);
    if (controller != nullptr && controller->controlled == 0) remove(*controller);
  }
  collect(true);
  for (ConnEntry* tmpl : gone) remove(*tmpl);
}

// How much longer an entry lives whose timer has fired, if it does.
std::optional<Duration> ConnTable::extension_of(const ConnEntry& entry) const {
  // Not less than a second for a fault: a template with a zero timeout would fire at this instant for ever.
  const Duration once_more = std::max<Duration>(entry.timeout, seconds(1));
  if (fault(Fault::kTemplateNeverExpires) && entry.key.is_template) return once_more;
  if (entry.controlled == 0 || fault(Fault::kNoExtension)) return std::nullopt;
  if (fault(Fault::kExtensionFullTimeout)) return once_more;
  return kExtension;
}

std::size_t ConnTable::fire(DirectorTime now) {
  std::size_t removed = 0;
  for (ConnEntry* entry; (entry = timers_.next()) != nullptr;) {
    const DirectorTime fired_at = entry->timer.due.deadline;
    if (fired_at > now) break;
    if (const std::optional<Duration> extension = extension_of(*entry)) {
      const Duration before = std::exchange(entry->timeout, *extension);
      arm(*entry, fired_at);
      if (fault(Fault::kExtensionNotStored)) entry->timeout = before;
    } else {
      remove(*entry);
      ++removed;
    }
  }
  return removed;
}

std::optional<DirectorTime> ConnTable::next_deadline() {
  const ConnEntry* entry = timers_.next();
  if (entry == nullptr) return std::nullopt;
  return entry->timer.due.deadline;
}

}  // namespace lvspec::director
