// Under pressure: floods of SYNs, very many clients, and packets that are none.

#include <map>

#include "harness/probe/raw_probe.h"
#include "suites/forwarding/packets.h"
#include "suites/support.h"

namespace lvspec {
namespace {

constexpr std::chrono::milliseconds kLongEnough{200};  // for what must not come
constexpr int kUdp = 17;

/// Strangers from the network for benchmarks (RFC 2544, 198.18.0.0/15), to which nobody here has a route: what is
/// answered to them goes nowhere.
class Crowd {
 public:
  explicit Crowd(Bench& bench)
      : bench_(bench), probe_(must(RawProbe::open(bench.netns("client")))), to_(bench.mac_of("director")) {}

  static IpAddress address(int n) { return IpAddress::of("198.18.0.0").plus(static_cast<std::uint64_t>(n)); }

  /// One SYN of each of the first n strangers, at the speed at which the director takes them.
  void syn(int n, std::uint16_t from) {
    for (int i = 0; i < n; ++i) {
      must(probe_.send_segment({.source = {address(i), from}, .target = {kVip, 80}, .flags = tcp_flags::kSyn}, to_));
      if (i % 256 == 255) bench_.elapse(0s);  // let it take what is under way
    }
    bench_.elapse(0s);
  }

 private:
  Bench& bench_;
  RawProbe probe_;
  MacAddress to_;
};

class Pressure : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  /// A datagram of client 1 that nobody waits for the answer of.
  static RawPacket datagram(Bench& bench, std::uint16_t from = 40000) {
    return udp_packet({bench.mute_client(1).cip(), from}, {kVip, 53}, std::string(64, 'x'));
  }
  Result<Bench> one_server() {
    LVSPEC_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(1, {.tcp = {}, .udp = {53}})));
    LVSPEC_TRY(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(300s)));
    return bench;
  }
  static std::function<bool(const HeardPacket&)> from(const IpAddress& client) {
    return [client](const HeardPacket& packet) { return packet.protocol() == kUdp && packet.source() == client; };
  }
};

// 2,000 strangers; a template of 300 s for each. Source: ip_vs_core.c, ip_vs_sched_persist() runs at the SYN.
LVSPEC_CASE(Pressure, AFloodPins,
            {.id = "pressure.syn-flood-makes-templates",
             .claim = "Each SYN of a flood makes a template that lives its whole window, while its connection is "
                      "gone after 60 s; clients that were there before stay on their servers.",
             .clauses = {"TPL-43", "TPL-31", "CON-20"},
             .field_reports = {"FR-67"}}) {
  constexpr int kStrangers = 2000;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const Answer first = bench.client(1).connect(kVip, 80);
  Connection held = bench.client(2).hold(kVip, 80);
  Crowd(bench).syn(kStrangers, 40000);
  EXPECT_THAT(bench.tables().entries, SizeIs(2 * kStrangers + 4));
  EXPECT_THAT(held.say_again(), ServedBy(held.answer().server));
  EXPECT_THAT(connect_while_quiescent(bench, service_.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
  bench.elapse(past(bench, 60s));
  EXPECT_THAT(bench.connections(), SizeIs(3));
  EXPECT_THAT(bench.templates(), SizeIs(kStrangers + 2));
}

// A 32nd of the chains a second: after 900 s a stranger has been spared with a chance of e^-28.
// Source: ip_vs_conn.c, ip_vs_random_dropentry().
LVSPEC_CASE(Pressure, DropEntryClearsAFlood,
            {.id = "pressure.drop-entry-clears-a-flood",
             .claim = "With drop_entry=3 a flood's templates go, even of a long window, and a client that had "
                      "connected keeps its own.",
             .clauses = {"TPL-50", "TPL-51", "CON-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(3000s);
  ASSERT_OK(bench.add(service));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  Crowd(bench).syn(500, 40000);
  EXPECT_THAT(bench.templates(), SizeIs(501));
  ASSERT_OK(bench.set_sysctl("drop_entry", 3));
  bench.elapse(900s);
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.client = bench.client(1).cip()})));
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
}

// Of entries with n packets every n-th may go, with more than 8 none; those of one packet all go in the end.
// Source: ip_vs_conn.c, todrop_entry().
LVSPEC_CASE(Pressure, DropEntrySparesTheBusy,
            {.id = "pressure.drop-entry-spares-the-busy",
             .claim = "With drop_entry=3 an idle UDP flow of one packet goes, and one that has had more than eight "
                      "stays.",
             .clauses = {"CON-61", "CON-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.set_timeouts(0, 0, 3000));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  ASSERT_THAT(bench.client(1).udp(kVip, 53, 40000), Answered());
  for (int i = 0; i < 9; ++i) ASSERT_THAT(bench.client(2).udp(kVip, 53, 40000), Answered());
  bench.elapse(900s);
  EXPECT_THAT(bench.connections(), SizeIs(2));  // for without it both stay
  ASSERT_OK(bench.set_sysctl("drop_entry", 3));
  bench.elapse(900s);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.client = bench.client(2).cip()})));
}

