// What `ipvsadm -L --stats` counts, and when it shows it.

#include "suites/support.h"

namespace lvspec {
namespace {

class CountersShown : public testing::DirectorTest {
 protected:
  const ServiceId service_ = ServiceId::of(Protocol::kTcp, kVip, 80);

  /// Two rounds of the estimation timer, so that one has certainly begun after what was counted.
  static void let_estimate(Bench& bench) { bench.elapse(2 * past(bench, 2s)); }
};

// Statistics are shown as the estimation timer last saw them; ActiveConn and InActConn are live.
// Source: ip_vs_est.c, estimation_timer(); ip_vs_ctl.c, ip_vs_copy_stats().
LVSPEC_CASE(CountersShown, StandStillWithoutEstimation,
            {.id = "counters.stand-still-without-estimation",
             .claim = "With run_estimation 0 the statistics stand still; switched on again they catch up.",
             .clauses = {"CON-75", "CON-76", "CTL-16"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_OK(bench.set_sysctl("run_estimation", 0));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  let_estimate(bench);
  EXPECT_THAT(bench.service(service_).connections, Eq(0u));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(0u));
  EXPECT_THAT(bench.server(service_, "real1").inactive, Eq(1u));
  ASSERT_OK(bench.set_sysctl("run_estimation", 1));
  let_estimate(bench);
  EXPECT_THAT(bench.service(service_).connections, Eq(1u));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(1u));
}

// Source: ip_vs_ctl.c, ip_vs_trash_get_dest(), __ip_vs_update_dest(), ip_vs_zero_stats().
LVSPEC_CASE(
    CountersShown, SurviveDeletingAndAdding,
    {.id = "counters.survive-delete-and-add",
     .claim = "A server deleted and added again keeps its statistics; of a service created anew they are zero.",
     .clauses = {"DST-03", "DST-04", "EDT-11", "CON-74"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy("real1")));
  let_estimate(bench);
  ASSERT_OK(bench.remove_server(service_, {bench.rip(1), 80}));
  ASSERT_OK(bench.add_server(service_, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(3u));
  ASSERT_OK(bench.remove(service_));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(0u));
  EXPECT_THAT(bench.server(service_, "real1").inactive, Eq(3u));
}

// Looked at every minute, freed when it has been idle for two. Source: ip_vs_ctl.c, ip_vs_dest_trash_expire().
LVSPEC_CASE(CountersShown, AreForgottenWithTheServer,
            {.id = "counters.removed-server-is-forgotten",
             .claim = "A server that nothing refers to is forgotten, statistics and all, minutes after its removal.",
             .clauses = {"DST-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy("real1")));
  bench.elapse(past(bench, 120s));  // the connections go
  ASSERT_THAT(bench.connections(), IsEmpty());
  ASSERT_OK(bench.remove_server(service_, {bench.rip(1), 80}));
  bench.elapse(175s);
  ASSERT_OK(bench.add_server(service_, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(3u));
  ASSERT_OK(bench.remove_server(service_, {bench.rip(1), 80}));
  bench.elapse(3 * past(bench, 60s));
  ASSERT_OK(bench.add_server(service_, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(bench.server(service_, "real1").connections, Eq(0u));
}

}  // namespace
}  // namespace lvspec
