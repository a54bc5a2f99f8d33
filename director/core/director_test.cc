// Sections 1, 2 and 6 of the semantics: which service takes a packet, which template it finds, what entries do.

#include "director/core/director.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class DirectorTest : public testing::Test {
 protected:
  World world;
};

TEST_F(DirectorTest, WithoutPersistenceEveryConnectionIsScheduled) {
  world.serve(tcp_service(80), scheduled_by("rr"), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.visit({.from = client(1)}), "r1");
  EXPECT_THAT(world.templates(), IsEmpty());
}

TEST_F(DirectorTest, WithPersistenceAClientStaysAndOthersRotate) {
  world.serve(tcp_service(80), persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_EQ(world.visit({.from = client(2)}), "r2");
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_THAT(world.templates(), SizeIs(2));
  EXPECT_EQ(world.server(tcp_service(80), 3).persistent, 1u);
}

// SVC-03
TEST_F(DirectorTest, OnlyASynBeginsATcpConnection) {
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  const Flow flow{.from = client(1), .client_port = 40000};
  EXPECT_EQ(world.send(flow, kAck), "pass");
  EXPECT_EQ(world.send(flow, {.syn = true, .rst = true}), "pass");
  EXPECT_EQ(world.send(flow, {.syn = true, .ack = true}), "r1");
  world.director.set_sysctls({.sloppy_tcp = 1});
  EXPECT_EQ(world.send({.from = client(2), .client_port = 40000}, kAck), "r1");
  EXPECT_EQ(world.send({.from = client(3), .client_port = 40000}, kRst), "pass");
}

// SVC-05, SVC-06
TEST_F(DirectorTest, TheMarkComesFirst) {
  MarkRule rule;
  rule.destination_port_low = rule.destination_port_high = 80;
  rule.mark = 8;
  world.director.set_marks({rule});
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r1");  // no service has the mark
  ASSERT_EQ(world.director.add_service(mark_service(8), scheduled_by("rr")), Outcome::kOk);
  EXPECT_EQ(world.visit({.from = client(1)}), "reject");  // the mark's service wins although it is empty
  ASSERT_EQ(world.director.add_server(mark_service(8), real(2), {}), Outcome::kOk);
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
}

// SVC-07
TEST_F(DirectorTest, TheExactPortBeatsPortZero) {
  world.serve(tcp_service(0), persistent(300), {1});
  world.serve(tcp_service(80), scheduled_by("rr"), {0, 1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r2");
  EXPECT_EQ(world.visit({.from = client(1), .port = 81}), "r1");
}

// SVC-08, SVC-10
TEST_F(DirectorTest, FtpTakesPort20AndUnprivilegedPorts) {
  world.serve(tcp_service(0), persistent(300), {1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 2121}), "r1");
  world.serve(tcp_service(21), persistent(300), {0, 1});
  EXPECT_EQ(world.visit({.from = client(2), .port = 21}), "r2");
  EXPECT_EQ(world.visit({.from = client(2), .port = 20}), "r2");
  EXPECT_EQ(world.visit({.from = client(2), .port = 2121}), "r2");
  EXPECT_EQ(world.last().server_port, 2121);
  EXPECT_EQ(world.visit({.from = client(3), .port = 80}), "r1");
  EXPECT_EQ(world.datagram({.from = client(3), .port = 2121}), "pass");  // TCP only
}

// TPL-08
TEST_F(DirectorTest, FtpAndPortZeroShareTemplates) {
  world.serve(tcp_service(0), persistent(300), {1});
  world.serve(tcp_service(21), persistent(300), {0, 1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 21}), "r2");
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r2");  // no server of the port-0 service
  EXPECT_EQ(world.server(tcp_service(21), 2).inactive, 2u);
}

// SVC-11, SVC-12
TEST_F(DirectorTest, NonPersistentCatchAllsDoNotSchedule) {
  world.serve(tcp_service(0), scheduled_by("rr"), {1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "reject");
  EXPECT_EQ(world.visit({.from = client(1), .port = 2121}), "reject");
  world.serve(tcp_service(21), scheduled_by("rr"), {1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 2121}), "pass");
  EXPECT_EQ(world.visit({.from = client(1), .port = 21}), "r1");
}

// SVC-13, SVC-14
TEST_F(DirectorTest, StrangersAndClientPort20GoToTheLocalStack) {
  world.serve(tcp_service(80), persistent(300), {1});
  EXPECT_EQ(world.visit({.from = client(1), .to = vip(11)}), "pass");
  EXPECT_EQ(world.visit({.from = client(1), .client_port = 20}), "pass");
  EXPECT_THAT(world.director.entries(world.now()), IsEmpty());
}

// SVC-18
TEST_F(DirectorTest, WithoutAnyServiceOfTheFamilyNothingIsBalanced) {
  world.serve(tcp_service(80), persistent(300), {1});
  world.serve(tcp_service(81), persistent(300), {1});
  Flow flow{.from = client(1)};
  world.open(flow);
  ASSERT_EQ(world.director.remove_service(world.now(), tcp_service(80)), Outcome::kOk);
  EXPECT_EQ(world.send(flow, kAck), "drop");  // another service is left
  ASSERT_EQ(world.director.remove_service(world.now(), tcp_service(81)), Outcome::kOk);
  ASSERT_EQ(world.director.add_service({.family = Family::kIpv6, .fwmark = 1}, {}), Outcome::kOk);
  EXPECT_EQ(world.send(flow, kAck), "pass");
}

// SVC-21, TPL-02
TEST_F(DirectorTest, NobodyUsableMeansUnreachableAndNoTemplate) {
  world.serve(tcp_service(80), persistent(300), {0, 0});
  EXPECT_EQ(world.visit({.from = client(1)}), "reject");
  world.serve(tcp_service(21), persistent(300), {0});
  EXPECT_EQ(world.visit({.from = client(1), .port = 21}), "reject");
  EXPECT_EQ(world.visit({.from = client(1), .port = 2121}), "pass");
  EXPECT_THAT(world.director.entries(world.now()), IsEmpty());
}

// TPL-05, TPL-06
TEST_F(DirectorTest, OnePortOrAllPorts) {
  world.serve(tcp_service(80), persistent(300), {1, 1});
  world.serve(tcp_service(81), persistent(300), {1, 0});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r2");
  EXPECT_EQ(world.visit({.from = client(1), .port = 81}), "r1");

  World all_ports;
  all_ports.serve(tcp_service(0), persistent(300), {1, 1, 1});
  all_ports.serve(udp_service(0), persistent(300), {1, 0, 0});
  EXPECT_EQ(all_ports.visit({.from = client(1), .port = 80}), "r3");
  EXPECT_EQ(all_ports.visit({.from = client(1), .port = 443}), "r3");
  EXPECT_EQ(all_ports.visit({.from = client(2), .port = 443}), "r2");
  EXPECT_EQ(all_ports.datagram({.from = client(1), .port = 53}), "r1");
  EXPECT_THAT(all_ports.templates(), SizeIs(3));
}

// TPL-07, TPL-13
TEST_F(DirectorTest, AMarkCoversProtocolsPortsAndAddresses) {
  MarkRule everything;
  everything.mark = 8;
  world.director.set_marks({everything});
  world.serve(mark_service(8), persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r3");
  EXPECT_EQ(world.visit({.from = client(1), .port = 81}), "r3");
  EXPECT_EQ(world.visit({.from = client(1), .to = vip(11), .port = 80}), "r3");
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "r3");
  EXPECT_EQ(world.visit({.from = client(2), .port = 80}), "r2");
  ASSERT_THAT(world.templates(), SizeIs(2));
  const EntryView view = world.templates()[0];
  EXPECT_EQ(view.protocol, Protocol::kNone);
  EXPECT_EQ(view.virtual_address, Address::v4(8));
  EXPECT_EQ(view.virtual_port, 0);
  EXPECT_EQ(view.server_port, 0);
  EXPECT_EQ(view.fwmark, 8u);
}

// TPL-09
TEST_F(DirectorTest, PersistentMarksIgnoreTheServersPort) {
  MarkRule everything;
  everything.mark = 8;
  world.director.set_marks({everything});
  world.serve(mark_service(8), scheduled_by("rr"), {1}, 8080);
  world.visit({.from = client(1), .port = 80});
  EXPECT_EQ(world.last().server_port, 8080);
  ASSERT_EQ(world.director.edit_service(mark_service(8), persistent(300)), Outcome::kOk);
  world.visit({.from = client(1), .port = 80});
  EXPECT_EQ(world.last().server_port, 80);
}

// TPL-12, TPL-14
TEST_F(DirectorTest, ATemplateShowsTheMaskedNetwork) {
  ServiceSettings settings = persistent(300);
  settings.netmask = AddressMask::v4(0xffffff00);
  world.serve(tcp_service(80), settings, {1, 1}, 8080);
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.visit({.from = client(200)}), "r2");
  ASSERT_THAT(world.templates(), SizeIs(1));
  const EntryView view = world.templates()[0];
  EXPECT_EQ(view.client, client(0));
  EXPECT_EQ(view.client_port, 0);
  EXPECT_EQ(view.virtual_port, 80);
  EXPECT_EQ(view.server_port, 8080);
  EXPECT_EQ(view.controlled, 2u);
}

