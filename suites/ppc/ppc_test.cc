// One port, one service: what `ipvsadm -A -t VIP:80 -p` promises (PPC).

#include "suites/support.h"

namespace lvspec {
namespace {

class PpcPersistence : public testing::DirectorTest {};

// The template decides before the scheduler is asked: all connections of a client go where its first one went.
// Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-27, FR-33.
LVSPEC_CASE(PpcPersistence, SameClientSameServer,
            {.id = "ppc.same-client-same-server",
             .claim = "All connections of one client to a persistent service reach the server of its first one.",
             .clauses = {"TPL-01", "TPL-04"},
             .field_reports = {"FR-27", "FR-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kVip, 81).scheduler("rr")));

  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1).connect_times(8, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));     // rr still rotates
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 81), SpreadOverAtLeast(3));  // without -p it is not kept
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(
                  EntryParts{.client = bench.client(1).cip(), .vport = 80, .server = bench.rip_of(first.server)})));
}

// The same through HTTP, as a browser or curl would: each request on a connection of its own.
LVSPEC_CASE(PpcPersistence, HttpRequestsStick,
            {.id = "ppc.http-requests-stick",
             .claim = "HTTP requests of one client, each on a new connection, are answered by one server.",
             .clauses = {"TPL-01"},
             .field_reports = {"FR-27"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));

  const Answer first = bench.client(1).http(kVip, 80);
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 4; ++i) EXPECT_THAT(bench.client(1).http(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client(2).http(kVip, 80), ServedBy(Ne(first.server)));
}

// The negative control of every case here: without -p there is no memory, and rr shows each server in turn, the last
// added first. Source: ip_vs_rr.c; ip_vs_ctl.c, __ip_vs_update_dest() links at the head.
LVSPEC_CASE(
    PpcPersistence, WithoutPersistenceClientsRotate,
    {.id = "ppc.without-persistence-rotates",
     .claim = "Without persistence, round robin sends one client to all servers in turn, the last added first.",
     .clauses = {"SCH-11", "DST-05"},
     .field_reports = {"FR-26", "FR-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));

  EXPECT_THAT(names(bench.client(1).connect_times(6, kVip, 80)),
              ElementsAre("real3", "real2", "real1", "real3", "real2", "real1"));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// With -p the weights still decide for newcomers: wrr serves 1,2,3 as its clause says, one client each.
// Vector of SCH-23, worked out there from the algorithm. Source: ip_vs_wrr.c, ip_vs_wrr_schedule().
LVSPEC_CASE(PpcPersistence, NewClientsFollowTheWeights,
            {.id = "ppc.newcomers-follow-wrr",
             .claim = "The scheduler decides where new clients go: wrr with weights 1, 2, 3 in its exact sequence.",
             .clauses = {"SCH-22", "SCH-23", "TPL-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(10).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80)
                          .scheduler("wrr")
                          .persistent(300s)
                          .server(bench.rip(1), {.weight = 1})
                          .server(bench.rip(2), {.weight = 2})
                          .server(bench.rip(3), {.weight = 3})));
  std::vector<Answer> first;
  for (int i = 1; i <= 8; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(first), ElementsAre("real3", "real2", "real1", "real3", "real3", "real2", "real3", "real2"));
  for (int i = 1; i <= 8; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
}

// Least connection counts what is there, whatever the weights are; a weight of 0 alone takes a server out.
// Source: ip_vs_lc.c.
LVSPEC_CASE(
    PpcPersistence, LeastConnectionIgnoresWeights,
    {.id = "ppc.newcomers-follow-lc",
     .claim = "Least connection gives newcomers to the server with the fewest connections, whatever its weight.",
     .clauses = {"SCH-30", "SCH-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80)
                          .scheduler("lc")
                          .persistent(300s)
                          .server(bench.rip(1), {.weight = 1})
                          .server(bench.rip(2), {.weight = 5})
                          .server(bench.rip(3), {.weight = 0})));
  std::vector<Answer> answers;
  for (int i = 1; i <= 6; ++i) answers.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(answers), ElementsAre("real2", "real1", "real2", "real1", "real2", "real1"));
}

// The service's port is part of the key, so each port has a template of its own and may lead elsewhere.
// Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-45.
LVSPEC_CASE(PpcPersistence, EachPortSticksOnItsOwn,
            {.id = "ppc.ports-stick-apart",
             .claim = "Two persistent ports of one VIP stick a client independently, perhaps to different servers.",
             .clauses = {"TPL-05"},
             .field_reports = {"FR-45"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kVip, 443).scheduler("rr").persistent(300s)));

  ASSERT_THAT(bench.client(2).connect(kVip, 443), ServedBy("real3"));  // moves the rr of port 443 on by one
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).connect(kVip, 443), ServedBy("real2"));
  EXPECT_THAT(bench.templates(), SizeIs(3));
}

