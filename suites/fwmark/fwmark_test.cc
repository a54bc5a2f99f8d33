// Firewall marks: ports, protocols and addresses grouped by a rule of the mangle table.

#include "suites/support.h"

namespace lvspec {
namespace {

class FwmarkPersistence : public testing::DirectorTest {
 protected:
  static MarkRule mark(std::uint32_t value, std::uint16_t first, std::uint16_t last,
                       Protocol protocol = Protocol::kTcp, const IpAddress& vip = kVip) {
    MarkRule rule;
    rule.family = vip.family();
    rule.protocol = protocol;
    rule.destination = Prefix{vip, static_cast<int>(vip.size() * 8)};
    rule.destination_ports = {{first, last}};
    rule.mark = value;
    return rule;
  }
  static MarkRule mark(std::uint32_t value, std::uint16_t port) { return mark(value, port, port); }
};

// The user's third world, with the -p that it meant: ports 80 and 23 of a client are one affair.
// Source: notes, "ipvsadm -A -f 8 -s rr"; ip_vs_core.c, ip_vs_sched_persist(), "fwmark template". Field: FR-55.
LVSPEC_CASE(FwmarkPersistence, TheNotesMarkGroupsAndPins,
            {.id = "fwmark.notes-mark-groups-and-pins",
             .claim = "The notes' third world: mark 8 on ports 80 and 23, -p: both ports of a client on one server.",
             .clauses = {"TPL-07", "FWM-04", "SVC-06"},
             .field_reports = {"FR-55", "FR-29"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(2, {.tcp = {23, 80}})));
  ASSERT_OK(bench.add(fixture_rules("notes/mark.rules")));
  std::vector<Answer> web;
  for (int i = 1; i <= 6; ++i) web.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(web), ElementsAre("real2", "real1", "real2", "real1", "real2", "real1"));
  for (int i = 1; i <= 6; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 23), ServedBy(web[static_cast<std::size_t>(i) - 1].server));
}

// The notes' own line has no -p: the mark pools the ports, one rr over both, and pins nobody.
// Source: ip_vs_core.c, ip_vs_schedule().
LVSPEC_CASE(FwmarkPersistence, WithoutPersistenceAMarkOnlyPools,
            {.id = "fwmark.without-persistence-pools-only",
             .claim = "A mark service without -p groups its ports into one rotation and keeps nobody on a server.",
             .clauses = {"FWM-03"},
             .field_reports = {"FR-55", "FR-26"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {23, 80}})));
  ASSERT_OK(bench.add(fixture_rules("notes/slip-mark-without-persistence.rules")));
  const std::vector<Answer> answers = {bench.client(1).connect(kVip, 80), bench.client(1).connect(kVip, 23),
                                       bench.client(1).connect(kVip, 80), bench.client(1).connect(kVip, 80),
                                       bench.client(1).connect(kVip, 23)};
  EXPECT_THAT(names(answers), ElementsAre("real2", "real1", "real2", "real1", "real2"));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// A mark's template holds neither protocol nor address nor port: it shows as IP, the mark as an address, port 0.
// Source: ip_vs_conn.c, ip_vs_conn_seq_show().
LVSPEC_CASE(FwmarkPersistence, TheTemplateShowsTheMark,
            {.id = "fwmark.template-shows-the-mark",
             .claim = "The template of mark 8 is listed as protocol IP, virtual address 0.0.0.8, all ports 0.",
             .clauses = {"TPL-04", "TPL-13", "TPL-14", "FWM-04", "FWM-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_marks({mark(8, 80)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.protocol = "IP",
                                                                   .client = bench.client(1).cip(),
                                                                   .cport = 0,
                                                                   .vip = IpAddress::of("0.0.0.8"),
                                                                   .vport = 0,
                                                                   .server = bench.rip_of(first.server),
                                                                   .sport = 0,
                                                                   .expires = 300s})));
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(
                  EntryParts{.protocol = "TCP", .vip = kVip, .vport = 80, .server = bench.rip_of(first.server)})));
}

