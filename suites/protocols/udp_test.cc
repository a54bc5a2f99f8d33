// UDP: entries, one-packet scheduling, and what rides on an entry of IKE.

#include "harness/probe/frame.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class ProtocolsUdp : public testing::DirectorTest {
 protected:
  Result<Bench> resolvers() { return build(BenchPlan().clients(2).real_servers(3, {.tcp = {}, .udp = {53}})); }
  static std::vector<Answer> ask(Bench& bench, int times, std::uint16_t from) {
    std::vector<Answer> answers;
    for (int i = 0; i < times; ++i) answers.push_back(bench.client(1).udp(kVip, 53, from));
    return answers;
  }
};

// Source: ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(
    ProtocolsUdp, AFlowStaysWithItsServer,
    {.id = "protocols.udp-flow-stays",
     .claim = "Datagrams from one client port stay with one server without -p, even if it gets weight 0; a new "
              "port is scheduled.",
     .clauses = {"CON-31", "SVC-02", "CON-05"},
     .field_reports = {"FR-107"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, resolvers());
  const VirtualService service = UdpService(kVip, 53).scheduler("rr");
  ASSERT_OK(bench.add(service));
  EXPECT_THAT(names(ask(bench, 3, 40000)), ElementsAre("real3", "real3", "real3"));
  ASSERT_OK(bench.edit_server(service.id, with_weight(bench, service.id, "real3", 0)));
  EXPECT_THAT(names(ask(bench, 2, 40000)), ElementsAre("real3", "real3"));
  EXPECT_THAT(names(ask(bench, 2, 40001)), ElementsAre("real2", "real2"));
  EXPECT_THAT(bench.server(service.id, "real3").inactive, Eq(1U));
}

// Source: ip_vs_core.c, ip_vs_schedule(); ip_vs_conn.c, ip_vs_conn_hash().
LVSPEC_CASE(ProtocolsUdp, OnePacketIsScheduledAlone,
            {.id = "protocols.one-packet-alone",
             .claim = "With -o each datagram is scheduled alone, also those of one port, and no entry is left.",
             .clauses = {"CON-50"},
             .field_reports = {"FR-108"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, resolvers());
  const VirtualService service = UdpService(kVip, 53).scheduler("rr").one_packet();
  ASSERT_OK(bench.add(service));
  EXPECT_THAT(names(ask(bench, 6, 40000)), ElementsAre("real3", "real2", "real1", "real3", "real2", "real1"));
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  EXPECT_THAT(bench.server(service.id, "real3").inactive, Eq(0U));
}

// Source: ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(ProtocolsUdp, AnOlderEntryWinsOverOnePacket,
            {.id = "protocols.one-packet-after-entry",
             .claim = "An entry made before -o was set goes on to lead its port until it expires.",
             .clauses = {"CON-52"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, resolvers());
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  EXPECT_THAT(names(ask(bench, 2, 40000)), ElementsAre("real3", "real3"));
  ASSERT_OK(bench.edit(UdpService(kVip, 53).scheduler("rr").one_packet()));
  EXPECT_THAT(names(ask(bench, 2, 40000)), ElementsAre("real3", "real3"));
  EXPECT_THAT(names(ask(bench, 2, 40001)), ElementsAre("real2", "real1"));
  bench.elapse(past(bench, 300s));
  EXPECT_THAT(names(ask(bench, 3, 40000)), ElementsAre("real3", "real2", "real1"));
}

// Source: ip_vs_core.c, ip_vs_schedule(), FTPDATA.
LVSPEC_CASE(
    ProtocolsUdp, APacketFromPort20IsNotBalanced,
    {.id = "protocols.port-20-is-not-balanced",
     .claim = "A packet from client port 20 is never scheduled, whatever the service: here nobody answers it.",
     .clauses = {"SVC-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, resolvers());
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.client(1).udp(kVip, 53, 20), Refused());
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  EXPECT_THAT(bench.client(1).udp(kVip, 53, 21), Answered());
}

// Source: ip_vs_proto_ah_esp.c, ah_esp_conn_fill_param_proto().
LVSPEC_CASE(ProtocolsUdp, IpsecFollowsItsKeyExchange,
            {.id = "protocols.ipsec-follows-its-key-exchange",
             .claim = "ESP and AH make no entry, and renew that of UDP between both ports 500 of the same addresses.",
             .clauses = {"SVC-20"}}) {
  constexpr std::uint8_t kEsp = 50, kAh = 51;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {}, .udp = {500}})));
  ASSERT_OK(bench.add(UdpService(kVip, 500).scheduler("rr").persistent(1000s)));
  BenchClient mute = bench.mute_client(1);
  const std::string payload(24, '\1');
  mute.send_packet(kVip, kEsp, payload);
  mute.send_packet(kVip, kAh, payload);
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  mute.send_datagram(kVip, 500, 500, "IKE");
  mute.send_datagram(kVip, 500, 501, "not IKE");
  bench.elapse(200s);
  mute.send_packet(kVip, kEsp, payload);
  bench.elapse(200s);
  mute.send_packet(kVip, kAh, payload);
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(EntryParts{.protocol = "UDP", .cport = 500, .vport = 500, .expires = 300s})));
}

// Source: net/ipv6/exthdrs_core.c, ipv6_find_hdr().
LVSPEC_CASE(ProtocolsUdp, PortsStandBehindIpv6Extensions,
            {.id = "protocols.ipv6-extension-headers",
             .claim = "A datagram behind IPv6 destination options finds the entry of its ports.",
             .clauses = {"SVC-01", "CON-01"}}) {
  constexpr std::uint8_t kDestinationOptions = 60, kUdp = 17;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip6, 53).scheduler("rr")));
  BenchClient client = bench.client(1, AF_INET6);
  const Answer first = client.udp(kVip6, 53, 40000);
  ASSERT_THAT(first, Answered());
  bench.elapse(100s);
  EXPECT_THAT(bench.connections(), Not(Contains(ConnectionOf(EntryParts{.cport = 40000, .expires = 300s}))));
  // Next header UDP, eight bytes, six of them padding; then ports 40000 and 53, and a checksum that no server likes.
  client.send_packet(kVip6, kDestinationOptions,
                     std::string{kUdp, 0, 1, 4, 0, 0, 0, 0} + std::string("\x9c\x40\0\x35\0\x0c\x12\x34"
                                                                          "ping",
                                                                          12));
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(
                  EntryParts{.cport = 40000, .server = bench.rip_of(first.server, AF_INET6), .expires = 300s})));
}

}  // namespace
}  // namespace lvspec
