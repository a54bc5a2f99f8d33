// The protocols as a whole director treats them: SCTP, IPsec, SIP, FTP's ports, and packets that nobody can take.

#include <string>

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

ServiceKey sctp_service(std::uint16_t port) { return {.protocol = Protocol::kSctp, .address = vip(), .port = port}; }

/// A world whose packets are made here.
class Wire : public World {
 public:
  std::string sctp(const Flow& flow, SctpEvent first) { return sctp(flow, {.first = first, .event = first}); }
  std::string sctp(const Flow& flow, SctpChunks chunks) {
    Packet packet = packet_of(flow);
    packet.protocol = Protocol::kSctp;
    packet.sctp = chunks;
    return handle(packet);
  }
  std::string handle(const Packet& packet) {
    const Verdict verdict = director.handle(now(), packet);
    switch (verdict.action) {
      case Verdict::Action::kForward:
        return name_of(verdict.server);
      case Verdict::Action::kPass:
        return "pass";
      case Verdict::Action::kDrop:
        return "drop";
      case Verdict::Action::kReject:
        break;
    }
    return "reject";
  }
  std::string state() { return connections().empty() ? "-" : connections()[0].state; }
};

// SVC-03
TEST(Sctp, IsOpenedByAnInit) {
  Wire wire;
  wire.serve(sctp_service(80), scheduled_by("rr"), {1, 1});
  const Flow flow{.from = client(1), .client_port = 40000};
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kCookieEcho), "pass");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kNone), "drop");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r2");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kCookieEcho), "r2");
  EXPECT_EQ(wire.state(), "ESTABLISHED");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kNone), "r2");
  EXPECT_EQ(wire.state(), "ESTABLISHED");

  ASSERT_EQ(wire.director.set_sysctls({.sloppy_sctp = 1}), Outcome::kOk);
  EXPECT_EQ(wire.sctp({.from = client(2), .client_port = 1}, SctpEvent::kAbort), "pass");
  EXPECT_EQ(wire.sctp({.from = client(2), .client_port = 2}, {SctpEvent::kCookieEcho, SctpEvent::kAbort}), "r1");
  EXPECT_EQ(wire.sctp({.from = client(2), .client_port = 3}, SctpEvent::kData), "r2");
}

// CON-32, CON-70, TPL-40
TEST(Sctp, CountsAsActiveAndAssuresItsTemplateWhenEstablished) {
  Wire wire;
  wire.director.set_timeouts({.tcp_s = 10, .tcp_fin_s = 10, .udp_s = 10});
  wire.serve(sctp_service(80), persistent(300), {1});
  const Flow flow{.from = client(1), .client_port = 40000};
  wire.sctp(flow, SctpEvent::kInit);
  EXPECT_EQ(wire.server(sctp_service(80), 1).active, 0u);
  EXPECT_EQ(wire.connections()[0].expires_in, 4s);
  EXPECT_EQ(wire.templates()[0].state, "NONE");
  EXPECT_EQ(wire.templates()[0].protocol, Protocol::kSctp);
  wire.sctp(flow, SctpEvent::kCookieEcho);
  EXPECT_EQ(wire.server(sctp_service(80), 1).active, 1u);
  EXPECT_EQ(wire.connections()[0].expires_in, 900s);
  EXPECT_EQ(wire.templates()[0].state, "ASSURED");
  wire.sctp(flow, SctpEvent::kShutdown);
  EXPECT_EQ(wire.server(sctp_service(80), 1).active, 0u);
  EXPECT_EQ(wire.server(sctp_service(80), 1).inactive, 1u);
}

// CON-03: with NAT the director sees both sides.
TEST(Sctp, ReadsRepliesBehindNat) {
  Wire wire;
  wire.director.add_service(sctp_service(80), scheduled_by("rr"));
  wire.director.add_server(sctp_service(80), real(1, 80), {.method = ForwardMethod::kMasquerade});
  const Flow flow{.from = client(1), .client_port = 40000};
  const auto reply = [&](SctpEvent event) {
    Packet packet = packet_of({.from = rip(1), .to = client(1), .port = 40000, .client_port = 80});
    packet.protocol = Protocol::kSctp;
    packet.sctp = {.first = event, .event = event};
    wire.director.handle_reply(wire.now(), packet);
    return wire.state();
  };
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r1");
  EXPECT_EQ(reply(SctpEvent::kInitAck), "C-SENT");
  wire.sctp(flow, SctpEvent::kCookieEcho);
  EXPECT_EQ(wire.state(), "C-REPLIED");
  EXPECT_EQ(reply(SctpEvent::kCookieAck), "ESTABLISHED");
  EXPECT_EQ(reply(SctpEvent::kShutdown), "S-SENT");
  wire.sctp(flow, SctpEvent::kShutdownAck);
  EXPECT_EQ(wire.state(), "CLOSED");
}