// TCP and UDP under one mark are one choice. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(
    FwmarkPersistence, ProtocolsShareTheTemplate,
    {.id = "fwmark.protocols-share-the-template",
     .claim = "TCP and UDP under one mark share one template: a client's web and DNS traffic meet one server.",
     .clauses = {"TPL-07", "FWM-08"},
     .field_reports = {"FR-51"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(4).real_servers(3, {.tcp = {80}, .udp = {53}})));
  ASSERT_OK(bench.set_marks({mark(8, 80), mark(8, 53, 53, Protocol::kUdp)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  std::vector<Answer> web;
  for (int i = 1; i <= 4; ++i) web.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(web, SpreadOverAtLeast(3));
  for (int i = 1; i <= 4; ++i)
    EXPECT_THAT(bench.client(i).udp(kVip, 53), ServedBy(web[static_cast<std::size_t>(i) - 1].server));
  EXPECT_THAT(bench.templates(), SizeIs(4));
}

// All addresses that carry the mark are one service. Field: FR-60.
LVSPEC_CASE(FwmarkPersistence, AddressesShareTheTemplate,
            {.id = "fwmark.addresses-share-the-template",
             .claim = "Two addresses under one mark are one service: a client meets the same server on both.",
             .clauses = {"TPL-07"},
             .field_reports = {"FR-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().vips({kVip, kSecondVip}).clients(4).real_servers(3)));
  ASSERT_OK(bench.set_marks({mark(8, 80), mark(8, 80, 80, Protocol::kTcp, kSecondVip)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  std::vector<Answer> first;
  for (int i = 1; i <= 4; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(first, SpreadOverAtLeast(3));
  for (int i = 1; i <= 4; ++i)
    EXPECT_THAT(bench.client(i).connect(kSecondVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
}

// Two marks are two services with two memories. Field: FR-59, FR-117.
LVSPEC_CASE(FwmarkPersistence, MarksAreApart,
            {.id = "fwmark.marks-are-apart",
             .claim = "Two marks stick a client independently, each within its own servers.",
             .clauses = {"SVC-04", "SVC-16", "TPL-04"},
             .field_reports = {"FR-59", "FR-117"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(4, {.tcp = {80, 443}})));
  ASSERT_OK(bench.set_marks({mark(8, 80), mark(9, 443)}));
  ASSERT_OK(bench.add(MarkService(8)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(1), {.port = 0})
                          .server(bench.rip(2), {.port = 0})));
  ASSERT_OK(bench.add(MarkService(9)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(3), {.port = 0})
                          .server(bench.rip(4), {.port = 0})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy("real4"));
  EXPECT_THAT(bench.client(2).connect(kVip, 443), ServedBy("real3"));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy("real4"));
}

// What carries no mark, or the mark of no service, is not balanced. Field: FR-59, FR-117.
LVSPEC_CASE(FwmarkPersistence, UnmarkedPacketsAreNotBalanced,
            {.id = "fwmark.unmarked-is-not-balanced",
             .claim = "Ports without the mark are not balanced, and the marked one no longer once its rule is gone.",
             .clauses = {"SVC-04", "SVC-13"},
             .field_reports = {"FR-59", "FR-117"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443, 8080}})));
  ASSERT_OK(bench.set_marks({mark(8, 80), mark(7, 8080)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 443), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 8080), Refused());
  ASSERT_OK(bench.set_marks({}));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Refused());
}

// The mark is looked up before address and port; without a service for it the address counts.
// Source: ip_vs_ctl.c, ip_vs_service_find().
LVSPEC_CASE(
    FwmarkPersistence, TheMarkWinsOverTheAddress,
    {.id = "fwmark.mark-wins-over-address",
     .claim = "Marked packets use the mark's service even if one for their address and port exists, and that one "
              "once the mark's is gone.",
     .clauses = {"SVC-04", "SVC-05"},
     .field_reports = {"FR-117"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(2)));
  ASSERT_OK(bench.set_marks({mark(8, 80)}));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).server(bench.rip(1))));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s).server(bench.rip(2), {.port = 0})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  ASSERT_OK(bench.remove(ServiceId::of_mark(8)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy("real1"));
}

// What IPVS has no words for, a range of ports, a rule has. Field: FR-51.
LVSPEC_CASE(
    FwmarkPersistence, ARangeOfPortsSticksTogether,
    {.id = "fwmark.port-range-sticks-together",
     .claim = "A marked range of ports is one service to its very ends, and the ports beside it are not in it.",
     .clauses = {"SVC-06", "TPL-07"},
     .field_reports = {"FR-51"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(3).real_servers(3, {.tcp = {9999, 10000, 10042, 10100, 10101}})));
  ASSERT_OK(bench.set_marks({mark(8, 10000, 10100)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
  std::set<std::string> used;
  for (int i = 1; i <= 3; ++i) {
    const Answer first = bench.client(i).connect(kVip, 10000);
    ASSERT_THAT(first, Answered());
    used.insert(first.server);
    EXPECT_THAT(bench.client(i).connect(kVip, 10042), ServedBy(first.server));
    EXPECT_THAT(bench.client(i).connect(kVip, 10100), ServedBy(first.server));
  }
  EXPECT_THAT(used, SizeIs(3));
  EXPECT_THAT(bench.client(1).connect(kVip, 9999), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 10101), Refused());
}

// One number, two services: IPv6 packets with mark 8 use the IPv6 service. Field: FR-56.
// Source: ip_vs_ctl.c, __ip_vs_svc_fwm_find().
LVSPEC_CASE(FwmarkPersistence, FamiliesAreApart,
            {.id = "fwmark.families-are-apart",
             .claim = "Mark 8 of IPv4 and mark 8 of IPv6 are two services with their own servers.",
             .clauses = {"SVC-16", "FWM-07"},
             .field_reports = {"FR-56"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(4)));
  ASSERT_OK(bench.set_marks({mark(8, 80), mark(8, 80, 80, Protocol::kTcp, kVip6)}));
  ASSERT_OK(bench.add(MarkService(8)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(1), {.port = 0})
                          .server(bench.rip(2), {.port = 0})));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), Refused());
  ASSERT_OK(bench.add(MarkService(8, AF_INET6)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(3, AF_INET6), {.port = 0})
                          .server(bench.rip(4, AF_INET6), {.port = 0})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real4"));
  EXPECT_THAT(bench.client(1, AF_INET6).connect_times(2, kVip6, 80), Each(ServedBy("real4")));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(EntryParts{.protocol = "IP", .vip = IpAddress::of("0:8::"), .vport = 0})));
}

