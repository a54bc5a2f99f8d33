// Persistence and forwarding over IPv6, where they are not the same by themselves. (Prefix 124, mixed families and
// first cases of each kind are in ppc, fwmark and forwarding.)

#include "suites/forwarding/packets.h"
#include "suites/support.h"

namespace lvspec {
namespace {

constexpr int kIcmp6 = 58, kUdp = 17, kIpv6InIp = 41;
constexpr std::chrono::milliseconds kLongEnough{200};  // for what must not come

class Ipv6 : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip6, 80).scheduler("rr").persistent(300s);

  static BenchClient neighbour(Bench& bench, const std::string& last) {
    return bench.client_at("2001:db8:2::" + last);
  }
  static MarkRule mark(std::uint32_t value) {
    MarkRule rule;
    rule.family = AF_INET6;
    rule.protocol = Protocol::kTcp;
    rule.destination_ports = {{80, 443}};
    rule.mark = value;
    return rule;
  }
  static std::function<bool(const HeardPacket&)> of(int protocol) {
    return [protocol](const HeardPacket& packet) { return packet.is_v6() && packet.protocol() == protocol; };
  }
  static std::function<bool(const HeardPacket&)> icmp6(int type, int code) {
    return [type, code](const HeardPacket& packet) {
      if (!packet.is_v6() || packet.protocol() != kIcmp6) return false;
      const auto message = packet.payload();
      return message.size() >= 8 && message[0] == type && message[1] == code;
    };
  }
  /// A datagram whose answers nobody waits for: the address is of another network.
  static RawPacket question(int size = 1, int hops = 64) {
    RawPacket packet = udp_packet({IpAddress::of("2001:db8:77::1"), 40000}, {kVip6, 53},
                                  std::string(static_cast<std::size_t>(size), 'x'));
    packet[7] = static_cast<std::uint8_t>(hops);
    return packet;
  }
};

// Source: ip_vs_core.c, ip_vs_sched_persist(), ipv6_addr_prefix().
LVSPEC_CASE(Ipv6, OnePrefixIsOneClient,
            {.id = "ipv6.prefix-64",
             .claim = "With prefix 64, a site's usual network, all its hosts are one client and one template.",
             .clauses = {"TPL-11", "TPL-12"},
             .field_reports = {"FR-43"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s).mask(64)));
  const Answer first = neighbour(bench, "1").connect(kVip6, 80);
  ASSERT_THAT(first, Answered());
  for (const char* host : {"2", "ffff", "1:2:3:4"})
    EXPECT_THAT(neighbour(bench, host).connect(kVip6, 80), ServedBy(first.server));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.client = IpAddress::of("2001:db8:2::")})));

  ASSERT_OK(bench.edit(TcpService(kVip6, 80).scheduler("rr")));  // the control: without -p its hosts are spread
  const std::vector<Answer> apart{neighbour(bench, "1").connect(kVip6, 80), neighbour(bench, "2").connect(kVip6, 80)};
  EXPECT_THAT(apart, SpreadOverAtLeast(2));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), ipv6_addr_prefix().
