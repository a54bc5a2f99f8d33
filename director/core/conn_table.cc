#include "director/core/conn_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "director/core/faults.h"
#include "director/core/thresholds.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

// Where a table counts as full, with its share of the queue of timers, 28 bytes a bucket.
template <typename Entry>
constexpr std::size_t kBytesEach = (sizeof(table::Bucket<Entry>) + 28) / table::Segment<Entry>::kFull;
static_assert(kBytesEach<TemplateEntry<Ipv4Bytes>> <= 64 && kBytesEach<ConnectionEntry<Ipv4Bytes>> <= 128 &&
              kBytesEach<TemplateEntry<Ipv6Bytes>> <= 96 && kBytesEach<ConnectionEntry<Ipv6Bytes>> <= 128);

constexpr Duration kExtension = seconds(60);    // TPL-34
constexpr Duration kFreshTimeout = seconds(3);  // TIM-06, until the first packet has set the state's own
}  // namespace

ConnTable::ConnTable(std::size_t entries, std::uint32_t* armings)
    : armings_(armings == nullptr ? &own_armings_ : armings) {
  reserve(entries);
}

template <typename Visit>
decltype(auto) ConnTable::with_table_of(Family family, bool is_template, bool has_engine, Visit visit) {
  if (has_engine) return family == Family::kIpv4 ? visit(engine_templates4_) : visit(engine_templates6_);
  if (family == Family::kIpv4) return is_template ? visit(templates4_) : visit(connections4_);
  return is_template ? visit(templates6_) : visit(connections6_);
}

// With the entry as what it is in that table.
template <typename Visit>
decltype(auto) ConnTable::with_table_of(ConnEntry& entry, Visit visit) {
  return with_table_of(
      entry.family, entry.is_template, entry.has_engine,
      [&]<typename Entry>(table::Table<Entry>& table) { return visit(table, static_cast<Entry&>(entry)); });
}

void ConnTable::reserve(std::size_t entries) {
  connections4_.reserve(entries);
  connections6_.reserve(entries);
  templates4_.reserve(entries);
  templates6_.reserve(entries);
  engine_templates4_.reserve(entries);
  engine_templates6_.reserve(entries);
}

std::size_t ConnTable::size() const {
  return connections4_.size() + connections6_.size() + templates4_.size() + templates6_.size() +
         engine_templates4_.size() + engine_templates6_.size();
}

std::size_t ConnTable::buckets() const {
  return connections4_.buckets() + connections6_.buckets() + templates4_.buckets() + templates6_.buckets() +
         engine_templates4_.buckets() + engine_templates6_.buckets();
}

ConnEntry* ConnTable::find(const ConnKey& key) { return find(key, hash_of(key)); }

ConnEntry* ConnTable::find(const ConnKey& key, std::uint64_t hash) {
  return with_table_of(key.family, key.is_template, key.engine_data != EngineData::kNone,
                       [&](auto& table) -> ConnEntry* {
                         return table.find(hash, [&](const auto& entry) { return entry.matches(key); });
                       });
}

namespace {

/// Only NAT leaves the reply with the real server's address; otherwise the real server answers as the VIP.
bool is_reply_of(const ConnEntry& entry, const ConnKey& turned) {
  if (entry.client_port != turned.client_port || entry.protocol() != turned.protocol ||
      entry.family != turned.family || entry.is_template || entry.client() != turned.client) {
    return false;
  }
  if (entry.server == nullptr) return false;  // a place where none stands
  const bool nat = entry.method == ForwardMethod::kMasquerade;
  const Address address = nat ? entry.server->key.address : entry.virtual_address();
  const std::uint16_t port = nat ? entry.server_port : entry.virtual_port;
  return address == turned.virtual_address && port == turned.virtual_port;
}

}  // namespace

ConnEntry* ConnTable::find_reply(const Packet& packet) {
  // The packet turned round: where it goes to is the client of its entry.
  Packet turned = packet;
  std::swap(turned.source, turned.destination);
  std::swap(turned.source_port, turned.destination_port);
  const ConnKey key = connection_key(turned);
  return find_reply(key, hash_of(key));
}

