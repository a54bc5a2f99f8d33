// How packets get from the director to a real server and back: direct routing, NAT, tunnels, the local node, and what
// is said about packets that cannot get there.

#include "suites/forwarding/packets.h"
#include "suites/support.h"

namespace lvspec {
namespace {

constexpr int kIcmp = 1, kIpip = 4, kUdp = 17, kIpv6InIp = 41, kGre = 47;

class Forwarding : public testing::DirectorTest {
 protected:
  static bool is_icmp(const HeardPacket& packet, int type, int code) {
    const auto icmp = packet.payload();
    return packet.protocol() == kIcmp && icmp.size() >= 8 && icmp[0] == type && icmp[1] == code;
  }
  static std::function<bool(const HeardPacket&)> icmp(int type, int code) {
    return [type, code](const HeardPacket& packet) { return is_icmp(packet, type, code); };
  }
  static std::function<bool(const HeardPacket&)> of(int protocol) {
    return [protocol](const HeardPacket& packet) { return packet.protocol() == protocol; };
  }
};

// Without TTL and header checksum, which every hop changes.
std::vector<std::uint8_t> without_hop_fields(std::vector<std::uint8_t> packet) {
  for (const std::size_t at : {8, 10, 11}) packet.at(at) = 0;
  return packet;
}

// Where a real server was reached last.
std::string last_target(const Bench& bench) {
  const std::vector<Sighting> sightings = bench.sightings();
  return sightings.empty() ? "nowhere" : sightings.back().target.str();
}

constexpr std::chrono::milliseconds kLongEnough{200};  // for what must not come

int port_at(const std::vector<std::uint8_t>& transport, std::size_t at) {
  return transport.at(at) << 8 | transport.at(at + 1);
}

// Source: ip_vs_xmit.c, ip_vs_dr_xmit(). The server's own port is not used either.
LVSPEC_CASE(Forwarding, DirectRoutingChangesMacAndTtlOnly,
            {.id = "forwarding.direct-changes-mac-and-ttl-only",
             .claim = "Direct routing leaves a packet as it is but for its MAC addresses and its TTL, one less.",
             .clauses = {"FWD-02", "FWD-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), {.port = 5353})));
  BenchClient client = bench.mute_client(1);
  const RawPacket sent = udp_packet({client.cip(), 40000}, {kVip, 53});

  Tap tap = bench.tap("real1");
  client.send(sent);
  const auto heard = tap.await(of(kUdp));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->ttl(), Eq(63));
  EXPECT_THAT(without_hop_fields(heard->bytes), Eq(without_hop_fields(sent)));
  EXPECT_THAT(heard->from, Eq(bench.mac_of("director")));
  EXPECT_THAT(heard->to, Eq(bench.mac_of("real1")));
}

// Source: ip_vs_xmit.c, ip_vs_dr_xmit(): it touches nothing behind the IP header.
LVSPEC_CASE(Forwarding, DirectRoutingKeepsThePort,
            {.id = "forwarding.direct-keeps-the-port",
             .claim = "With direct routing a server's other port is listed, and the client's port is what it gets.",
             .clauses = {"FWD-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {80}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), {.port = 8080})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.vport = 80, .sport = 8080})));
}

// Source: ip_vs_xmit.c, ip_vs_nat_xmit(); ip_vs_proto_tcp.c, tcp_dnat_handler().
LVSPEC_CASE(Forwarding, NatMapsThePort,
            {.id = "forwarding.nat-maps-the-port",
             .claim = "With NAT a connection to VIP:80 reaches the server at its own address and port 8080, from "
                      "the client's address.",
             .clauses = {"FWD-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().real_servers(1, {.tcp = {8080}, .udp = {5353}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 8080;
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1), server)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").server(bench.rip(1, AF_INET6), server)));
  server.port = 5353;
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), server)));