// CON-03, CON-21, CON-24
TEST_F(DirectorTest, EveryPacketRestartsTheEntrysTimer) {
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)};
  world.open(flow);
  world.elapse(899s);
  world.send(flow, kAck);
  EXPECT_EQ(world.connections()[0].expires_in, Duration(900s));
  world.director.set_timeouts({.tcp_s = 30, .tcp_fin_s = 0, .udp_s = 0});
  EXPECT_EQ(world.director.timeouts().tcp_fin_s, 120u);
  EXPECT_EQ(world.connections()[0].expires_in, Duration(900s));
  world.send(flow, kAck);
  EXPECT_EQ(world.connections()[0].expires_in, Duration(30s));
  world.close(flow);
  EXPECT_EQ(world.connections()[0].state, "FIN_WAIT");
}

// CON-40, CON-41
TEST_F(DirectorTest, PortReuseByMode) {
  const auto second_answer = [](int mode, TcpFlags ending) {
    World world;
    world.serve(tcp_service(80), scheduled_by("rr"), {1, 1});
    world.director.set_sysctls({.conn_reuse_mode = mode});
    Flow flow{.from = client(1)};
    world.open(flow);
    world.send(flow, ending);
    return world.open(flow);
  };
  EXPECT_EQ(second_answer(0, kRst), "r2");
  EXPECT_EQ(second_answer(0, kFinAck), "r2");
  EXPECT_EQ(second_answer(1, kRst), "r1");
  EXPECT_EQ(second_answer(1, kFinAck), "r2");
  EXPECT_EQ(second_answer(2, kRst), "r1");
  EXPECT_EQ(second_answer(2, kFinAck), "r1");
  EXPECT_EQ(second_answer(1, kAck), "r2");
}

