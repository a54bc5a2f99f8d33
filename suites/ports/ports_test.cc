// Ports: those that a service takes beside its own, those that clients use again, and their first packets.

#include <fmt/format.h>

#include <array>

#include "harness/ruleset/read.h"
#include "suites/forwarding/packets.h"
#include "suites/forwarding/talk.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class Ports : public testing::DirectorTest {
 protected:
  /// Which server each of n connections that never complete was sent to, all opened before any handshake ends.
  static std::vector<Answer> half_open(BenchClient mute, std::vector<std::uint16_t> ports, int n) {
    std::vector<Answer> answers;
    for (int i = 0; i < n; ++i) {
      const auto from = static_cast<std::uint16_t>(40000 + i);
      answers.push_back(mute.syn(kVip, ports[static_cast<std::size_t>(i) % ports.size()], from));
    }
    return answers;
  }
};

// Source: ip_vs_ctl.c, ip_vs_service_find(): FTP is looked for before port 0.
LVSPEC_CASE(Ports, FtpTakesHighPortsBeforePortZero,
            {.id = "ports.ftp-takes-high-ports-before-port-zero",
             .claim = "Beside a persistent port-0 service one on port 21 takes port 20 and all ports from 1024 on; "
                      "those below stay with port 0.",
             .clauses = {"SVC-08", "SVC-04"},
             .field_reports = {"FR-58", "FR-99"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(6).real_servers(2, {.tcp = {20, 21, 80, 1023, 1024, 65535}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s).server(bench.rip(1))));
  ASSERT_OK(bench.add(TcpService(kVip, 21).scheduler("rr").persistent(300s).server(bench.rip(2))));
  // A client each: FTP and port 0 share their templates (TPL-08).
  EXPECT_THAT(bench.client(1).connect(kVip, 20), ServedBy("real2"));
  EXPECT_THAT(bench.client(2).connect(kVip, 21), ServedBy("real2"));
  EXPECT_THAT(bench.client(3).connect(kVip, 1024), ServedBy("real2"));
  EXPECT_THAT(bench.client(4).connect(kVip, 65535), ServedBy("real2"));
  EXPECT_THAT(bench.client(5).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.client(6).connect(kVip, 1023), ServedBy("real1"));
}

// Source: ip_vs_core.c, ip_vs_schedule(): found by FTP, but not for its own port.
LVSPEC_CASE(Ports, FtpWithoutPersistenceShadowsPortZero,
            {.id = "ports.ftp-without-persistence-shadows-port-zero",
             .claim = "A service on port 21 without -p makes the ports from 1024 on refused, although a persistent "
                      "port-0 service is there.",
             .clauses = {"SVC-11", "SVC-08"},
             .field_reports = {"FR-54"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {21, 80, 2121}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  ASSERT_THAT(bench.client(1).connect(kVip, 2121), Answered());
  const VirtualService ftp = TcpService(kVip, 21).scheduler("rr");
  ASSERT_OK(bench.add(ftp));
  EXPECT_THAT(bench.client(1).connect(kVip, 2121), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Answered());
  EXPECT_THAT(bench.client(1).connect(kVip, 21), Answered());
  ASSERT_OK(bench.remove(ftp.id));
  EXPECT_THAT(bench.client(1).connect(kVip, 2121), Answered());
}

// Source: ip_vs_ctl.c, ip_vs_service_find(): {TCP, the packet's own address, 21}.
LVSPEC_CASE(Ports, FtpIsOfTcpAndItsOwnAddress,
            {.id = "ports.ftp-is-of-tcp-and-its-own-address",
             .claim = "Only a TCP service on port 21 of the same address takes high ports: one of UDP or of another "
                      "address takes none.",
             .clauses = {"SVC-09", "SVC-10"},
             .field_reports = {"FR-58"}}) {
  ASSERT_OK_AND_ASSIGN(
      Bench bench,
      build(BenchPlan().vips({kVip, kSecondVip}).real_servers(2, {.tcp = {21, 2121}, .udp = {21, 2121}})));
  ASSERT_OK(bench.add(UdpService(kVip, 21).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kSecondVip, 21).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1).udp(kVip, 21), Answered());
  EXPECT_THAT(bench.client(1).udp(kVip, 2121), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 2121), Refused());
  EXPECT_THAT(bench.client(1).connect(kSecondVip, 2121), Answered());
}

// The service is no part of the key. Source: ip_vs_core.c, ip_vs_sched_persist(); ip_vs_conn.c, ip_vs_ct_in_get().
LVSPEC_CASE(
    Ports, FtpAndPortZeroShareTemplates,
    {.id = "ports.ftp-and-port-zero-share-templates",
     .claim = "A client that came by FTP meets its FTP server on the ports of the port-0 service too, although "
              "that service does not list it.",
     .clauses = {"TPL-08", "VAL-02", "TPL-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {21, 80}})));
  const VirtualService ftp = TcpService(kVip, 21).scheduler("rr").persistent(300s).server(bench.rip(1));
  const VirtualService all =
      TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s).server(bench.rip(2)).server(bench.rip(3));
  ASSERT_OK(bench.add(ftp));
  ASSERT_OK(bench.add(all));
  ASSERT_THAT(bench.client(1).connect(kVip, 21), ServedBy("real1"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.server(ftp.id, "real1").inactive, Eq(2U));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(2).connect(kVip, 21), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), SizeIs(2));
}

// The server opens the data connection from VIP:20, straight to the client; what the client says on it passes the
// director, which has no entry of it: a SYN-ACK to port 20, scheduled by the FTP service's template.
// Source: ip_vs_ctl.c, ip_vs_service_find(); ip_vs_proto_tcp.c, tcp_conn_schedule(). Field: FR-58.
LVSPEC_CASE(Ports, ActiveFtpWorksInDirectRouting,
            {.id = "ports.active-ftp-in-direct-routing",
             .claim = "In direct routing active FTP works through a persistent service on port 21: the client's half "
                      "of the data connection reaches the server of its control connection.",
             .clauses = {"SVC-10", "SVC-03", "TPL-04"},
             .field_reports = {"FR-58"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3, {.tcp = {21}})));
  ASSERT_OK(bench.add(TcpService(kVip, 21).scheduler("rr").persistent(300s)));
  for (int i = 1; i <= 3; ++i) {
    const Connection control = bench.client(i).hold(kVip, 21);
    const IpAddress cip = bench.client(i).cip();
    Listener at_client(bench.netns("client"), {cip, 30000});
    Talk data = Talk::connect(bench.netns(control.answer().server), {kVip, 20}, {cip, 30000});
    Talk at_home = at_client.accept();
    data.say("a file\n");
    EXPECT_THAT(at_home.hear(), Eq("a file\n"));
    EXPECT_THAT(bench.connections(),
                Contains(ConnectionOf(EntryParts{
                    .client = cip, .cport = 30000, .vport = 20, .server = bench.rip_of(control.answer().server)})));
  }
}

