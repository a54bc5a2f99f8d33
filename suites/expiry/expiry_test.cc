// When a window ends. Measured with one-shot sources: a client that asks twice has renewed its window and measures
// nothing (FR-02), so each moment has a client of its own that made its first connection at the start.

#include "suites/support.h"

namespace lvspec {
namespace {

class ExpiryWindow : public testing::DirectorTest {
 protected:
  /// Five clients come at once; four come back at 0.2, 0.6, 0.99 of the window and after it, and find their server or
  /// do not. A DR connection lingers for 120 s (FIN_WAIT), so windows shorter than that last longer (TPL-36).
  void expect_window(const VirtualService& service, std::chrono::seconds window) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(5).real_servers(3)));
    ASSERT_OK(bench.add(service));
    EXPECT_THAT(bench.service(service.id).service.persistent_s, Eq(std::optional<std::uint32_t>(window.count())));
    std::vector<Answer> first;
    for (int i = 1; i <= 5; ++i) first.push_back(bench.client(i).connect(kVip, 80));
    ASSERT_THAT(first, SpreadOverAtLeast(3));
    EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.expires = window})));

    const auto visit = [&](int i) {
      const std::string& server = first[static_cast<std::size_t>(i) - 1].server;
      return connect_while_quiescent(bench, service.id, bench.client(i), kVip, 80, server);
    };
    bench.elapse(window / 5);
    EXPECT_THAT(visit(1), ServedBy(first[0].server));
    bench.elapse(window * 2 / 5);
    EXPECT_THAT(visit(2), ServedBy(first[1].server));
    bench.elapse(window * 39 / 100);
    EXPECT_THAT(visit(3), ServedBy(first[2].server));
    bench.elapse(past(bench, window) - window * 99 / 100);
    EXPECT_THAT(visit(4), ServedBy(Ne(first[3].server)));
    EXPECT_THAT(bench.templates(), Not(Contains(TemplateOf(EntryParts{.client = bench.client(5).cip()}))));
    EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.client = bench.client(3).cip()})));
  }
};

// Source: ip_vs_conn.c, ip_vs_conn_expire(). Field: FR-15.
LVSPEC_CASE(ExpiryWindow, ThreeHundredSeconds,
            {.id = "expiry.window-of-300",
             .claim = "-p 300 keeps a client for 300 s after its first connection, and not longer.",
             .clauses = {"TPL-30", "TPL-33", "TIM-01", "TIM-04"},
             .field_reports = {"FR-06", "FR-15", "FR-19"}}) {
  expect_window(TcpService(kVip, 80).scheduler("rr").persistent(300s), 300s);
}

LVSPEC_CASE(ExpiryWindow, SixHundredSeconds,
            {.id = "expiry.window-of-600",
             .claim = "-p 600 keeps a client for 600 s after its first connection, and not longer.",
             .clauses = {"TPL-30", "TPL-33", "TIM-01", "TIM-04"},
             .field_reports = {"FR-07", "FR-15"}}) {
  expect_window(TcpService(kVip, 80).scheduler("rr").persistent(600s), 600s);
}

// A bare -p is 360 s, whatever the man page says; read from a line as a user writes it. Field: FR-120.
// Source: libipvs.h, IPVS_SVC_PERSISTENT_TIMEOUT.
LVSPEC_CASE(ExpiryWindow, TheDefaultIs360Seconds,
            {.id = "expiry.default-window-is-360",
             .claim = "-p without a value keeps a client for 360 s, not 300.",
             .clauses = {"ADM-33", "TPL-30"},
             .field_reports = {"FR-06", "FR-120"}}) {
  expect_window(TcpService(kVip, 80).scheduler("rr").persistent(), 360s);
}

// A window of a day is a day, not 65,535 s or another unit. Field: FR-11, FR-13.
LVSPEC_CASE(ExpiryWindow, ADayIsADay,
            {.id = "expiry.window-of-a-day",
             .claim = "-p 86400 is read back as it was set, and a client's template is armed for the whole day.",
             .clauses = {"TPL-30", "ADM-33"},
             .field_reports = {"FR-11", "FR-13", "FR-111"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(86400s);
  ASSERT_OK(bench.add(service));
  EXPECT_THAT(bench.service(service.id).service.persistent_s, Eq(std::optional<std::uint32_t>(86400)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.vport = 80, .expires = 86400s})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
}

// Each service has its own window, also side by side. Field: FR-07.
LVSPEC_CASE(ExpiryWindow, EachServiceHasItsOwn,
            {.id = "expiry.each-service-its-own-window",
             .claim = "Three services with windows of 150, 250 and 400 s each keep their clients for their own time.",
             .clauses = {"TPL-30"},
             .field_reports = {"FR-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {81, 82, 83}})));
  const std::map<std::uint16_t, std::chrono::seconds> windows = {{81, 150s}, {82, 250s}, {83, 400s}};
  for (const auto& [port, window] : windows)
    ASSERT_OK(bench.add(TcpService(kVip, port).scheduler("rr").persistent(window)));
  std::map<std::uint16_t, Answer> first;
  for (const auto& [port, window] : windows) {
    first[port] = bench.client(1).connect(kVip, port);
    ASSERT_THAT(first[port], Answered());
    ASSERT_THAT(bench.client(2).connect(kVip, port), ServedBy(Ne(first[port].server)));
    EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.vport = port, .expires = window})));
  }
  std::chrono::nanoseconds now{0};
  for (const auto& [port, window] : windows) {
    const std::chrono::nanoseconds before = window - 1s;
    bench.elapse(before - now);
    EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = port})));
    bench.elapse(past(bench, window) - before);
    now = past(bench, window);
    EXPECT_THAT(bench.templates(), Not(Contains(TemplateOf(EntryParts{.vport = port}))));
  }
}