// How the template looks: client port 0, the service's port, the server's; NONE until a handshake completes, then
// ASSURED; it counts in PersistConn and nowhere else.
// Source: ip_vs_conn.c, ip_vs_conn_seq_show(), ip_vs_bind_dest().
LVSPEC_CASE(
    PpcPersistence, TheTemplateIsListed,
    {.id = "ppc.template-is-listed",
     .claim = "The tables show the template with client port 0, the service's port and its whole timeout, and "
              "count it in PersistConn only.",
     .clauses = {"TPL-12", "TPL-13", "TPL-14", "TPL-30", "TPL-40", "CON-70", "CON-72"},
     .field_reports = {"FR-27"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(service));

  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.protocol = "TCP",
                                                                   .client = bench.client(1).cip(),
                                                                   .cport = 0,
                                                                   .vip = kVip,
                                                                   .vport = 80,
                                                                   .server = bench.rip_of(first.server),
                                                                   .sport = 80,
                                                                   .state = "ASSURED",
                                                                   .expires = 300s})));
  const ServerState counted = bench.server(service.id, first.server);
  EXPECT_THAT(counted.persistent, Eq(1U));
  EXPECT_THAT(counted.active, Eq(0U));
  EXPECT_THAT(counted.inactive, Eq(1U));  // the finished connection, in FIN_WAIT
}

// What was set is what is read back, flag, window and mask.
LVSPEC_CASE(PpcPersistence, PersistenceIsReadBack,
            {.id = "ppc.persistence-is-read-back",
             .claim = "A service's persistence, window, mask and scheduler are read back as they were set.",
             .clauses = {"EDT-01", "ADM-02"},
             .field_reports = {"FR-27", "FR-28"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  const VirtualService wanted = TcpService(kVip, 80).scheduler("wrr").persistent(777s).mask("255.255.255.0");
  ASSERT_OK(bench.add(wanted));
  EXPECT_THAT(bench.service(wanted.id).service.title(),
              Eq(std::string("TCP  198.51.100.10:80 wrr persistent 777 mask 255.255.255.0")));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(bench.service(wanted.id).service.title(),
              Eq(std::string("TCP  198.51.100.10:80 rr")));  // not said again: gone
}

// A template is made at the first SYN, so that even connections opened at the same moment find it.
// Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-113.
LVSPEC_CASE(PpcPersistence, SimultaneousFirstConnectionsMeet,
            {.id = "ppc.simultaneous-first-connections",
             .claim = "The very first connections of a client, opened at the same moment, all reach one server.",
             .clauses = {"TPL-01"},
             .field_reports = {"FR-113"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(10).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  std::set<std::string> used;
  for (int i = 1; i <= 10; ++i) {
    const std::vector<Answer> answers = bench.client(i).connect_at_once(16, kVip, 80);
    ASSERT_THAT(answers, Each(Answered()));
    EXPECT_THAT(answers, Each(ServedBy(answers.front().server)));
    used.insert(answers.front().server);
  }
  EXPECT_THAT(used, SizeIs(3));
}

// UDP has templates like TCP; in direct routing the replies do not pass the director, so they never become ASSURED.
// Source: ip_vs_proto_udp.c, udp_state_transition().
LVSPEC_CASE(PpcPersistence, UdpSticks,
            {.id = "ppc.udp-sticks",
             .claim = "Datagrams of one client from different source ports reach one server of a persistent service.",
             .clauses = {"TPL-01", "TPL-41", "CON-30"},
             .field_reports = {"FR-107", "FR-112"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {}, .udp = {53, 54}})));
  const VirtualService service = UdpService(kVip, 53).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(service));
  ASSERT_OK(bench.add(UdpService(kVip, 54).scheduler("rr")));

  const Answer first = bench.client(1).udp(kVip, 53);
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 4; ++i) EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy(first.server));
  EXPECT_THAT(bench.client(2).udp(kVip, 53), ServedBy(Ne(first.server)));
  EXPECT_THAT((std::vector<Answer>{bench.client(1).udp(kVip, 54, 40001), bench.client(1).udp(kVip, 54, 40002)}),
              SpreadOverAtLeast(2));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(
                  EntryParts{.protocol = "UDP", .client = bench.client(1).cip(), .vport = 53, .state = "NONE"})));
  const ServerState counted = bench.server(service.id, first.server);
  EXPECT_THAT(counted.active, Eq(0U));
  EXPECT_THAT(counted.inactive, Eq(5U));
}

// The key has the family's whole address.
LVSPEC_CASE(PpcPersistence, Ipv6Sticks,
            {.id = "ppc.ipv6-sticks",
             .claim = "IPv6 clients stick as IPv4 clients do, each address on its own.",
             .clauses = {"TPL-01", "TPL-11"},
             .field_reports = {"FR-98"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s)));

  const Answer first = bench.client(1, AF_INET6).connect(kVip6, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1, AF_INET6).connect_times(4, kVip6, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2, AF_INET6).connect(kVip6, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.client = bench.client(1, AF_INET6).cip(),
                                                                .vip = kVip6,
                                                                .vport = 80,
                                                                .server = bench.rip_of(first.server, AF_INET6)})));
}