// Without a service on port 21 that takes all high ports, a mark over 21 and the passive range does the same for
// these ports alone. Source: ip_vs_core.c, ip_vs_sched_persist(), "fwmark template". Field: FR-58, FR-51.
LVSPEC_CASE(Ports, PassiveFtpByMark,
            {.id = "ports.passive-ftp-by-mark",
             .claim = "A persistent mark over port 21 and the passive range keeps control and data together, and "
                      "takes no other port.",
             .clauses = {"TPL-07", "FWM-05"},
             .field_reports = {"FR-51", "FR-58"}}) {
  ASSERT_OK_AND_ASSIGN(
      Bench bench, build(BenchPlan().clients(3).real_servers(3, {.tcp = {21, 9999, 10000, 10050, 10100, 10101}})));
  MarkRule ftp;
  ftp.protocol = Protocol::kTcp;
  ftp.destination = Prefix{kVip, 32};
  ftp.destination_ports = {{21, 21}, {10000, 10100}};
  ftp.mark = 21;
  ASSERT_OK(bench.set_marks({ftp}));
  ASSERT_OK(bench.add(MarkService(21).scheduler("rr").persistent(300s)));
  std::vector<Answer> control;
  for (int i = 1; i <= 3; ++i) control.push_back(bench.client(i).connect(kVip, 21));
  EXPECT_THAT(control, SpreadOverAtLeast(3));
  for (int i = 1; i <= 3; ++i) {
    for (const std::uint16_t port : {10000, 10050, 10100})
      EXPECT_THAT(bench.client(i).connect(kVip, port), ServedBy(control[static_cast<std::size_t>(i) - 1].server));
  }
  EXPECT_THAT(bench.client(1).connect(kVip, 9999), Refused());
  EXPECT_THAT(bench.client(1).connect(kVip, 10101), Refused());
}

