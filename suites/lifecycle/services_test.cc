// Services that are edited, deleted, cleared and made again while clients use them.

#include "suites/support.h"

namespace lvspec {
namespace {

class LifecycleServices : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);
};

// With its last service a family loses IPVS's hooks: packets of connections that are still listed reach the local
// stack, which knows nothing of them. Source: ip_vs_ctl.c, __ip_vs_del_service(), ip_vs_unregister_hooks().
LVSPEC_CASE(LifecycleServices, ClearingResetsOpenConnections,
            {.id = "lifecycle.clear-resets-open-connections",
             .claim = "After -C open connections are reset, although they and their templates are still listed.",
             .clauses = {"SVC-18", "TPL-52", "EDT-10"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  ASSERT_OK(bench.clear());
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(bench.connections(), SizeIs(1));
  EXPECT_THAT(held.say_again(), Reset());
}

// The hooks are there for the other service, and IPVS drops what belongs to a server that no service lists.
// Source: ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(LifecycleServices, DeletingOneOfTwoIsSilence,
            {.id = "lifecycle.deleted-service-drops-silently",
             .claim = "After -D of one of two services its open connections get no answer, and new ones are refused.",
             .clauses = {"SVC-18", "VAL-20", "SVC-13"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.add(TcpService(kVip, 81).scheduler("rr")));
  Connection held = bench.client(1).hold(kVip, 80, 100ms);  // to see silence is to wait for its end
  ASSERT_OK(bench.remove(service_.id));
  EXPECT_THAT(held.say_again(), Unanswered());
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 81), Answered());
}

// What identifies a service cannot be edited: another port is another service. Source: ip_vs_ctl.c,
// ip_vs_genl_set_cmd().
LVSPEC_CASE(LifecycleServices, AnUnknownServiceCannotBeEdited,
            {.id = "lifecycle.unknown-service-cannot-be-edited",
             .claim = "-E and -D of a service that is not there are refused, and neither makes nor changes one.",
             .clauses = {"EDT-08"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.add(service_));
  const VirtualService other = TcpService(kVip, 81).scheduler("wlc").persistent(30s);
  EXPECT_THAT(bench.edit(other), RefusedSaying(HasSubstr("No such service")));
  EXPECT_THAT(bench.remove(other.id), RefusedSaying(HasSubstr("No such service")));
  EXPECT_THAT(bench.edit(UdpService(kVip, 80).scheduler("wlc")), RefusedSaying(HasSubstr("No such service")));
  EXPECT_THAT(bench.edit(MarkService(80).scheduler("wlc")), RefusedSaying(HasSubstr("No such service")));
  EXPECT_THAT(bench.tables().services, SizeIs(1));
  EXPECT_THAT(bench.service(service_.id).service.title(), Eq(std::string("TCP  198.51.100.10:80 rr persistent 300")));
  EXPECT_THAT(bench.client(1).connect(kVip, 81), Refused());
}

// Source: ip_vs_ctl.c, ip_vs_edit_service(): the scheduler is looked for before anything is written.
LVSPEC_CASE(LifecycleServices, AnUnknownSchedulerChangesNothing,
            {.id = "lifecycle.unknown-scheduler-changes-nothing",
             .claim = "-E with a scheduler or persistence engine that does not exist is refused and changes nothing.",
             .clauses = {"EDT-09"},
             .field_reports = {"FR-28"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  const std::string title = bench.service(service_.id).service.title();

  EXPECT_THAT(bench.edit(TcpService(kVip, 80).scheduler("nosuch")),
              RefusedSaying(HasSubstr("Scheduler or persistence engine not found")));
  EXPECT_THAT(bench.edit(TcpService(kVip, 80).scheduler("wlc").persistent(30s).pe("nosuch")),
              RefusedSaying(HasSubstr("Scheduler or persistence engine not found")));
  EXPECT_THAT(bench.service(service_.id).service.title(), Eq(title));
  EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 80, .expires = 300s})));
}

// Source: ip_vs_ctl.c, ip_vs_edit_service(): "if (sched != old_sched)".
LVSPEC_CASE(LifecycleServices, TheSameSchedulerGoesOn,
            {.id = "lifecycle.same-scheduler-goes-on",
             .claim = "-E with the same scheduler leaves round robin where it is; another scheduler and back starts "
                      "it afresh.",
             .clauses = {"EDT-06"},
             .field_reports = {"FR-95"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  const VirtualService rr = TcpService(kVip, 80).scheduler("rr");
  ASSERT_OK(bench.add(rr));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  ASSERT_OK(bench.edit(rr));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("wlc")));
  ASSERT_OK(bench.edit(rr));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
}

// Source: ip_vs_ctl.c, ip_vs_edit_service(). Field: FR-10, FR-23.
LVSPEC_CASE(LifecycleServices, PersistenceIsToggled,
            {.id = "lifecycle.persistence-toggled",
             .claim = "Each time -E switches persistence on a rotating client sticks at once, and each time it "
                      "switches it off the client rotates at once.",
             .clauses = {"EDT-01", "EDT-03", "EDT-04"},
             .field_reports = {"FR-10", "FR-22", "FR-23"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), SpreadOverAtLeast(3));
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(bench.edit(service_));
    const Answer kept = bench.client(1).connect(kVip, 80);
    ASSERT_THAT(kept, Answered());
    EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), Each(ServedBy(kept.server)));
    ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("rr")));
    EXPECT_THAT(bench.client(1).connect_times(3, kVip, 80), SpreadOverAtLeast(3));
  }
}

// A service in the key of its templates would make this a fresh start. Source: ip_vs_ctl.c, ip_vs_trash_get_dest().
// Field: FR-09, FR-92.
LVSPEC_CASE(LifecycleServices, ReloadingInAnotherOrderMovesNobody,
            {.id = "lifecycle.reload-in-another-order",
             .claim = "A service deleted and made again with its servers in another order keeps every client on the "
                      "address it had.",
             .clauses = {"EDT-11", "DST-03"},
             .field_reports = {"FR-09", "FR-90", "FR-92"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  std::vector<Answer> first;
  for (int i = 1; i <= 6; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(first, SpreadOverAtLeast(3));

  ASSERT_OK(bench.remove(service_.id));
  ServiceBuilder again = TcpService(kVip, 80).scheduler("rr").persistent(100s);
  for (const int i : {2, 3, 1}) again.server(bench.rip(i));
  ASSERT_OK(bench.add(again));
  for (int i = 1; i <= 6; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.vport = 80, .expires = 300s})));
}

}  // namespace
}  // namespace lvspec
