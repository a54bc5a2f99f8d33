// What any product that claims source affinity owes its users, seen from outside alone and judged by what it declares
// (DirectorIdentity::affinity): its key, its scope, its window, and what renews that. The kernel's IPVS and the
// bundled director declare theirs like everybody else. Settings are those of the products' own manuals, 300 s and
// round robin, or those of an appliance's owner (Terms); times are parts of the window.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "suites/support.h"

namespace lvspec {
namespace {

class AffinityOfSources : public testing::DirectorTest {
 protected:
  const IpAddress vip_ = terms().vip;
  const std::uint16_t port_ = terms().port, other_port_ = terms().other_port;
  const std::chrono::seconds window_ = terms().window;

  /// A service with affinity, all servers in it.
  VirtualService sticky(std::uint16_t port) const {
    return TcpService(vip_, port).scheduler("rr").persistent(window_);
  }
  VirtualService sticky() const { return sticky(port_); }
  /// UNSUPPORTED for who declares none.
  static Affinity declared(Bench& bench) {
    const DirectorIdentity& identity = bench.director().identity();
    if (!identity.affinity) throw WorldError(unsupported(identity.name + " does not claim source affinity"));
    return *identity.affinity;
  }
  static bool claims(Bench& bench, const std::string& word) {
    const auto& words = bench.director().identity().capabilities;
    return std::find(words.begin(), words.end(), word) != words.end();
  }
  Bench four_servers(int clients) {
    return must(build(BenchPlan().clients(clients).real_servers(4, {.tcp = {port_, other_port_}, .udp = {port_}})));
  }

  /// Clients first to last connect once each; who answered whom.
  std::map<int, std::string> visit(Bench& bench, const std::vector<int>& clients) const {
    return visit(bench, clients, port_);
  }
  std::map<int, std::string> visit(Bench& bench, const std::vector<int>& clients, std::uint16_t port) const {
    std::map<int, std::string> served;
    for (const int client : clients) {
      const Answer answer = bench.client(client).connect(vip_, port);
      EXPECT_THAT(answer, Answered());
      served[client] = answer.server;
    }
    return served;
  }

  /// first..last as a round robin never meets them twice alike: odd ones, then even ones, so that a director that has
  /// forgotten them sends at least one elsewhere.
  static std::vector<int> in_order(int first, int last) {
    std::vector<int> clients;
    for (int client = first; client <= last; ++client) clients.push_back(client);
    return clients;
  }
  static std::vector<int> in_another_order(int first, int last) {
    std::vector<int> clients;
    for (int client = first; client <= last; client += 2) clients.push_back(client);
    for (int client = first + 1; client <= last; client += 2) clients.push_back(client);
    return clients;
  }

