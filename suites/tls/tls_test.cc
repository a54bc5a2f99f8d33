// What the notes want persistence for: a client that comes back to its server resumes its TLS session; sent to
// another one, which has not got the session, it pays for a full handshake. Servers and clients are OpenSSL's, with
// defaults.

#include "harness/probe/tls.h"

#include <ostream>
#include <sstream>

#include "suites/support.h"

namespace lvspec {

inline void PrintTo(const TlsVisit& visit, std::ostream* out) { *out << visit; }

namespace {

MATCHER_P(ResumedBy, server, std::string(negation ? "does not resume" : "resumes") + " its session at " + server) {
  return arg.answer.outcome == Outcome::kAnswered && arg.answer.server == server && arg.resumed;
}
MATCHER_P(FullHandshakeWith, server,
          std::string(negation ? "makes no" : "makes a") + " full handshake with " + server) {
  return arg.answer.outcome == Outcome::kAnswered && arg.answer.server == server && !arg.resumed;
}

/// A browser and the address it has now.
class Browser {
 public:
  Browser(Bench& bench, TlsClient client, IpAddress address)
      : bench_(&bench), client_(std::move(client)), address_(address) {}

  TlsVisit visit(const IpAddress& vip, std::uint16_t port) {
    TlsVisit visit = must(client_.visit(address_, {vip, port}));
    std::ostringstream told;
    told << visit;
    bench_->note("tls: " + told.str());
    return visit;
  }
  void move_to(const IpAddress& address) { address_ = address; }

 private:
  Bench* bench_;
  TlsClient client_;
  IpAddress address_;
};

class TlsSessions : public testing::DirectorTest {
 protected:
  const VirtualService persistent_ = TcpService(kVip, 443).scheduler("rr").persistent(300s);
  const VirtualService plain_ = TcpService(kVip, 443).scheduler("rr");

  /// A bench whose real servers speak TLS on these ports.
  Result<Bench> build_tls(BenchPlan plan, const std::vector<std::uint16_t>& ports = {443}) {
    LVSPEC_ASSIGN(Bench bench, build(plan.real_servers(3, {.tcp = {}})));
    LVSPEC_ASSIGN(TlsServers servers, TlsServers::create());
    for (const char* name : {"real1", "real2", "real3"}) LVSPEC_TRY(servers.add(name, bench.netns(name), ports));
    servers_.emplace(std::move(servers));
    return bench;
  }
  Browser browser(Bench& bench, TlsReturn way, int client = 1, int family = AF_INET) {
    return {bench, must(TlsClient::create(*servers_, bench.netns("client"), way)),
            bench.client(client, family).cip()};
  }

  /// A browser that comes back finds its session, and one that does not know the server yet makes its own.
  void expect_resumption(TlsReturn way) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().clients(2)));
    ASSERT_OK(bench.add(persistent_));
    Browser mine = browser(bench, way, 1), other = browser(bench, way, 2);
    EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
    EXPECT_THAT(other.visit(kVip, 443), FullHandshakeWith("real2"));
    for (int i = 0; i < 3; ++i) EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real3"));
    EXPECT_THAT(other.visit(kVip, 443), ResumedBy("real2"));
  }

  std::optional<TlsServers> servers_;
};

// Source: RFC 5246, 7.3; notes, "SSL".
LVSPEC_CASE(TlsSessions, SessionIdsResume,
            {.id = "tls.session-id-resumes",
             .claim = "With persistence a returning TLS 1.2 client resumes its session by the session ID that its "
                      "server keeps.",
             .clauses = {"TPL-01"}}) {
  expect_resumption(TlsReturn::kSessionId);
}

// Source: RFC 5077.
LVSPEC_CASE(TlsSessions, TicketsResume,
            {.id = "tls.ticket-resumes",
             .claim = "With persistence a returning TLS 1.2 client resumes by a ticket that its server's key opens.",
             .clauses = {"TPL-01"}}) {
  expect_resumption(TlsReturn::kTicket);
}

// Source: RFC 8446, 2.2.
LVSPEC_CASE(TlsSessions, Tls13Resumes,
            {.id = "tls.tls13-resumes",
             .claim = "With persistence a returning TLS 1.3 client resumes by its pre-shared key.",
             .clauses = {"TPL-01"}}) {
  expect_resumption(TlsReturn::kPsk);
}

