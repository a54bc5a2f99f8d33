// Real servers that are edited, drained, removed and put back while clients use them.

#include "suites/forwarding/packets.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class LifecycleServers : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  static std::function<bool(const HeardPacket&)> udp_to(const IpAddress& address) {
    constexpr int kUdp = 17;
    return
        [address](const HeardPacket& packet) { return packet.protocol() == kUdp && packet.destination() == address; };
  }
};

// Source: ip_vs_ctl.c, __ip_vs_update_dest(): only a server that is added is linked.
LVSPEC_CASE(LifecycleServers, AnEditedServerKeepsItsPlace,
            {.id = "lifecycle.edited-server-keeps-its-place",
             .claim = "-e does not move a server in the list: round robin goes on in the order of the -a lines.",
             .clauses = {"DST-06", "SCH-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real3"));
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, "real1", 7)));
  EXPECT_THAT(names(bench.client(1).connect_times(5, kVip, 80)),
              ElementsAre("real2", "real1", "real3", "real2", "real1"));
  std::vector<std::string> listed;
  for (const ServerState& server : bench.service(service_.id).servers)
    listed.push_back(bench.name_of(server.server.address));
  EXPECT_THAT(listed, ElementsAre("real3", "real2", "real1"));
}

// Source: ip_vs_ctl.c, __ip_vs_update_dest(); ipvsadm.c sends what it was not told as its default.
LVSPEC_CASE(LifecycleServers, AnEditReplacesTheWholeServer,
            {.id = "lifecycle.server-edit-replaces-everything",
             .claim = "-e without -x and -w takes the threshold and the weight away, on the wire as in the listing.",
             .clauses = {"DST-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ServerOptions limited{.weight = 5, .upper = 1, .lower = 1};
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), limited)));
  const Connection held = bench.client(1).hold(kVip, 80);
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  ASSERT_OK(bench.edit_server(service_.id, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  const RealServer now = bench.server(service_.id, "real1").server;
  EXPECT_THAT(now.weight, Eq(1));
  EXPECT_THAT(now.upper, Eq(0U));
  EXPECT_THAT(now.lower, Eq(0U));
}

// Source: ip_vs_conn.c, ip_vs_bind_dest() copies the method, ip_vs_bind_xmit() chooses the transmitter once.
LVSPEC_CASE(LifecycleServers, AnotherMethodIsForNewConnections,
            {.id = "lifecycle.method-edit-is-for-new-connections",
             .claim = "After -e from direct routing to NAT an open connection is still routed, a new one translated.",
             .clauses = {"DST-08", "FWD-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  const VirtualService dns = UdpService(kVip, 53).scheduler("rr").server(bench.rip(1));
  ASSERT_OK(bench.add(dns));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  client.send_datagram(kVip, 53, 40000, "?");
  ASSERT_THAT(tap.await(udp_to(kVip)).has_value(), Eq(true));

  ASSERT_OK(bench.edit_server(dns.id, {.address = bench.rip(1), .port = 53, .method = ForwardMethod::kMasquerade}));
  client.send_datagram(kVip, 53, 40000, "?");
  EXPECT_THAT(tap.await(udp_to(kVip)).has_value(), Eq(true));
  client.send_datagram(kVip, 53, 40001, "?");
  EXPECT_THAT(tap.await(udp_to(bench.rip(1))).has_value(), Eq(true));
}

// Source: ip_vs_ctl.c, ip_vs_add_dest(), ip_vs_new_dest().
LVSPEC_CASE(LifecycleServers, ImpossibleServersAreRefused,
            {.id = "lifecycle.impossible-servers-are-refused",
             .claim = "A negative weight, -y above -x, a GUE tunnel without a port and a multicast address are "
                      "refused, and leave the service as it was.",
             .clauses = {"DST-11", "DST-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1))));
  const RealServer good{.address = bench.rip(2), .port = 80};
  const auto with = [&](auto change) {
    RealServer server = good;
    change(server);
    return bench.add_server(service_.id, server);
  };
  EXPECT_THAT(with([](RealServer& s) { s.weight = -1; }), RefusedSaying(HasSubstr("out of range")));
  EXPECT_THAT(with([](RealServer& s) { s.lower = 1; }), RefusedSaying(HasSubstr("out of range")));  // -y without -x
  EXPECT_THAT(with([](RealServer& s) { s.upper = 3, s.lower = 4; }), RefusedSaying(HasSubstr("out of range")));
  EXPECT_THAT(with([](RealServer& s) { s.method = ForwardMethod::kTunnel, s.tunnel.type = TunnelType::kGue; }),
              Not(Obeyed()));
  EXPECT_THAT(with([](RealServer& s) { s.address = IpAddress::of("224.0.0.5"); }), Not(Obeyed()));
  EXPECT_THAT(with([&](RealServer& s) { s.address = bench.rip(1), s.method = ForwardMethod::kMasquerade; }),
              RefusedSaying(HasSubstr("already exists")));
  EXPECT_THAT(bench.service(service_.id).servers, SizeIs(1));
  ASSERT_OK(bench.add_server(service_.id, good));
  EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), SpreadOverAtLeast(2));
}

// The template is gone from its place before the scheduler is asked. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(LifecycleServers, ARejectedTemplateIsLostEvenWithoutAnotherServer,
            {.id = "lifecycle.rejected-with-nobody-else",
             .claim = "A client that comes while its only server is removed is refused, and its old template does "
                      "not serve again when the server is back.",
             .clauses = {"VAL-08", "VAL-07", "SVC-21"},
             .field_reports = {"FR-71"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(service_));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip(1), 80}));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.vport = 65535, .server = bench.rip(1), .sport = 65535})));
  ASSERT_OK(bench.add_server(service_.id, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 80, .server = bench.rip(1)}),
                                             TemplateOf(EntryParts{.vport = 65535, .server = bench.rip(1)})));
}