// A server that speaks first, and sessions that last. Source: notes, "port 23"; ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(Ports, TelnetOutlivesItsWindow,
            {.id = "ports.telnet-outlives-its-window",
             .claim = "A telnet session goes on with its server long after the window of -p 60 is over, and a second "
                      "session of the client joins it there.",
             .clauses = {"TPL-37", "TPL-34"},
             .field_reports = {"FR-18"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {kTelnetPort}})));
  const VirtualService telnet = TcpService(kVip, kTelnetPort).scheduler("rr").persistent(60s);
  ASSERT_OK(bench.add(telnet));
  Connection session = bench.client(1).hold(kVip, kTelnetPort);
  const std::string server = session.answer().server;
  EXPECT_THAT(bench.client(2).connect(kVip, kTelnetPort), ServedBy(Ne(server)));
  for (int i = 0; i < 3; ++i) {
    bench.elapse(400s);
    EXPECT_THAT(session.say_again(), ServedBy(server));
  }
  EXPECT_THAT(connect_while_quiescent(bench, telnet.id, bench.client(1), kVip, kTelnetPort, server),
              ServedBy(server));
}

// A datagram to port 0 has the port of the service, so its template is one of a port: with protocol, address and the
// server's own port. Source: ip_vs_core.c, ip_vs_sched_persist(), "if (dst_port == svc->port)".
LVSPEC_CASE(
    Ports, DestinationPortZeroIsAPort,
    {.id = "ports.destination-port-zero",
     .claim = "A datagram to port 0 of a mark service gets a template of protocol and address, beside that of "
              "the mark.",
     .clauses = {"TPL-15"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {}, .udp = {53}})));
  MarkRule all;
  all.destination = Prefix{kVip, 32};
  all.mark = 8;
  ASSERT_OK(bench.set_marks({all}));
  ServiceBuilder service = MarkService(8).scheduler("rr").persistent(300s);
  for (const int i : {1, 2}) service.server(bench.rip(i), {.port = 5353});
  ASSERT_OK(bench.add(service));
  BenchClient client = bench.mute_client(1);
  client.send_datagram(kVip, 53, 40000, "?");
  client.send_datagram(kVip, 0, 40000, "?");
  EXPECT_THAT(
      bench.templates(),
      ::testing::UnorderedElementsAre(
          TemplateOf(EntryParts{
              .protocol = "IP", .vip = IpAddress::of("0.0.0.8"), .vport = 0, .server = bench.rip(2), .sport = 0}),
          TemplateOf(EntryParts{.protocol = "UDP", .vip = kVip, .vport = 0, .server = bench.rip(1), .sport = 5353})));
}

// A template is no connection, also for a packet whose own key is that of the template.
// Source: ip_vs_conn.c, __ip_vs_conn_in_get(), ip_vs_ct_in_get().
LVSPEC_CASE(Ports, ClientPortZeroIsNoTemplate,
            {.id = "ports.client-port-zero-is-no-template",
             .claim = "A datagram from client port 0 does not take its client's template for its connection: it gets "
                      "an entry of its own.",
             .clauses = {"TPL-18", "CON-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(100s)));
  BenchClient client = bench.mute_client(1);
  client.send_datagram(kVip, 53, 40000, "?");
  bench.elapse(50s);
  client.send_datagram(kVip, 53, 0, "?");
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 0, .server = bench.rip(3)}),
                                               ConnectionOf(EntryParts{.cport = 40000, .server = bench.rip(3)})));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 53, .expires = 100s})));
}

