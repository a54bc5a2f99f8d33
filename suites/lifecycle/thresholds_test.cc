// Upper and lower connection thresholds (-x, -y): when a server is full, and when it is not any more.

#include "suites/support.h"

namespace lvspec {
namespace {

class LifecycleThresholds : public testing::DirectorTest {
 protected:
  const ServiceId service_ = ServiceId::of(Protocol::kTcp, kVip, 80);

  /// n connections of client 1 that stay open.
  void hold(Bench& bench, int n) {
    for (int i = 0; i < n; ++i) held_.push_back(bench.client(1).hold(kVip, 80));
  }
  /// Resets one of them and waits until its entry is gone (CLOSE, 10 s).
  void let_one_go(Bench& bench) {
    must(held_.back().close(Close::kReset));
    held_.pop_back();
    bench.elapse(past(bench, 10s));
  }
  static Status limit(Bench& bench, const ServiceId& service, std::uint32_t upper) {
    return bench.edit_server(service, {.address = bench.rip(1), .port = 80, .upper = upper});
  }

 private:
  std::vector<Connection> held_;
};

// Source: ip_vs_conn.c, ip_vs_unbind_dest(): below three quarters of the upper threshold.
LVSPEC_CASE(LifecycleThresholds, WithoutALowerOneThreeQuartersIsIt,
            {.id = "lifecycle.full-server-recovers-below-three-quarters",
             .claim = "With -x 5 the sixth connection is refused, also once four are left, and accepted at three.",
             .clauses = {"DST-21", "DST-20"},
             .field_reports = {"FR-119"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), {.upper = 5})));
  hold(bench, 5);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  let_one_go(bench);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  let_one_go(bench);
  hold(bench, 2);  // up to five again
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
}

// Source: as above, with a lower threshold.
LVSPEC_CASE(LifecycleThresholds, TheLowerOneIsGoneBelow,
            {.id = "lifecycle.full-server-recovers-below-lower-threshold",
             .claim = "With -x 4 -y 2 a full server refuses newcomers until fewer than two connections are left.",
             .clauses = {"DST-21"},
             .field_reports = {"FR-119"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), {.upper = 4, .lower = 2})));
  hold(bench, 4);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  for (int left = 3; left >= 2; --left) {
    let_one_go(bench);
    EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  }
  let_one_go(bench);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
}

// In direct routing a closed connection is in FIN_WAIT for two minutes. Source: ip_vs_conn.c, ip_vs_bind_dest().
LVSPEC_CASE(LifecycleThresholds, FinishedConnectionsCount,
            {.id = "lifecycle.threshold-counts-finished-connections",
             .claim = "With -x 2 two finished connections keep a third out for the 120 s that they are listed.",
             .clauses = {"DST-20", "CON-73"},
             .field_reports = {"FR-119"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), {.upper = 2})));
  EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), Each(ServedBy("real1")));
  EXPECT_THAT(bench.server(service_, "real1").active, Eq(0U));
  EXPECT_THAT(bench.server(service_, "real1").inactive, Eq(2U));
  bench.elapse(119s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  bench.elapse(past(bench, 120s) - 119s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
}

// Kernels differ in whether a lowered threshold counts at once or from the next connection on; all agree on what
// comes after that, and on a raised one. Source: ip_vs_ctl.c, __ip_vs_update_dest().
LVSPEC_CASE(
    LifecycleThresholds, AnEditedThresholdCounts,
    {.id = "lifecycle.edited-threshold-counts",
     .claim = "-x edited below what a server has keeps newcomers out, after one more at most; edited above it, "
              "or away, it lets them in at once.",
     .clauses = {"DST-23"},
     .field_reports = {"FR-119"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1))));
  hold(bench, 4);
  for (const std::uint32_t raised : {9U, 0U}) {
    ASSERT_OK(limit(bench, service_, 2));
    bench.client(1).connect(kVip, 80);
    EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
    ASSERT_OK(limit(bench, service_, raised));
    EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  }
}

}  // namespace
}  // namespace lvspec