// The control of all cases here: the same world, the same servers, no -p. Source: ip_vs_core.c, ip_vs_schedule().
LVSPEC_CASE(TlsSessions, WithoutPersistenceEveryVisitIsAHandshake,
            {.id = "tls.full-handshakes-without-persistence",
             .claim = "Once -E has taken -p away, every visit goes to another server and costs a full handshake, "
                      "whatever the client offers.",
             .clauses = {"EDT-03", "SCH-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().clients(3)));
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.edit(plain_));
  int client = 0;
  for (const TlsReturn way : {TlsReturn::kSessionId, TlsReturn::kTicket, TlsReturn::kPsk}) {
    Browser mine = browser(bench, way, ++client);
    for (const char* server : {"real3", "real2", "real1"})
      EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith(server));
  }
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), "port zero template".
LVSPEC_CASE(TlsSessions, OneSessionOnAllPorts,
            {.id = "tls.port-zero-resumes-on-every-port",
             .claim = "With a persistent port-0 service a session made on port 443 is resumed on port 8443.",
             .clauses = {"TPL-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan(), {443, 8443}));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  Browser mine = browser(bench, TlsReturn::kPsk);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  EXPECT_THAT(mine.visit(kVip, 8443), ResumedBy("real3"));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real3"));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), "fwmark template".