// With UDP and direct routing the entry lives as long as the window, so the template ends a minute after it: p + 60k.
// Source: ip_vs_conn.c, ip_vs_conn_expire(), expire_later.
LVSPEC_CASE(
    ExpiryWindow, UdpWindowsEndWithTheirEntries,
    {.id = "expiry.udp-window",
     .claim = "A UDP client is kept for its window and as long as its datagrams' entries live, in steps of 60 s.",
     .clauses = {"TPL-34", "CON-30", "REC-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {}, .udp = {53}})));
  const VirtualService service = UdpService(kVip, 53).scheduler("rr").persistent(100s);
  ASSERT_OK(bench.add(service));
  const Answer first = bench.client(1).udp(kVip, 53);
  ASSERT_THAT(first, Answered());
  // The entry ends at 300 s; the template is looked at then at 100, 160, 220, 280 and 340 s.
  bench.elapse(299s);
  EXPECT_THAT(bench.connections(), SizeIs(1));
  EXPECT_THAT(bench.templates(), SizeIs(1));
  bench.elapse(42s + bench.granule(300s) + 5 * bench.granule(60s));
  EXPECT_THAT(bench.connections(), IsEmpty());
  EXPECT_THAT(bench.templates(), IsEmpty());
  EXPECT_THAT(udp_while_quiescent(bench, service.id, bench.client(1), kVip, 53, first.server),
              ServedBy(Ne(first.server)));
}

// The floor: a finished DR connection lingers 120 s in FIN_WAIT and holds its template, so -p 10 means 130 s.
// Source: ip_vs_conn.c, ip_vs_conn_expire(). Field: FR-01, FR-04.
LVSPEC_CASE(
    ExpiryWindow, ShortWindowsLastLonger,
    {.id = "expiry.short-windows-last-longer",
     .claim = "With -p 10 a client is still kept at 125 s, because its finished connection holds the template, and "
              "is free at the next step of 60 s.",
     .clauses = {"TPL-34", "TPL-36", "REC-06", "CON-20"},
     .field_reports = {"FR-01", "FR-04"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(10s);
  ASSERT_OK(bench.add(service));
  const Answer first = bench.client(1).connect(kVip, 80);
  const Answer second = bench.client(2).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  bench.elapse(125s);
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
  bench.elapse(6s + bench.granule(10s) + 2 * bench.granule(60s));
  EXPECT_THAT(bench.templates(), Not(Contains(TemplateOf(EntryParts{.client = bench.client(2).cip()}))));
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(2), kVip, 80, second.server),
              ServedBy(Ne(second.server)));
}

// Measured, not judged: how long a client is really kept after one short connection, for windows around the floor.
// Field: FR-04, FR-05.
LVSPEC_CASE(ExpiryWindow, WhereTheFloorIs,
            {.id = "expiry.measured-window-after-one-connection",
             .claim = "How long one short TCP connection keeps a client, for several -p.",
             .level = Level::kInfo,
             .clauses = {"TPL-36"},
             .field_reports = {"FR-04", "FR-05"}}) {
  std::string text;
  for (const auto window : {5s, 30s, 60s, 100s, 120s, 121s, 300s}) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
    ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(window)));
    ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
    while (!bench.templates().empty() && bench.elapsed() < 1000s) bench.elapse(1s);
    const auto kept = std::chrono::duration_cast<std::chrono::seconds>(bench.elapsed());
    EXPECT_THAT(kept, Ge(window));
    text +=
        (text.empty() ? "" : ", ") + std::to_string(window.count()) + " s -> " + std::to_string(kept.count()) + " s";
  }
  measured("-p -> kept: " + text);
}

// Who asks whether a window has ended begins it anew, and measures nothing; so every case of this suite asks each
// client once. Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-02.
LVSPEC_CASE(
    ExpiryWindow, AskingBeginsItAnew,
    {.id = "expiry.asking-begins-the-window-anew",
     .claim = "A client that is asked every 20 s whether its window has ended never sees the end; one that came "
              "at the same time and is asked once has moved.",
     .clauses = {"TPL-30", "TPL-33"},
     .field_reports = {"FR-02", "FR-25"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(service));
  const Answer polled = bench.client(1).connect(kVip, 80), quiet = bench.client(2).connect(kVip, 80);
  ASSERT_THAT((std::vector<Answer>{polled, quiet}), SpreadOverAtLeast(2));
  const auto start = bench.elapsed();
  while (bench.elapsed() - start < past(bench, 300s)) {
    bench.elapse(20s);
    EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(polled.server));
  }
  // Asked while nobody new may go there, so that the same answer is no luck, and another one no turn of rr.
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(1), kVip, 80, polled.server),
              ServedBy(polled.server));
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(2), kVip, 80, quiet.server),
              ServedBy(Ne(quiet.server)));
}

}  // namespace
}  // namespace lvspec
