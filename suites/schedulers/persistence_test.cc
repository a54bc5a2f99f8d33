// Persistence over every scheduler: it decides once for a client, and is not asked again while the client is known.

#include "suites/support.h"

namespace lvspec {
namespace {

class SchedulersPersistence : public testing::DirectorTest {
 protected:
  /// A known client keeps its server even while that has weight 0, where no scheduler would send anybody; so the
  /// template decides. Without -p the same client does not reach it then: the control that holds for every scheduler.
  void expect_persistence_over(const char* scheduler) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
    const VirtualService service = TcpService(kVip, 80).scheduler(scheduler).persistent(300s);
    ASSERT_OK(bench.add(service));
    const Answer first = bench.client(1).connect(kVip, 80);
    ASSERT_THAT(first, Answered());
    EXPECT_THAT(bench.client(1).connect_times(4, kVip, 80), Each(ServedBy(first.server)));

    ASSERT_OK(bench.edit_server(service.id, with_weight(bench, service.id, first.server, 0)));
    EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), Each(ServedBy(first.server)));
    EXPECT_THAT(bench.client(2).connect(kVip, 80), Not(ServedBy(first.server)));
    ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler(scheduler)));
    EXPECT_THAT(bench.client(1).connect(kVip, 80), Not(ServedBy(first.server)));
    ASSERT_OK(bench.edit(service));
    EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
    EXPECT_THAT(
        bench.templates(),
        Contains(TemplateOf(EntryParts{
            .client = bench.client(1).cip(), .vport = 80, .server = bench.rip_of(first.server), .expires = 300s})));
  }
};

// Source: ip_vs_core.c, ip_vs_sched_persist() asks the scheduler only when there is no valid template.
LVSPEC_CASE(
    SchedulersPersistence, OverRr,
    {.id = "schedulers.persistence-over-rr",
     .claim = "Under rr with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("rr");
}

LVSPEC_CASE(
    SchedulersPersistence, OverWrr,
    {.id = "schedulers.persistence-over-wrr",
     .claim = "Under wrr with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("wrr");
}

LVSPEC_CASE(
    SchedulersPersistence, OverLc,
    {.id = "schedulers.persistence-over-lc",
     .claim = "Under lc with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("lc");
}

LVSPEC_CASE(
    SchedulersPersistence, OverWlc,
    {.id = "schedulers.persistence-over-wlc",
     .claim = "Under wlc with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("wlc");
}

LVSPEC_CASE(
    SchedulersPersistence, OverLblc,
    {.id = "schedulers.persistence-over-lblc",
     .claim = "Under lblc with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("lblc");
}

LVSPEC_CASE(
    SchedulersPersistence, OverLblcr,
    {.id = "schedulers.persistence-over-lblcr",
     .claim = "Under lblcr with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("lblcr");
}

LVSPEC_CASE(
    SchedulersPersistence, OverDh,
    {.id = "schedulers.persistence-over-dh",
     .claim = "Under dh with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("dh");
}

LVSPEC_CASE(
    SchedulersPersistence, OverSh,
    {.id = "schedulers.persistence-over-sh",
     .claim = "Under sh with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("sh");
}

LVSPEC_CASE(
    SchedulersPersistence, OverSed,
    {.id = "schedulers.persistence-over-sed",
     .claim = "Under sed with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("sed");
}

LVSPEC_CASE(
    SchedulersPersistence, OverNq,
    {.id = "schedulers.persistence-over-nq",
     .claim = "Under nq with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("nq");
}

LVSPEC_CASE(
    SchedulersPersistence, OverFo,
    {.id = "schedulers.persistence-over-fo",
     .claim = "Under fo with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("fo");
}

LVSPEC_CASE(
    SchedulersPersistence, OverOvf,
    {.id = "schedulers.persistence-over-ovf",
     .claim = "Under ovf with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("ovf");
}

LVSPEC_CASE(
    SchedulersPersistence, OverMh,
    {.id = "schedulers.persistence-over-mh",
     .claim = "Under mh with -p a client keeps its first server, also at weight 0, while newcomers go elsewhere.",
     .clauses = {"TPL-01", "VAL-03", "DST-12"},
     .field_reports = {"FR-27"}}) {
  expect_persistence_over("mh");
}

}  // namespace
}  // namespace lvspec