// Clients wait for less than a SYN's first retransmission (1 s), so whoever answers has got the first.
// Source: ip_vs_core.c, ip_vs_sched_persist(): the packet that makes the template goes on. Field: FR-14.
LVSPEC_CASE(
    Ports, TheFirstPacketGetsThrough,
    {.id = "ports.first-packet-gets-through",
     .claim = "The first connection of each of 40 fresh clients is answered at its first SYN, well below half "
              "a second.",
     .clauses = {"TPL-01"},
     .field_reports = {"FR-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(40).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  std::vector<Answer> answers;
  for (int i = 1; i <= 40; ++i) answers.push_back(bench.client(i).connect(kVip, 80));
  ASSERT_THAT(answers, Each(Answered()));
  EXPECT_THAT(answers, Each(::testing::Field(&Answer::took, ::testing::Lt(std::chrono::microseconds(500ms)))));
  EXPECT_THAT(bench.connections(), SizeIs(40));
}

// As above, for datagrams, which nobody sends again. Field: FR-14.
LVSPEC_CASE(Ports, TheFirstDatagramGetsThrough,
            {.id = "ports.first-datagram-gets-through",
             .claim = "The first datagram of each fresh client is answered, with -p, with -o and with both.",
             .clauses = {"TPL-01", "CON-50"},
             .field_reports = {"FR-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(5).real_servers(3, {.tcp = {}, .udp = {53, 54, 55}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(UdpService(kVip, 54).scheduler("rr").one_packet()));
  ASSERT_OK(bench.add(UdpService(kVip, 55).scheduler("rr").persistent(300s).one_packet()));
  for (const std::uint16_t port : {53, 54, 55}) {
    std::vector<Answer> answers;
    for (int i = 1; i <= 5; ++i) answers.push_back(bench.client(i).udp(kVip, port));
    EXPECT_THAT(answers, Each(Answered()));
    EXPECT_THAT(answers, SpreadOverAtLeast(3));
  }
}

// The choice is stored at the SYN, not once a server has answered. Field: FR-113.
LVSPEC_CASE(Ports, HalfOpenConnectionsMeet,
            {.id = "ports.half-open-connections-meet",
             .claim = "Sixteen SYNs of a fresh client, none of them ever completed, all reach one server.",
             .clauses = {"TPL-01", "TPL-43"},
             .field_reports = {"FR-113"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  std::set<std::string> used;
  for (int client = 1; client <= 3; ++client) {
    const std::vector<Answer> answers = half_open(bench.mute_client(client), {80}, 16);
    ASSERT_THAT(answers, Each(HalfOpen()));
    EXPECT_THAT(answers, Each(ServedBy(answers.front().server)));
    used.insert(answers.front().server);
  }
  EXPECT_THAT(used, SizeIs(3));
}

// Field: FR-113, FR-45.
LVSPEC_CASE(Ports, HalfOpenConnectionsMeetAcrossPorts,
            {.id = "ports.half-open-connections-meet-across-ports",
             .claim = "The SYNs of a fresh client to several ports of a persistent port-0 service, none of them "
                      "completed, all reach one server.",
             .clauses = {"TPL-06", "TPL-43"},
             .field_reports = {"FR-45", "FR-113"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3, {.tcp = {80, 443, 8080}})));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  std::set<std::string> used;
  for (int client = 1; client <= 3; ++client) {
    const std::vector<Answer> answers = half_open(bench.mute_client(client), {80, 443, 8080}, 9);
    ASSERT_THAT(answers, Each(HalfOpen()));
    EXPECT_THAT(answers, Each(ServedBy(answers.front().server)));
    used.insert(answers.front().server);
  }
  EXPECT_THAT(used, SizeIs(3));
}

// Direct routing shows the director a FIN_WAIT where the server has TIME_WAIT. Source: ip_vs_core.c,
// is_new_conn_expected(). Field: FR-82.
LVSPEC_CASE(Ports, AClosedPortUsedAgain,
            {.id = "ports.closed-port-used-again",
             .claim = "In direct routing a port used again after a close goes to its old server; with "
                      "conn_reuse_mode=2 it is scheduled anew. No SYN is lost either way.",
             .clauses = {"CON-41", "CON-40", "CTL-05"},
             .field_reports = {"FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  const auto again = [&] {
    bench.elapse(1s);  // until the client's end has had the server's last ACK
    return bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000);
  };
  EXPECT_THAT(again(), ServedBy("real3"));
  EXPECT_THAT(again(), ServedBy("real3"));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 2));
  EXPECT_THAT(again(), ServedBy("real2"));
  EXPECT_THAT(again(), ServedBy("real1"));
  EXPECT_THAT(bench.connections(), SizeIs(1));
}

// Field: FR-82.
LVSPEC_CASE(Ports, AResetPortUsedAgain,
            {.id = "ports.reset-port-used-again",
             .claim = "With conn_reuse_mode=0 a port used again after a reset goes to its old server, by default to "
                      "the scheduler's next one.",
             .clauses = {"CON-41", "CTL-05"},
             .field_reports = {"FR-81", "FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  const auto again = [&] { return bench.client(1).connect(kVip, 80, Close::kReset, 40000); };
  EXPECT_THAT(again(), ServedBy("real3"));
  EXPECT_THAT(again(), ServedBy("real3"));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 1));
  EXPECT_THAT(again(), ServedBy("real2"));
}

// Behind NAT the close is seen whole, so the entry is in TIME_WAIT. Field: FR-82.
LVSPEC_CASE(Ports, AClosedPortUsedAgainBehindNat,
            {.id = "ports.closed-port-used-again-behind-nat",
             .claim = "Behind NAT a port used again after a close is scheduled anew, and its first SYN is answered.",
             .clauses = {"CON-40", "CON-23"},
             .field_reports = {"FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3).masquerading()));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  std::vector<Answer> answers;
  for (int i = 0; i < 4; ++i) {
    answers.push_back(bench.client(1).connect(kVip, 80, Close::kServerFirst, 40000));
    bench.elapse(1s);  // until the client's end has had the server's last ACK
  }
  EXPECT_THAT(names(answers), ElementsAre("real3", "real2", "real1", "real3"));
}

// Source: ip_vs_core.c, ip_vs_in_hook(): the entry of a server that is gone ends with the SYN. Field: FR-81.
LVSPEC_CASE(Ports, APortUsedAgainLeavesARemovedServer,
            {.id = "ports.port-used-again-leaves-removed-server",
             .claim = "With expire_nodest_conn=1 a client whose server was removed reaches another one from the same "
                      "port at once, with and without -p.",
             .clauses = {"VAL-20", "VAL-21", "CTL-10"},
             .field_reports = {"FR-63", "FR-81"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 81}})));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kVip, 81).scheduler("rr")));
  for (const std::uint16_t port : {80, 81}) {
    const Answer first = bench.client(1).connect(kVip, port, Close::kServerFirst, 40000);
    ASSERT_THAT(first, ServedBy("real3"));
    ASSERT_OK(bench.remove_server(ServiceId::of(Protocol::kTcp, kVip, port), {bench.rip(3), port}));
    EXPECT_THAT(bench.client(1).connect(kVip, port, Close::kServerFirst, 40000), ServedBy(Ne("real3")));
  }
}

