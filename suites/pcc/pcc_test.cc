// Port 0: all ports of an address are one service, and a client sticks across them (PCC).

#include "suites/support.h"

namespace lvspec {
namespace {

class PccPersistence : public testing::DirectorTest {};

// A port-zero service keys its template <TCP, CIP, 0, VIP, 0>: no port takes part in the choice.
// Source: Linux net/netfilter/ipvs/ip_vs_core.c, ip_vs_sched_persist(), "port zero template". Field: FR-45, FR-47.
LVSPEC_CASE(PccPersistence, SameClientSticksAcrossPorts,
            {.id = "pcc.same-client-all-ports",
             .claim = "With a persistent port-0 service a client reaches the same server on every port.",
             .clauses = {"TPL-04", "TPL-06", "TPL-13", "TPL-14", "SVC-04"},
             .field_reports = {"FR-45", "FR-47"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {23, 80, 443, 8080}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));

  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy(first.server));
  EXPECT_THAT(bench.client(1).connect(kVip, 8080), ServedBy(first.server));
  EXPECT_THAT(bench.client(1).connect(kVip, 23), ServedBy(first.server));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));  // rr still rotates
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.protocol = "TCP",
                                                                .client = bench.client(1).cip(),
                                                                .vip = kVip,
                                                                .vport = kAnyPort,
                                                                .server = bench.rip_of(first.server),
                                                                .sport = 0})));
  EXPECT_THAT(bench.templates(), SizeIs(2));
}

// Connections under the template keep their own ports. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(
    PccPersistence, ConnectionsKeepTheirPorts,
    {.id = "pcc.connections-keep-their-ports",
     .claim =
         "Each connection through a port-0 service is listed, and delivered, with the port the client asked for.",
     .clauses = {"TPL-09", "CON-01"},
     .field_reports = {"FR-50"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  const Answer web = bench.client(1).connect(kVip, 80);
  const Answer tls = bench.client(1).connect(kVip, 443);
  ASSERT_THAT(tls, ServedBy(web.server));
  const IpAddress rip = bench.rip_of(web.server);
  EXPECT_THAT(bench.connections(),
              Contains(ConnectionOf(EntryParts{.cport = web.client.port, .vport = 80, .server = rip, .sport = 80})));
  EXPECT_THAT(
      bench.connections(),
      Contains(ConnectionOf(EntryParts{.cport = tls.client.port, .vport = 443, .server = rip, .sport = 443})));
}

// An exact port beats port 0 of the same address, and editing the one leaves the other alone.
// Source: ip_vs_ctl.c, ip_vs_service_find(). Field: FR-99.
LVSPEC_CASE(
    PccPersistence, TheExactPortWins,
    {.id = "pcc.exact-port-wins",
     .claim = "A service on the exact port is used instead of the port-0 service, which keeps all other ports.",
     .clauses = {"SVC-04", "SVC-07"},
     .field_reports = {"FR-99"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s).server(bench.rip(1))));
  ASSERT_OK(
      bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).server(bench.rip(2)).server(bench.rip(3))));

  EXPECT_THAT(bench.client(1).connect(kVip, 81), ServedBy("real1"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(2).connect(kVip, 81), ServedBy("real1"));
  ASSERT_OK(bench.remove(TcpService(kVip, 80).get().id));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
}