  const Answer answer = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(answer, ServedBy("real1"));
  EXPECT_THAT(answer.seen_client.address, Eq(bench.client(1).cip()));
  EXPECT_THAT(last_target(bench), Eq(Endpoint{bench.rip(1), 8080}.str()));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real1"));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy("real1"));
  EXPECT_THAT(bench.connections(),
              Contains(ConnectionOf(EntryParts{.vport = 80, .server = bench.rip(1), .sport = 8080})));
}

// Source: ip_vs_core.c, handle_response().
LVSPEC_CASE(Forwarding, NatRepliesComeFromTheVip,
            {.id = "forwarding.nat-replies-come-from-the-vip",
             .claim = "With NAT the client hears the VIP and the service's port, through the director, never the "
                      "server's address.",
             .clauses = {"FWD-03", "CON-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {5353}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 5353;
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), server)));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("client");
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}));
  const auto heard = tap.await(of(kUdp));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->source(), Eq(kVip));
  EXPECT_THAT(port_at(heard->payload(), 0), Eq(53));
  EXPECT_THAT(port_at(heard->payload(), 2), Eq(40000));
  EXPECT_THAT(heard->from, Eq(bench.mac_of("director")));
  EXPECT_THAT(heard->ttl(), Eq(63));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(): the method plays no part.
LVSPEC_CASE(Forwarding, NatSticks,
            {.id = "forwarding.nat-sticks",
             .claim = "Persistence holds behind NAT: one client, one server, on another port as well.",
             .clauses = {"TPL-01", "FWD-03"},
             .field_reports = {"FR-27", "FR-118"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3).masquerading()));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client(1).connect_times(6, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
}

// Both halves of a connection pass, so its close is seen as it is. Source: ip_vs_proto_tcp.c, tcp_states.
LVSPEC_CASE(Forwarding, NatSeesTheWholeClose,
            {.id = "forwarding.nat-sees-the-whole-close",
             .claim = "After the client closes first, an entry behind NAT is in TIME_WAIT, with direct routing in "
                      "FIN_WAIT.",
             .clauses = {"CON-02", "CON-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).masquerading()));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "TIME_WAIT"})));
}

// A refusal of the server's kernel is an ICMP error that quotes the translated packet; the client must be able to
// recognise its own. Source: ip_vs_core.c, ip_vs_out_icmp(), ip_vs_nat_icmp().
LVSPEC_CASE(Forwarding, NatTranslatesErrorsBack,
            {.id = "forwarding.nat-translates-errors-back",
             .claim = "An ICMP error of a server behind NAT reaches the client as one about the packet it sent.",
             .clauses = {"FWD-12", "FWD-10"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 5353;
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), server)));
  Tap tap = bench.tap("client");
  EXPECT_THAT(bench.client(1).udp(kVip, 53), Refused());
  const auto heard = tap.await(icmp(3, 3));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->source(), Eq(kVip));
}

// Source: ip_vs_core.c, ip_vs_in_icmp(), ip_vs_icmp_xmit().
LVSPEC_CASE(Forwarding, ErrorsGoToTheServer,
            {.id = "forwarding.errors-go-to-the-server",
             .claim = "An ICMP error from the client's side about a reply of a known connection goes to the server "
                      "of that connection.",
             .clauses = {"FWD-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real2");  // the first that rr chooses
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}));
  ASSERT_THAT(tap.await(of(kUdp)).has_value(), Eq(true));

  client.send(icmp_error(client.cip(), udp_packet({kVip, 53}, {client.cip(), 40000}), 3, 4, 1000));
  const auto heard = tap.await(icmp(3, 4));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->destination(), Eq(kVip));
  client.send(icmp_error(client.cip(), udp_packet({kVip, 53}, {client.cip(), 40001}), 3, 4, 1000));
  EXPECT_THAT(tap.await(icmp(3, 4), kLongEnough).has_value(), Eq(false));  // of no connection
}

// As above, and the quoted packet is the one that the server sent. Source: ip_vs_core.c, ip_vs_nat_icmp().
LVSPEC_CASE(Forwarding, NatTranslatesErrorsForTheServer,
            {.id = "forwarding.nat-translates-errors-for-the-server",
             .claim = "Behind NAT an ICMP error from the client's side quotes the packet as the server sent it.",
             .clauses = {"FWD-12", "FWD-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {5353}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 5353;
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), server)));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}));
  ASSERT_THAT(tap.await(of(kUdp)).has_value(), Eq(true));

  client.send(icmp_error(client.cip(), udp_packet({kVip, 53}, {client.cip(), 40000}), 3, 1));
  const auto heard = tap.await(icmp(3, 1));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->destination(), Eq(bench.rip(1)));
  const std::vector<std::uint8_t> message = heard->payload();
  EXPECT_THAT(internet_checksum(message), Eq(0));
  EXPECT_THAT(IpAddress::from_bytes(AF_INET, message.data() + 8 + 12), Eq(bench.rip(1)));
  EXPECT_THAT(port_at(message, 8 + 20), Eq(5353));
}

