// What renews a window, and what does not.

#include "suites/support.h"

namespace lvspec {
namespace {

class ExpiryRenewal : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  static EntryParts of(BenchClient client, std::optional<std::chrono::seconds> expires = std::nullopt) {
    return EntryParts{.client = client.cip(), .expires = expires};
  }
};

// The timer is re-armed when a connection is scheduled through the template. Field: FR-16, FR-17.
// Source: ip_vs_core.c, ip_vs_sched_persist(), its end.
LVSPEC_CASE(ExpiryRenewal, NewConnectionsRenew,
            {.id = "expiry.new-connection-renews",
             .claim = "Each new connection of a client starts its window again.",
             .clauses = {"TPL-31", "REC-02"},
             .field_reports = {"FR-16", "FR-17", "FR-25"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  const Answer other = bench.client(2).connect(kVip, 80);
  ASSERT_THAT(other, ServedBy(Ne(first.server)));
  bench.elapse(200s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(of(bench.client(1), 300s))));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(of(bench.client(2), 100s))));
  bench.elapse(past(bench, 300s) - 200s);  // the other client's window has ended, that of the first has not
  EXPECT_THAT(bench.templates(), Not(Contains(TemplateOf(of(bench.client(2))))));
  EXPECT_THAT(connect_while_quiescent(bench, service_.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
}

// Data on a connection that exists renews nothing: the entry is found before any template is looked for.
// Source: ip_vs_core.c, ip_vs_in_hook(). Field: FR-16.
LVSPEC_CASE(ExpiryRenewal, TrafficDoesNotRenew,
            {.id = "expiry.traffic-does-not-renew",
             .claim = "Data on an open connection does not renew its client's window.",
             .clauses = {"TPL-31", "REC-03"},
             .field_reports = {"FR-16", "FR-18"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  for (int i = 0; i < 9; ++i) {
    bench.elapse(10s);
    ASSERT_THAT(held.say_again(), ServedBy(held.answer().server));
  }
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 210s))));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "ESTABLISHED", .expires = 900s})));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(held.answer().server)));  // rr still rotates
}

// The 60 s trap. If the timer fires while a connection is open, the template stays for 60 s at a time, and 60 s is
// its timeout from then on, also when a new connection renews it. Field: FR-01, FR-18. Source: ip_vs_conn.c,
// ip_vs_conn_expire(), expire_later.
LVSPEC_CASE(
    ExpiryRenewal, AnOpenConnectionTurnsTheWindowInto60Seconds,
    {.id = "expiry.sixty-second-trap",
     .claim = "A window that ends while a connection is open goes on in steps of 60 s, and new connections then "
              "renew it for 60 s only.",
     .clauses = {"TPL-34", "TPL-35", "REC-04"},
     .field_reports = {"FR-01", "FR-18"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  const std::string server = held.answer().server;
  bench.elapse(past(bench, 300s));
  const std::vector<Entry> extended = bench.templates();
  ASSERT_THAT(extended, ElementsAre(TemplateOf(of(bench.client(1)))));
  EXPECT_THAT(extended.front().expires_in, AllOf(Le(60s), Ge(57s - bench.granule(300s))));

  bench.elapse(9s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(server));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 60s))));  // not 300
  EXPECT_THAT(held.say_again(), ServedBy(server));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(server)));  // rr still rotates
}

// As long as a connection is open its client has its server, however short the window. Field: FR-18.
LVSPEC_CASE(ExpiryRenewal, AnOpenConnectionKeepsItsClient,
            {.id = "expiry.open-connection-keeps-client",
             .claim = "A client that holds a connection open is still known after four windows.",
             .clauses = {"TPL-34", "TPL-37", "TPL-38"},
             .field_reports = {"FR-18"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(150s);
  ASSERT_OK(bench.add(service));
  Connection held = bench.client(1).hold(kVip, 80);
  const std::string server = held.answer().server;
  bench.elapse(600s);
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(1), kVip, 80, server), ServedBy(server));
  EXPECT_THAT(held.say_again(), ServedBy(server));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(server)));  // rr still rotates
}

// -E changes the window of templates made from then on; those that exist keep theirs, also when renewed.
// Source: ip_vs_ctl.c, ip_vs_edit_service(). Field: FR-08, FR-09.
LVSPEC_CASE(
    ExpiryRenewal, AnEditedWindowIsForNewTemplates,
    {.id = "expiry.edited-window-for-new-templates",
     .claim =
         "After -p is edited new clients get the new window; old ones keep the old one, even when they renew it.",
     .clauses = {"EDT-02", "TPL-32", "REC-07"},
     .field_reports = {"FR-08", "FR-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(150s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.edit(service_));
  EXPECT_THAT(bench.service(service_.id).service.persistent_s, Eq(std::optional<std::uint32_t>(300)));
  bench.elapse(50s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(of(bench.client(1), 150s)), TemplateOf(of(bench.client(2), 300s))));
}

// Persistence taken away and given back: templates are not consulted in between, and honoured again after.
// Source: ip_vs_core.c, ip_vs_schedule(). Field: FR-10, FR-22.
LVSPEC_CASE(
    ExpiryRenewal, PersistenceOffAndOnAgain,
    {.id = "expiry.persistence-off-and-on",
     .claim =
         "With persistence edited away a client rotates at once; given back in time, its old server has it again.",
     .clauses = {"EDT-03", "EDT-04"},
     .field_reports = {"FR-10", "FR-22"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  bench.elapse(100s);
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), SpreadOverAtLeast(3));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 200s))));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("rr").persistent(30s)));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 300s))));
}