LVSPEC_CASE(TlsSessions, OneSessionForAMark,
            {.id = "tls.mark-resumes-across-addresses-and-ports",
             .claim = "Under one mark a session made at one VIP and port is resumed at another VIP and port.",
             .clauses = {"TPL-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().vips({kVip, kSecondVip}), {443, 8443}));
  MarkRule rule;
  rule.protocol = Protocol::kTcp;
  rule.destination_ports = {{443, 443}, {8443, 8443}};
  rule.mark = 8;
  ASSERT_OK(bench.set_marks({rule}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  Browser mine = browser(bench, TlsReturn::kTicket);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  EXPECT_THAT(mine.visit(kSecondVip, 8443), ResumedBy("real3"));
}

// Each port has its own template, and its own choice. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(TlsSessions, PortsOfTheirOwnShareNoSession,
            {.id = "tls.ports-apart-share-no-session",
             .claim = "Two persistent ports of one VIP may lead to different servers: the session of one is no use "
                      "on the other.",
             .clauses = {"TPL-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().clients(2), {443, 8443}));
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.add(TcpService(kVip, 8443).scheduler("rr").persistent(300s)));
  Browser other = browser(bench, TlsReturn::kPsk, 2), mine = browser(bench, TlsReturn::kPsk, 1);
  EXPECT_THAT(other.visit(kVip, 8443), FullHandshakeWith("real3"));  // moves the rr of that port on by one
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  EXPECT_THAT(mine.visit(kVip, 8443), FullHandshakeWith("real2"));
  EXPECT_THAT(mine.visit(kVip, 8443), ResumedBy("real2"));
}

// Source: ip_vs_conn.c, ip_vs_conn_expire().
LVSPEC_CASE(TlsSessions, TheWindowEndsTheSession,
            {.id = "tls.full-handshake-after-the-window",
             .claim = "Within the window a session is resumed, to its last second; after it the client makes a full "
                      "handshake elsewhere.",
             .clauses = {"TPL-30", "TPL-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan()));
  ASSERT_OK(bench.add(persistent_));
  Browser mine = browser(bench, TlsReturn::kPsk);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  bench.elapse(298s);
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real3"));
  bench.elapse(past(bench, 300s));
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(): both families have templates.
LVSPEC_CASE(TlsSessions, Ipv6Resumes,
            {.id = "tls.ipv6-resumes",
             .claim = "Over IPv6 as well a returning client resumes its session, and without -p it does not.",
             .clauses = {"TPL-01", "TPL-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan()));
  ASSERT_OK(bench.add(TcpService(kVip6, 443).scheduler("rr").persistent(300s)));
  Browser mine = browser(bench, TlsReturn::kPsk, 1, AF_INET6);
  EXPECT_THAT(mine.visit(kVip6, 443), FullHandshakeWith("real3"));
  EXPECT_THAT(mine.visit(kVip6, 443), ResumedBy("real3"));
  ASSERT_OK(bench.edit(TcpService(kVip6, 443).scheduler("rr")));
  EXPECT_THAT(mine.visit(kVip6, 443), FullHandshakeWith("real2"));
}

// Source: ip_vs_xmit.c, ip_vs_nat_xmit(): it changes addresses and ports, of which TLS knows nothing.
LVSPEC_CASE(TlsSessions, NatResumes,
            {.id = "tls.nat-resumes",
             .claim = "Behind NAT a returning client resumes its session at its server's other port.",
             .clauses = {"TPL-01", "FWD-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().masquerading(), {8443}));
  ServerOptions server = bench.server_options();
  server.port = 8443;
  ASSERT_OK(bench.add(TcpService(kVip, 443)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(1), server)
                          .server(bench.rip(2), server)));
  Browser mine = browser(bench, TlsReturn::kTicket);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real2"));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real2"));
}

// Providers give a client another address from time to time. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(TlsSessions, AMaskKeepsTheSessionOfOneWhoMoves,
            {.id = "tls.mask-resumes-from-a-neighbour-address",
             .claim = "With -M 255.255.255.192 a client that comes from another address of its /26 resumes its "
                      "session; from outside it does not.",
             .clauses = {"TPL-10"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan()));
  ASSERT_OK(bench.add(TcpService(kVip, 443).scheduler("rr").persistent(300s).mask("255.255.255.192")));
  Browser mine = browser(bench, TlsReturn::kPsk);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  mine.move_to(IpAddress::of("192.0.2.62"));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real3"));
  mine.move_to(IpAddress::of("192.0.2.65"));
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
}

// Source: ip_vs_conn.c, ip_vs_check_template().
LVSPEC_CASE(TlsSessions, DrainingByWeightKeepsSessions,
            {.id = "tls.weight-zero-resumes",
             .claim = "A server of weight 0 goes on resuming the sessions of its clients; with "
                      "expire_quiescent_template they make a full handshake elsewhere.",
             .clauses = {"VAL-01", "VAL-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan()));
  ASSERT_OK(bench.add(persistent_));
  Browser mine = browser(bench, TlsReturn::kSessionId);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  ASSERT_OK(bench.edit_server(persistent_.id, with_weight(bench, persistent_.id, "real3", 0)));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real3"));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real2"));
}

// Source: ip_vs_conn.c, ip_vs_check_template(). Field: FR-64.
LVSPEC_CASE(TlsSessions, ARemovedServerCostsOneHandshake,
            {.id = "tls.removed-server-costs-one-handshake",
             .claim = "When its server is removed a client makes one full handshake elsewhere, and resumes there.",
             .clauses = {"VAL-01", "VAL-05"},
             .field_reports = {"FR-64", "FR-78"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan()));
  ASSERT_OK(bench.add(persistent_));
  Browser mine = browser(bench, TlsReturn::kPsk);
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real3"));
  ASSERT_OK(bench.remove_server(persistent_.id, {bench.rip_of("real3"), 443}));
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real2"));
}

// Source: ip_vs_sync.c, ip_vs_sync_conn(), ip_vs_proc_conn().
LVSPEC_CASE(TlsSessions, FailOverResumes,
            {.id = "tls.fail-over-resumes",
             .claim = "After fail-over to a director that heard of the client's template its session is resumed.",
             .clauses = {"SYN-04", "SYN-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build_tls(BenchPlan().standby()));
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_OK(bench.start_sync());
  Browser mine = browser(bench, TlsReturn::kPsk), other = browser(bench, TlsReturn::kPsk, 2);
  EXPECT_THAT(other.visit(kVip, 443), FullHandshakeWith("real3"));
  EXPECT_THAT(mine.visit(kVip, 443), FullHandshakeWith("real2"));
  bench.let_sync_arrive();
  bench.fail_over();
  EXPECT_THAT(mine.visit(kVip, 443), ResumedBy("real2"));  // the standby's own rr would begin with real3
  EXPECT_THAT(other.visit(kVip, 443), ResumedBy("real3"));
}

}  // namespace
}  // namespace lvspec
