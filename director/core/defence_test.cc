// Flood defence: drop_packet, drop_entry, secure_tcp; and which values sysctls take.

#include "director/core/defence.h"

#include <algorithm>
#include <map>

#include "director/core/sysctls.h"
#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

const ServiceKey kDns = udp_service(53), kWeb = tcp_service(80);

Sysctls dropping_entries() { return {.drop_entry = 3}; }

// SVC-19, CTL-01: the first packet, then every N-th; what has an entry is not counted.
TEST(DropPacket, TakesTheFirstOfEveryN) {
  World world;
  world.serve(kDns, scheduled_by("rr"), {1, 1, 1});
  ASSERT_EQ(world.director.set_sysctls({.am_droprate = 3, .drop_packet = 3}), Outcome::kOk);
  std::string seen;
  for (int i = 0; i < 7; ++i) seen += world.datagram({.from = client(1), .port = 53}) + " ";
  EXPECT_EQ(seen, "drop r3 r2 drop r1 r3 drop ");
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53, .client_port = 40001}), "r3");
  EXPECT_EQ(world.connections().size(), 4u);
  EXPECT_EQ(world.datagram({.from = client(1), .port = 54}), "pass");  // nobody's service, nobody's drop
}

TEST(DropPacket, FollowsTheRateOnlyAtTheNextSecond) {
  World world;
  world.serve(kDns, scheduled_by("rr"), {1});
  const auto next = [&] { return world.datagram({.from = client(1), .port = 53}); };
  world.director.set_sysctls({.am_droprate = 1, .drop_packet = 3});
  EXPECT_EQ(next(), "drop");
  world.director.set_sysctls({.am_droprate = 0, .drop_packet = 3});
  EXPECT_EQ(next(), "drop");
  world.elapse(1s);
  EXPECT_EQ(next(), "r1");
  world.director.set_sysctls({.am_droprate = 1, .drop_packet = 3});
  EXPECT_EQ(next(), "r1");
  world.elapse(1s);
  EXPECT_EQ(next(), "drop");
  world.director.set_sysctls({.drop_packet = 0});
  EXPECT_EQ(next(), "r1");
}

// CTL-32
TEST(DefenceModes, AutomaticOnesStayOffWithMemoryToSpare) {
  World world;
  world.serve(kDns, scheduled_by("rr"), {1});
  ASSERT_EQ(world.director.set_sysctls({.am_droprate = 1, .drop_entry = 2, .drop_packet = 1, .secure_tcp = 2}),
            Outcome::kOk);
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "r1");
  EXPECT_EQ(world.director.sysctls().drop_entry, 1);
  EXPECT_EQ(world.director.sysctls().drop_packet, 1);
  EXPECT_EQ(world.director.sysctls().secure_tcp, 1);
}

// TPL-50, TPL-42
TEST(DropEntry, TakesTemplatesThatWereNeverAssured) {
  World world;
  world.serve(kWeb, persistent(10000), {1, 1});
  for (int n = 1; n <= 20; ++n) world.visit({.from = client(n)});
  for (int n = 21; n <= 40; ++n) world.send({.from = client(n), .client_port = 40000}, kSyn);
  world.elapse(400s);
  EXPECT_EQ(world.templates().size(), 40u);
  world.director.set_sysctls(dropping_entries());
  world.elapse(1000s);
  const std::vector<EntryView> left = world.templates();
  EXPECT_EQ(left.size(), 20u);
  for (const EntryView& entry : left) EXPECT_EQ(entry.state, "ASSURED");
}

// CON-60, CON-61 and TPL-51 in one table: what is left after 20 minutes of drop_entry, of connections that would by
// themselves live for longer.
TEST(DropEntry, TakesHalfOpenAndIdleConnectionsOnly) {
  World world;
  world.director.set_timeouts({.tcp_s = 5000, .tcp_fin_s = 5000, .udp_s = 5000});
  world.serve(kWeb, scheduled_by("rr"), {1});
  world.serve(kDns, scheduled_by("rr"), {1});
  Flow busy{.from = client(1)}, idle{.from = client(2)}, closed{.from = client(3)},
      quiet{.from = client(4), .port = 53};
  world.open(busy);
  for (int i = 0; i < 8; ++i) world.send(busy, kAck);  // ten packets
  world.open(idle);
  world.visit(closed);
  quiet.client_port = world.fresh_port();
  world.datagram(quiet);
  ASSERT_EQ(world.connections().size(), 4u);
  world.director.set_sysctls(dropping_entries());
  world.elapse(59s);
  EXPECT_EQ(world.connections().size(), 4u);  // none of them has been idle for a minute
  world.elapse(1200s);
  std::vector<std::string> left;
  for (const EntryView& entry : world.connections()) left.push_back(entry.state);
  EXPECT_THAT(left, testing::UnorderedElementsAre("ESTABLISHED", "FIN_WAIT"));
}