// Whatever a service is made of, persistence is the same. Field: FR-29, FR-30.
LVSPEC_CASE(Ports, EveryKindOfServiceSticks,
            {.id = "ports.every-kind-of-service-sticks",
             .claim = "TCP, UDP, port 0 and marks, each of IPv4 and IPv6: with -p a client keeps its server, and "
                      "another client goes elsewhere.",
             .clauses = {"TPL-01", "TPL-04"},
             .field_reports = {"FR-27", "FR-29", "FR-30", "FR-98"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 81, 82}, .udp = {80}})));
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddress vip = family == AF_INET ? kVip : kVip6;
    MarkRule rule;
    rule.family = family;
    rule.protocol = Protocol::kTcp;
    rule.destination = Prefix{vip, static_cast<int>(vip.size() * 8)};
    rule.destination_ports = {{81, 81}};
    rule.mark = 8;
    ASSERT_OK(bench.set_marks({rule}));
    for (const ServiceBuilder& kind :
         {TcpService(vip, 80), UdpService(vip, 80), TcpService(vip, kAnyPort), MarkService(8, family)}) {
      ASSERT_OK(bench.add(ServiceBuilder(kind).scheduler("rr").persistent(300s)));
      const ServiceId id = kind.get().id;
      const auto ask = [&](int i) {
        BenchClient client = bench.client(i, family);
        if (id.protocol == Protocol::kUdp) return client.udp(vip, 80);
        return client.connect(vip, id.is_mark() ? 81 : id.port == kAnyPort ? 82 : 80);
      };
      const Answer first = ask(1);
      ASSERT_THAT(first, Answered());
      for (int i = 0; i < 4; ++i) EXPECT_THAT(ask(1), ServedBy(first.server));
      EXPECT_THAT(ask(2), ServedBy(Ne(first.server)));
    }
  }
}

// Over NAT, where a server's port is more than a line of the listing. Source: ip_vs_ctl.c, ip_vs_lookup_dest().
// Field: FR-44.
LVSPEC_CASE(Ports, OneAddressTwoPortsBehindNat,
            {.id = "ports.one-address-two-ports-behind-nat",
             .claim = "Behind NAT two servers on one address and ports 8001 and 8002 both get clients, and a client "
                      "keeps address and port.",
             .clauses = {"DST-09", "TPL-14", "FWD-03"},
             .field_reports = {"FR-44"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(4).real_servers(1, {.tcp = {8001, 8002}}).masquerading()));
  ServiceBuilder service = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  for (const std::uint16_t port : {8001, 8002}) {
    ServerOptions server = bench.server_options();
    server.port = port;
    service.server(bench.rip(1), server);
  }
  ASSERT_OK(bench.add(service));
  for (int round = 0; round < 3; ++round) {
    std::vector<int> reached;
    for (int i = 1; i <= 4; ++i) {
      ASSERT_THAT(bench.client(i).connect(kVip, 80), Answered());
      reached.push_back(bench.sightings().back().target.port);
    }
    EXPECT_THAT(reached, ElementsAre(8002, 8001, 8002, 8001));
  }
}

