// State sync: what a backup knows when it takes over.

#include "suites/support.h"

namespace lvspec {
namespace {

class StateSync : public testing::DirectorTest {
 protected:
  const VirtualService persistent_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  const VirtualService plain_ = TcpService(kVip, 80).scheduler("rr");

  Result<Bench> pair() { return build(BenchPlan().clients(3).real_servers(3).standby()); }

  /// A connection through the standby while `server` has weight 0 there: a template goes on leading to it (VAL-03)
  /// and the scheduler never does (DST-12), so that the answer cannot be luck.
  static Answer connect_by_template_alone(Bench& bench, const ServiceId& service, BenchClient client,
                                          const std::string& server) {
    must(bench.standby().edit_server(service, with_weight(bench, service, server, 0)));
    Answer answer = client.connect(kVip, service.port);
    must(bench.standby().edit_server(service, with_weight(bench, service, server, 1)));
    return answer;
  }
};

// The template goes out with every packet of its connections, and the backup binds it to its own server.
// Source: ip_vs_sync.c, ip_vs_sync_conn(), ip_vs_proc_conn().
LVSPEC_CASE(StateSync, TemplateSurvivesFailOver,
            {.id = "sync.template-survives-fail-over",
             .claim = "After fail-over a client stays on the server that the old master chose.",
             .clauses = {"SYN-04", "SYN-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_OK(bench.start_sync());
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  bench.let_sync_arrive();
  EXPECT_THAT(
      bench.standby_templates(),
      ElementsAre(TemplateOf(EntryParts{
          .client = bench.client(1).cip(), .vport = 80, .server = bench.rip_of(first.server), .state = "ASSURED"})));
  bench.fail_over();
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(1), first.server),
              ServedBy(first.server));
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(2), first.server),
              ServedBy(Ne(first.server)));
}

// The message says the stored timeout and the backup re-arms with every message, also for packets that do not renew
// the master's template. Source: ip_vs_sync.c, ip_vs_proc_conn().
LVSPEC_CASE(StateSync, WindowRestartsAtFailOver,
            {.id = "sync.window-restarts-at-fail-over",
             .claim = "On the backup a client's window counts from the last packet that the master saw.",
             .clauses = {"SYN-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_OK(bench.start_sync());
  Connection held = bench.client(1).hold(kVip, 80);
  const std::string server = held.answer().server;
  bench.elapse(200s);
  ASSERT_THAT(held.say_again(), ServedBy(server));
  bench.let_sync_arrive();
  ASSERT_THAT(bench.standby_templates(), SizeIs(1));
  EXPECT_THAT(bench.standby_templates().front().expires_in, AllOf(Ge(295s), Le(300s)));
  bench.fail_over();
  bench.elapse(150s);  // past the end of the master's window
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(1), server), ServedBy(server));
  const std::vector<Answer> others{bench.client(2).connect(kVip, 80), bench.client(3).connect(kVip, 80)};
  EXPECT_THAT(others, SpreadOverAtLeast(2));
}

// What was learned before the service was there has no server, and that is the first thing that is asked of a
// template. Source: ip_vs_sync.c, ip_vs_proc_conn(); ip_vs_conn.c, ip_vs_check_template().
LVSPEC_CASE(
    StateSync, UnboundTemplateIsRejected,
    {.id = "sync.unbound-template-is-rejected",
     .claim = "A client whose template came before its service is scheduled anew, unless a later message came.",
     .clauses = {"SYN-10", "VAL-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.start_sync());
  const Answer early = bench.client(1).connect(kVip, 80);
  Connection held = bench.client(2).hold(kVip, 80);
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_templates(), SizeIs(2));
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_THAT(held.say_again(), ServedBy(held.answer().server));
  bench.let_sync_arrive();
  bench.fail_over();
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(1), early.server),
              ServedBy(Ne(early.server)));
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(2), held.answer().server),
              ServedBy(held.answer().server));
}

// Source: ip_vs_sync.c, ip_vs_sync_conn_needed().
LVSPEC_CASE(
    StateSync, PersistModeSendsTemplatesOnly,
    {.id = "sync.persist-mode-sends-templates-only",
     .claim = "With sync_persist_mode the connections of a persistent service are not sent, its templates are.",
     .clauses = {"SYN-05", "CTL-21"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().vips({kVip, kSecondVip}).clients(1).real_servers(3).standby()));
  const VirtualService other = TcpService(kSecondVip, 80).scheduler("rr");
  for (const VirtualService& service : {persistent_, other}) {
    ASSERT_OK(bench.add(service));
    ASSERT_OK(bench.add_to_standby(service));
  }
  ASSERT_OK(bench.set_sysctl_of_both("sync_persist_mode", 1));
  ASSERT_OK(bench.start_sync());
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
  ASSERT_THAT(bench.client(1).connect(kSecondVip, 80), Answered());
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_templates(), ElementsAre(TemplateOf(EntryParts{.vip = kVip})));
  EXPECT_THAT(bench.standby_connections(), ElementsAre(ConnectionOf(EntryParts{.vip = kSecondVip})));
}

