// What the core says about forwarding: methods, replies, ICMP errors that quote packets.

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

Packet reply(int server, std::uint16_t port, std::uint16_t client_port, TcpFlags flags) {
  Packet packet;
  packet.protocol = Protocol::kTcp;
  packet.source = rip(server);
  packet.destination = client(1);
  packet.source_port = port;
  packet.destination_port = client_port;
  packet.tcp = flags;
  packet.length = 60;
  return packet;
}

class Forwarding : public ::testing::Test {
 protected:
  void serve(ForwardMethod method, std::uint16_t server_port = 8080) {
    ASSERT_EQ(director.add_service(tcp_service(80), scheduled_by("rr")), Outcome::kOk);
    ASSERT_EQ(director.add_server(tcp_service(80), real(1, server_port), {.method = method}), Outcome::kOk);
  }
  Verdict syn() { return director.handle(now, packet_of({.from = client(1), .client_port = 40000}, kSyn)); }

  Director director;
  DirectorTime now{};
};

// FWD-03: the packet goes to the server's port, and the reply learns from which address and port it is to come.
TEST_F(Forwarding, NatSaysBothWays) {
  serve(ForwardMethod::kMasquerade);
  const Verdict in = syn();
  EXPECT_EQ(in.action, Verdict::Action::kForward);
  EXPECT_EQ(in.method, ForwardMethod::kMasquerade);
  EXPECT_EQ(in.server, rip(1));
  EXPECT_EQ(in.server_port, 8080);

  const Verdict out = director.handle_reply(now, reply(1, 8080, 40000, {.syn = true, .ack = true}));
  EXPECT_EQ(out.action, Verdict::Action::kForward);
  EXPECT_EQ(out.virtual_address, vip());
  EXPECT_EQ(out.virtual_port, 80);
  EXPECT_EQ(director.handle_reply(now, reply(1, 8081, 40000, kAck)).action, Verdict::Action::kPass);
  EXPECT_EQ(director.handle_reply(now, reply(2, 8080, 40000, kAck)).action, Verdict::Action::kPass);
}

// FWD-15: only with nat_icmp_send, only for the very address and port of a server behind NAT, and no RST.
TEST_F(Forwarding, NatIcmpSendRefusesRepliesOfNoConnection) {
  serve(ForwardMethod::kMasquerade);
  EXPECT_EQ(director.handle_reply(now, reply(1, 8080, 40000, kAck)).action, Verdict::Action::kPass);
  Sysctls sysctls;
  sysctls.nat_icmp_send = 1;
  director.set_sysctls(sysctls);
  EXPECT_EQ(director.handle_reply(now, reply(1, 8080, 40000, kAck)).action, Verdict::Action::kReject);
  EXPECT_EQ(director.handle_reply(now, reply(1, 8080, 40000, kRst)).action, Verdict::Action::kPass);
  EXPECT_EQ(director.handle_reply(now, reply(1, 80, 40000, kAck)).action, Verdict::Action::kPass);
  syn();
  EXPECT_EQ(director.handle_reply(now, reply(1, 8080, 40000, kAck)).action, Verdict::Action::kForward);
}

TEST_F(Forwarding, NatIcmpSendIsForMasqueradingAlone) {
  serve(ForwardMethod::kDirectRoute);
  Sysctls sysctls;
  sysctls.nat_icmp_send = 1;
  director.set_sysctls(sysctls);
  EXPECT_EQ(director.handle_reply(now, reply(1, 8080, 40000, kAck)).action, Verdict::Action::kPass);
}

// FWD-12: an error about a packet of a known entry goes to its server and leaves the state as it is.
TEST_F(Forwarding, QuotedPacketsFollowTheirEntry) {
  serve(ForwardMethod::kDirectRoute);
  Packet error = packet_of({.from = client(1), .client_port = 40000});
  error.quoted = Quoted::kByError;
  EXPECT_EQ(director.handle(now, error).action, Verdict::Action::kPass);
  EXPECT_TRUE(director.entries(now).empty());

  syn();
  now += 30s;
  EXPECT_EQ(director.handle(now, error).action, Verdict::Action::kForward);
  ASSERT_EQ(director.entries(now).size(), 1u);
  EXPECT_EQ(director.entries(now)[0].state, "SYN_RECV");
  EXPECT_EQ(director.entries(now)[0].expires_in, 30s);  // nor does the timer start again
}