  /// How many of those in `before` another server answers in `after`.
  static int moved(const std::map<int, std::string>& before, const std::map<int, std::string>& after) {
    return static_cast<int>(std::count_if(before.begin(), before.end(), [&](const auto& one) {
      const auto found = after.find(one.first);
      return found != after.end() && found->second != one.second;
    }));
  }
  static std::set<std::string> servers_of(const std::map<int, std::string>& served) {
    std::set<std::string> servers;
    for (const auto& [client, server] : served) servers.insert(server);
    return servers;
  }
  RealServer weighing(Bench& bench, const std::string& server, int weight) const {
    RealServer edited;
    edited.address = bench.rip_of(server);
    edited.port = port_;
    edited.weight = weight;
    return edited;
  }
};

#define LVSPEC_AFFINITY .profiles = {Profile::kIpvs, Profile::kAffinity}

// The promise itself, and its control: others are answered by others, so that three servers are there to be had.
LVSPEC_CASE(AffinityOfSources, SameClientSameServer,
            {.id = "affinity.same-client-same-server",
             .claim = "With affinity a client reaches the same server with every new connection.",
             .clauses = {"TPL-01", "TPL-30"},
             .field_reports = {"FR-33"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(17);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const bool by_port = affinity.key == Affinity::Key::kSourceAddressAndPort;
  const auto come = [&] {
    return by_port ? bench.client(1).connect(vip_, port_, Close::kServerFirst, 41000)
                   : bench.client(1).connect(vip_, port_);
  };
  const Answer first = come();
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 6; ++i) EXPECT_THAT(come(), ServedBy(first.server));
  EXPECT_THAT(servers_of(visit(bench, in_order(2, 17))), SizeIs(Ge(2U)));
}

// Without affinity the same steps must come out otherwise, or the case above says nothing.
LVSPEC_CASE(AffinityOfSources, WithoutItClientsMove,
            {.id = "affinity.without-it-clients-move",
             .claim = "Without affinity one client's connections reach several servers.",
             .level = Level::kShould,
             .clauses = {"SCH-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(1);
  ASSERT_OK(bench.add(TcpService(vip_, port_).scheduler("rr")));
  EXPECT_THAT(bench.client(1).connect_times(16, vip_, port_), SpreadOverAtLeast(2));
}

// Affinity must not be bought with balance: 48 clients on four servers. A hash spreads them by chance; a share of
// three fifths has a probability below one in a million where it is even.
LVSPEC_CASE(AffinityOfSources, ClientsAreSpread,
            {.id = "affinity.clients-are-spread",
             .claim = "Many clients with affinity are spread over all servers, and no server gets most of them.",
             .level = Level::kShould,
             .clauses = {"SCH-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(48);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto served = visit(bench, in_order(1, 48));
  std::map<std::string, int> shares;
  for (const auto& [client, server] : served) ++shares[server];
  EXPECT_THAT(servers_of(served), SizeIs(Eq(bench.server_count())));
  int largest = 0;
  std::string text;
  for (const auto& [server, share] : shares) {
    largest = std::max(largest, share);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", server, share);
  }
  EXPECT_THAT(largest, Le(28));
  measured({"affinity", {{"property", "shares of 48 clients"}}, text});
}

LVSPEC_CASE(AffinityOfSources, SourcePort,
            {.id = "affinity.source-port-as-declared",
             .claim = "Whether a client's source port is part of what it is known by is as declared.",
             .clauses = {"TPL-03"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(17);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  std::set<std::string> servers;
  for (std::uint16_t port = 41001; port <= 41024; ++port) {
    const Answer answer = bench.client(1).connect(vip_, port_, Close::kClientFirst, port);
    ASSERT_THAT(answer, Answered());
    servers.insert(answer.server);
  }
  if (affinity.key == Affinity::Key::kSourceAddress) {
    EXPECT_THAT(servers, SizeIs(1));
  } else {
    EXPECT_THAT(servers, SizeIs(Ge(2U)));
  }
  EXPECT_THAT(servers_of(visit(bench, in_order(2, 17))), SizeIs(Ge(2U)));
}

// A stranger comes to the second service first, so that a round robin there is one step off.
LVSPEC_CASE(AffinityOfSources, Scope,
            {.id = "affinity.scope-as-declared",
             .claim = "Whether a second service of the same address knows the first one's clients is as declared.",
             .clauses = {"TPL-05"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(13);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  ASSERT_OK(bench.add(sticky(other_port_)));
  const auto one = visit(bench, in_order(1, 12));
  ASSERT_THAT(bench.client(13).connect(vip_, other_port_), Answered());
  const auto other = visit(bench, in_order(1, 12), other_port_);
  if (affinity.scope == Affinity::Scope::kService) {
    EXPECT_THAT(moved(one, other), Ge(1));
  } else {
    EXPECT_THAT(moved(one, other), Eq(0));
  }
  EXPECT_THAT(moved(one, visit(bench, in_another_order(1, 12))), Eq(0));
}

LVSPEC_CASE(AffinityOfSources, WindowKept,
            {.id = "affinity.window-kept-to-its-end",
             .claim = "A client that stays away for less than the window is still known when it comes back.",
             .clauses = {"TPL-30", "TIM-01"},
             .field_reports = {"FR-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 8));
  EXPECT_THAT(servers_of(before), SizeIs(Ge(2U)));
  bench.elapse(window_ - terms().margin);
  EXPECT_THAT(moved(before, visit(bench, in_another_order(1, 8))), Eq(0));
}

LVSPEC_CASE(AffinityOfSources, WindowEnds,
            {.id = "affinity.window-ends-as-declared",
             .claim = "A client that stays away for longer than the window is let go, or never, as declared.",
             .clauses = {"TPL-30", "TIM-02"},
             .field_reports = {"FR-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 8));
  EXPECT_THAT(servers_of(before), SizeIs(Ge(2U)));
  bench.elapse(past(bench, window_));
  const int gone = moved(before, visit(bench, in_another_order(1, 8)));
  if (affinity.window == Affinity::Window::kAsConfigured) {
    EXPECT_THAT(gone, Ge(1));
  } else {
    EXPECT_THAT(gone, Eq(0));
  }
}

// Two thirds of the window twice: within the window each time, beyond it together.
LVSPEC_CASE(AffinityOfSources, RenewedByConnection,
            {.id = "affinity.renewal-by-connection-as-declared",
             .claim = "Whether a new connection begins the window anew is as declared.",
             .clauses = {"TPL-31"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 8));
  EXPECT_THAT(servers_of(before), SizeIs(Ge(2U)));
  bench.elapse(window_ * 2 / 3);
  EXPECT_THAT(moved(before, visit(bench, in_order(1, 8))), Eq(0));
  bench.elapse(window_ * 2 / 3);
  const int gone = moved(before, visit(bench, in_another_order(1, 8)));
  const bool lost =
      affinity.renewed_by == Affinity::RenewedBy::kNothing && affinity.window == Affinity::Window::kAsConfigured;
  if (lost) {
    EXPECT_THAT(gone, Ge(1));
  } else {
    EXPECT_THAT(gone, Eq(0));
  }
}

// The connections are over long before the window is, so that none of them holds it open.
LVSPEC_CASE(AffinityOfSources, RenewedByPackets,
            {.id = "affinity.renewal-by-packets-as-declared",
             .claim = "Whether packets on an open connection begin the window anew is as declared.",
             .clauses = {"TPL-31"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  std::map<int, std::string> before;
  std::vector<Connection> held;
  for (int client = 1; client <= 8; ++client) {
    held.push_back(bench.client(client).hold(vip_, port_));
    ASSERT_THAT(held.back().answer(), Answered());
    before[client] = held.back().answer().server;
  }
  EXPECT_THAT(servers_of(before), SizeIs(Ge(2U)));
  bench.elapse(window_ * 3 / 5);
  for (int client = 1; client <= 8; ++client) {
    Connection& connection = held[static_cast<std::size_t>(client - 1)];
    EXPECT_THAT(connection.say_again(), ServedBy(before[client]));
    connection.close(Close::kReset).ok();
  }
  bench.elapse(window_ * 2 / 3);  // more than a window after the start, less than one after the packets
  const int gone = moved(before, visit(bench, in_another_order(1, 8)));
  const bool kept =
      affinity.renewed_by == Affinity::RenewedBy::kPacket || affinity.window == Affinity::Window::kForEver;
  if (kept) {
    EXPECT_THAT(gone, Eq(0));
  } else {
    EXPECT_THAT(gone, Ge(1));
  }
}

LVSPEC_CASE(
    AffinityOfSources, RemovedServer,
    {.id = "affinity.removed-server-lets-go",
     .claim = "Clients of a server that is removed reach another one; with edits that keep clients, the others "
              "stay where they are.",
     .clauses = {"VAL-01"},
     .field_reports = {"FR-63", "FR-70"},
     LVSPEC_AFFINITY}) {
  Bench bench = four_servers(16);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 16));
  const std::string gone = before.at(1);
  ASSERT_OK(bench.remove_server(sticky().id, {bench.rip_of(gone), port_}));
  const auto after = visit(bench, in_another_order(1, 16));
  EXPECT_THAT(servers_of(after), Not(Contains(gone)));
  int others = 0, strayed = 0;
  for (const auto& [client, server] : before) {
    if (server == gone) continue;
    ++others;
    if (after.at(client) != server) ++strayed;
  }
  EXPECT_THAT(others, Ge(1));
  if (claims(bench, "edit-keeps-clients")) {
    EXPECT_THAT(strayed, Eq(0));
  }
  measured({"affinity",
            {{"property", "server removed: clients of others that move"}},
            fmt::format("{} of {}", strayed, others)});
}

LVSPEC_CASE(AffinityOfSources, DrainedServer,
            {.id = "affinity.drained-server-gets-nobody-new",
             .claim = "A server of weight 0 gets no new clients, and its old ones are still answered.",
             .clauses = {"DST-12"},
             .field_reports = {"FR-69"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(32);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 8));
  const std::string drained = before.at(1);
  ASSERT_OK(bench.edit_server(sticky().id, weighing(bench, drained, 0)));
  const auto strangers = visit(bench, in_order(9, 32));
  EXPECT_THAT(servers_of(strangers), AllOf(SizeIs(Ge(2U)), Not(Contains(drained))));
  const Answer old = bench.client(1).connect(vip_, port_);
  EXPECT_THAT(old, Answered());
  measured(
      {"affinity", {{"property", "server at weight 0: its old client"}}, old.server == drained ? "stays" : "moves"});
}

LVSPEC_CASE(AffinityOfSources, ReturningServer,
            {.id = "affinity.returning-server-breaks-nobody",
             .claim = "When a removed server comes back, everybody is answered; with edits that keep clients, nobody "
                      "moves who was served meanwhile.",
             .clauses = {"VAL-06"},
             .field_reports = {"FR-90"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(12);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 12));
  const std::string gone = before.at(1);
  ASSERT_OK(bench.remove_server(sticky().id, {bench.rip_of(gone), port_}));
  const auto meanwhile = visit(bench, in_order(1, 12));
  EXPECT_THAT(servers_of(meanwhile), Not(Contains(gone)));
  ASSERT_OK(bench.add_server(sticky().id, weighing(bench, gone, 1)));
  const int strayed = moved(meanwhile, visit(bench, in_another_order(1, 12)));
  if (claims(bench, "edit-keeps-clients")) {
    EXPECT_THAT(strayed, Eq(0));
  }
  measured({"affinity", {{"property", "server back: clients that move"}}, fmt::format("{} of 12", strayed)});
}

LVSPEC_CASE(
    AffinityOfSources, AddedServer,
    {.id = "affinity.added-server-keeps-clients",
     .claim = "When a server is added everybody is answered; with edits that keep clients, all stay where they "
              "are.",
     .clauses = {"TPL-52"},
     LVSPEC_AFFINITY}) {
  Bench bench = four_servers(24);
  declared(bench);
  VirtualService three = sticky();
  for (const char* name : {"real1", "real2", "real3"}) three.servers.push_back(weighing(bench, name, 1));
  ASSERT_OK(bench.add(three));
  const auto before = visit(bench, in_order(1, 24));
  EXPECT_THAT(servers_of(before), SizeIs(Ge(2U)));
  ASSERT_OK(bench.add_server(three.id, weighing(bench, "real4", 1)));
  const int strayed = moved(before, visit(bench, in_another_order(1, 24)));
  if (claims(bench, "edit-keeps-clients")) {
    EXPECT_THAT(strayed, Eq(0));
  }
  measured(
      {"affinity", {{"property", "server added to three: clients that move"}}, fmt::format("{} of 24", strayed)});
}

LVSPEC_CASE(AffinityOfSources, Udp,
            {.id = "affinity.udp",
             .claim = "Over UDP, where it is claimed, a client reaches the same server from every port.",
             .clauses = {"TPL-03"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(17);
  declared(bench);
  if (!claims(bench, "udp")) throw WorldError(unsupported(bench.director().identity().name + " does not claim UDP"));
  ASSERT_OK(bench.add(UdpService(vip_, port_).scheduler("rr").persistent(window_)));
  const Answer first = bench.client(1).udp(vip_, port_);
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 6; ++i) EXPECT_THAT(bench.client(1).udp(vip_, port_), ServedBy(first.server));
  std::vector<Answer> others;
  for (int client = 2; client <= 17; ++client) others.push_back(bench.client(client).udp(vip_, port_));
  EXPECT_THAT(others, SpreadOverAtLeast(2));
}

LVSPEC_CASE(AffinityOfSources, Http,
            {.id = "affinity.http",
             .claim = "A client's HTTP requests, each on a connection of its own, are answered by one server.",
             .clauses = {"TPL-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = must(build(BenchPlan().clients(13).real_servers(4, {.tcp = {port_}})));
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const Answer first = bench.client(1).http(vip_, port_);
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 4; ++i) EXPECT_THAT(bench.client(1).http(vip_, port_), ServedBy(first.server));
  std::vector<Answer> others;
  for (int client = 2; client <= 13; ++client) others.push_back(bench.client(client).http(vip_, port_));
  EXPECT_THAT(others, SpreadOverAtLeast(2));
}

LVSPEC_CASE(AffinityOfSources, ManyAtOnce,
            {.id = "affinity.many-at-once",
             .claim = "A client's first connections, opened at the same moment, all reach one server.",
             .clauses = {"TPL-01"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(17);
  const Affinity affinity = declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const std::vector<Answer> answers = bench.client(1).connect_at_once(16, vip_, port_);
  EXPECT_THAT(answers, Each(Answered()));
  if (affinity.key == Affinity::Key::kSourceAddress) {
    EXPECT_THAT(answers, Each(ServedBy(answers.front().server)));
  }
  EXPECT_THAT(servers_of(visit(bench, in_order(2, 17))), SizeIs(Ge(2U)));
}

LVSPEC_CASE(AffinityOfSources, EditsRefuseNobody,
            {.id = "affinity.edits-refuse-nobody",
             .claim = "While servers come and go, every new connection is answered.",
             .clauses = {"TPL-52"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  std::set<std::string> servers;
  for (int turn = 0; turn < 4; ++turn) {
    ASSERT_OK(bench.remove_server(sticky().id, {bench.rip_of("real4"), port_}));
    for (int client = 1; client <= 4; ++client) {
      const Answer answer = bench.client(client).connect(vip_, port_);
      EXPECT_THAT(answer, Answered());
      servers.insert(answer.server);
    }
    ASSERT_OK(bench.add_server(sticky().id, weighing(bench, "real4", 1)));
    for (int client = 5; client <= 8; ++client) EXPECT_THAT(bench.client(client).connect(vip_, port_), Answered());
  }
  EXPECT_THAT(servers, SizeIs(Ge(2U)));
}

// What an edit that has nothing to do with them costs those who are connected.
LVSPEC_CASE(AffinityOfSources, OpenConnections,
            {.id = "affinity.open-connections-outlive-edits",
             .claim = "Open connections go on when a server that is not theirs is added.",
             .level = Level::kShould,
             .clauses = {"TPL-52"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(6);
  declared(bench);
  VirtualService three = sticky();
  for (const char* name : {"real1", "real2", "real3"}) three.servers.push_back(weighing(bench, name, 1));
  ASSERT_OK(bench.add(three));
  std::vector<Connection> held;
  for (int client = 1; client <= 6; ++client) held.push_back(bench.client(client).hold(vip_, port_));
  ASSERT_OK(bench.add_server(three.id, weighing(bench, "real4", 1)));
  std::set<std::string> servers;
  for (Connection& connection : held) {
    EXPECT_THAT(connection.say_again(), ServedBy(connection.answer().server));
    servers.insert(connection.answer().server);
  }
  EXPECT_THAT(servers, SizeIs(Ge(2U)));
}

// Not judged: what follows from a server whose process is dead is a matter of health checks.
LVSPEC_CASE(AffinityOfSources, DeadServer,
            {.id = "affinity.dead-server",
             .claim = "What becomes of a client whose server's process is dead while the director was not told.",
             .level = Level::kInfo,
             .clauses = {"VAL-02"},
             .field_reports = {"FR-61"},
             LVSPEC_AFFINITY}) {
  Bench bench = four_servers(8);
  declared(bench);
  ASSERT_OK(bench.add(sticky()));
  const auto before = visit(bench, in_order(1, 8));
  const std::string dead = before.at(1);
  bench.stop_server(dead);
  std::string text;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const Answer answer = bench.client(1).connect(vip_, port_);
    const std::string now = answer.outcome == Outcome::kAnswered
                                ? (answer.server == dead ? "the same server" : "another server")
                            : answer.outcome == Outcome::kRefused ? "refused"
                            : answer.outcome == Outcome::kReset   ? "reset"
                                                                  : "silence";
    text += (text.empty() ? "" : ", ") + now;
  }
  measured({"affinity", {{"property", "server's process dead: its client's next three tries"}}, text});
  measured(text);
}

}  // namespace
}  // namespace lvspec