// Source: include/net/ip_vs.h, sysctl_backup_only(); ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(StateSync, BackupOnlyIgnoresPackets,
            {.id = "sync.backup-only-ignores-packets",
             .claim = "With backup_only a director balances nothing while its backup daemon runs.",
             .clauses = {"SYN-13", "CTL-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_OK(bench.standby().set_sysctl("backup_only", 1));
  bench.fail_over();
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());  // no daemon runs yet
  ASSERT_OK(bench.standby().start_daemon({.role = SyncRole::kBackup}));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.standby_templates(), SizeIs(1));
  ASSERT_OK(bench.standby().stop_daemon(SyncRole::kBackup));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Answered());
}

// Source: ip_vs_sync.c, ip_vs_sync_conn_needed().
LVSPEC_CASE(StateSync, ConnectionByItsCountOfPackets,
            {.id = "sync.connection-by-count-of-packets",
             .claim = "An open connection is sent when it has had as many packets as sync_threshold says, and not "
                      "before; one that ends is sent at once.",
             .clauses = {"SYN-03", "CTL-27"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add(plain_));
  ASSERT_OK(bench.add_to_standby(plain_));
  ASSERT_OK(bench.set_sysctl_of_both("sync_threshold", 20));  // of a period of 50
  ASSERT_OK(bench.start_sync());
  Connection held = bench.client(1).hold(kVip, 80);
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_connections(), IsEmpty());
  for (int i = 0; i < 30; ++i) ASSERT_THAT(held.say_again(), ServedBy(held.answer().server));
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_connections(),
              ElementsAre(ConnectionOf(EntryParts{.client = bench.client(1).cip(), .state = "ESTABLISHED"})));
  ASSERT_THAT(bench.client(2).connect(kVip, 80), Answered());
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_connections(),
              Contains(ConnectionOf(EntryParts{.client = bench.client(2).cip(), .state = "FIN_WAIT"})));
}

// Templates of every kind: a mark's and a port-0 service's hold no port, IPv6 has longer entries.
// Source: ip_vs_sync.c, ip_vs_sync_conn(); ip_vs_ctl.c, ip_vs_find_dest(), "port 0".
LVSPEC_CASE(StateSync, EveryKindOfTemplateSurvives,
            {.id = "sync.every-kind-survives-fail-over",
             .claim = "After fail-over the clients of a port-0 service, of a mark and of an IPv6 service stay where "
                      "they were.",
             .clauses = {"SYN-09", "TPL-04"}}) {
  ASSERT_OK_AND_ASSIGN(
      Bench bench,
      build(BenchPlan().vips({kVip, kSecondVip, kVip6}).clients(3).real_servers(3, {.tcp = {80, 443}}).standby()));
  MarkRule rule;
  rule.destination = Prefix{kSecondVip, 32};
  rule.mark = 8;
  ASSERT_OK(bench.set_marks({rule}));
  ASSERT_OK(bench.standby().set_marks({rule}));
  for (const VirtualService& service : {TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s).get(),
                                        MarkService(8).scheduler("rr").persistent(300s).get(),
                                        TcpService(kVip6, 80).scheduler("rr").persistent(300s).get()}) {
    ASSERT_OK(bench.add(service));
    ASSERT_OK(bench.add_to_standby(service));
  }
  ASSERT_OK(bench.start_sync());
  const auto visit_all = [&bench](int client, std::uint16_t port) {
    return names({bench.client(client).connect(kVip, port), bench.client(client).connect(kSecondVip, port),
                  bench.client(client, AF_INET6).connect(kVip6, 80)});
  };
  EXPECT_THAT(visit_all(1, 80), Each(Eq("real3")));
  EXPECT_THAT(visit_all(2, 80), Each(Eq("real2")));
  bench.let_sync_arrive();
  EXPECT_THAT(bench.standby_templates(), SizeIs(6));
  bench.fail_over();
  EXPECT_THAT(visit_all(2, 443), Each(Eq("real2")));  // the standby's own rr would begin with real3
  EXPECT_THAT(visit_all(1, 443), Each(Eq("real3")));
}

// Source: ip_vs_sync.c: each director is master of what it sees and backup of what it hears.
LVSPEC_CASE(StateSync, FailBackKeepsClientsToo,
            {.id = "sync.survives-fail-back",
             .claim = "After fail-over and fail-back both keep their servers: the client from before the failure and "
                      "the one that came while the standby was in charge.",
             .clauses = {"SYN-01", "SYN-04", "SYN-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, pair());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.add_to_standby(persistent_));
  ASSERT_OK(bench.start_sync());
  ASSERT_OK(bench.standby().start_daemon({.role = SyncRole::kMaster}));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  bench.let_sync_arrive();
  bench.fail_over();
  ASSERT_OK(bench.director().start_daemon({.role = SyncRole::kBackup}));  // it is up again
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(1), "real3"), ServedBy("real3"));
  EXPECT_THAT(connect_by_template_alone(bench, persistent_.id, bench.client(2), "real3"), ServedBy("real2"));
  bench.let_sync_arrive();
  bench.fail_back();
  for (const auto& [client, server] : {std::pair(1, "real3"), std::pair(2, "real2")})
    EXPECT_THAT(connect_while_quiescent(bench, persistent_.id, bench.client(client), kVip, 80, server),
                ServedBy(server));
}

}  // namespace
}  // namespace lvspec