// CON-40, DST-20: its timer runs out with the packet, not before.
TEST_F(DirectorTest, ADiscardedEntryStillCountsForThePacketThatDiscardsIt) {
  world.serve(tcp_service(80), scheduled_by("rr"), {});
  ASSERT_EQ(world.director.add_server(tcp_service(80), real(1), {.weight = 1, .upper_threshold = 1}), Outcome::kOk);
  Flow flow{.from = client(1)};
  EXPECT_EQ(world.open(flow), "r1");
  world.send(flow, kRst);
  EXPECT_EQ(world.send(flow, kSyn), "reject");
  world.elapse(Duration(1));
  EXPECT_THAT(world.connections(), IsEmpty());
  EXPECT_EQ(world.send(flow, kSyn), "r1");
}

// CON-50, CON-52
TEST_F(DirectorTest, OnePacketServicesKeepNoEntries) {
  ServiceSettings settings = scheduled_by("rr");
  world.serve(udp_service(53), settings, {1, 1, 1});
  const Flow flow{.from = client(1), .port = 53, .client_port = 5353};
  EXPECT_EQ(world.datagram(flow), "r3");
  settings.one_packet = true;
  ASSERT_EQ(world.director.edit_service(udp_service(53), settings), Outcome::kOk);
  EXPECT_EQ(world.datagram(flow), "r3");  // an entry from before wins
  world.elapse(300s);
  EXPECT_EQ(world.datagram(flow), "r2");
  EXPECT_EQ(world.datagram(flow), "r1");
  EXPECT_EQ(world.datagram(flow), "r3");
  EXPECT_THAT(world.connections(), IsEmpty());
  EXPECT_EQ(world.server(udp_service(53), 3).inactive, 0u);
  world.elapse(2s);
  EXPECT_EQ(world.director.totals().connections, 4u);
}