// Source: Linux ip_vs_conn.c, ip_vs_conn_hash(): a bucket's newest comes first.
ConnEntry* ConnTable::find_reply(const ConnKey& turned, std::uint64_t hash) {
  for (auto rival = rivals_.rbegin(); rival != rivals_.rend(); ++rival) {
    if (is_reply_of(**rival, turned)) return *rival;
  }
  ConnEntry* const found =
      with_table_of(turned.family, /*is_template=*/false, /*has_engine=*/false, [&](auto& table) -> ConnEntry* {
        return table.find(hash, [&](const auto& entry) { return is_reply_of(entry, turned); });
      });
  if (found != nullptr) return found;
  // Of entries with one key each has a server of its own, whose replies are its own.
  for (const Shadow& shadow : shadows_) {
    if (is_reply_of(*shadow.older, turned)) return shadow.older;
  }
  return nullptr;
}

ConnEntry* ConnTable::create(const ConnKey& key, RealServer& server, std::uint16_t server_port, Stored stored) {
  if (size() >= limit_) {
    ++refused_;
    return nullptr;
  }
  const std::uint64_t hash = hash_of(key);
  ConnEntry* const older = stored == Stored::kYes ? find(key, hash) : nullptr;
  bool has_rival = false;
  if (stored == Stored::kYes && !key.is_template && server.settings.method == ForwardMethod::kMasquerade) {
    ConnKey turned = key;
    turned.virtual_address = server.key.address;
    turned.virtual_port = server_port;
    has_rival = find_reply(turned, hash) != nullptr;
  }
  if (older != nullptr) hide(*older);
  ConnEntry& entry = with_table_of(
      key.family, key.is_template, key.engine_data != EngineData::kNone,
      [&](auto& table) -> ConnEntry& { return table.insert(hash, /*hidden=*/stored == Stored::kOnePacket, key); });
  engine_data_.retain(key.engine_data);
  if (older != nullptr) shadows_.push_back({&entry, older});
  if (has_rival) rivals_.push_back(&entry);
  entry.hashed = stored == Stored::kYes;
  entry.server_port = server_port;
  entry.method = server.settings.method;
  entry.reply_unseen = entry.method != ForwardMethod::kMasquerade;
  entry.timeout = kFreshTimeout;
  bind(entry, server);
  return &entry;
}

void ConnTable::hide(ConnEntry& entry) {
  with_table_of(entry, [](auto& table, auto& own) { table.hide(own); });
}

// The entry leaves, for good or for another key: what it has hidden is found again. If it is hidden itself, the one
// that hides it now hides what it has hidden.
void ConnTable::uncover(ConnEntry& entry) {
  if (!rivals_.empty()) std::erase(rivals_, &entry);
  if (shadows_.empty()) return;
  const auto below =
      std::find_if(shadows_.begin(), shadows_.end(), [&](const Shadow& s) { return s.newer == &entry; });
  const auto above =
      std::find_if(shadows_.begin(), shadows_.end(), [&](const Shadow& s) { return s.older == &entry; });
  if (below != shadows_.end() && above != shadows_.end()) {
    above->older = below->older;
    shadows_.erase(below);
  } else if (below != shadows_.end()) {
    with_table_of(*below->older, [](auto& table, auto& own) { table.show(own); });
    shadows_.erase(below);
  } else if (above != shadows_.end()) {
    shadows_.erase(above);
  }
}

// A connection begins as inactive; its first state decides (CON-70).
void ConnTable::bind(ConnEntry& entry, RealServer& server) {
  entry.server = &server;
  entry.active = false;
  ++server.references;
  ++(entry.is_template ? server.persistent : server.inactive);
  check_upper_threshold(server);
}

void ConnTable::unbind(ConnEntry& entry) {
  RealServer& server = *entry.server;
  entry.server = nullptr;
  --server.references;
  --(entry.is_template ? server.persistent : entry.active ? server.active : server.inactive);
  check_lower_threshold(server);
}

void ConnTable::rebind(ConnEntry& entry, RealServer& server) {
  unbind(entry);
  bind(entry, server);
}

void ConnTable::control(ConnEntry& connection, ConnEntry& controller) {
  release_controller(connection);
  if (controller.controlled == 0xffffff) return;  // more than the field can count: this one goes on its own
  connection.set_controller(&controller);
  ++controller.controlled;
}

void ConnTable::release_controller(ConnEntry& connection) {
  ConnEntry* const controller = connection.controller();
  if (controller == nullptr) return;
  --controller->controlled;
  connection.set_controller(nullptr);
}

void ConnTable::arm(ConnEntry& entry, DirectorTime now) { arm(entry, now, entry.timeout); }

void ConnTable::arm(ConnEntry& entry, DirectorTime now, Duration timeout) {
  const table::Due before = entry.due(), due = wheel_.arm(now, timeout, before, (*armings_)++);
  entry.set_due(due);
  if (due < before) with_table_of(entry, [](auto& table, auto& own) { table.bring_forward(own); });
}