// Two servers on one address are two servers, each with its own templates. Field: FR-44.
// Source: ip_vs_ctl.c, ip_vs_lookup_dest().
LVSPEC_CASE(
    PpcPersistence, OneAddressTwoPortsAreTwoServers,
    {.id = "ppc.one-address-two-ports",
     .claim = "Two real servers on one address and different ports are two servers: both get clients, and keep them.",
     .clauses = {"DST-09", "TPL-14"},
     .field_reports = {"FR-44"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(1)));
  const VirtualService service = TcpService(kVip, 80)
                                     .scheduler("rr")
                                     .persistent(300s)
                                     .server(bench.rip(1), {.port = 80})
                                     .server(bench.rip(1), {.port = 81});
  ASSERT_OK(bench.add(service));
  EXPECT_THAT(bench.service(service.id).servers, SizeIs(2));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());  // direct routing leaves the port as it is
  ASSERT_THAT(bench.client(2).connect(kVip, 80), Answered());
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = 80, .sport = 81}),
                          TemplateOf(EntryParts{.client = bench.client(2).cip(), .vport = 80, .sport = 80})));
  for (const ServerState& server : bench.service(service.id).servers) EXPECT_THAT(server.persistent, Eq(1U));
}

// Without persistence a port used again after a reset is a new connection: scheduled anew, and answered at the first
// SYN. Source: ip_vs_core.c, is_new_conn_expected(). Field: FR-82.
LVSPEC_CASE(
    PpcPersistence, AReusedPortIsServedAtOnce,
    {.id = "ppc.reused-port-is-served-at-once",
     .claim = "Without persistence a source port used again after a reset is scheduled anew, and its first SYN is "
              "not lost.",
     .clauses = {"CON-40", "CON-41"},
     .field_reports = {"FR-81", "FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  std::vector<Answer> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(bench.client(1).connect(kVip, 80, Close::kReset, 40000));
  EXPECT_THAT(names(answers), ElementsAre("real3", "real2", "real1", "real3"));
  EXPECT_THAT(bench.connections(), SizeIs(1));
}

// Unrelated edits move nobody. Field: FR-95.
LVSPEC_CASE(PpcPersistence, UnrelatedEditsMoveNobody,
            {.id = "ppc.unrelated-edits-move-nobody",
             .claim = "Adding, editing and deleting other services and servers moves no client.",
             .clauses = {"TPL-52", "EDT-10"},
             .field_reports = {"FR-95"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(12).real_servers(3, {.tcp = {80, 81}})));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  const VirtualService other = TcpService(kVip, 81).scheduler("rr").persistent(30s);
  ASSERT_OK(bench.add(service));
  std::vector<Answer> first;
  for (int i = 1; i <= 12; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(first, SpreadOverAtLeast(3));

  ASSERT_OK(bench.add(other));
  ASSERT_OK(bench.edit(TcpService(kVip, 81).scheduler("wlc").persistent(60s)));
  ASSERT_OK(bench.remove_server(other.id, {bench.rip(1), 81}));
  ASSERT_OK(bench.remove(other.id));
  for (int i = 1; i <= 12; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
}

// The user's first world: one port, wlc, weights 5, 2, 1, -p 600, and the first server is the director itself.
// wlc with idle servers takes the last added, and eight newcomers spread 5 : 2 : 1 (SCH-31, finished connections
// count 1 each). Source: notes, "ipvsadm -E -t 192.168.0.101:80 -p 600".
LVSPEC_CASE(
    PpcPersistence, TheNotesOnePort,
    {.id = "ppc.notes-one-port",
     .claim = "The notes' first world: wlc, weights 5/2/1, -p 600, the director one of its own servers: clients "
              "stick, newcomers follow the weights.",
     .clauses = {"TPL-01", "SCH-31", "FWD-01"},
     .field_reports = {"FR-100"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(2).local_server({.tcp = {80}})));
  ASSERT_OK(bench.add(fixture_rules("notes/one-port.rules")));

  std::vector<Answer> first;
  for (int i = 1; i <= 8; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(first),
              ElementsAre("real2", "real1", "director", "director", "director", "real1", "director", "director"));
  for (int i = 1; i <= 8; ++i)
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(first[static_cast<std::size_t>(i) - 1].server));
  EXPECT_THAT(bench.templates(), SizeIs(8));
  EXPECT_THAT(bench.templates(), Each(TemplateOf(EntryParts{.vport = 80, .expires = 600s})));
}

}  // namespace
}  // namespace lvspec