TEST(DropEntry, TakesAHalfOpenConnectionLongBeforeItsTimeout) {
  World world;
  world.director.set_sysctls(dropping_entries());
  world.serve(kWeb, persistent(10000), {1});
  world.serve({.protocol = Protocol::kSctp, .address = vip(), .port = 80}, persistent(10000), {1});
  for (int n = 0; n < 200; ++n) {
    world.send({.from = client(n), .client_port = 40000}, kSyn);
    Packet init = packet_of({.from = client(n), .client_port = 40000, .protocol = Protocol::kSctp});
    init.sctp = {.first = SctpEvent::kInit, .event = SctpEvent::kInit};
    world.director.handle(world.now(), init);
    world.director.handle(world.now(), init);  // INIT, 61 s
  }
  EXPECT_EQ(world.templates().size(), 400u);
  world.elapse(40s);
  const std::vector<EntryView> left = world.connections();
  EXPECT_GT(left.size(), 20u);  // the expected number is 400 * (31/32)^40 = 112
  EXPECT_LT(left.size(), 250u);
  // TPL-51: a template goes with its connection, in the same second.
  EXPECT_EQ(world.templates().size(), left.size());
}

TEST(DropEntry, SparesAnAssuredTemplateWhoseConnectionIsForcedOut) {
  World world;
  world.director.set_timeouts({.tcp_s = 5000});
  world.serve(kWeb, persistent(20000), {1});
  world.open({.from = client(1)});
  world.director.set_sysctls(dropping_entries());
  world.elapse(1200s);
  EXPECT_TRUE(world.connections().empty());
  ASSERT_EQ(world.templates().size(), 1u);
  EXPECT_EQ(world.templates()[0].state, "ASSURED");
  EXPECT_EQ(world.templates()[0].controlled, 0u);
}

// TPL-50, CON-61: a template of one-packet datagrams counts them and goes by them, unassured as it always is.
TEST(DropEntry, JudgesOnePacketTemplatesByTheirPackets) {
  World world;
  ServiceSettings settings = persistent(10000);
  settings.one_packet = true;
  world.serve(kDns, settings, {1});
  world.datagram({.from = client(1), .port = 53});
  for (int i = 0; i < 9; ++i) world.datagram({.from = client(2), .port = 53});
  EXPECT_EQ(world.templates().size(), 2u);
  for (const EntryView& entry : world.templates()) {
    EXPECT_EQ(entry.in_packets, entry.client == client(1) ? 1u : 9u);
  }
  world.director.set_sysctls(dropping_entries());
  world.elapse(1500s);
  ASSERT_EQ(world.templates().size(), 1u);
  EXPECT_EQ(world.templates()[0].client, client(2));
}

// CON-61: of those with n packets the first of every n goes.
TEST(DropEntry, TakesFewerOfThoseWithMorePackets) {
  ConnTable connections(1024);
  RealServer server;
  Defence defence(1);
  Sysctls sysctls = dropping_entries();
  defence.take_level(sysctls);
  const DirectorTime start{};
  std::uint16_t port = 0;
  for (std::uint32_t packets = 0; packets <= 9; ++packets) {
    for (int i = 0; i < 40; ++i) {
      ConnEntry& entry =
          *connections.create({.protocol = Protocol::kUdp, .client_port = ++port, .client = client(1)}, server, 0);
      for (std::uint32_t n = 0; n < packets; ++n) entry.count_packet();
      entry.timeout = 5000s;
      connections.arm(entry, start);
    }
  }
  // One look at every chain that has an entry, one after the other: nothing is drawn twice.
  std::map<std::uint32_t, int> left;
  for (int second = 0; second < 3000 && connections.size() > 0; ++second) defence.thin(start + 60s, connections);
  connections.for_each([&](const ConnEntry& entry) { ++left[entry.packets]; });
  EXPECT_EQ(left[0], 40);
  EXPECT_EQ(left[1], 0);
  EXPECT_EQ(left[9], 40);
}

