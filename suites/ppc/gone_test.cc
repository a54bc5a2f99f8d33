// What happens to a client whose server is drained, removed, or comes back.

#include "suites/support.h"

namespace lvspec {
namespace {

class PpcServerGone : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);
};

// Weight 0 stops newcomers, not those who have a template; each visit renews it. Field: FR-69, FR-61.
// Source: ip_vs_conn.c, ip_vs_check_template() does not look at weights by default.
LVSPEC_CASE(PpcServerGone, WeightZeroKeepsItsClients,
            {.id = "ppc.weight-zero-keeps-clients",
             .claim = "A server of weight 0 keeps the clients it has and gets no new ones.",
             .clauses = {"VAL-03", "DST-12", "CON-05"},
             .field_reports = {"FR-61", "FR-69", "FR-72"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  Connection held = bench.client(1).hold(kVip, 80);

  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 0)));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(held.say_again(), ServedBy(first.server));
  for (int i = 2; i <= 7; ++i) EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = 80, .expires = 300s})));
}

// expire_quiescent_template=1 is the way to drain: the next visit is scheduled anew. The old template is renamed, not
// deleted, and shows as port 65535. Source: ip_vs_conn.c, ip_vs_check_template(). Field: FR-62, FR-78.
LVSPEC_CASE(
    PpcServerGone, QuiescentTemplatesExpireIfAsked,
    {.id = "ppc.weight-zero-releases-clients-if-asked",
     .claim = "With expire_quiescent_template=1 a client of a weight-0 server moves at its next connection and "
              "stays where it went.",
     .clauses = {"VAL-01", "VAL-04", "VAL-05", "VAL-07", "CTL-11"},
     .field_reports = {"FR-61", "FR-62", "FR-69", "FR-78"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 0)));

  const Answer second = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(second, ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.client(1).connect_times(6, kVip, 80), Each(ServedBy(second.server)));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(EntryParts{.vport = 65535, .server = bench.rip_of(first.server), .sport = 65535})));
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 1)));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(second.server));  // a renamed template is not restored
}

// Rejection is lazy: back to its weight before the client returned, nothing has happened.
LVSPEC_CASE(
    PpcServerGone, QuiescenceThatNobodySawLeavesNoTrace,
    {.id = "ppc.weight-zero-and-back-unseen",
     .claim = "A weight set to 0 and back while the client was away leaves its template intact, whatever the sysctl.",
     .clauses = {"VAL-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 0)));
  bench.elapse(100s);
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 1)));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));  // rr still rotates
}

// A removed server is unavailable at once: the template is rejected, the client gets another server and stays there.
// Source: ip_vs_conn.c, ip_vs_check_template(). Field: FR-64, FR-78.
LVSPEC_CASE(
    PpcServerGone, ClientsOfARemovedServerMoveOnce,
    {.id = "ppc.removed-server-moves-clients-once",
     .claim = "When its server is removed a client gets another one at its next connection, and keeps that one.",
     .clauses = {"VAL-01", "VAL-04", "VAL-05", "DST-01"},
     .field_reports = {"FR-63", "FR-64", "FR-78"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(first.server), 80}));

  const Answer second = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(second, ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.client(1).connect_times(6, kVip, 80), Each(ServedBy(second.server)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));  // alive after
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(
                  EntryParts{.client = bench.client(1).cip(), .vport = 80, .server = bench.rip_of(second.server)})));
}

// The running connections of a removed server hang: by default its packets are dropped without a word.
// Source: ip_vs_core.c, ip_vs_in_hook(). Field: FR-63.
LVSPEC_CASE(PpcServerGone, ConnectionsOfARemovedServerHang,
            {.id = "ppc.removed-server-drops-silently",
             .claim = "By default the open connections of a removed server get no answer at all, not even a reset.",
             .clauses = {"VAL-20", "DST-01"},
             .field_reports = {"FR-63", "FR-67"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80, 100ms);  // to see silence is to wait for its end
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(held.answer().server), 80}));
  EXPECT_THAT(held.say_again(), Unanswered());
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Answered());
}

// expire_nodest_conn=1: the entry ends with the packet, which then has no entry and belongs to the director's own
// stack; that answers with a RST. Source: ip_vs_core.c, ip_vs_in_hook(). Field: FR-62.
LVSPEC_CASE(PpcServerGone, ConnectionsOfARemovedServerAreResetIfAsked,
            {.id = "ppc.removed-server-resets-if-asked",
             .claim = "With expire_nodest_conn=1 the open connections of a removed server are reset.",
             .clauses = {"VAL-20", "VAL-21", "CTL-10"},
             .field_reports = {"FR-61", "FR-62", "FR-63"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  Connection held = bench.client(1).hold(kVip, 80);
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(held.answer().server), 80}));
  EXPECT_THAT(held.say_again(), Reset());
  bench.elapse(1s);
  EXPECT_THAT(bench.connections(), IsEmpty());
}