// "0 to 99" is folklore: every number but 0 is a mark. Field: FR-57.
LVSPEC_CASE(FwmarkPersistence, EveryNumberIsAMark,
            {.id = "fwmark.every-number-is-a-mark",
             .claim = "Marks from 1 to 4294967295 work, not just those up to 99, and are read back unchanged.",
             .clauses = {"FWM-01"},
             .field_reports = {"FR-57"}}) {
  for (const std::uint32_t value : {1U, 99U, 100U, 65536U, 0x80000000U, 0xffffffffU}) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2)));
    ASSERT_OK(bench.set_marks({mark(value, 80)}));
    const VirtualService service = MarkService(value).scheduler("rr").persistent(300s);
    ASSERT_OK(bench.add(service));
    const Answer first = bench.client(1).connect(kVip, 80);
    ASSERT_THAT(first, Answered());
    EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
    EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
    EXPECT_THAT(bench.service(service.id).service.id.fwmark, Eq(value));
  }
}

// The mask works as for addresses, and the mark is as sharp as the rule: of another client's network, another server.
LVSPEC_CASE(FwmarkPersistence, TheMaskGroupsClients,
            {.id = "fwmark.mask-groups-clients",
             .claim = "-M groups the clients of a mark service as it does those of an address service.",
             .clauses = {"FWM-06", "TPL-10"},
             .field_reports = {"FR-38"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_marks({mark(8, 80)}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s).mask("255.255.255.128")));
  const Answer first = bench.client_at("192.0.2.5").connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client_at("192.0.2.120").connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client_at("192.0.2.130").connect(kVip, 80), ServedBy(Ne(first.server)));
}

}  // namespace
}  // namespace lvspec