// CON-40, VAL-22
TEST(Sctp, AnInitOnAClosedOrQuiescedAssociationIsNew) {
  Wire wire;
  wire.serve(sctp_service(80), scheduled_by("rr"), {1, 1});
  const Flow flow{.from = client(1), .client_port = 40000};
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r2");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r2");
  wire.sctp(flow, SctpEvent::kAbort);
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r1");
  EXPECT_EQ(wire.state(), "INIT1");
  wire.director.edit_server(sctp_service(80), real(1), {.weight = 0});
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r1");
  wire.director.set_sysctls({.expire_nodest_conn = 1});
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kData), "r1");
  EXPECT_EQ(wire.sctp(flow, SctpEvent::kInit), "r2");
}

// SVC-20
TEST(Ipsec, FollowsTheKeyExchange) {
  for (const Protocol protocol : {Protocol::kEsp, Protocol::kAh}) {
    Wire wire;
    wire.serve(udp_service(500), persistent(300), {1, 1});
    Packet packet = packet_of({.from = client(1), .port = 0, .protocol = protocol});
    EXPECT_EQ(wire.handle(packet), "pass");
    EXPECT_EQ(wire.datagram({.from = client(1), .port = 500, .client_port = 501}), "r2");
    EXPECT_EQ(wire.handle(packet), "pass");
    EXPECT_EQ(wire.datagram({.from = client(1), .port = 500, .client_port = 500}), "r2");
    wire.elapse(299s);
    EXPECT_EQ(wire.handle(packet), "r2");
    EXPECT_EQ(wire.connections().size(), 2u);
    wire.elapse(2s);
    EXPECT_EQ(wire.connections().size(), 1u);
    EXPECT_EQ(wire.connections()[0].expires_in, 298s);
    packet.source = client(2);
    EXPECT_EQ(wire.handle(packet), "pass");
    // A reply renews as well.
    Packet reply = packet_of({.from = vip(), .to = client(1), .port = 0, .protocol = protocol});
    wire.director.handle_reply(wire.now(), reply);
    EXPECT_EQ(wire.connections()[0].expires_in, 300s);
    EXPECT_EQ(wire.templates()[0].state, "NONE");  // it is no UDP packet
  }
}

/// SIP phones and servers.
class Sip : public testing::Test {
 protected:
  Sip() { settings_.engine = "sip"; }

  Packet message(const Flow& flow, const std::string& call_id) {
    text_ = "INVITE sip:somebody@example.net SIP/2.0\r\n" + (call_id.empty() ? "" : "Call-ID: " + call_id + "\r\n");
    Packet packet = packet_of(flow);
    packet.protocol = Protocol::kUdp;
    if (packet.source_port == 0) packet.source_port = wire_.fresh_port();
    packet.payload = std::as_bytes(std::span(text_));
    packet.length = static_cast<std::uint32_t>(28 + text_.size());
    return packet;
  }
  std::string call(int n, const std::string& call_id, std::uint16_t from = 0) {
    return wire_.handle(message({.from = client(n), .port = 5060, .client_port = from}, call_id));
  }

  Wire wire_;
  ServiceSettings settings_ = persistent(300);
  const ServiceKey key_ = udp_service(5060);
  std::string text_;
};

// TPL-20
TEST_F(Sip, KeepsACallOfAClient) {
  wire_.serve(key_, settings_, {1, 1, 1});
  EXPECT_EQ(call(1, "a"), "r3");
  EXPECT_EQ(call(1, "b"), "r2");
  EXPECT_EQ(call(2, "a"), "r1");
  EXPECT_EQ(call(1, "a"), "r3");
  EXPECT_EQ(call(1, "b"), "r2");
  EXPECT_EQ(call(2, "a"), "r1");
  ASSERT_EQ(wire_.templates().size(), 3u);
  for (const EntryView& entry : wire_.templates()) {
    EXPECT_EQ(entry.engine, "sip");
    EXPECT_TRUE(entry.engine_data == "a" || entry.engine_data == "b");
  }
  for (const EntryView& entry : wire_.connections()) EXPECT_EQ(entry.engine + entry.engine_data, "");
}

TEST_F(Sip, SharesACallBehindOneMask) {
  settings_.netmask = AddressMask::v4(0xffffff00);
  wire_.serve(key_, settings_, {1, 1, 1});
  EXPECT_EQ(call(1, "a"), "r3");
  EXPECT_EQ(call(2, "a"), "r3");
  EXPECT_EQ(call(2, "b"), "r2");
}