// CON-70..73
TEST_F(DirectorTest, CountsActiveInactiveAndPersistent) {
  world.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1), .client_port = 40000};
  const RealServer& server = world.server(tcp_service(80), 1);
  const auto counts = [&] { return std::tuple(server.active, server.inactive, server.persistent); };
  world.send(flow, kSyn);
  EXPECT_EQ(counts(), std::tuple(1u, 0u, 1u));
  world.send(flow, kAck);
  world.close(flow);
  EXPECT_EQ(counts(), std::tuple(0u, 1u, 1u));
  world.elapse(120s);
  EXPECT_EQ(counts(), std::tuple(0u, 0u, 1u));
  world.elapse(180s);
  EXPECT_EQ(counts(), std::tuple(0u, 0u, 0u));
  EXPECT_EQ(server.references, 0u);
}

// CON-75
TEST_F(DirectorTest, CountsPacketsAndBytes) {
  world.serve(tcp_service(80), persistent(300), {1});
  world.visit({.from = client(1)});  // SYN, ACK, FIN
  world.visit({.from = client(1)});
  world.elapse(2s);
  for (const Counters& counters : {world.server(tcp_service(80), 1).statistics.shown(),
                                   world.director.services()[0]->statistics.shown(), world.director.totals()}) {
    EXPECT_EQ(counters.connections, 2u);
    EXPECT_EQ(counters.in_packets, 6u);
    EXPECT_EQ(counters.in_bytes, 360u);
    EXPECT_EQ(counters.out_packets, 0u);
  }
}

// CON-03: the first reply that passes puts the entry on the full tables for good.
TEST_F(DirectorTest, RepliesMoveStates) {
  ASSERT_EQ(world.director.add_service(tcp_service(80), scheduled_by("rr")), Outcome::kOk);
  ASSERT_EQ(world.director.add_server(tcp_service(80), real(1, 8080), {.method = ForwardMethod::kMasquerade}),
            Outcome::kOk);
  Flow flow{.from = client(1)};
  world.open(flow);
  EXPECT_EQ(world.last().method, ForwardMethod::kMasquerade);
  EXPECT_EQ(world.last().server_port, 8080);
  world.close(flow);
  EXPECT_EQ(world.connections()[0].state, "CLOSE_WAIT");
  const Flow reply{.from = rip(1), .to = client(1), .port = flow.client_port, .client_port = 8080};
  world.director.handle_reply(world.now(), packet_of(reply, kFinAck));
  EXPECT_EQ(world.connections()[0].state, "TIME_WAIT");
  world.elapse(2s);
  EXPECT_EQ(world.director.totals().out_packets, 1u);
}

TEST_F(DirectorTest, NextDeadlineIsTheTruthAfterRearming) {
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  EXPECT_EQ(world.director.next_deadline(), std::nullopt);
  Flow flow{.from = client(1)};
  world.open(flow);
  EXPECT_EQ(world.director.next_deadline(), DirectorTime(900s));
  world.send(flow, kRst);
  EXPECT_EQ(world.director.next_deadline(), DirectorTime(10s));
  EXPECT_EQ(world.director.expire(DirectorTime(10s)), 1u);
}

TEST_F(DirectorTest, TimeThatGoesBackIsOurBug) {
  world.elapse(10s);
  EXPECT_DEATH(world.director.expire(DirectorTime(9s)), "time went back");
}

TEST_F(DirectorTest, Ipv6HasItsOwnServicesAndMarks) {
  Address real6;
  real6.bytes[0] = 0xfd;
  MarkRule rule;
  rule.family = Family::kIpv6;
  rule.mark = 9;
  world.director.set_marks({rule});
  const ServiceKey service{.family = Family::kIpv6, .fwmark = 9};
  ASSERT_EQ(world.director.add_service(mark_service(9), persistent(300)), Outcome::kOk);
  ASSERT_EQ(world.director.add_service(service, persistent(300)), Outcome::kOk);
  ASSERT_EQ(world.director.add_server(service, {.family = Family::kIpv6, .address = real6}, {}), Outcome::kOk);
  Packet packet = packet_of({.from = client(1), .client_port = 40000}, kSyn);
  packet.family = Family::kIpv6;
  const Verdict verdict = world.director.handle(world.now(), packet);
  EXPECT_EQ(verdict.action, Verdict::Action::kForward);
  EXPECT_EQ(verdict.server, real6);
  EXPECT_THAT(world.templates(), SizeIs(1));
}

}  // namespace
}  // namespace lvspec::director