// A port that the real server does not serve is refused by the real server; IPVS neither asks another one nor
// forgets. Source: notes, "the RS reports an error"; ip_vs_conn.c, ip_vs_check_template(). Field: FR-50.
LVSPEC_CASE(
    PccPersistence, APortNobodyServesIsRefusedByTheServer,
    {.id = "pcc.unserved-port-is-refused",
     .claim =
         "A port that the client's server does not serve is refused, tried nowhere else, and costs no stickiness.",
     .clauses = {"FWD-10", "VAL-02"},
     .field_reports = {"FR-50"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 4444), Refused());
  EXPECT_THAT(
      bench.connections(),
      Contains(ConnectionOf(EntryParts{.vport = 4444, .server = bench.rip_of(first.server), .state = "SYN_RECV"})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(), SizeIs(2));
}

// The key has the protocol: TCP's port 0 says nothing of UDP, and with a UDP service there are two templates.
// Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(PccPersistence, ProtocolsAreApart,
            {.id = "pcc.protocols-are-apart",
             .claim = "A TCP port-0 service takes no UDP; with a UDP one beside it, each protocol sticks on its own.",
             .clauses = {"TPL-06", "SVC-13"},
             .field_reports = {"FR-42"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {53}, .udp = {53}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), Refused());

  ASSERT_OK(bench.add(UdpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  ASSERT_THAT(bench.client(2).udp(kVip, 53), ServedBy("real3"));  // moves the rr of UDP on by one
  EXPECT_THAT(bench.client(1).connect(kVip, 53), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect(kVip, 53), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy("real2"));
}

// The key has the address: two VIPs are two affairs.
LVSPEC_CASE(PccPersistence, AddressesAreApart,
            {.id = "pcc.addresses-are-apart",
             .claim = "Port-0 services of two addresses stick a client independently.",
             .clauses = {"TPL-03", "TPL-06"},
             .field_reports = {"FR-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().vips({kVip, kSecondVip}).clients(2).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kSecondVip, kAnyPort).scheduler("rr").persistent(300s)));
  ASSERT_THAT(bench.client(2).connect(kSecondVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).connect(kSecondVip, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).connect(kSecondVip, 443), ServedBy("real2"));
}

// Without persistence a port-0 service takes nothing: the kernel accepts it, ipvsadm does not. Field: FR-54.
// Source: ip_vs_core.c, ip_vs_schedule(), ip_vs_leave().
LVSPEC_CASE(
    PccPersistence, WithoutPersistencePortZeroTakesNothing,
    {.id = "pcc.without-persistence-takes-nothing",
     .claim = "A port-0 service without persistence refuses every port; switching persistence on makes it work, "
              "and off stops it.",
     .clauses = {"SVC-11", "SVC-12"},
     .field_reports = {"FR-54", "FR-10"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr")));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());

  ASSERT_OK(bench.edit(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy(first.server));
  ASSERT_OK(bench.edit(TcpService(kVip, kAnyPort).scheduler("rr")));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Refused());
}

// A persistent FTP service takes passive data connections as well: port 20 and everything unprivileged, never 80.
// Source: ip_vs_ctl.c, ip_vs_service_find(). Field: FR-58.
LVSPEC_CASE(
    PccPersistence, FtpServicesTakeTheirDataConnections,
    {.id = "pcc.ftp-takes-data-ports",
     .claim = "A persistent service on port 21 takes the client's connections to unprivileged ports too, on the "
              "same server, and no others.",
     .clauses = {"SVC-04", "SVC-10", "TPL-04"},
     .field_reports = {"FR-58", "FR-51"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {21, 80, 20000}})));
  ASSERT_OK(bench.add(TcpService(kVip, 21).scheduler("rr").persistent(300s)));
  const Answer control = bench.client(1).connect(kVip, 21);
  ASSERT_THAT(control, Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 20000), ServedBy(control.server));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.client(2).connect(kVip, 21), ServedBy(Ne(control.server)));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = 0, .sport = 0})));
}

// The user's second world: port 0, rr, -p 600, -g; the weights 2 and 1 mean nothing to rr.
// Source: notes, "ipvsadm -A -t xx.xxx.xxx.xxx:0 -s rr -p 600".
LVSPEC_CASE(
    PccPersistence, TheNotesAllPorts,
    {.id = "pcc.notes-all-ports",
     .claim = "The notes' second world: port 0, rr, -p 600: every port of a client on one server, clients in turn.",
     .clauses = {"TPL-06", "SCH-10"},
     .field_reports = {"FR-45", "FR-47"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(4).real_servers(2, {.tcp = {23, 80, 443}})));
  ASSERT_OK(bench.add(fixture_rules("notes/all-ports.rules")));
  std::vector<Answer> first;
  for (int i = 1; i <= 4; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(first), ElementsAre("real2", "real1", "real2", "real1"));
  for (int i = 1; i <= 4; ++i)
    for (const std::uint16_t port : {443, 23})
      EXPECT_THAT(bench.client(i).connect(kVip, port), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.vport = 0, .expires = 600s})));
}

}  // namespace
}  // namespace lvspec