TEST(DropEntry, IsRepeatableAndTheSameInOneStepOrMany) {
  const auto story = [](std::uint64_t seed, int steps) {
    Director director(4096, seed);
    director.add_service(kWeb, persistent(10000));
    director.add_server(kWeb, real(1), {});
    director.set_sysctls(dropping_entries());
    DirectorTime now{};
    for (int n = 0; n < 200; ++n) director.handle(now, packet_of({.from = client(n), .client_port = 40000}, kSyn));
    for (int i = 0; i < steps; ++i) director.expire(now += Duration(30s) / steps);
    std::vector<std::string> left;
    for (const EntryView& entry : director.entries(now)) left.push_back(std::to_string(entry.client.bytes[3]));
    std::sort(left.begin(), left.end());
    return left;
  };
  EXPECT_EQ(story(1, 1), story(1, 30));
  EXPECT_EQ(story(1, 1), story(1, 60));
  EXPECT_NE(story(1, 1), story(2, 1));
}

TEST(DropEntry, WakesTheDirectorEverySecond) {
  World world;
  world.serve(kWeb, persistent(10000), {1});
  world.director.set_sysctls(dropping_entries());
  EXPECT_EQ(world.director.next_deadline(), std::nullopt);
  world.open({.from = client(1)});
  EXPECT_EQ(world.director.next_deadline(), world.now() + 1s);
  world.director.set_sysctls({});
  EXPECT_EQ(world.director.next_deadline(), world.now() + 900s);
}

// CON-26 by way of the director.
TEST(SecureTcp, GoesByItsOwnTable) {
  World world;
  world.serve(kWeb, scheduled_by("rr"), {1});
  world.director.set_sysctls({.secure_tcp = 3});
  Flow flow{.from = client(1), .client_port = 40000};
  world.send(flow, kSyn);
  EXPECT_EQ(world.connections()[0].state, "SYNACK");
  world.director.set_sysctls({});
  world.send(flow, kRst);
  EXPECT_EQ(world.connections()[0].state, "CLOSE");
  world.send(flow, kSyn);
  EXPECT_EQ(world.connections()[0].state, "SYN_RECV");
}

TEST(Sysctls, TakeWhatTheKernelTakes) {
  struct Range {
    int Sysctls::*field;
    std::vector<int> taken, refused;
  };
  const std::vector<Range> ranges = {
      {&Sysctls::drop_entry, {0, 1, 2, 3}, {-1, 4}},
      {&Sysctls::drop_packet, {0, 1, 2, 3}, {-1, 4}},
      {&Sysctls::secure_tcp, {0, 1, 2, 3}, {-1, 4}},
      {&Sysctls::sync_retries, {0, 3}, {-1, 4}},
      {&Sysctls::sync_version, {0, 1}, {-1, 2}},
      {&Sysctls::sync_ports, {1, 2, 4, 64, 128}, {0, -1, 3, 65}},
      {&Sysctls::sync_threshold, {0, 49}, {-1, 50}},
      {&Sysctls::sync_period, {0, 4}, {-1, 3}},
      {&Sysctls::lblc_expiration, {-1, 0, 21474836, -21474836}, {21474837, -21474837}},
      {&Sysctls::lblcr_expiration, {-1, 0, 21474836}, {21474837}},
      {&Sysctls::sync_refresh_period, {-1, 0, 21474836}, {21474837}},
      {&Sysctls::sync_qlen_max, {0, 1}, {-1}},
      {&Sysctls::conn_reuse_mode, {-1, 0, 4}, {}},
      {&Sysctls::am_droprate, {-1, 0, 1000}, {}},
      {&Sysctls::sloppy_tcp, {-1, 0, 4}, {}},
      {&Sysctls::cache_bypass, {-1, 0, 4}, {}},
  };
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    for (const int value : ranges[i].taken) {
      Sysctls sysctls;
      sysctls.*ranges[i].field = value;
      EXPECT_TRUE(are_accepted(sysctls, {})) << "row " << i << ": " << value;
    }
    for (const int value : ranges[i].refused) {
      Sysctls sysctls;
      sysctls.*ranges[i].field = value;
      EXPECT_FALSE(are_accepted(sysctls, {})) << "row " << i << ": " << value;
      Director director;
      EXPECT_EQ(director.set_sysctls(sysctls), Outcome::kInvalid);
      EXPECT_EQ(director.sysctls(), Sysctls{});
    }
  }
}

}  // namespace
}  // namespace lvspec::director