// Deleted and added again before anybody came: the server object comes back from the trash with its templates.
// Source: ip_vs_ctl.c, ip_vs_trash_get_dest().
LVSPEC_CASE(PpcServerGone, RemovedAndBackUnseenIsAsIfNothingHappened,
            {.id = "ppc.removed-and-back-unseen",
             .claim = "A server removed and added again while its clients were away has its clients back.",
             .clauses = {"VAL-06", "DST-03"},
             .field_reports = {"FR-92"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  const Answer other = bench.client(2).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(first.server), 80}));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(other.server), 80}));
  bench.elapse(30s);
  ASSERT_OK(bench.add_server(service_.id, with_weight(bench, service_.id, first.server, 1)));
  ASSERT_OK(bench.add_server(service_.id, with_weight(bench, service_.id, other.server, 1)));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.vport = 80, .expires = 270s})));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2).connect_times(3, kVip, 80), Each(ServedBy(other.server)));
  EXPECT_THAT(bench.server(service_.id, first.server).persistent, Eq(1U));
}

// `ipvsadm -C` flushes neither connections nor templates; the same services set up again find them.
// Source: ip_vs_ctl.c, __ip_vs_del_service(). Field: FR-90.
LVSPEC_CASE(
    PpcServerGone, ClearAndReloadKeepEverybody,
    {.id = "ppc.clear-and-reload-keep-clients",
     .claim =
         "Clearing all services and setting them up again keeps every client on its server, with its old window.",
     .clauses = {"EDT-10", "EDT-11", "TPL-52"},
     .field_reports = {"FR-90"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  std::vector<Answer> first;
  for (int i = 1; i <= 6; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  Connection held = bench.client(1).hold(kVip, 80);

  ASSERT_OK(bench.clear());
  EXPECT_THAT(bench.templates(), SizeIs(6));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("wlc").persistent(33s)));
  EXPECT_THAT(held.say_again(), ServedBy(first[0].server));
  for (int i = 1; i <= 6; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.expires = 300s})));
}

// Nobody left: the client is told at once, by ICMP; no template is made. Source: ip_vs_core.c, ip_vs_leave().
LVSPEC_CASE(
    PpcServerGone, WithoutAnyServerNewClientsAreRefused,
    {.id = "ppc.no-server-left-refuses",
     .claim = "With every server at weight 0 a new client is refused at once, and no template is made for it.",
     .clauses = {"SVC-21", "TPL-02"},
     .field_reports = {"FR-80"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  for (const char* server : {"real1", "real2"})
    ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, server, 0)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
}

// A dead real server is nobody's business but its clients': IPVS has no health checks. Field: FR-65.
LVSPEC_CASE(
    PpcServerGone, ADeadServerKeepsItsClients,
    {.id = "ppc.dead-server-keeps-clients",
     .claim = "When a server's process dies its clients keep being sent there, and are served again when it is back.",
     .clauses = {"FWD-09", "FWD-10", "VAL-02"},
     .field_reports = {"FR-65", "FR-70"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  bench.stop_server(first.server);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  bench.restart_server(first.server);
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
}

// An upper threshold keeps newcomers away, not those who have a template. Field: FR-119.
// Source: ip_vs_conn.c, ip_vs_check_template() does not look at the overload flag.
LVSPEC_CASE(PpcServerGone, AFullServerKeepsItsClients,
            {.id = "ppc.full-server-keeps-clients",
             .claim = "A server at its upper threshold gets no new clients, and its own push it above the limit.",
             .clauses = {"DST-20", "DST-21", "DST-22", "VAL-02"},
             .field_reports = {"FR-119"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(2)));
  VirtualService limited =
      TcpService(kVip, 80).scheduler("rr").persistent(300s).server(bench.rip(1)).server(bench.rip(2), {.upper = 2});
  ASSERT_OK(bench.add(limited));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect_times(4, kVip, 80), Each(ServedBy("real2")));
  for (int i = 2; i <= 6; ++i) EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.server(limited.id, "real2").inactive, Eq(5U));
}

}  // namespace
}  // namespace lvspec