void ConnTable::expire_now(ConnEntry& entry, DirectorTime now) {
  if (deadline_of(entry) > now) arm(entry, now, Duration::zero());
}

void ConnTable::set_active(ConnEntry& entry, bool active) {
  if (entry.active == active) return;
  entry.active = active;
  RealServer& server = *entry.server;
  ++(active ? server.active : server.inactive);
  --(active ? server.inactive : server.active);
}

// TPL-40. Source: include/net/ip_vs.h, ip_vs_control_assure_ct().
void ConnTable::assure_controller(ConnEntry& entry) {
  ConnEntry* const controller = entry.controller();
  if (controller != nullptr && controller->is_template) controller->assured = true;
}

void ConnTable::update_state(ConnEntry& entry, bool is_reply, const Packet& packet, const Timeouts& timeouts,
                             bool secure_tcp) {
  const auto direction = [&] {
    if (is_reply) entry.reply_unseen = false;
    return is_reply ? Direction::kOut : entry.reply_unseen ? Direction::kInOnly : Direction::kIn;
  };
  switch (packet.protocol) {
    case Protocol::kTcp: {
      const TcpState next = next_tcp_state(direction(), tcp_event(packet.tcp), entry.state, secure_tcp);
      if (next != entry.state) {
        set_active(entry, is_active(next));
        if (next == TcpState::kEstablished) assure_controller(entry);
        entry.state = next;
      }
      entry.timeout = seconds(tcp_timeout_s(next, timeouts));
      break;
    }
    case Protocol::kSctp: {
      if (packet.sctp.event == SctpEvent::kNone) break;
      const SctpState next = next_sctp_state(direction(), packet.sctp.event, entry.sctp_state);
      if (next != entry.sctp_state) {
        set_active(entry, is_active(next));
        if (next == SctpState::kEstablished) assure_controller(entry);
        entry.sctp_state = next;
      }
      entry.timeout = seconds(sctp_timeout_s(next));
      break;
    }
    case Protocol::kUdp:
      // UDP has one state, never active; only a reply that passes here proves the server alive (CON-30, TPL-40).
      if (is_reply) assure_controller(entry);
      entry.timeout = seconds(timeouts.udp_s);
      break;
    default:
      break;
  }
}

ConnTable::Ftp& ConnTable::ftp_of(ConnEntry& entry) {
  entry.has_ftp = true;
  return ftp_[&entry];
}

void ConnTable::forget_ftp(const ConnEntry& entry) {
  const auto found = ftp_.find(&entry);
  awaiting_ -= found->second.awaits_client_port;
  ftp_.erase(found);
}

ConnEntry* ConnTable::find_or_awaiting(const ConnKey& key) {
  ConnEntry* const found = find(key);
  if (found != nullptr || awaiting_ == 0) return found;
  ConnKey portless = key;
  portless.client_port = 0;
  ConnEntry* const awaiting = find(portless);
  return awaiting != nullptr && awaiting->has_ftp && ftp_of(*awaiting).awaits_client_port ? awaiting : nullptr;
}

ConnEntry* ConnTable::create_awaiting(ConnKey key, RealServer& server, std::uint16_t server_port) {
  key.client_port = 0;
  ConnEntry* const entry = create(key, server, server_port);
  if (entry == nullptr) return nullptr;
  ftp_of(*entry).awaits_client_port = true;
  ++awaiting_;
  return entry;
}

// Entries stand where their keys lead, so one with another key is another entry. The server must not notice: it is
// one connection all the time.
ConnEntry& ConnTable::with_client_port(ConnEntry& entry, std::uint16_t port) {
  if (!entry.has_ftp || port == 0 || !ftp_of(entry).awaits_client_port) return entry;
  RealServer& server = *entry.server;
  ConnKey key = entry.key();
  key.client_port = port;
  const bool was_full = server.overloaded;
  const std::size_t limit = std::exchange(limit_, std::numeric_limits<std::size_t>::max());  // it is no further one
  ConnEntry& known = *create(key, server, entry.server_port);
  limit_ = limit;
  known.fwmark = entry.fwmark;
  known.sync_deadline = entry.sync_deadline;
  known.method = entry.method;
  known.packets = entry.packets;
  known.state = entry.state;
  known.told_state = entry.told_state;
  known.timeout = entry.timeout;
  known.reply_unseen = entry.reply_unseen;
  set_active(known, entry.active);
  if (ConnEntry* const controller = entry.controller()) control(known, *controller);
  remove(entry);
  server.overloaded = was_full;
  return known;
}