// Source: ip_vs_core.c, ip_vs_in_icmp(): other types "will be handled by the local stack".
LVSPEC_CASE(Forwarding, EchoIsNotBalanced,
            {.id = "forwarding.echo-is-not-balanced",
             .claim = "A ping to the VIP is answered by the director itself.",
             .clauses = {"FWD-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  ASSERT_OK(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("client");
  client.send(echo_request(client.cip(), kVip));
  const auto heard = tap.await(icmp(0, 0));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->from, Eq(bench.mac_of("director")));
  EXPECT_THAT(bench.tables().entries, IsEmpty());
}

// Source: ip_vs_xmit.c, ip_vs_tunnel_xmit().
LVSPEC_CASE(Forwarding, IpipReachesAndSticks,
            {.id = "forwarding.ipip-reaches-and-sticks",
             .claim = "IPIP tunnels carry whole connections, IPv4 and IPv6, and persistence holds.",
             .clauses = {"FWD-04", "TPL-01"},
             .field_reports = {"FR-118"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3).tunnelling()));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s)));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(last_target(bench), Eq(Endpoint{kVip, 80}.str()));
  EXPECT_THAT(bench.client(1).connect_times(4, kVip, 80), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), Answered());
}

// Source: ip_vs_xmit.c, ip_vs_tunnel_xmit(), ip_vs_prepare_tunneled_skb().
LVSPEC_CASE(Forwarding, OuterHeaderFollowsTheInner,
            {.id = "forwarding.outer-header-follows-the-inner",
             .claim = "A tunnel packet goes from the director's address to the server's, with the inner TTL and DF; "
                      "without pmtu_disc it never has DF.",
             .clauses = {"FWD-04", "CTL-15"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}}).tunnelling()));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  const RawPacket sent = with_ttl(udp_packet({client.cip(), 40000}, {kVip, 53}), 40);
  Tap tap = bench.tap("real1");
  client.send(sent);
  const auto heard = tap.await(of(kIpip));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->source(), Eq(bench.dip()));
  EXPECT_THAT(heard->destination(), Eq(bench.rip(1)));
  EXPECT_THAT(heard->ttl(), Eq(39));
  EXPECT_THAT(heard->dont_fragment(), Eq(true));
  EXPECT_THAT(without_hop_fields(heard->payload()), Eq(without_hop_fields(sent)));

  ASSERT_OK(bench.set_sysctl("pmtu_disc", 0));
  client.send(sent);
  const auto again = tap.await(of(kIpip));
  ASSERT_THAT(again.has_value(), Eq(true));
  EXPECT_THAT(again->dont_fragment(), Eq(false));
}

// Source: ip_vs_xmit.c, ip_vs_gre_encap(), ip_vs_gue_encap(). What the far end takes has right checksums.
LVSPEC_CASE(Forwarding, GreAndGue,
            {.id = "forwarding.gre-and-gue",
             .claim = "GRE and GUE tunnels carry connections, each with and without checksums.",
             .clauses = {"FWD-04"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {80, 81, 82, 83, 84}}).tunnelling()));
  struct Kind {
    std::uint16_t vport;
    Tunnel tunnel;
    int protocol;
  };
  for (const Kind& kind : {Kind{80, {TunnelType::kGre, 0, TunnelChecksum::kNone}, kGre},
                           Kind{81, {TunnelType::kGre, 0, TunnelChecksum::kFull}, kGre},
                           Kind{82, {TunnelType::kGue, kGuePort, TunnelChecksum::kNone}, kUdp},
                           Kind{83, {TunnelType::kGue, kGuePort, TunnelChecksum::kFull}, kUdp},
                           Kind{84, {TunnelType::kGue, kGuePort, TunnelChecksum::kRemote}, kUdp}}) {
    ServerOptions server = bench.server_options();
    server.tunnel = kind.tunnel;
    server.port = kind.vport;
    ASSERT_OK(bench.add(TcpService(kVip, kind.vport).scheduler("rr").server(bench.rip(1), server)));
    Tap tap = bench.tap("real1");
    EXPECT_THAT(bench.client(1).connect(kVip, kind.vport), ServedBy("real1"));
    EXPECT_THAT(tap.await(of(kind.protocol)).has_value(), Eq(true));
  }
}

