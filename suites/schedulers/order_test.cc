// In which order schedulers meet servers, and how they compare them.

#include "suites/support.h"

namespace lvspec {
namespace {

class SchedulersOrder : public testing::DirectorTest {
 protected:
  const ServiceId service_ = ServiceId::of(Protocol::kTcp, kVip, 80);
};

// Servers are linked at the head, and a search keeps the first best one. Source: ip_vs_ctl.c, __ip_vs_update_dest();
// ip_vs_rr.c, ip_vs_wlc.c and their kin.
LVSPEC_CASE(SchedulersOrder, TiesGoToTheNewest,
            {.id = "schedulers.ties-go-to-the-newest",
             .claim = "Among equal servers rr, wrr, lc, wlc, sed, nq, fo, ovf, lblc and lblcr all begin with the one "
                      "that was added last.",
             .clauses = {"SCH-01", "DST-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().real_servers(3, {.tcp = {80, 81, 82, 83, 84, 85, 86, 87, 88, 89}})));
  std::uint16_t port = 80;
  for (const char* scheduler : {"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "lblc", "lblcr"}) {
    ASSERT_OK(bench.add(TcpService(kVip, port).scheduler(scheduler)));
    EXPECT_THAT(bench.client(1).connect(kVip, port), ServedBy("real3"));
    ++port;
  }
}

// 257/1000 and 257/900 are both zero: who divides sees a tie and sends everything to real2, the first in the list.
// Worked out from overhead(best) * w(d) > overhead(d) * w(best), an open connection weighing 257 and those of a
// weight of 0 never less than anything. Source: ip_vs_wlc.c, ip_vs_wlc_schedule().
LVSPEC_CASE(SchedulersOrder, WeightsAreComparedExactly,
            {.id = "schedulers.weights-are-compared-exactly",
             .claim = "wlc compares connections by weight without rounding: weights 1000 and 900 share as 1000 to "
                      "900, and a server of weight 0 is never best.",
             .clauses = {"SCH-03", "SCH-02", "SCH-31"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80)
                          .scheduler("wlc")
                          .server(bench.rip(1), {.weight = 1000})
                          .server(bench.rip(2), {.weight = 900})
                          .server(bench.rip(3), {.weight = 0})));
  std::vector<Connection> held;
  std::vector<Answer> answers;
  for (int i = 0; i < 6; ++i) {
    held.push_back(bench.client(1).hold(kVip, 80));
    answers.push_back(held.back().answer());
  }
  EXPECT_THAT(names(answers), ElementsAre("real2", "real1", "real1", "real2", "real1", "real2"));
}

// Source: ip_vs_sched.c, ip_vs_bind_scheduler(): svc->sched_data.
LVSPEC_CASE(SchedulersOrder, EachServiceHasItsOwnTurn,
            {.id = "schedulers.each-service-has-its-own-turn",
             .claim = "Two round-robin services take turns each for itself, not together.",
             .clauses = {"SCH-04", "SCH-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_OK(bench.add(TcpService(kVip, 81).scheduler("rr")));
  const std::vector<Answer> answers = {bench.client(1).connect(kVip, 80), bench.client(1).connect(kVip, 81),
                                       bench.client(1).connect(kVip, 80), bench.client(1).connect(kVip, 80),
                                       bench.client(1).connect(kVip, 81)};
  EXPECT_THAT(names(answers), ElementsAre("real3", "real3", "real2", "real1", "real2"));
}

// The vector of SCH-12. Source: ip_vs_rr.c, ip_vs_rr_del_dest().
LVSPEC_CASE(SchedulersOrder, RoundRobinGoesOnAroundADeletion,
            {.id = "schedulers.rr-goes-on-around-a-deletion",
             .claim = "When the server that rr chose last is removed, rr goes on with the one after it; added again, "
                      "it is the first in the list.",
             .clauses = {"SCH-12", "SCH-10"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(names(bench.client(1).connect_times(2, kVip, 80)), ElementsAre("real3", "real2"));
  ASSERT_OK(bench.remove_server(service_, {bench.rip(2), 80}));
  EXPECT_THAT(names(bench.client(1).connect_times(3, kVip, 80)), ElementsAre("real1", "real3", "real1"));
  ASSERT_OK(bench.add_server(service_, {.address = bench.rip(2), .port = 80}));
  EXPECT_THAT(names(bench.client(1).connect_times(5, kVip, 80)),
              ElementsAre("real2", "real3", "real1", "real2", "real3"));
}

}  // namespace
}  // namespace lvspec
