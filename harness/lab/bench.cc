#include "harness/lab/bench.h"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "harness/evidence/capture.h"
#include "harness/evidence/world_picture.h"

namespace lvspec {
namespace {

constexpr const char* kLocalServer = "director";

/// Sends fences from the clients' node to the director: they take the way that clients' packets take, so one that
/// has arrived has all packets sent before it in front of it.
class Fence {
 public:
  static Result<Fence> create(World& world, const Node& director) {
    LVSPEC_ASSIGN(FileDescriptor socket, world.client().netns.call([&]() -> Result<FileDescriptor> {
      FileDescriptor fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      if (!fd.valid()) return system_error("client: socket(AF_PACKET)");
      return fd;
    }));
    Fence fence;
    fence.socket_ = std::move(socket);
    fence.ifindex_ = world.client().port.ifindex;
    const MacAddress to = director.port.mac, from = world.client().port.mac;
    std::copy(to.begin(), to.end(), fence.frame_.begin());
    std::copy(from.begin(), from.end(), fence.frame_.begin() + 6);
    fence.frame_[12] = 0x88;
    fence.frame_[13] = 0xb5;
    return fence;
  }

  Status raise(DirectorUnderTest& director) {
    ++token_;
    for (int i = 0; i < 8; ++i) frame_[14 + i] = static_cast<std::uint8_t>(token_ >> (56 - 8 * i));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = ifindex_;
    to.sll_halen = 6;
    std::copy(frame_.begin(), frame_.begin() + 6, to.sll_addr);
    if (sendto(socket_.get(), frame_.data(), frame_.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0)
      return system_error("client: sendto(fence)");
    return director.await_fence(token_);
  }

 private:
  FileDescriptor socket_;
  int ifindex_ = 0;
  std::array<std::uint8_t, 60> frame_{};
  std::uint64_t token_ = 0;
};

template <typename T>
std::string text_of(const T& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

struct Bench::State {
  State(Lab lab, World world, RealServers servers)
      : lab(std::move(lab)), world(std::move(world)), servers(std::move(servers)) {}

  Lab lab;
  World world;
  std::optional<Capture> capture;
  RealServers servers;
  std::optional<Decapsulators> decapsulators;
  ServerOptions defaults;
  std::optional<Fence> fence;  // none where the director is not on a link of ours
  std::unique_ptr<DirectorUnderTest> director;
  std::optional<Fence> standby_fence;
  std::unique_ptr<DirectorUnderTest> standby;
  bool one_clock = false;                // both directors live by the time of one kernel
  std::chrono::nanoseconds elapsed{0};   // by elapse
  std::chrono::nanoseconds built_at{0};  // by the lab's own clock
  History history;
  Ruleset told;  ///< what the director was first told of each service and server, for the picture of the world
  std::function<void(Bench&)> closing;

  void remember(const VirtualService& service) {
    if (told.find(service.id) == nullptr) told.services.push_back(service);
  }
  void remember(const ServiceId& id, const RealServer& server) {
    VirtualService* service = told.find(id);
    if (service != nullptr && service->find(server.address, server.port) == nullptr)
      service->servers.push_back(server);
  }
};

namespace {

Result<std::unique_ptr<DirectorUnderTest>> start_at(World& world, const Node& node, NetworkNamespace& stack,
                                                    const DirectorFactory& factory, const IpAddress& dip,
                                                    const IpAddress& dip6) {
  const Topology& topology = world.topology();
  DirectorSite site;
  site.netns = &node.netns;
  if (factory.place == DirectorPlace::kInline) {
    site.stack_interface = World::kStackInterface;
    site.stack_netns = &stack;
  }
  site.addresses = {dip};
  if (topology.ipv6) site.addresses.push_back(dip6);
  site.addresses.insert(site.addresses.end(), topology.vips.begin(), topology.vips.end());
  return factory.start(site);
}

/// "2 clients, 3 real servers, direct routing, standby": what a picture of the world needs to know.
std::string words_of(const Topology& topology, bool has_standby) {
  const char* reach = topology.reach == Reach::kMasqueraded ? "behind NAT"
                      : topology.reach == Reach::kTunnelled ? "through tunnels"
                                                            : "direct routing";
  return fmt::format("{} clients, {} real servers, {}{}", topology.client_count, topology.server_count, reach,
                     has_standby ? ", standby" : "");
}

}  // namespace

Result<Bench> BenchPlan::build(const Lab& lab, const DirectorFactory& director) const {
  return build(lab, director, has_standby_ ? &director : nullptr);
}

Result<Bench> BenchPlan::build(const Lab& lab, const DirectorFactory& director,
                               const DirectorFactory& standby) const {
  return build(lab, director, &standby);
}

Result<Bench> BenchPlan::build(const Lab& lab, const DirectorFactory& factory, const DirectorFactory* standby) const {
  Topology topology = topology_;
  topology.director_place = factory.place;
  if (standby != nullptr) topology.standby_place = standby->place;
  if (lab.place) LVSPEC_TRY(lab.place(&topology));
  LVSPEC_ASSIGN(World world, World::build(topology));
  LVSPEC_ASSIGN(Capture capture, Capture::start(world.segment()));
  LVSPEC_ASSIGN(RealServers servers, RealServers::create());
  for (int i = 1; i <= topology.server_count; ++i) {
    Node& node = world.real_server(i);
    LVSPEC_TRY(servers.add(node.name, node.netns, listen_.tcp, listen_.udp));
  }
  if (has_local_) LVSPEC_TRY(servers.add(kLocalServer, world.director_stack(), local_.tcp, local_.udp));

  auto state = std::make_unique<Bench::State>(lab, std::move(world), std::move(servers));
  if (!topology.wire) {
    LVSPEC_ASSIGN(state->fence, Fence::create(state->world, state->world.director()));
  }
  state->defaults = defaults_;
  if (topology.reach == Reach::kTunnelled) {
    LVSPEC_ASSIGN(Decapsulators ends, Decapsulators::create());
    for (int i = 1; i <= topology.server_count; ++i) LVSPEC_TRY(ends.add(state->world.real_server(i).netns));
    state->decapsulators.emplace(std::move(ends));
  }
  if (lab.now) state->built_at = lab.now();
  state->capture.emplace(std::move(capture));
  LVSPEC_ASSIGN(state->director, start_at(state->world, state->world.director(), state->world.director_stack(),
                                          factory, topology.director(AF_INET), topology.director(AF_INET6)));
  if (standby != nullptr) {
    LVSPEC_ASSIGN(state->standby_fence, Fence::create(state->world, state->world.standby()));
    LVSPEC_ASSIGN(state->standby, start_at(state->world, state->world.standby(), state->world.standby_stack(),
                                           *standby, topology.standby(AF_INET), topology.standby(AF_INET6)));
    state->one_clock = factory.place == DirectorPlace::kStack && standby->place == DirectorPlace::kStack;
  }
  state->history.seen({}, {.kind = MomentKind::kWorld, .what = words_of(topology, standby != nullptr)});
  return Bench(std::move(state));
}

Bench::Bench(std::unique_ptr<State> state) : state_(std::move(state)) {}
Bench::Bench(Bench&&) noexcept = default;
Bench::~Bench() {
  if (!state_) return;
  if (state_->closing) state_->closing(*this);
  // The director first: a process outside its world would see interfaces vanish under it.
  state_->director.reset();
  state_->standby.reset();
}

void Bench::on_close(std::function<void(Bench&)> action) { state_->closing = std::move(action); }

std::function<std::string()> Bench::belief_teller() {
  return [director = state_->director.get()] {
    const Result<Tables> tables = director->tables();
    return tables.ok() ? tables->str() : "the director's tables cannot be had: " + tables.error().message + "\n";
  };
}

BenchClient Bench::client(int i, int family) { return {*this, state_->world.topology().client(i, family)}; }
BenchClient Bench::client_at(const std::string& address) { return {*this, IpAddress::of(address)}; }
BenchClient Bench::mute_client(int i) {
  const auto& mute = state_->world.topology().mute_prefixes;
  LVSPEC_CHECK(!mute.empty());
  return {*this, mute.front().address.plus(static_cast<std::uint64_t>(i))};
}

IpAddress Bench::dip(int family) const { return state_->world.topology().director(family); }

MacAddress Bench::mac_of(const std::string& node) const {
  for (const Node& one : state_->world.nodes())
    if (one.name == node && one.port.ifindex != 0) return one.port.mac;
  throw WorldError(unsupported(fmt::format("there is no node {} on a link of ours", node)));
}

ServerOptions Bench::server_options() const { return state_->defaults; }

const NetworkNamespace& Bench::netns(const std::string& node) const {
  for (const Node& one : state_->world.nodes())
    if (one.name == node) return one.netns;
  throw WorldError(Error{fmt::format("there is no node {}", node)});
}

Tap Bench::tap(const std::string& node) { return must(Tap::open(netns(node))); }

std::vector<Sighting> Bench::sightings() const { return state_->servers.log(); }

std::size_t Bench::server_count() const { return static_cast<std::size_t>(state_->world.topology().server_count); }

IpAddress Bench::rip(int i, int family) const { return state_->world.topology().real_server(i, family); }

std::string Bench::name_of(const IpAddress& server) const {
  const Topology& topology = state_->world.topology();
  for (int i = 1; i <= topology.server_count; ++i)
    if (topology.real_server(i, server.family()) == server) return state_->world.real_server(i).name;
  if (server == topology.director(server.family()) || server == IpAddress::of("127.0.0.1") ||
      server == IpAddress::of("::1"))
    return kLocalServer;
  return server.str();
}

IpAddress Bench::rip_of(const std::string& name, int family) const {
  const Topology& topology = state_->world.topology();
  for (int i = 1; i <= topology.server_count; ++i)
    if (state_->world.real_server(i).name == name) return topology.real_server(i, family);
  LVSPEC_CHECK(name == kLocalServer);
  return IpAddress::of(family == AF_INET6 ? "::1" : "127.0.0.1");
}

const Timeline& Bench::timeline() const { return state_->history.timeline(); }

void Bench::note(const std::string& what) {
  state_->history.add(elapsed(), what, {.kind = MomentKind::kStep, .what = what});
}

void Bench::note_edit(const std::string& what) {
  state_->history.add(elapsed(), what, {.kind = MomentKind::kEdit, .what = what});
}

void Bench::note_answer(const std::string& how, const Answer& answer) {
  const bool answered = answer.outcome == Outcome::kAnswered || answer.outcome == Outcome::kHalfOpen;
  state_->history.add(elapsed(), how + ": " + text_of(answer),
                      {.kind = answered ? MomentKind::kAnswer : MomentKind::kNoAnswer,
                       .who = answer.client.address.str(),
                       .what = how + " " + text_of(answer.target),
                       .by = answered ? answer.server : text_of(answer.outcome)});
}

void Bench::note_sent(const IpAddress& client, const std::string& what) {
  state_->history.add(elapsed(), what, {.kind = MomentKind::kSent, .who = client.str(), .what = what});
}

void Bench::note_templates(const std::vector<Entry>& entries) {
  bool any = false;
  for (const Entry& entry : entries) {
    if (!entry.is_template) continue;
    any = true;
    state_->history.seen(elapsed(), {.kind = MomentKind::kTemplate,
                                     .who = entry.client.address.str(),
                                     .what = entry.protocol + " " + text_of(entry.target),
                                     .by = name_of(entry.server.address),
                                     .left_s = std::chrono::duration<double>(entry.expires_in).count()});
  }
  if (!any) state_->history.seen(elapsed(), {.kind = MomentKind::kNoTemplate});
}

VirtualService Bench::with_servers(VirtualService service) const {
  if (service.servers.empty()) {
    for (int i = 1; i <= state_->world.topology().server_count; ++i) {
      RealServer server;
      server.address = rip(i, service.id.family);
      server.port = service.id.is_mark() ? 0 : service.id.port;
      server.method = state_->defaults.method;
      server.tunnel = state_->defaults.tunnel;
      service.servers.push_back(server);
    }
  }
  return service;
}

Status Bench::add(VirtualService service) {
  service = with_servers(std::move(service));
  note_edit("add " + service.str());
  state_->remember(service);
  LVSPEC_TRY(state_->director->add_service(service));
  return state_->lab.await_service ? state_->lab.await_service(*this, service) : Status();
}

Status Bench::add(const Ruleset& ruleset) {
  note_edit("apply ruleset\n" + ruleset.str());
  for (const VirtualService& service : ruleset.services) state_->remember(service);
  if (!ruleset.marks.empty()) state_->told.marks = ruleset.marks;
  return apply(*state_->director, ruleset);
}

Status Bench::edit(const VirtualService& service) {
  note_edit("edit " + service.title());
  return state_->director->edit_service(service);
}
Status Bench::remove(const ServiceId& service) {
  note_edit("remove " + service.str());
  return state_->director->remove_service(service);
}
Status Bench::add_server(const ServiceId& service, const RealServer& server) {
  note_edit("add to " + service.str() + ": " + server.str());
  state_->remember(service, server);
  return state_->director->add_server(service, server);
}
Status Bench::edit_server(const ServiceId& service, const RealServer& server) {
  note_edit("edit in " + service.str() + ": " + server.str());
  return state_->director->edit_server(service, server);
}
Status Bench::remove_server(const ServiceId& service, const Endpoint& server) {
  note_edit("remove from " + service.str() + ": " + server.str());
  settle();
  return state_->director->remove_server(service, server);
}
Status Bench::clear() {
  note_edit("clear");
  settle();
  return state_->director->clear();
}
Status Bench::set_marks(const std::vector<MarkRule>& rules) {
  for (const MarkRule& rule : rules) note_edit("mark " + rule.str());
  if (!rules.empty()) state_->told.marks = rules;
  return state_->director->set_marks(rules);
}
Status Bench::set_sysctl(const std::string& name, int value) {
  note_edit(fmt::format("sysctl net.ipv4.vs.{} = {}", name, value));
  return state_->director->set_sysctl(name, value);
}
Status Bench::set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp) {
  note_edit(fmt::format("timeouts {} {} {}", tcp, tcp_fin, udp));
  return state_->director->set_timeouts(tcp, tcp_fin, udp);
}

Status Bench::zero() {
  note_edit("zero");
  settle();
  return state_->director->zero();
}

void Bench::settle() {
  if (state_->fence) must(state_->fence->raise(*state_->director));
  if (state_->standby) must(state_->standby_fence->raise(*state_->standby));
}

void Bench::elapse(std::chrono::nanoseconds time) {
  settle();
  must(state_->lab.elapse(*state_->director, time));
  if (state_->standby && !state_->one_clock) {
    must(state_->standby_fence->raise(*state_->standby));  // what the first one has sent is older
    must(state_->lab.elapse(*state_->standby, time));
  }
  state_->elapsed += time;
  state_->history.add(elapsed(), fmt::format("{} s have passed", std::chrono::duration<double>(time).count()));
}

std::chrono::nanoseconds Bench::elapsed() const {
  return state_->lab.now ? state_->lab.now() - state_->built_at : state_->elapsed;
}
std::chrono::nanoseconds Bench::granule(std::chrono::nanoseconds interval) const {
  return state_->director->granule(interval);
}

Tables Bench::tables() {
  settle();
  Tables tables = must(state_->director->tables());
  note_templates(tables.entries);
  return tables;
}

std::vector<Entry> Bench::templates() {
  std::vector<Entry> entries = tables().entries;
  std::erase_if(entries, [](const Entry& entry) { return !entry.is_template; });
  return entries;
}

std::vector<Entry> Bench::connections() {
  std::vector<Entry> entries = tables().entries;
  std::erase_if(entries, [](const Entry& entry) { return entry.is_template; });
  return entries;
}

ServiceState Bench::service(const ServiceId& id) {
  for (ServiceState& state : tables().services)
    if (state.service.id == id) return state;
  throw WorldError(director_error(fmt::format("the director lists no service {}", id.str())));
}

ServerState Bench::server(const ServiceId& id, const std::string& name) {
  for (const ServerState& state : service(id).servers)
    if (name_of(state.server.address) == name) return state;
  throw WorldError(director_error(fmt::format("the director lists no server {} in {}", name, id.str())));
}

void Bench::stop_server(const std::string& name) {
  note_edit(name + ": its process ends");
  must(state_->servers.stop(name));
}
void Bench::restart_server(const std::string& name) {
  note_edit(name + ": its process starts again");
  must(state_->servers.restart(name));
}
void Bench::set_link(const std::string& name, bool up) {
  note_edit(fmt::format("{}: link {}", name, up ? "up" : "cut"));
  for (Node& node : state_->world.nodes())
    if (node.name == name) return must(state_->world.set_link(node, up));
  throw WorldError(Error{fmt::format("there is no node {}", name)});
}

DirectorUnderTest& Bench::director() { return *state_->director; }

DirectorUnderTest& Bench::standby() {
  LVSPEC_CHECK(state_->standby != nullptr);
  return *state_->standby;
}

Status Bench::add_to_standby(VirtualService service) {
  service = with_servers(std::move(service));
  note_edit("standby: add " + service.str());
  return standby().add_service(service);
}

Status Bench::set_sysctl_of_both(const std::string& name, int value) {
  LVSPEC_TRY(set_sysctl(name, value));
  note_edit("standby: the same sysctl");
  return standby().set_sysctl(name, value);
}

Status Bench::start_sync() {
  note_edit("sync: a master, the standby its backup");
  LVSPEC_TRY(director().start_daemon({.role = SyncRole::kMaster}));
  return standby().start_daemon({.role = SyncRole::kBackup});
}

// Checked every second, sent after two (SYN-02), each of them late by a tick.
void Bench::let_sync_arrive() { elapse(std::chrono::milliseconds(3500)); }

Tables Bench::standby_tables() {
  settle();
  return must(standby().tables());
}

std::vector<Entry> Bench::standby_templates() {
  std::vector<Entry> entries = standby_tables().entries;
  std::erase_if(entries, [](const Entry& entry) { return !entry.is_template; });
  return entries;
}

std::vector<Entry> Bench::standby_connections() {
  std::vector<Entry> entries = standby_tables().entries;
  std::erase_if(entries, [](const Entry& entry) { return entry.is_template; });
  return entries;
}

void Bench::fail_over() {
  note_edit("fail-over: clients reach the standby");
  for (const SyncDaemon& daemon : tables().daemons) must(director().stop_daemon(daemon.role));
  must(state_->world.fail_over());
}

void Bench::fail_back() {
  note_edit("fail-back: clients reach the first director again");
  for (const SyncDaemon& daemon : standby_tables().daemons) must(standby().stop_daemon(daemon.role));
  must(state_->world.fail_back());
}

WorldPicture Bench::picture() const {
  const Topology& topology = state_->world.topology();
  WorldPicture picture;
  for (const int family : {AF_INET, AF_INET6}) {
    const auto& services = state_->told.services;
    const bool used = std::any_of(services.begin(), services.end(),
                                  [&](const VirtualService& service) { return service.id.family == family; });
    if (!used && (family == AF_INET6 || !services.empty())) continue;
    const IpAddress first = topology.client(1, family), last = topology.client(topology.client_count, family);
    picture.clients.push_back(first == last ? first.str() : first.str() + " .. " + last.str());
    for (const IpAddress& vip : topology.vips)
      if (vip.family() == family) picture.vips.push_back(vip.str());
  }
  picture.director = topology.director(AF_INET).str();
  if (state_->standby) picture.standby = topology.standby(AF_INET).str();
  for (const MarkRule& rule : state_->told.marks) picture.marks.push_back(rule.str());
  for (const VirtualService& service : state_->told.services) {
    WorldPicture::Service drawn{service.title(), {}};
    for (const RealServer& server : service.servers) {
      std::string method = method_name(server.method);
      if (server.method == ForwardMethod::kTunnel)
        method += server.tunnel.type == TunnelType::kGre   ? " gre"
                  : server.tunnel.type == TunnelType::kGue ? " gue"
                                                           : " ipip";
      drawn.servers.push_back({name_of(server.address), text_of(server.endpoint()), method, server.weight});
    }
    picture.services.push_back(std::move(drawn));
  }
  return picture;
}

void Bench::keep_evidence(CaseFile& file) {
  // Each piece on its own: one that cannot be had must not cost us the others.
  const auto keep = [&](const std::string& name, const std::string& text) { (void)file.add_text(name, text); };
  keep("history.txt", state_->history.text());
  keep("tables.txt", belief_teller()());
  keep("director.log", state_->director->log());
  if (const std::string text = state_->director->configuration(); !text.empty()) keep("director.conf", text);
  if (state_->standby) {
    keep("standby.log", state_->standby->log());
    const Result<Tables> tables = state_->standby->tables();
    keep("standby-tables.txt", tables.ok() ? tables->str() : tables.error().message);
  }
  std::string seen;
  for (const Sighting& sighting : state_->servers.log()) seen += text_of(sighting) + "\n";
  keep("servers.txt", seen);
  std::string topology;
  std::map<int, std::string> links;
  for (const Node& node : state_->world.nodes()) {
    if (node.port.ifindex == 0) continue;
    links[node.port.segment_ifindex] = node.name;
    topology += fmt::format("{:<10} {} {:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}\n", node.name, node.port.name,
                            node.port.mac[0], node.port.mac[1], node.port.mac[2], node.port.mac[3], node.port.mac[4],
                            node.port.mac[5]);
  }
  keep("topology.txt", topology);
  keep("world.json", to_json_text(picture()));
  keep("world.txt", draw_world(picture()));
  const Result<std::string> folder = file.folder();
  if (!folder.ok() || !state_->capture) return;
  if (const auto written = state_->capture->write(*folder, links); !written.ok())
    keep("capture-failed.txt", written.error().message + "\n");
}

Answer BenchClient::connect(const IpAddress& vip, std::uint16_t port, Close close, std::uint16_t from) {
  const Client client(bench_->state_->world.client().netns);
  Answer answer = must(client.connect({.client = {address_, from}, .target = {vip, port}, .close = close}));
  bench_->note_answer("connect", answer);
  return answer;
}

std::vector<Answer> BenchClient::connect_times(int n, const IpAddress& vip, std::uint16_t port) {
  std::vector<Answer> answers;
  for (int i = 0; i < n; ++i) answers.push_back(connect(vip, port));
  return answers;
}

std::vector<Answer> BenchClient::connect_at_once(int n, const IpAddress& vip, std::uint16_t port) {
  const Client client(bench_->state_->world.client().netns);
  const std::vector<Attempt> attempts(static_cast<std::size_t>(n),
                                      Attempt{.client = {address_, 0}, .target = {vip, port}});
  std::vector<Answer> answers = must(client.connect_all(attempts, attempts.size()));
  for (const Answer& answer : answers) bench_->note_answer("connect, with others", answer);
  return answers;
}

Answer BenchClient::http(const IpAddress& vip, std::uint16_t port) {
  const Client client(bench_->state_->world.client().netns);
  Answer answer = must(client.http({.client = {address_, 0}, .target = {vip, port}}));
  bench_->note_answer("http", answer);
  return answer;
}

Answer BenchClient::udp(const IpAddress& vip, std::uint16_t port, std::uint16_t from) {
  const Client client(bench_->state_->world.client().netns);
  Answer answer = must(client.udp({.client = {address_, from}, .target = {vip, port}}));
  bench_->note_answer("udp", answer);
  return answer;
}

Connection BenchClient::hold(const IpAddress& vip, std::uint16_t port, std::chrono::milliseconds patience) {
  const Client client(bench_->state_->world.client().netns);
  Connection connection = must(client.open({.client = {address_, 0}, .target = {vip, port}, .patience = patience}));
  bench_->note_answer("hold open", connection.answer());
  return connection;
}

UdpSocket BenchClient::hold_udp(const IpAddress& vip, std::uint16_t port, std::uint16_t from) {
  const Client client(bench_->state_->world.client().netns);
  return must(client.open_udp({.client = {address_, from}, .target = {vip, port}}));
}

Answer BenchClient::syn(const IpAddress& vip, std::uint16_t port, std::uint16_t from) {
  World& world = bench_->state_->world;
  RawProbe probe = must(RawProbe::open(world.client().netns));
  std::map<MacAddress, std::string> names;
  for (const Node& node : world.nodes()) names[node.port.mac] = node.name;
  Answer answer =
      must(probe.syn({.client = {address_, from}, .target = {vip, port}}, bench_->mac_of("director"), names));
  bench_->note_answer("syn, then silence", answer);
  return answer;
}

void BenchClient::send(const std::vector<std::uint8_t>& packet) {
  World& world = bench_->state_->world;
  RawProbe probe = must(RawProbe::open(world.client().netns));
  must(probe.send_packet(packet, bench_->mac_of("director")));
  bench_->note_sent(address_, fmt::format("send {} bytes of IP", packet.size()));
}

Answer BenchClient::ask(const IpAddress& vip, std::uint16_t port, const std::string& question, std::uint16_t from) {
  const Client client(bench_->state_->world.client().netns);
  Answer answer = must(client.udp({.client = {address_, from}, .target = {vip, port}, .question = question}));
  bench_->note_answer("ask", answer);
  return answer;
}

void BenchClient::send_segment(const IpAddress& vip, std::uint16_t port, std::uint16_t from, std::uint8_t tcp_flags) {
  World& world = bench_->state_->world;
  RawProbe probe = must(RawProbe::open(world.client().netns));
  must(probe.send_segment({.source = {address_, from}, .target = {vip, port}, .flags = tcp_flags},
                          bench_->mac_of("director")));
  bench_->note_sent(address_, fmt::format("segment with flags {:#04x}, {}:{} -> {}:{}", tcp_flags, address_.str(),
                                          from, vip.str(), port));
}

void BenchClient::send_datagram(const IpAddress& vip, std::uint16_t port, std::uint16_t from,
                                const std::string& payload) {
  World& world = bench_->state_->world;
  RawProbe probe = must(RawProbe::open(world.client().netns));
  must(probe.send_datagram({.source = {address_, from}, .target = {vip, port}, .payload = payload},
                           bench_->mac_of("director")));
  bench_->note_sent(address_, fmt::format("datagram of {} bytes, {}:{} -> {}:{}", payload.size(), address_.str(),
                                          from, vip.str(), port));
}

void BenchClient::send_packet(const IpAddress& vip, std::uint8_t protocol, const std::string& transport) {
  World& world = bench_->state_->world;
  RawProbe probe = must(RawProbe::open(world.client().netns));
  must(probe.send_packet({.source = address_, .target = vip, .protocol = protocol, .transport = transport},
                         bench_->mac_of("director")));
  bench_->note_sent(address_, fmt::format("packet of protocol {}, {} -> {}", protocol, address_.str(), vip.str()));
}

Lab host_lab() {
  return {"host", "the director's own clock: it stands still and is moved by control message",
          [](DirectorUnderTest& director, std::chrono::nanoseconds time) { return director.advance(time); }, nullptr};
}

namespace {

/// A lab whose kernel has a time of its own, which a director without a clock sleeps through.
Lab guest_lab(const char* name, const char* clock) {
  return {name, clock,
          [](DirectorUnderTest& director, std::chrono::nanoseconds time) { return director.advance(time); },
          [] {
            timespec now{};
            clock_gettime(CLOCK_MONOTONIC, &now);
            return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
          }};
}

}  // namespace

Lab uml_lab() { return guest_lab("uml", "the guest kernel's: virtual, it jumps over idleness"); }
Lab qemu_lab() {
  return guest_lab("qemu", "the guest kernel's: virtual, a count of instructions that skips idleness");
}

}  // namespace lvspec