// 10,000 clients and not more, so that a user-mode-linux guest is done with their 20,000 SYNs and the table of 30,000
// lines within three seconds.
// Source: ip_vs_conn.c: the table has no limit but memory.
LVSPEC_CASE(Pressure, VeryManyClientsKeepTheirServers,
            {.id = "pressure.ten-thousand-clients-stick",
             .claim = "10,000 clients of one service each keep their server, a third of them each, when all come "
                      "back from other ports.",
             .clauses = {"TPL-01", "CON-70"},
             .field_reports = {"FR-32"}}) {
  constexpr int kClients = 10000;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Crowd crowd(bench);
  crowd.syn(kClients, 40000);
  crowd.syn(kClients, 40001);
  const Tables tables = bench.tables();
  std::map<IpAddress, IpAddress> pinned;
  std::map<IpAddress, int> clients_of;
  int connections = 0, elsewhere = 0;
  for (const Entry& entry : tables.entries) {
    if (!entry.is_template) continue;
    pinned[entry.client.address] = entry.server.address;
    ++clients_of[entry.server.address];
  }
  for (const Entry& entry : tables.entries) {
    if (entry.is_template) continue;
    ++connections;
    elsewhere += pinned[entry.client.address] != entry.server.address ? 1 : 0;
  }
  EXPECT_THAT(pinned, SizeIs(kClients));
  EXPECT_THAT(connections, Eq(2 * kClients));
  EXPECT_THAT(elsewhere, Eq(0));
  for (int server = 1; server <= 3; ++server) EXPECT_THAT(clients_of[bench.rip(server)], Ge(kClients / 3));
}

// Source: net/ipv4/ip_input.c, ip_rcv_core(): what is no IP packet does not reach IPVS.
LVSPEC_CASE(
    Pressure, BrokenHeadersGoNowhere,
    {.id = "pressure.broken-headers-go-nowhere",
     .claim = "Packets whose IP header is broken, in version, length or checksum, reach no server and make no "
              "entry; the next good one is served.",
     .clauses = {"SVC-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one_server());
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  const auto broken = [&](std::size_t at, std::uint8_t value) {
    RawPacket packet = with_ttl(datagram(bench), 64);
    packet[at] = value;
    return packet;
  };
  RawPacket wrong_sum = datagram(bench);
  wrong_sum[10] ^= 0x55;
  RawPacket cut = datagram(bench);
  cut.resize(cut.size() - 30);  // shorter than it says
  for (const RawPacket& packet : {wrong_sum, cut, broken(0, 0x44), broken(0, 0x4f), broken(0, 0x55),
                                  with_ttl(broken(3, 19), 64), with_ttl(broken(2, 0x40), 64)})
    client.send(packet);
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  EXPECT_THAT(tap.await(from(client.cip()), kLongEnough).has_value(), Eq(false));
  client.send(datagram(bench));
  EXPECT_THAT(tap.await(from(client.cip())).has_value(), Eq(true));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy("real1"));
}

// Source: ip_vs_core.c, ip_vs_in_hook(): ports are read behind the options.
LVSPEC_CASE(Pressure, IpOptionsAreCarried,
            {.id = "pressure.ip-options-are-carried",
             .claim = "A packet with IP options is balanced by the ports behind them, and arrives with its options.",
             .clauses = {"SVC-02", "FWD-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one_server());
  BenchClient client = bench.mute_client(1);
  RawPacket packet = datagram(bench);
  packet.insert(packet.begin() + 20, {1, 1, 1, 0});  // three times "no operation", and the end
  packet[0] = 0x46;
  packet[3] = static_cast<std::uint8_t>(packet.size());
  packet[10] = packet[11] = 0;
  const std::uint16_t sum = internet_checksum(std::span(packet).first(24));
  packet[10] = static_cast<std::uint8_t>(sum >> 8);
  packet[11] = static_cast<std::uint8_t>(sum);
  Tap tap = bench.tap("real1");
  client.send(packet);
  const auto heard = tap.await(from(client.cip()));
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->bytes.size(), Eq(packet.size()));
  EXPECT_THAT(heard->bytes[0], Eq(0x46));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40000, .vport = 53})));
}

// Source: net/ipv4/ip_fragment.c, ip_defrag(): IPVS is not asked before the last piece is there.
LVSPEC_CASE(Pressure, LoneFragmentsVanish,
            {.id = "pressure.lone-fragments-vanish",
             .claim = "A hundred first fragments whose rest never comes reach no server and make no entry; whole "
                      "datagrams in pieces go on being served.",
             .clauses = {"FWD-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one_server());
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  RawProbe probe = must(RawProbe::open(bench.netns("client")));
  for (std::uint16_t i = 0; i < 100; ++i) {
    RawPacket first = in_fragments(datagram(bench, static_cast<std::uint16_t>(30000 + i)), 16)[0];
    first[4] = 1;
    first[5] = static_cast<std::uint8_t>(i);  // identification
    must(probe.send_packet(with_ttl(first, 64), bench.mac_of("director")));
  }
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  for (const RawPacket& piece : in_fragments(datagram(bench), 16)) client.send(piece);
  EXPECT_THAT(tap.await(from(client.cip())).has_value(), Eq(true));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40000})));
}

// Source: ip_vs_core.c, ip_vs_fill_iph_skb(); ip_vs_proto_udp.c, udp_conn_schedule(), skb_header_pointer().
LVSPEC_CASE(Pressure, WithoutPortsNobodyIsMeant,
            {.id = "pressure.cut-transport-goes-nowhere",
             .claim = "A TCP or UDP packet that ends before its ports or in the middle of its header is balanced to "
                      "nobody.",
             .clauses = {"SVC-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one_server());
  ASSERT_OK(bench.add(service_));
  BenchClient client = bench.mute_client(1);
  Tap tap = bench.tap("real1");
  client.send_packet(kVip, 17, std::string("\x9c\x40", 2));
  client.send_packet(kVip, 6, std::string("\x9c\x40\x00\x50\x00\x00\x00\x00", 8));
  client.send_packet(kVip, 6, std::string());
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  EXPECT_THAT(
      tap.await([&](const HeardPacket& packet) { return packet.source() == client.cip(); }, kLongEnough).has_value(),
      Eq(false));
  EXPECT_THAT(bench.client(1).udp(kVip, 53), ServedBy("real1"));
}

}  // namespace
}  // namespace lvspec