// However a connection ends, the memory of the client does not. Field: FR-21.
LVSPEC_CASE(
    ExpiryRenewal, EveryKindOfCloseLeavesTheTemplate,
    {.id = "expiry.any-close-leaves-the-template",
     .claim = "Closed by the client, by the server or by a reset: at half the window the client is still known.",
     .clauses = {"TPL-33", "CON-24", "CON-25"},
     .field_reports = {"FR-21"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Close shapes[] = {Close::kClientFirst, Close::kServerFirst, Close::kReset};
  std::vector<Answer> first;
  for (int i = 1; i <= 3; ++i) first.push_back(bench.client(i).connect(kVip, 80, shapes[i - 1]));
  ASSERT_THAT(first, SpreadOverAtLeast(3));
  bench.elapse(150s);
  EXPECT_THAT(bench.templates(), SizeIs(3));
  for (int i = 1; i <= 3; ++i) {
    const std::string& server = first[static_cast<std::size_t>(i) - 1].server;
    EXPECT_THAT(connect_while_quiescent(bench, service_.id, bench.client(i), kVip, 80, server), ServedBy(server));
  }
}

// A port used again meets its old entry: same server, not counted, and nothing is renewed.
// Source: ip_vs_core.c, is_new_conn_expected(). Field: FR-81.
LVSPEC_CASE(
    ExpiryRenewal, APortUsedAgainDoesNotRenew,
    {.id = "expiry.reused-port-does-not-renew",
     .claim =
         "A new connection from the same port while the old entry exists goes to the same server and renews nothing.",
     .clauses = {"CON-42", "TPL-31", "REC-08"},
     .field_reports = {"FR-81", "FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80, Close::kReset, 40000);
  ASSERT_THAT(first, Answered());
  bench.elapse(5s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kReset, 40000), ServedBy(first.server));
  EXPECT_THAT(bench.connections(), SizeIs(1));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 295s))));
  EXPECT_THAT(bench.server(service_.id, first.server).connections, Eq(1U));
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kReset, 40001), ServedBy(first.server));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 300s))));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));  // rr still rotates
}

// A SYN that nobody ever completes pins its sender for the whole window. Field: FR-67.
// Source: ip_vs_core.c, ip_vs_sched_persist() runs at the SYN.
LVSPEC_CASE(
    ExpiryRenewal, ALoneSynPinsForTheWholeWindow,
    {.id = "expiry.lone-syn-pins",
     .claim = "One unanswered SYN makes a template that lives its whole window; its connection entry lives 60 s.",
     .clauses = {"TPL-43", "CON-20", "CON-71"},
     .field_reports = {"FR-67", "FR-70"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  BenchClient mute = bench.mute_client(1);
  const Answer first = mute.syn(kVip, 80);
  ASSERT_THAT(first, HalfOpen());
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(EntryParts{.client = mute.cip(), .state = "SYN_RECV", .expires = 60s})));
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.client = mute.cip(), .state = "NONE", .expires = 300s})));
  EXPECT_THAT(bench.server(service_.id, first.server).active, Eq(1U));
  bench.elapse(past(bench, 60s));
  EXPECT_THAT(bench.connections(), IsEmpty());
  bench.elapse(299s - past(bench, 60s));
  EXPECT_THAT(mute.syn(kVip, 80, 40001), ServedBy(first.server));
  bench.elapse(past(bench, 300s));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// One-packet scheduling leaves no entry, but schedules each datagram through the template and so renews it.
// Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-108.
LVSPEC_CASE(ExpiryRenewal, OnePacketDatagramsRenew,
            {.id = "expiry.one-packet-datagrams-renew",
             .claim = "With -o -p every datagram renews the window, and no connection entry is left behind.",
             .clauses = {"CON-50", "CON-51", "REC-10"},
             .field_reports = {"FR-108"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {}, .udp = {53}})));
  const VirtualService service = UdpService(kVip, 53).scheduler("rr").persistent(60s).one_packet();
  ASSERT_OK(bench.add(service));
  UdpSocket socket = bench.client(1).hold_udp(kVip, 53);
  const Answer first = socket.ask();
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 4; ++i) {
    bench.elapse(50s);
    EXPECT_THAT(socket.ask(), ServedBy(first.server));
  }
  EXPECT_THAT(bench.connections(), IsEmpty());
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(of(bench.client(1), 60s))));
  bench.elapse(past(bench, 60s));
  EXPECT_THAT(bench.templates(), IsEmpty());
  EXPECT_THAT(udp_while_quiescent(bench, service.id, bench.client(1), kVip, 53, first.server),
              ServedBy(Ne(first.server)));
}

}  // namespace
}  // namespace lvspec
