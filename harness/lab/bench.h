#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/adapters/director_under_test.h"
#include "harness/base/result.h"
#include "harness/base/world_error.h"
#include "harness/evidence/case_file.h"
#include "harness/evidence/history.h"
#include "harness/evidence/world_picture.h"
#include "harness/lab/lab.h"
#include "harness/probe/client.h"
#include "harness/probe/decapsulator.h"
#include "harness/probe/raw_probe.h"
#include "harness/probe/real_servers.h"
#include "harness/probe/tap.h"
#include "harness/ruleset/ruleset.h"
#include "harness/topology/world.h"

namespace lvspec {

class Bench;

/// Ports that real servers listen on.
struct Listen {
  std::vector<std::uint16_t> tcp = {80};
  std::vector<std::uint16_t> udp = {};
};

/// A world in the making, read aloud: two clients, three real servers that listen on 80 and 443.
class BenchPlan {
 public:
  BenchPlan& clients(int count) {
    topology_.client_count = count;
    return *this;
  }
  BenchPlan& real_servers(int count, Listen listen = {}) {
    topology_.server_count = count;
    listen_ = std::move(listen);
    return *this;
  }
  /// The director is a real server as well; it listens on these ports behind the director.
  BenchPlan& local_server(Listen listen) {
    local_ = std::move(listen);
    has_local_ = true;
    return *this;
  }
  /// The real servers are behind NAT (-m): the way back leads through the director.
  BenchPlan& masquerading() {
    topology_.reach = Reach::kMasqueraded;
    defaults_.method = ForwardMethod::kMasquerade;
    return *this;
  }
  /// The real servers are at the ends of tunnels (-i): they take what comes as IPIP, GRE, or GUE on kGuePort.
  BenchPlan& tunnelling(TunnelType type = TunnelType::kIpip, TunnelChecksum checksum = TunnelChecksum::kNone) {
    topology_.reach = Reach::kTunnelled;
    defaults_.method = ForwardMethod::kTunnel;
    defaults_.tunnel = {type, type == TunnelType::kGue ? kGuePort : std::uint16_t{0}, checksum};
    return *this;
  }
  BenchPlan& vips(std::vector<IpAddress> vips) {
    topology_.vips = std::move(vips);
    return *this;
  }
  /// A second director of the same kind, which takes over with Bench::fail_over().
  BenchPlan& standby() {
    has_standby_ = true;
    return *this;
  }
  Result<Bench> build(const Lab& lab, const DirectorFactory& director) const;
  /// The same with a standby of another kind.
  Result<Bench> build(const Lab& lab, const DirectorFactory& director, const DirectorFactory& standby) const;

 private:
  friend class Bench;
  Topology topology_;
  Listen listen_;
  Listen local_;
  bool has_local_ = false;
  bool has_standby_ = false;

  Result<Bench> build(const Lab& lab, const DirectorFactory& director, const DirectorFactory* standby) const;
  ServerOptions defaults_;
};

/// One client of a bench: an address, and what can be done from it. Cheap to copy; lives no longer than its bench.
/// Every call throws WorldError if the world refuses; whatever the director does is an Answer.
class BenchClient {
 public:
  const IpAddress& cip() const { return address_; }
  /// A TCP connection that ends at once. `from`: the client's port, 0 for any.
  Answer connect(const IpAddress& vip, std::uint16_t port, Close close = Close::kClientFirst, std::uint16_t from = 0);
  /// n connections, one after the other.
  std::vector<Answer> connect_times(int n, const IpAddress& vip, std::uint16_t port);
  /// n connections, opened at the same moment.
  std::vector<Answer> connect_at_once(int n, const IpAddress& vip, std::uint16_t port);
  Answer http(const IpAddress& vip, std::uint16_t port);
  Answer udp(const IpAddress& vip, std::uint16_t port, std::uint16_t from = 0);
  /// A connection that stays open until it is closed, or goes. `patience` bounds each wait for an answer.
  Connection hold(const IpAddress& vip, std::uint16_t port, std::chrono::milliseconds patience = kPatience);
  UdpSocket hold_udp(const IpAddress& vip, std::uint16_t port, std::uint16_t from = 0);
  /// A SYN and then silence, whatever comes back. Only from a mute client, or the client's own kernel would answer
  /// the SYN-ACK with a RST.
  Answer syn(const IpAddress& vip, std::uint16_t port, std::uint16_t from = 40000);
  /// An IP packet, byte for byte, to the director.
  void send(const std::vector<std::uint8_t>& packet);
  /// A datagram of any content, from a socket of its own, and who answered.
  Answer ask(const IpAddress& vip, std::uint16_t port, const std::string& question, std::uint16_t from = 0);
  /// One packet as it is, and nobody listens for what comes back; from a mute client for the same reason as `syn`.
  void send_segment(const IpAddress& vip, std::uint16_t port, std::uint16_t from, std::uint8_t tcp_flags);
  void send_datagram(const IpAddress& vip, std::uint16_t port, std::uint16_t from, const std::string& payload);
  void send_packet(const IpAddress& vip, std::uint8_t protocol, const std::string& transport);

 private:
  friend class Bench;
  BenchClient(Bench& bench, IpAddress address) : bench_(&bench), address_(address) {}