LVSPEC_CASE(
    Ipv6, ThePrefixMayEndAnywhere,
    {.id = "ipv6.prefix-127",
     .claim = "Prefix 127 makes one client of two neighbours: ::10 and ::11 share a server, ::12 has its own.",
     .clauses = {"TPL-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s).mask(127)));
  EXPECT_THAT(neighbour(bench, "10").connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(neighbour(bench, "11").connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(neighbour(bench, "12").connect(kVip6, 80), ServedBy("real2"));
}

// Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(Ipv6, ByDefaultAnAddressIsAClient,
            {.id = "ipv6.prefix-128",
             .claim = "With prefix 128, the default, hosts that differ in their last or in their first bits only are "
                      "different clients.",
             .clauses = {"TPL-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  EXPECT_THAT(neighbour(bench, "10").connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(neighbour(bench, "11").connect(kVip6, 80), ServedBy("real2"));
  EXPECT_THAT(neighbour(bench, "8000:0:0:10").connect(kVip6, 80), ServedBy("real1"));
  EXPECT_THAT(neighbour(bench, "10").connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), SizeIs(3));
}

// Source: ip_vs_ctl.c, ip_vs_add_service(), ip_vs_edit_service(), "plen < 1 || plen > 128".
LVSPEC_CASE(Ipv6, NoPrefixOfNothing,
            {.id = "ipv6.prefix-0-is-refused",
             .claim = "An IPv6 service of prefix 0 is refused, with -p and without.",
             .clauses = {"TPL-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  EXPECT_THAT(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s).mask(0)), Not(Obeyed()));
  EXPECT_THAT(bench.add(TcpService(kVip6, 80).scheduler("rr").mask(0)), Not(Obeyed()));
  EXPECT_THAT(bench.add(TcpService(kVip6, 80).scheduler("rr").mask(1)), Obeyed());
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), "port zero template".
LVSPEC_CASE(Ipv6, AllPortsStickTogether,
            {.id = "ipv6.port-zero-sticks",
             .claim = "A persistent port-0 service of an IPv6 VIP leads a client to one server on every port.",
             .clauses = {"TPL-04", "TPL-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.add(TcpService(kVip6, kAnyPort).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(2, AF_INET6).connect(kVip6, 443), ServedBy("real2"));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 443), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.vip = kVip6, .vport = 0, .sport = 0})));
}

// The mark stands in the first 32 bits of the address. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(Ipv6, AMarksTemplate,
            {.id = "ipv6.mark-sticks",
             .claim = "An IPv6 mark service keeps a client on one server for all its ports; mark 9 is listed as "
                      "[0:9::]:0.",
             .clauses = {"TPL-07", "TPL-13", "FWM-07"},
             .field_reports = {"FR-56"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443}})));
  ASSERT_OK(bench.set_marks({mark(9)}));
  ASSERT_OK(bench.add(MarkService(9, AF_INET6).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real3"));
  EXPECT_THAT(bench.client(2, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 443), ServedBy("real3"));
  EXPECT_THAT(
      bench.templates(),
      Contains(TemplateOf(EntryParts{
          .protocol = "IP", .client = bench.client(1, AF_INET6).cip(), .vip = IpAddress::of("0:9::"), .vport = 0})));
}

// Source: ip_vs_conn.c, ip_vs_conn_expire().
LVSPEC_CASE(Ipv6, TheWindowEnds,
            {.id = "ipv6.window-of-300",
             .claim = "An IPv6 client is remembered for its window of 300 s and forgotten after it.",
             .clauses = {"TPL-30", "TPL-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real3"));
  bench.elapse(299s);
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real3"));
  bench.elapse(past(bench, 300s));
  EXPECT_THAT(bench.templates(), IsEmpty());
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
}

// Source: ip_vs_conn.c, ip_vs_check_template().
LVSPEC_CASE(Ipv6, ARemovedServersClientsMoveOnce,
            {.id = "ipv6.removed-server-moves-clients-once",
             .claim = "When its server is removed an IPv6 client moves once and stays where it went.",
             .clauses = {"VAL-01", "VAL-04", "VAL-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real3"));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip(3, AF_INET6), 80}));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
}

// ICMPv6 type 1, code 4. UDP, because a client's TCP lets pass what comes while connect() is still under way.
// Source: ip_vs_core.c, ip_vs_leave().
LVSPEC_CASE(Ipv6, WithoutAnyServerClientsAreRefused,
            {.id = "ipv6.no-server-left-refuses",
             .claim = "With no server left a new IPv6 client hears \"port unreachable\" at once.",
             .clauses = {"SVC-21", "TPL-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  const VirtualService dns = UdpService(kVip6, 53).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(dns));
  ASSERT_OK(bench.edit_server(dns.id, with_weight(bench, dns.id, "real1", 0)));
  Tap tap = bench.tap("client");
  EXPECT_THAT(bench.client(1, AF_INET6).udp(kVip6, 53), Refused());
  EXPECT_THAT(tap.await(icmp6(1, 4)).has_value(), Eq(true));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// Source: ip_vs_xmit.c, ip_vs_nat_xmit_v6().
LVSPEC_CASE(Ipv6, NatSticks,
            {.id = "ipv6.nat-sticks",
             .claim = "Behind NAT an IPv6 client keeps its server, at that server's other port.",
             .clauses = {"TPL-01", "FWD-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2, {.tcp = {8080}}).masquerading()));
  ServerOptions other_port = bench.server_options();
  other_port.port = 8080;
  ASSERT_OK(bench.add(TcpService(kVip6, 80)
                          .scheduler("rr")
                          .persistent(300s)
                          .server(bench.rip(1, AF_INET6), other_port)
                          .server(bench.rip(2, AF_INET6), other_port)));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(2, AF_INET6).connect(kVip6, 80), ServedBy("real1"));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
}

// Source: ip_vs_xmit.c, ip_vs_tunnel_xmit_v6().
LVSPEC_CASE(Ipv6, TunnelsStick,
            {.id = "ipv6.tunnel-sticks",
             .claim = "Through IPv6 tunnels a client keeps its server, TCP and UDP apart.",
             .clauses = {"TPL-01", "FWD-04"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(2).real_servers(2, {.tcp = {80}, .udp = {53}}).tunnelling()));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.add(UdpService(kVip6, 53).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
  EXPECT_THAT(bench.client(2, AF_INET6).udp(kVip6, 53), ServedBy("real2"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real2"));
    EXPECT_THAT(bench.client(1, AF_INET6).udp(kVip6, 53), ServedBy("real1"));
  }
}

// Source: ip_vs_xmit.c, ip_vs_dr_xmit_v6().
LVSPEC_CASE(Ipv6, DirectRoutingChangesMacAndHopLimitOnly,
            {.id = "ipv6.direct-changes-mac-and-hop-limit-only",
             .claim = "Direct routing leaves an IPv6 packet as it is but for its MAC addresses and its hop limit.",
             .clauses = {"FWD-02", "FWD-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip6, 53).scheduler("rr")));
  Tap tap = bench.tap("real1");
  bench.client(1, AF_INET6).send(question());
  const auto heard = tap.await(of(kUdp));
  ASSERT_THAT(heard.has_value(), Eq(true));
  RawPacket expected = question();
  expected[7] = 63;
  EXPECT_THAT(heard->bytes, Eq(expected));
  EXPECT_THAT(heard->from, Eq(bench.mac_of("director")));
}

// Source: ip_vs_xmit.c, ensure_mtu_is_adequate(); the tunnel's own header takes 40 bytes.
LVSPEC_CASE(Ipv6, TooBigIsNotCarried,
            {.id = "ipv6.too-big-is-not-carried",
             .claim = "An IPv6 packet that does not fit into the tunnel is not cut up: it does not arrive, and one "
                      "that just fits does.",
             .clauses = {"FWD-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}}).tunnelling()));
  ASSERT_OK(bench.add(UdpService(kVip6, 53).scheduler("rr")));
  Tap at_server = bench.tap("real1"), at_client = bench.tap("client");
  const auto from_client = [&](int payload) {
    RawPacket packet = udp_packet({bench.client(1, AF_INET6).cip(), 40000}, {kVip6, 53},
                                  std::string(static_cast<std::size_t>(payload), 'x'));
    bench.client(1, AF_INET6).send(packet);
  };
  from_client(1460 - 48 + 1);
  EXPECT_THAT(at_client.await(icmp6(2, 0)).has_value(), Eq(true));
  EXPECT_THAT(at_server.await(of(kIpv6InIp), kLongEnough).has_value(), Eq(false));
  from_client(1460 - 48);
  EXPECT_THAT(at_server.await(of(kIpv6InIp)).has_value(), Eq(true));
}

}  // namespace
}  // namespace lvspec
