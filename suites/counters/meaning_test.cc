// What the numbers of `ipvsadm -L` mean: ActiveConn, InActConn, PersistConn, and what -Z does.

#include "harness/probe/frame.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class CountersMean : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);
};

// Source: ip_vs_proto_tcp.c, tcp_state_active_table[]; ip_vs_conn.c, ip_vs_bind_dest().
LVSPEC_CASE(CountersMean, ActiveIsWhatIsOpening,
            {.id = "counters.active-or-not",
             .claim = "Half-open and open TCP connections count as active; those that have ended or were reset, and "
                      "all of UDP, as inactive.",
             .clauses = {"CON-27", "CON-30", "CON-70", "CON-71"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {80}, .udp = {53}})));
  const VirtualService dns = UdpService(kVip, 53).scheduler("rr");
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.add(dns));
  const auto counts = [&](const ServiceId& id) {
    const ServerState server = bench.server(id, "real1");
    return std::vector<std::uint32_t>{server.active, server.inactive};
  };
  bench.mute_client(1).send_segment(kVip, 80, 40000, tcp_flags::kSyn);
  EXPECT_THAT(counts(service_.id), ElementsAre(1U, 0U));
  Connection held = bench.client(1).hold(kVip, 80);
  EXPECT_THAT(counts(service_.id), ElementsAre(2U, 0U));
  ASSERT_OK(held.close(Close::kReset));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
  EXPECT_THAT(counts(service_.id), ElementsAre(1U, 2U));
  ASSERT_THAT(bench.client(1).udp(kVip, 53), Answered());
  EXPECT_THAT(counts(dns.id), ElementsAre(0U, 1U));
}

// Source: ip_vs_proto_tcp.c, tcp_timeouts[], FIN_WAIT.
LVSPEC_CASE(CountersMean, FinishedConnectionsCountOn,
            {.id = "counters.finished-connections-count-on",
             .claim = "In direct routing a connection that has ended counts as inactive for another 120 s: many "
                      "inactive and none active is what a web service looks like.",
             .clauses = {"CON-73", "CON-20"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(service_));
  ASSERT_THAT(bench.client(1).connect_times(5, kVip, 80), Each(Answered()));
  bench.elapse(118s);
  EXPECT_THAT(bench.server(service_.id, "real1").active, Eq(0U));
  EXPECT_THAT(bench.server(service_.id, "real1").inactive, Eq(5U));
  bench.elapse(past(bench, 120s) - 118s);
  EXPECT_THAT(bench.server(service_.id, "real1").inactive, Eq(0U));
}

// Source: ip_vs_ctl.c, ip_vs_trash_get_dest(); ip_vs_conn.c, ip_vs_unbind_dest().
LVSPEC_CASE(CountersMean, ARemovedServerCountsUnseen,
            {.id = "counters.removed-server-counts-unseen",
             .claim = "A removed server's numbers go on unseen: added again at once it shows what it had, and later "
                      "what is left.",
             .clauses = {"CON-74", "DST-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(service_));
  ASSERT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(Answered()));
  const auto remove_and_add = [&](std::chrono::nanoseconds away) {
    ASSERT_OK(bench.remove_server(service_.id, {bench.rip(1), 80}));
    bench.elapse(away);
    ASSERT_OK(bench.add_server(service_.id, with_weight(bench, service_.id, "real1", 1)));
  };
  remove_and_add(1s);
  EXPECT_THAT(bench.server(service_.id, "real1").inactive, Eq(3U));
  EXPECT_THAT(bench.server(service_.id, "real1").persistent, Eq(1U));
  remove_and_add(past(bench, 120s));
  EXPECT_THAT(bench.server(service_.id, "real1").inactive, Eq(0U));
  EXPECT_THAT(bench.server(service_.id, "real1").persistent, Eq(1U));  // the window is longer
}

// Source: ip_vs_ctl.c, ip_vs_zero_stats().
LVSPEC_CASE(CountersMean, ZeroForgetsNobody,
            {.id = "counters.zero-forgets-nobody",
             .claim = "-Z sets the statistics to zero and leaves every connection and every template alone.",
             .clauses = {"CON-77", "TPL-52"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  bench.elapse(2 * past(bench, 2s));  // until statistics show it
  EXPECT_THAT(bench.service(service_.id).connections, Eq(1U));
  ASSERT_OK(bench.zero());
  EXPECT_THAT(bench.service(service_.id).connections, Eq(0U));
  EXPECT_THAT(bench.server(service_.id, first.server).connections, Eq(0U));
  EXPECT_THAT(bench.server(service_.id, first.server).inactive, Eq(1U));
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(connect_while_quiescent(bench, service_.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
  bench.elapse(2 * past(bench, 2s));
  EXPECT_THAT(bench.service(service_.id).connections, Eq(1U));  // from zero on
}

}  // namespace
}  // namespace lvspec