  Bench* bench_;
  IpAddress address_;
};

/// A world with its servers answering and its director running: what a case works on. It cleans up only what it owns,
/// in reverse order of building, also when a case stops half-way. Move-only.
///
/// Steps throw WorldError where the world refuses. Orders to the director return Status, since a case may want one
/// refused; wrap them in ASSERT_OK.
class Bench {
 public:
  Bench(Bench&&) noexcept;
  ~Bench();

  /// i from 1; the address is 192.0.2.i or 2001:db8:2::i.
  BenchClient client(int i, int family = AF_INET);
  BenchClient client_at(const std::string& address);
  /// A client whose address is routed but has nobody at home: what is sent to it is never answered.
  BenchClient mute_client(int i);
  /// RIP of real server i, from 1.
  IpAddress rip(int i, int family = AF_INET) const;
  IpAddress dip(int family = AF_INET) const;
  MacAddress mac_of(const std::string& node) const;
  /// Method and tunnel of this bench's real servers, for those that a case describes itself.
  ServerOptions server_options() const;
  /// "real2" for its RIP, "director" for loopback or the DIP; else the address.
  std::string name_of(const IpAddress& server) const;
  /// The RIP of a server by its name.
  IpAddress rip_of(const std::string& name, int family = AF_INET) const;

  // Orders to the director. A service without servers gets all real servers, in order, with weight 1.
  Status add(VirtualService service);
  Status add(const Ruleset& ruleset);
  Status edit(const VirtualService& service);
  Status remove(const ServiceId& service);
  Status add_server(const ServiceId& service, const RealServer& server);
  Status edit_server(const ServiceId& service, const RealServer& server);
  Status remove_server(const ServiceId& service, const Endpoint& server);
  Status clear();
  Status set_marks(const std::vector<MarkRule>& rules);
  Status set_sysctl(const std::string& name, int value);
  Status set_timeouts(std::uint32_t tcp, std::uint32_t tcp_fin, std::uint32_t udp);
  /// `ipvsadm -Z`, of all services.
  Status zero();

  /// Lets protocol time pass. What clients have sent so far is handled first.
  void elapse(std::chrono::nanoseconds time);
  /// Protocol time since the bench was built.
  std::chrono::nanoseconds elapsed() const;
  std::chrono::nanoseconds granule(std::chrono::nanoseconds interval) const;

  /// The director's tables, after everything sent so far was handled.
  Tables tables();
  std::vector<Entry> templates();
  std::vector<Entry> connections();
  /// The service as the director has it, or WorldError if it has none such.
  ServiceState service(const ServiceId& id);
  /// Counters of one server in one service.
  ServerState server(const ServiceId& id, const std::string& name);

  /// The process of a real server is gone: its kernel refuses. "director" for the local one.
  void stop_server(const std::string& name);
  void restart_server(const std::string& name);
  /// Hears what arrives at a node from now on: "client", "director", "real1".
  Tap tap(const std::string& node);
  /// Where the sockets of a case are made: "client", "real1".
  const NetworkNamespace& netns(const std::string& node) const;
  /// What real servers were asked, and as whom; oldest first.
  std::vector<Sighting> sightings() const;
  /// Real servers with a namespace of their own.
  std::size_t server_count() const;
  /// Cuts or mends the link of a real server.
  void set_link(const std::string& name, bool up);

  DirectorUnderTest& director();
  /// The second director; there must be one. Orders go to it directly, and to both by the calls that say so.
  DirectorUnderTest& standby();
  /// The service with all real servers to the standby, as add() does it.
  Status add_to_standby(VirtualService service);
  /// A sysctl of both directors.
  Status set_sysctl_of_both(const std::string& name, int value);
  /// The first director becomes sync master, the standby its backup.
  Status start_sync();
  /// Lets everything that the master has to say arrive at the backup (SYN-02).
  void let_sync_arrive();
  Tables standby_tables();
  std::vector<Entry> standby_templates();
  std::vector<Entry> standby_connections();
  /// The first director is dead to the world: from now on clients reach the standby, and its sync daemons are silent.
  void fail_over();
  /// The standby in its turn is dead to the world, and clients reach the first director again, which has kept its
  /// tables.
  void fail_back();
  /// Tells the director's tables as text, for a failure's message. To be asked while the bench stands, wherever it
  /// has been moved to.
  std::function<std::string()> belief_teller();
  /// Called when the bench is about to come down, while everything still stands.
  void on_close(std::function<void(Bench&)> action);
  /// A line of the history, for a step that a case takes by its own means.
  void note(const std::string& what);
  /// What happened so far, for a picture.
  std::vector<Moment> moments() const { return timeline().moments(); }
  /// This world and what the director was told, as a drawing has it.
  WorldPicture picture() const;
  /// The evidence of a case that failed: history, tables, the director's log, the world (drawn, as JSON, and which
  /// MAC is whose), a pcapng for each link.
  void keep_evidence(CaseFile& file);

 private:
  friend class BenchPlan;
  friend class BenchClient;
  struct State;
  explicit Bench(std::unique_ptr<State> state);
  void settle();
  const Timeline& timeline() const;
  /// A line of the history that a picture shows as an edit.
  void note_edit(const std::string& what);
  void note_answer(const std::string& how, const Answer& answer);
  void note_sent(const IpAddress& client, const std::string& what);
  /// What a case that looks at the tables sees of templates.
  void note_templates(const std::vector<Entry>& entries);
  VirtualService with_servers(VirtualService service) const;

  std::unique_ptr<State> state_;
};

}  // namespace lvspec