// Source: ip_vs_ctl.c, ip_vs_genl_set_cmd(); ip_vs_xmit.c, ip_vs_tunnel_xmit_v6().
LVSPEC_CASE(Forwarding, TunnelsMixFamilies,
            {.id = "forwarding.tunnels-mix-families",
             .claim = "An IPv4 service may have an IPv6 server, and the reverse, through a tunnel and not otherwise.",
             .clauses = {"FWD-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).tunnelling()));
  ServerOptions tunnel = bench.server_options();
  EXPECT_THAT(bench.add(TcpService(kVip, 81).scheduler("rr").server(bench.rip(1, AF_INET6))), Not(Obeyed()));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip(1, AF_INET6), tunnel)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").server(bench.rip(1), tunnel)));
  Tap tap = bench.tap("real1");
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(tap.await([](const HeardPacket& p) { return p.is_v6() && p.protocol() == kIpip; }).has_value(),
              Eq(true));
  EXPECT_THAT(bench.client(1, AF_INET6).connect(kVip6, 80), ServedBy("real1"));
  EXPECT_THAT(tap.await([](const HeardPacket& p) { return !p.is_v6() && p.protocol() == kIpv6InIp; }).has_value(),
              Eq(true));
}

// Source: ip_vs_xmit.c, ip_vs_nat_xmit(): a local destination is translated and goes on to the local stack.
LVSPEC_CASE(Forwarding, LocalNodeBehindNat,
            {.id = "forwarding.local-node-behind-nat",
             .claim = "The director can be its own real server on another port; its replies come from the VIP.",
             .clauses = {"FWD-01", "FWD-03"},
             .field_reports = {"FR-100"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).local_server({.tcp = {8080}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 8080;
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).server(bench.dip(), server)));
  EXPECT_THAT(bench.client(1).connect_times(2, kVip, 80), Each(ServedBy("director")));
  EXPECT_THAT(last_target(bench), Eq(Endpoint{bench.dip(), 8080}.str()));
}

// Source: ip_vs_proto_tcp.c, set_tcp_state(): the first reply seen ends the guessing.
LVSPEC_CASE(Forwarding, LocalRepliesMoveTheState,
            {.id = "forwarding.local-replies-move-the-state",
             .claim = "A local server's replies are seen: after the client closes first its entry is in TIME_WAIT.",
             .clauses = {"CON-03", "FWD-01", "SVC-15"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).local_server({.tcp = {80}})));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(bench.rip_of("director"))));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("director"));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "TIME_WAIT"})));
}

// Source: ip_vs_xmit.c, decrement_ttl().
LVSPEC_CASE(Forwarding, TtlOneIsTold,
            {.id = "forwarding.ttl-one-is-told",
             .claim = "A packet with TTL 1 is not forwarded, and its sender hears \"time exceeded\".",
             .clauses = {"FWD-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap at_client = bench.tap("client"), at_server = bench.tap("real1");
  client.send(with_ttl(udp_packet({client.cip(), 40000}, {kVip, 53}), 1));
  const auto heard = at_client.await(icmp(11, 0));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->destination(), Eq(client.cip()));
  EXPECT_THAT(at_server.await(of(kUdp), kLongEnough).has_value(), Eq(false));
  client.send(with_ttl(udp_packet({client.cip(), 40000}, {kVip, 53}), 2));
  EXPECT_THAT(at_server.await(of(kUdp)).has_value(), Eq(true));
}

// A tunnel's header takes 20 bytes of the link's 1500. Source: ip_vs_xmit.c, ensure_mtu_is_adequate().
LVSPEC_CASE(Forwarding, TooBigIsTold,
            {.id = "forwarding.too-big-is-told",
             .claim = "A packet with DF that does not fit into the tunnel is answered by \"fragmentation needed\" "
                      "with what does; without pmtu_disc it is cut and carried.",
             .clauses = {"FWD-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}}).tunnelling()));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap at_client = bench.tap("client"), at_server = bench.tap("real1");
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}, std::string(1472, 'x')));
  const auto heard = at_client.await(icmp(3, 4));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(port_at(heard->payload(), 6), Eq(1480));
  EXPECT_THAT(at_server.await(of(kIpip), kLongEnough).has_value(), Eq(false));

  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}, std::string(1452, 'x')));  // just fits
  EXPECT_THAT(at_server.await(of(kIpip)).has_value(), Eq(true));
  ASSERT_OK(bench.set_sysctl("pmtu_disc", 0));
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}, std::string(1472, 'x')));
  for (const int fragment : {1, 2}) {
    const auto piece = at_server.await(of(kIpip));
    ASSERT_THAT(piece.has_value(), Eq(true));
    EXPECT_THAT(piece->dont_fragment(), Eq(false));
    EXPECT_THAT((piece->bytes[6] & 0x20) != 0, Eq(fragment == 1));  // "more fragments"
  }
}