// Source: ip_vs_core.c, ip_vs_in_hook(): an entry is followed, whatever became of its template.
LVSPEC_CASE(LifecycleServers, OldConnectionsStayWhileNewOnesMove,
            {.id = "lifecycle.old-connections-stay-new-ones-move",
             .claim = "When a client's template is rejected, its open connections go on with the old server while "
                      "new ones go to the new one.",
             .clauses = {"VAL-10", "VAL-04", "CON-05"},
             .field_reports = {"FR-61", "FR-69"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  Connection held = bench.client(1).hold(kVip, 80);
  const std::string old = held.answer().server;
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, old, 0)));
  const Answer moved = bench.client(1).connect(kVip, 80);
  EXPECT_THAT(moved, ServedBy(Ne(old)));
  EXPECT_THAT(held.say_again(), ServedBy(old));
  EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), Each(ServedBy(moved.server)));
  EXPECT_THAT(held.say_again(), ServedBy(old));
}

// Source: ip_vs_core.c, ip_vs_in_hook(), "if (sysctl_expire_nodest_conn(ipvs) && !dest->weight)".
LVSPEC_CASE(LifecycleServers, AReusedPortLeavesAQuiescentServer,
            {.id = "lifecycle.reused-port-leaves-quiescent-server",
             .claim = "With expire_nodest_conn=1 a SYN on an old entry of a weight-0 server is scheduled anew; "
                      "without, it goes there.",
             .clauses = {"VAL-22", "CON-41", "CTL-10"},
             .field_reports = {"FR-81"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real3"));
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, "real3", 0)));
  bench.elapse(1s);  // until the client's end has had the server's last ACK
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real3"));
  bench.elapse(1s);
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real2"));
  EXPECT_THAT(bench.connections(), SizeIs(1));
}

// The SYN is scheduled through the template, which weight 0 does not reject. Source: as above.
LVSPEC_CASE(LifecycleServers, AReusedPortOfAPinnedClientRenews,
            {.id = "lifecycle.reused-port-of-pinned-client-renews",
             .claim = "With expire_nodest_conn=1 a pinned client that uses a port again gets its weight-0 server "
                      "again, and a whole window.",
             .clauses = {"VAL-22", "VAL-03"},
             .field_reports = {"FR-81"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  ASSERT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real3"));
  bench.elapse(50s);
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 80, .expires = 250s})));
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, "real3", 0)));
  EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 80, .expires = 300s})));
}

// Source: ip_vs.h, ip_vs_enqueue_expire_nodest_conns(): asked once, when the server is deleted.
LVSPEC_CASE(
    LifecycleServers, ALateSysctlSweepsNothing,
    {.id = "lifecycle.late-sysctl-sweeps-nothing",
     .claim = "expire_nodest_conn switched on after a server was removed forgets nobody until a packet comes.",
     .clauses = {"VAL-23", "VAL-20"},
     .field_reports = {"FR-62", "FR-63"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(held.answer().server), 80}));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  bench.elapse(3s);
  EXPECT_THAT(bench.connections(), SizeIs(1));
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(held.say_again(), Reset());
}

// Source: ip_vs_conn.c, ip_vs_expire_nodest_conn_flush(). Even what was ASSURED goes.
LVSPEC_CASE(
    LifecycleServers, TheSweepTakesTemplatesToo,
    {.id = "lifecycle.sweep-takes-templates",
     .claim = "With expire_nodest_conn=1 removing a server forgets every connection and template of it, those "
              "of idle clients too, and of no other server.",
     .clauses = {"VAL-21", "CTL-10"},
     .field_reports = {"FR-62", "FR-64"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  for (int i = 1; i <= 6; ++i) ASSERT_THAT(bench.client(i).connect(kVip, 80), Answered());
  bench.elapse(past(bench, 120s));  // no connection holds the templates now
  for (int i = 1; i <= 3; ++i) ASSERT_THAT(bench.client(i).connect(kVip, 80), Answered());
  EXPECT_THAT(bench.templates(), SizeIs(6));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip(2), 80}));
  bench.elapse(1s);
  EXPECT_THAT(bench.templates(), SizeIs(4));
  EXPECT_THAT(bench.connections(), SizeIs(2));
  EXPECT_THAT(bench.tables().entries, Not(Contains(::testing::Field(&Entry::server, Endpoint{bench.rip(2), 80}))));
}