// Field: FR-45.
LVSPEC_CASE(Ports, PairsOfPortsOfManyClients,
            {.id = "ports.pairs-of-ports-of-many-clients",
             .claim = "Of twelve clients some have different servers on ports 80 and 443 of two persistent services, "
                      "and none on one of port 0; all keep both.",
             .clauses = {"TPL-05", "TPL-06"},
             .field_reports = {"FR-45", "FR-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().vips({kVip, kSecondVip}).clients(12).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kVip, 443).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kSecondVip, kAnyPort).scheduler("rr").persistent(300s)));
  std::vector<std::string> web, tls, together, together_tls;
  for (int i = 1; i <= 12; ++i) {
    if (i != 4) web.push_back(bench.client(i).connect(kVip, 80).server);  // one has not been to port 80 yet
    tls.push_back(bench.client(i).connect(kVip, 443).server);
    together.push_back(bench.client(i).connect(kSecondVip, 80).server);
    together_tls.push_back(bench.client(i).connect(kSecondVip, 443).server);
  }
  web.insert(web.begin() + 3, bench.client(4).connect(kVip, 80).server);
  EXPECT_THAT(web, Ne(tls));
  EXPECT_THAT(together, Eq(together_tls));
  for (int i = 1; i <= 12; ++i) {
    const auto at = static_cast<std::size_t>(i) - 1;
    EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy(web[at]));
    EXPECT_THAT(bench.client(i).connect(kVip, 443), ServedBy(tls[at]));
  }
}

// A service name that a front end reads as 0 makes a service of all ports that nobody meant, and that no tool of that
// front end can name to delete it. Source: ip_vs_ctl.c, ip_vs_service_find(); ip_vs_core.c, ip_vs_schedule().
// Field: FR-49, FR-54.
LVSPEC_CASE(
    Ports, OnlyZeroIsEveryPort,
    {.id = "ports.only-zero-is-every-port",
     .claim = "A port that is a name, empty, negative, too large or followed by something is refused, and so is 0 "
              "without -p; 0 with -p takes every port, without -p (as the kernel takes it) none, and what was "
              "made can be deleted.",
     .clauses = {"SVC-04", "SVC-11", "SVC-12"},
     .field_reports = {"FR-49", "FR-54"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2, {.tcp = {80, 8080}})));
  const auto rules_of = [&](const std::string& port, const std::string& options) {
    return read_ruleset(fmt::format("ipvsadm -A -t {0}:{1} -s rr {2}\nipvsadm -a -t {0}:{1} -r {3} -g\n"
                                    "ipvsadm -a -t {0}:{1} -r {4} -g\n",
                                    kVip.str(), port, options, bench.rip(1).str(), bench.rip(2).str()),
                        "ports.rules");
  };
  std::vector<std::string> taken;
  for (const char* port : {"http", "no-such-service", "", "-1", "65536", "4294967296", "80x", "0x50", "8 0"})
    if (rules_of(port, "-p 300").ok()) taken.emplace_back(port);
  EXPECT_THAT(taken, IsEmpty());
  const auto unasked = rules_of("0", "");
  EXPECT_THAT(unasked.ok() ? "taken" : unasked.error().message, HasSubstr("Zero port"));

  ASSERT_OK_AND_ASSIGN(const Ruleset every, rules_of("0", "-p 300"));
  ASSERT_OK(bench.add(every));
  const Answer first = bench.client(1).connect(kVip, 80);
  EXPECT_THAT(bench.client(1).connect(kVip, 8080), ServedBy(first.server));
  EXPECT_THAT((std::vector<Answer>{first, bench.client(2).connect(kVip, 8080)}), SpreadOverAtLeast(2));
  ASSERT_OK(bench.remove(every.services.front().id));
  EXPECT_THAT(bench.tables().services, IsEmpty());
  EXPECT_THAT(bench.client(1).connect(kVip, 8080), Refused());

  const VirtualService none = TcpService(kVip, kAnyPort).scheduler("rr");
  ASSERT_OK(bench.add(none));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.client(2).connect(kVip, 8080), Refused());
  ASSERT_OK(bench.remove(none.id));
  EXPECT_THAT(bench.tables().services, IsEmpty());
}

}  // namespace
}  // namespace lvspec