// Three questions, a second apart. Source: ip_vs_xmit.c, __ip_vs_get_out_rt(); net/ipv4/arp.c, arp_error_report().
LVSPEC_CASE(Forwarding, AbsentServerIsTold,
            {.id = "forwarding.absent-server-is-told",
             .claim = "A server that answers no ARP is not noticed; the client hears \"host unreachable\" after "
                      "some seconds, and stays pinned to it.",
             .clauses = {"FWD-08", "FWD-09"},
             .field_reports = {"FR-70"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  const IpAddress nobody = IpAddress::of("203.0.113.99");
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(300s).server(nobody)));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("client");
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}));
  EXPECT_THAT(tap.await(icmp(3, 1), kLongEnough).has_value(), Eq(false));
  bench.elapse(5s);
  EXPECT_THAT(tap.await(icmp(3, 1)).has_value(), Eq(true));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.server = nobody})));
  EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.cport = 40000, .server = nobody})));
}

// The route that is kept for a server is the one that its first packet since the last edit had looked up, and only
// direct routing looks one up that names the server. Source: ip_vs_xmit.c, __ip_vs_get_out_rt(); ip_vs_ctl.c,
// __ip_vs_update_dest(), __ip_vs_dst_cache_reset().
LVSPEC_CASE(Forwarding, AnotherMethodStrandsDirectConnections,
            {.id = "forwarding.another-method-strands-direct-connections",
             .claim = "Once a server has been edited from direct routing to NAT and NAT has been used, its older "
                      "connections are lost: the director looks for the VIP on the wire; the client hears \"host "
                      "unreachable\", which counts as an answer of the server.",
             .clauses = {"FWD-02", "DST-04", "FWD-08"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1))));
  const ServiceId dns = ServiceId::of(Protocol::kUdp, kVip, 53);
  RealServer masqueraded{.address = bench.rip(1), .port = 53};
  masqueraded.method = ForwardMethod::kMasquerade;
  BenchClient older = bench.mute_client(1), newer = bench.mute_client(2);
  Tap at_server = bench.tap("real1");
  const RawPacket question = udp_packet({older.cip(), 40000}, {kVip, 53});
  older.send(question);
  EXPECT_THAT(at_server.await(of(kUdp)).has_value(), Eq(true));

  ASSERT_OK(bench.edit_server(dns, masqueraded));
  older.send(question);
  EXPECT_THAT(at_server.await(of(kUdp)).has_value(), Eq(true));  // the edit alone does no harm
  ASSERT_OK(bench.edit_server(dns, masqueraded));
  newer.send(udp_packet({newer.cip(), 40000}, {kVip, 53}));
  EXPECT_THAT(at_server.await(of(kUdp)).has_value(), Eq(true));

  Tap at_client = bench.tap("client");
  bench.elapse(5s);  // until counters are read (CON-75)
  const auto before = bench.server(dns, "real1").traffic.out_packets;
  older.send(question);
  EXPECT_THAT(at_server.await(of(kUdp), kLongEnough).has_value(), Eq(false));
  bench.elapse(10s);
  EXPECT_THAT(at_client.await(icmp(3, 1)).has_value(), Eq(true));
  EXPECT_THAT(bench.server(dns, "real1").traffic.out_packets, Eq(before + 1));
}

// Source: ip_vs_core.c, ip_vs_out_hook(), ip_vs_gather_frags(); defragmentation before LOCAL_IN.
LVSPEC_CASE(Forwarding, FragmentsArePutTogether,
            {.id = "forwarding.fragments-are-put-together",
             .claim = "A datagram in fragments is balanced as a whole, also if the fragment without ports comes "
                      "first.",
             .clauses = {"FWD-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("client");
  const auto halves = in_fragments(udp_packet({client.cip(), 40000}, {kVip, 53}, std::string(40, 'x')), 16);
  client.send(halves[1]);
  EXPECT_THAT(bench.connections(), IsEmpty());
  client.send(halves[0]);
  EXPECT_THAT(tap.await(of(kUdp)).has_value(), Eq(true));  // the server's answer
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40000, .vport = 53})));
}

}  // namespace
}  // namespace lvspec