// TPL-21, TPL-22
TEST_F(Sip, DropsWhatHasNoCallIdUnlessAnEntryTakesIt) {
  wire_.serve(key_, settings_, {1, 1, 1});
  EXPECT_EQ(call(1, ""), "drop");
  EXPECT_TRUE(wire_.director.entries(wire_.now()).empty());
  EXPECT_EQ(call(1, "a", 40000), "r3");
  EXPECT_EQ(call(1, "", 40000), "r3");
  EXPECT_EQ(call(1, "b", 40000), "r3");
  EXPECT_EQ(wire_.templates().size(), 1u);
}

TEST_F(Sip, DropsWhatIsNotUdp) {
  const ServiceKey tcp = tcp_service(5060);
  wire_.serve(tcp, settings_, {1});
  EXPECT_EQ(wire_.send({.from = client(1), .port = 5060, .client_port = 40000}, kSyn), "drop");
}

// TPL-24
TEST_F(Sip, IsIdleWithoutPersistence) {
  settings_.persistent = false;
  wire_.serve(key_, settings_, {1, 1, 1});
  EXPECT_EQ(call(1, ""), "r3");
  EXPECT_EQ(call(1, "a"), "r2");
  EXPECT_EQ(call(1, "a"), "r1");
  EXPECT_TRUE(wire_.templates().empty());
  EXPECT_EQ(wire_.director.services()[0]->settings.engine, "sip");
}

TEST_F(Sip, TemplatesWithAndWithoutEngineDoNotMeet) {
  wire_.serve(key_, persistent(300), {1, 1, 1});
  EXPECT_EQ(call(1, "a"), "r3");
  wire_.director.edit_service(key_, settings_);
  EXPECT_EQ(call(1, "a"), "r2");
  wire_.director.edit_service(key_, persistent(300));
  EXPECT_EQ(call(1, "a"), "r3");
}

TEST_F(Sip, UnknownEnginesAreRefused) {
  settings_.engine = "http";
  EXPECT_EQ(wire_.director.add_service(key_, settings_), Outcome::kNoSuchScheduler);
  EXPECT_TRUE(wire_.director.services().empty());
}

// TPL-23
TEST_F(Sip, ACallOfAServerBehindNatPinsItThere) {
  wire_.director.add_service(key_, settings_);
  for (const int n : {1, 2}) wire_.director.add_server(key_, real(n, 5060), {.method = ForwardMethod::kMasquerade});
  const auto call_out = [&](int n, const std::string& call_id, std::uint16_t from = 5060) {
    wire_.director.handle_reply(
        wire_.now(), message({.from = rip(n), .to = client(1), .port = 5060, .client_port = from}, call_id));
  };
  call_out(1, "out");
  ASSERT_EQ(wire_.templates().size(), 1u);
  const EntryView tmpl = wire_.templates()[0], connection = wire_.connections()[0];
  EXPECT_EQ(tmpl.client, client(1));
  EXPECT_EQ(tmpl.virtual_address, vip());
  EXPECT_EQ(tmpl.virtual_port, 5060);
  EXPECT_EQ(tmpl.server, rip(1));
  EXPECT_EQ(tmpl.server_port, 5060);
  EXPECT_EQ(tmpl.engine_data, "out");
  EXPECT_EQ(tmpl.state, "ASSURED");  // a reply has been seen
  EXPECT_EQ(connection.client_port, 5060);
  EXPECT_EQ(connection.server, rip(1));
  EXPECT_EQ(connection.expires_in, 300s);
  EXPECT_EQ(call(1, "out", 6000), "r1");  // from another port, by the template
  EXPECT_EQ(wire_.server(key_, 1).references, 3u);

  // What needs a Call-ID and has none, a port that no server has, a service of the wrong kind: nothing.
  const std::size_t before = wire_.director.entries(wire_.now()).size();
  wire_.director.handle_reply(wire_.now(),
                              message({.from = rip(1), .to = client(2), .port = 5060, .client_port = 5060}, ""));
  wire_.director.handle_reply(wire_.now(),
                              message({.from = rip(1), .to = client(2), .port = 5060, .client_port = 5061}, "out"));
  EXPECT_EQ(wire_.director.entries(wire_.now()).size(), before);

  // The same call from another server: the old template is put out of the way (VAL-01, VAL-04).
  wire_.director.handle_reply(wire_.now(),
                              message({.from = rip(2), .to = client(1), .port = 5070, .client_port = 5060}, "out"));
  EXPECT_EQ(call(1, "out", 6001), "r2");
  EXPECT_EQ(wire_.templates().size(), 2u);
}