// The kernel gives it client port 0, virtual port 65535 and server port 65535, which no packet of a service on an
// ordinary port can ask for; here it is hidden from a service on port 65535 as well.
void ConnTable::rename(ConnEntry& entry) {
  hide(entry);
  uncover(entry);
  entry.renamed = true;
  entry.client_port = 0;
  entry.virtual_port = 0xffff;
  entry.server_port = 0xffff;
}

void ConnTable::remove(ConnEntry& entry) {
  release_controller(entry);
  if (entry.controlled != 0) {
    for_each([&](ConnEntry& connection) {
      if (connection.controller() == &entry) connection.set_controller(nullptr);
    });
  }
  unbind(entry);
  if (entry.has_ftp) forget_ftp(entry);
  engine_data_.release(entry.engine_data());
  with_table_of(entry, [](auto& table, auto& own) { table.remove(own); });
  uncover(entry);
}

std::size_t ConnTable::force_out(ConnEntry& entry) {
  ConnEntry* const controller = entry.controller();
  remove(entry);
  if (controller == nullptr || controller->controlled != 0 || controller->assured) return 1;
  if (fault(Fault::kForcedOutLeavesTemplate)) return 1;
  return 1 + force_out(*controller);
}

void ConnTable::remove_unavailable() {
  std::vector<ConnEntry*> gone;
  const auto collect = [&](bool templates) {
    gone.clear();
    for_each([&](ConnEntry& entry) {
      const bool idle = entry.controlled == 0;
      const bool lost = !entry.server->available && !entry.server->unbound;
      if (entry.is_template == templates && lost && idle) gone.push_back(&entry);
    });
  };
  collect(false);
  for (ConnEntry* connection : gone) {
    ConnEntry* const controller = connection->controller();
    remove(*connection);
    if (controller != nullptr && controller->controlled == 0) force_out(*controller);
  }
  collect(true);
  for (ConnEntry* tmpl : gone) remove(*tmpl);
}

// How much longer an entry lives whose timer has fired, if it does.
std::optional<Duration> ConnTable::extension_of(const ConnEntry& entry) const {
  // Not less than a second for a fault: a template with a zero timeout would fire at this instant for ever.
  const Duration once_more = std::max<Duration>(entry.timeout, seconds(1));
  if (fault(Fault::kTemplateNeverExpires) && entry.is_template) return once_more;
  if (entry.controlled == 0 || fault(Fault::kNoExtension)) return std::nullopt;
  if (fault(Fault::kExtensionFullTimeout)) return once_more;
  return kExtension;
}

// At equal deadlines a connection (TPL-36); a wheel has no equal ones.
ConnEntry* ConnTable::next(const table::Due& last) {
  ConnEntry* first = nullptr;
  const auto consider = [&](auto& table) {
    if (table.bound().deadline > last.deadline) return;
    ConnEntry* const candidate = table.next();
    if (candidate == nullptr || candidate->due() > last) return;
    const auto rank = [this](const ConnEntry& entry) {
      return std::tuple(entry.due().deadline, wheel_.is_exact() && entry.is_template, entry.due().order);
    };
    if (first == nullptr || rank(*candidate) < rank(*first)) first = candidate;
  };
  consider(connections4_);
  consider(connections6_);
  consider(templates4_);
  consider(templates6_);
  consider(engine_templates4_);
  consider(engine_templates6_);
  return first;
}

std::size_t ConnTable::fire(DirectorTime now) { return fire_up_to({wheel_.horizon(now), kLastOrder}); }

std::size_t ConnTable::fire_before(const table::Due& other) {
  return wheel_.is_exact() ? fire(DirectorTime(Duration(other.deadline))) : fire_up_to(other);
}

std::size_t ConnTable::fire_up_to(const table::Due& last) {
  std::size_t removed = 0;
  while (ConnEntry* const entry = next(last)) {
    const DirectorTime fired_at = wheel_.fires(entry->due());
    if (const std::optional<Duration> extension = extension_of(*entry)) {
      const Duration before = std::exchange(entry->timeout, *extension);
      on_extension(*entry, fired_at);
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
  const ConnEntry* entry = next();
  if (entry == nullptr) return std::nullopt;
  return wheel_.fires(entry->due());
}

}  // namespace lvspec::director