TEST_F(Forwarding, ScheduleIcmpSchedulesQuotedPackets) {
  serve(ForwardMethod::kDirectRoute);
  Sysctls sysctls;
  sysctls.schedule_icmp = 1;
  director.set_sysctls(sysctls);
  Packet error = packet_of({.from = client(1), .client_port = 40000});
  error.quoted = Quoted::kByError;
  EXPECT_EQ(director.handle(now, error).action, Verdict::Action::kForward);
  EXPECT_EQ(director.entries(now).size(), 1u);
  ASSERT_EQ(director.edit_server(tcp_service(80), real(1, 8080), {.weight = 0}), Outcome::kOk);
  error.source_port = 40001;
  EXPECT_EQ(director.handle(now, error).action, Verdict::Action::kDrop);  // SVC-21: no ICMP about ICMP
}

// SVC-20, CON-34: an error about an ESP packet is related at best, whatever schedule_icmp says.
TEST_F(Forwarding, ScheduleIcmpDoesNotMakeEntriesOfIpsec) {
  ASSERT_EQ(director.add_service(mark_service(7), persistent(300)), Outcome::kOk);
  ASSERT_EQ(director.add_server(mark_service(7), real(1), {}), Outcome::kOk);
  director.set_marks({{.mark = 7}});
  Sysctls sysctls;
  sysctls.schedule_icmp = 1;
  director.set_sysctls(sysctls);
  for (const Protocol protocol : {Protocol::kAh, Protocol::kEsp}) {
    Packet error = packet_of({.from = client(1), .port = 0, .protocol = protocol});
    error.quoted = Quoted::kByError;
    EXPECT_EQ(director.handle(now, error).action, Verdict::Action::kPass);
  }
  EXPECT_TRUE(director.entries(now).empty());
}

// FWD-02: the route to a server is the one that its first packet since the last edit had looked up.
TEST_F(Forwarding, DirectEntryUsesTheRouteThatIsKept) {
  serve(ForwardMethod::kDirectRoute);
  const Packet first = packet_of({.from = client(1), .client_port = 40000}, kSyn);
  EXPECT_FALSE(director.handle(now, first).asks_for_destination);
  director.edit_server(tcp_service(80), real(1, 8080), {.method = ForwardMethod::kMasquerade});
  EXPECT_FALSE(director.handle(now, first).asks_for_destination);  // looked up anew, for direct routing
  director.edit_server(tcp_service(80), real(1, 8080), {.method = ForwardMethod::kMasquerade});
  EXPECT_FALSE(director.handle(now, packet_of({.from = client(2), .client_port = 40000}, kSyn)).asks_for_destination);
  EXPECT_TRUE(director.handle(now, first).asks_for_destination);
  director.edit_server(tcp_service(80), real(1, 8080), {});
  EXPECT_FALSE(director.handle(now, first).asks_for_destination);
}

// FWD-05: an IPv4 service with an IPv6 server works through a tunnel only.
TEST_F(Forwarding, OtherFamilyNeedsATunnel) {
  ASSERT_EQ(director.add_service(tcp_service(80), scheduled_by("rr")), Outcome::kOk);
  const RealServerKey six{.family = Family::kIpv6, .address = {{0x20, 1}}, .port = 80};
  EXPECT_EQ(director.add_server(tcp_service(80), six, {.method = ForwardMethod::kMasquerade}), Outcome::kInvalid);
  EXPECT_EQ(director.add_server(tcp_service(80), six, {}), Outcome::kInvalid);
  EXPECT_EQ(director.add_server(tcp_service(80), six, {.method = ForwardMethod::kTunnel}), Outcome::kOk);
  const Verdict verdict = syn();
  EXPECT_EQ(verdict.server_family, Family::kIpv6);
  EXPECT_EQ(verdict.method, ForwardMethod::kTunnel);
}

}  // namespace
}  // namespace lvspec::director