// SVC-21
TEST(Bypass, TakesWhatNoServerOfAMarkServiceTakes) {
  Wire wire;
  MarkRule rule;
  rule.mark = 1;
  wire.director.set_marks({rule});
  wire.serve(mark_service(1), persistent(300), {0});
  wire.director.set_own_addresses({{Family::kIpv4, vip(10)}});
  const Flow web{.from = client(1), .to = vip(11), .client_port = 40000};
  EXPECT_EQ(wire.send(web, kSyn), "reject");
  ASSERT_EQ(wire.director.set_sysctls({.cache_bypass = 1}), Outcome::kOk);
  EXPECT_EQ(wire.send({.from = client(1), .to = vip(10), .client_port = 1}, kSyn), "reject");  // our own address
  EXPECT_EQ(wire.send({.from = client(1), .to = Address::v4(0xe0000001), .client_port = 2}, kSyn), "reject");
  EXPECT_EQ(wire.send(web, kSyn), "pass");
  ASSERT_EQ(wire.connections().size(), 1u);
  EXPECT_EQ(wire.connections()[0].server, Address{});
  EXPECT_EQ(wire.connections()[0].server_port, 0);
  EXPECT_EQ(wire.connections()[0].state, "SYN_RECV");
  EXPECT_TRUE(wire.templates().empty());
  // It stays so when a server comes back, and is counted nowhere.
  wire.director.edit_server(mark_service(1), real(1), {.weight = 1});
  EXPECT_EQ(wire.send(web, kAck), "pass");
  EXPECT_EQ(wire.state(), "ESTABLISHED");
  EXPECT_EQ(wire.director.totals().in_packets, 0u);
  EXPECT_EQ(wire.director.totals().connections, 0u);
  EXPECT_EQ(wire.send({.from = client(1), .to = vip(11), .client_port = 40001}, kSyn), "r1");
  // A service by address is never bypassed.
  wire.serve(tcp_service(81, vip(12)), scheduled_by("rr"), {0});
  wire.director.set_marks({});
  EXPECT_EQ(wire.send({.from = client(1), .to = vip(12), .port = 81, .client_port = 3}, kSyn), "reject");
}

TEST(Bypass, EndsWithItsTimeout) {
  Wire wire;
  MarkRule rule;
  rule.mark = 1;
  wire.director.set_marks({rule});
  wire.serve(mark_service(1), scheduled_by("rr"), {});
  ASSERT_EQ(wire.director.set_sysctls({.cache_bypass = 1, .expire_nodest_conn = 1}), Outcome::kOk);
  EXPECT_EQ(wire.datagram({.from = client(1), .to = vip(11), .port = 53}), "pass");
  wire.elapse(299s);
  EXPECT_EQ(wire.connections().size(), 1u);
  wire.director.clear(wire.now());
  EXPECT_EQ(wire.connections().size(), 1u);
  wire.elapse(1s);
  EXPECT_TRUE(wire.connections().empty());
}

// SVC-08..11, SVC-14: service 21 and its neighbours, row by row.
TEST(Ftp, LookupByPort) {
  struct Row {
    bool ftp_persistent, all_ports;
    std::uint16_t port;
    std::string answer;
  };
  const std::vector<Row> rows = {
      {true, false, 21, "r1"},     {true, false, 20, "r1"},     {true, false, 1024, "r1"}, {true, false, 65535, "r1"},
      {true, false, 1023, "pass"}, {true, false, 80, "pass"},   {true, true, 20, "r1"},    {true, true, 2121, "r1"},
      {true, true, 80, "r2"},      {true, true, 1023, "r2"},    {false, false, 21, "r1"},  {false, false, 20, "pass"},
      {false, true, 20, "pass"},   {false, true, 2121, "pass"}, {false, true, 80, "r2"},
  };
  for (const Row& row : rows) {
    Wire wire;
    wire.serve(tcp_service(21), row.ftp_persistent ? persistent(300) : scheduled_by("rr"), {1});
    if (row.all_ports) wire.serve(tcp_service(0), persistent(300), {0, 1});
    const std::string answer = wire.send({.from = client(1), .port = row.port, .client_port = 40000}, kSyn);
    EXPECT_EQ(answer, row.answer) << row.port << " of " << (row.ftp_persistent ? "persistent " : "") << "FTP"
                                  << (row.all_ports ? " beside port 0" : "");
    if (answer == "r1") {
      EXPECT_EQ(wire.last().server_port, row.port);
    }
    EXPECT_EQ(wire.send({.from = client(2), .port = row.port, .client_port = 20}, kSyn), "pass");
  }
}

// NLK-07, TPL-34
TEST(WindowOfZero, GoesOnInStepsOfAMinute) {
  Wire wire;
  wire.serve(tcp_service(80), persistent(0), {1, 1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(wire.open(flow), "r2");
  wire.elapse(1ms);
  ASSERT_EQ(wire.templates().size(), 1u);
  EXPECT_EQ(wire.templates()[0].timeout, 60s);
  EXPECT_EQ(wire.visit({.from = client(1)}), "r2");
  wire.send(flow, kRst);
  wire.elapse(200s);
  EXPECT_TRUE(wire.templates().empty());
}

}  // namespace
}  // namespace lvspec::director
