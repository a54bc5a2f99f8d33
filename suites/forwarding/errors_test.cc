// ICMP errors that come to the director, and those that it sends to real servers.

#include "suites/forwarding/packets.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class ForwardingErrors : public testing::DirectorTest {
 protected:
  static std::function<bool(const HeardPacket&)> icmp(int type, int code) {
    return [type, code](const HeardPacket& packet) {
      const auto message = packet.payload();
      return packet.protocol() == 1 && message.size() >= 8 && message[0] == type && message[1] == code;
    };
  }
  static std::function<bool(const HeardPacket&)> of(int protocol) {
    return [protocol](const HeardPacket& packet) { return packet.protocol() == protocol; };
  }
  // From a real server, to whomever: the director is on the way.
  static void send_from(const Bench& bench, const std::string& server, const RawPacket& packet) {
    RawProbe probe = must(RawProbe::open(bench.netns(server)));
    must(probe.send_packet(packet, bench.mac_of("director")));
  }
};

constexpr int kIpip = 4, kUdp = 17;
constexpr std::chrono::milliseconds kLongEnough{200};  // for what must not come

int mtu_in(const HeardPacket& error) {
  const auto message = error.payload();
  return message.at(6) << 8 | message.at(7);
}

// Source: ip_vs_core.c, ip_vs_in_icmp(), ip_vs_try_to_schedule(). No state is set, so the entry has the time of a new
// one.
LVSPEC_CASE(
    ForwardingErrors, ScheduleIcmp,
    {.id = "forwarding.schedule-icmp",
     .claim = "With schedule_icmp an ICMP error about an unknown connection is scheduled, and its entry lives "
              "for 3 s; without, it makes none.",
     .clauses = {"FWD-12", "CTL-17", "TIM-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  const RawPacket error = icmp_error(client.cip(), udp_packet({kVip, 53}, {client.cip(), 40000}), 3, 1);
  client.send(error);
  EXPECT_THAT(tap.await(icmp(3, 1), kLongEnough).has_value(), Eq(false));
  EXPECT_THAT(bench.connections(), IsEmpty());

  ASSERT_OK(bench.set_sysctl("schedule_icmp", 1));
  client.send(error);
  EXPECT_THAT(tap.await(icmp(3, 1)).has_value(), Eq(true));
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(EntryParts{.cport = 40000, .vport = 53, .state = "UDP", .expires = 3s})));
}

// Source: ip_vs_core.c, ip_vs_in_icmp(): only a new entry's timer is started.
LVSPEC_CASE(ForwardingErrors, ErrorsAndTheTimer,
            {.id = "forwarding.errors-and-the-timer",
             .claim = "An ICMP error about a known connection does not restart its timer.",
             .clauses = {"FWD-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  client.send(udp_packet({client.cip(), 40000}, {kVip, 53}));
  bench.elapse(100s);
  client.send(icmp_error(client.cip(), udp_packet({kVip, 53}, {client.cip(), 40000}), 3, 1));
  EXPECT_THAT(tap.await(icmp(3, 1)).has_value(), Eq(true));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40000, .expires = 200s})));
}

// Source: ip_vs_core.c, ip_vs_out_hook(), sysctl_nat_icmp_send().
LVSPEC_CASE(ForwardingErrors, NatIcmpSend,
            {.id = "forwarding.nat-icmp-send",
             .claim = "What a server behind NAT sends from a service's port without a connection leaves as it is; "
                      "with nat_icmp_send it does not, and the server hears \"port unreachable\".",
             .clauses = {"FWD-15", "CTL-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 5353;
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").server(bench.rip(1), server)));
  const IpAddress client = bench.mute_client(1).cip();
  Tap at_client = bench.tap("client"), at_server = bench.tap("real1");
  const RawPacket unasked = udp_packet({bench.rip(1), 5353}, {client, 40000});
  send_from(bench, "real1", unasked);
  const auto heard = at_client.await(of(kUdp));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->source(), Eq(bench.rip(1)));

  ASSERT_OK(bench.set_sysctl("nat_icmp_send", 1));
  send_from(bench, "real1", unasked);
  EXPECT_THAT(at_server.await(icmp(3, 3)).has_value(), Eq(true));
  EXPECT_THAT(at_client.await(of(kUdp), kLongEnough).has_value(), Eq(false));
  send_from(bench, "real1", udp_packet({bench.rip(1), 5354}, {client, 40000}));  // of no service
  EXPECT_THAT(at_client.await(of(kUdp)).has_value(), Eq(true));
}

// The first error is told with the MTU that the director's route had until then. Source: ip_vs_core.c,
// ip_vs_in_icmp(), "Prefer the resulting PMTU"; net/ipv4/route.c, update_or_create_fnhe().
LVSPEC_CASE(ForwardingErrors, TunnelErrorsAreRelayed,
            {.id = "forwarding.tunnel-errors-are-relayed",
             .claim = "A router's \"fragmentation needed\" about a tunnel packet reaches the client as one about its "
                      "own packet, with 20 bytes less from the second on, and holds for the packets that follow.",
             .clauses = {"FWD-13", "FWD-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}}).tunnelling()));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  BenchClient client = bench.mute_client(1);
  Tap at_client = bench.tap("client"), at_server = bench.tap("real1");
  const auto send = [&](std::size_t length) {
    client.send(udp_packet({client.cip(), 40000}, {kVip, 53}, std::string(length - 28, 'x')));
  };
  const auto complain = [&](int mtu) {
    const auto wrapped = at_server.await(of(kIpip));
    if (!wrapped) return;
    const RawPacket quoted(wrapped->bytes.begin(), wrapped->bytes.begin() + 128);
    send_from(bench, "real1", icmp_error(bench.rip(1), quoted, 3, 4, mtu));
  };

  send(1400);
  complain(1300);
  const auto first = at_client.await(icmp(3, 4));
  ASSERT_THAT(first.has_value(), Eq(true));
  EXPECT_THAT(first->destination(), Eq(client.cip()));
  EXPECT_THAT(mtu_in(*first), Eq(1480));
  const auto message = first->payload();
  EXPECT_THAT(IpAddress::from_bytes(AF_INET, message.data() + 8 + 12), Eq(client.cip()));
  EXPECT_THAT(IpAddress::from_bytes(AF_INET, message.data() + 8 + 16), Eq(kVip));

  send(1400);  // the director knows by itself
  const auto own = at_client.await(icmp(3, 4));
  ASSERT_THAT(own.has_value(), Eq(true));
  EXPECT_THAT(mtu_in(*own), Eq(1280));
  EXPECT_THAT(at_server.await(of(kIpip), kLongEnough).has_value(), Eq(false));

  send(1280);  // fits
  complain(1200);
  const auto second = at_client.await(icmp(3, 4));
  ASSERT_THAT(second.has_value(), Eq(true));
  EXPECT_THAT(mtu_in(*second), Eq(1180));
}

}  // namespace
}  // namespace lvspec