// Source: ip_vs_conn.c, ip_vs_conn_expire(); ip_vs_ctl.c, ip_vs_dest_trash_expire(). Field: FR-96.
LVSPEC_CASE(LifecycleServers, WindowsEndAfterTheirServer,
            {.id = "lifecycle.window-of-a-removed-server-ends",
             .claim = "A template whose server was removed ends with its window, and the director goes on working.",
             .clauses = {"TPL-33", "DST-01", "DST-02"},
             .field_reports = {"FR-96"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(first.server), 80}));
  bench.elapse(299s);
  EXPECT_THAT(bench.templates(), SizeIs(1));
  bench.elapse(past(bench, 300s) - 299s);
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  bench.elapse(300s);  // and its server out of the trash
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  ASSERT_OK(bench.add_server(service_.id, with_weight(bench, service_.id, first.server, 1)));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
}

// Dropped packets do not count as packets of the entry. Source: ip_vs_core.c, ip_vs_in_hook(). Field: FR-66.
LVSPEC_CASE(LifecycleServers, AUdpSenderGetsAwayFromARemovedServer,
            {.id = "lifecycle.udp-sender-leaves-removed-server",
             .claim = "A UDP sender whose server was removed meets silence for 300 s after the last datagram that "
                      "got through, however often it sends, and then another server.",
             .clauses = {"VAL-20", "CON-30"},
             .field_reports = {"FR-63", "FR-66"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {}, .udp = {53}})));
  const VirtualService dns = UdpService(kVip, 53).scheduler("rr");
  ASSERT_OK(bench.add(dns));
  BenchClient client = bench.mute_client(1);
  client.send_datagram(kVip, 53, 40000, "?");
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(2), .expires = 300s})));
  ASSERT_OK(bench.remove_server(dns.id, {bench.rip(2), 53}));
  for (int i = 0; i < 5; ++i) {
    bench.elapse(50s);
    client.send_datagram(kVip, 53, 40000, "?");
  }
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(2), .expires = 50s})));
  bench.elapse(past(bench, 300s) - 250s);
  client.send_datagram(kVip, 53, 40000, "?");
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(1), .expires = 300s})));
}

// Under a hash alone a smaller table would move most clients. Field: FR-104, FR-36.
LVSPEC_CASE(LifecycleServers, ARemovalMovesItsOwnClientsOnly,
            {.id = "lifecycle.removal-moves-its-own-clients-only",
             .claim = "Removing a server moves its own clients and nobody else, also under a hash scheduler.",
             .clauses = {"TPL-01", "VAL-01"},
             .field_reports = {"FR-104"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(9).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("sh").persistent(300s)));
  std::vector<Answer> first;
  for (int i = 1; i <= 9; ++i) first.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(first, SpreadOverAtLeast(3));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip(2), 80}));
  for (int i = 1; i <= 9; ++i) {
    const std::string& before = first[static_cast<std::size_t>(i) - 1].server;
    const Answer after = bench.client(i).connect(kVip, 80);
    if (before == "real2") {
      EXPECT_THAT(after, ServedBy(Ne("real2")));
    } else {
      EXPECT_THAT(after, ServedBy(before));
    }
  }
}

// Field: FR-77, FR-115.
LVSPEC_CASE(LifecycleServers, AReturnedServerGetsNewcomersOnly,
            {.id = "lifecycle.returned-server-gets-newcomers-only",
             .claim = "A server that was removed and came back gets new clients; those that moved away in between "
                      "stay where they went.",
             .clauses = {"VAL-07", "VAL-05", "DST-03"},
             .field_reports = {"FR-77", "FR-78"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip_of(first.server), 80}));
  const Answer moved = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(moved, ServedBy(Ne(first.server)));
  ASSERT_OK(bench.add_server(service_.id, with_weight(bench, service_.id, first.server, 1)));
  const std::vector<Answer> newcomers = {bench.client(2).connect(kVip, 80), bench.client(3).connect(kVip, 80)};
  EXPECT_THAT(newcomers, Contains(ServedBy(first.server)));
  EXPECT_THAT(bench.client(1).connect_times(6, kVip, 80), Each(ServedBy(moved.server)));
}

}  // namespace
}  // namespace lvspec
