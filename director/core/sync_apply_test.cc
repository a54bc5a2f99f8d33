// What a backup does with what it is told.

#include "director/core/sync_apply.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using ::testing::SizeIs;

const ServiceKey kWeb = tcp_service(80);

SyncEntry tmpl(int n = 1) {
  SyncEntry said;
  said.protocol = 6;
  said.flags = 0x1183;  // template, inactive, no output, direct route
  said.state = 1;
  said.client = client(n);
  said.virtual_address = vip();
  said.virtual_port = said.server_port = 80;
  said.server = rip(1);
  said.timeout_s = 300;
  return said;
}

SyncEntry connection(int server = 1, std::uint32_t flags = 0x83) {
  SyncEntry said = tmpl();
  said.flags = flags;
  said.client_port = 4000;
  said.server = rip(server);
  said.timeout_s = 900;
  return said;
}

class SyncApplyTest : public ::testing::Test {
 protected:
  void serve() { world_.serve(kWeb, persistent(300), {1, 1, 1}, 80); }
  SyncLearned learn(const SyncEntry& said) { return world_.director.learn(world_.now(), said); }
  EntryView the_connection() {
    const auto all = world_.connections();
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? EntryView{} : all[0];
  }
  Flow flow() const { return {.from = client(1), .client_port = 4000}; }

  World world_;
};

// SYN-09; and after fail-over the client stays where it was, for a whole window more (SYN-07).
TEST_F(SyncApplyTest, ATemplateIsBoundAndUsed) {
  serve();
  EXPECT_EQ(learn(tmpl()), SyncLearned::kTaken);
  ASSERT_THAT(world_.templates(), SizeIs(1));
  const EntryView view = world_.templates()[0];
  EXPECT_TRUE(view.learned);
  EXPECT_TRUE(view.bound_available);
  EXPECT_EQ(view.state, "ASSURED");
  EXPECT_EQ(view.timeout, 300s);
  EXPECT_EQ(world_.server(kWeb, 1).persistent, 1U);
  EXPECT_EQ(world_.server(kWeb, 1).statistics.shown().connections, 0U);
  world_.elapse(299s);
  EXPECT_EQ(world_.visit({.from = client(1)}), "r1");  // rr would begin with r3
  EXPECT_EQ(world_.template_expires_in(), 300);
}

TEST_F(SyncApplyTest, EveryMessageRestartsTheWindowWithItsOwnTimeout) {
  serve();
  learn(tmpl());
  world_.elapse(200s);
  learn(tmpl());
  EXPECT_EQ(world_.template_expires_in(), 300);
  SyncEntry extended = tmpl();
  extended.timeout_s = 60;
  learn(extended);
  EXPECT_EQ(world_.template_expires_in(), 60);
  extended.timeout_s = 0;  // SYN-08
  learn(extended);
  EXPECT_EQ(world_.template_expires_in(), 180);
}

// SYN-10, VAL-01.
TEST_F(SyncApplyTest, AnUnboundTemplateIsRejectedAtUse) {
  learn(tmpl());
  ASSERT_THAT(world_.templates(), SizeIs(1));
  EXPECT_FALSE(world_.templates()[0].bound_available);
  EXPECT_EQ(world_.templates()[0].server, rip(1));
  serve();
  EXPECT_EQ(world_.visit({.from = client(1)}), "r3");  // scheduled anew
  EXPECT_THAT(world_.templates(), SizeIs(2));          // the old one renamed, VAL-04
  world_.elapse(1000s);
  EXPECT_THAT(world_.director.entries(world_.now()), SizeIs(0));
}

TEST_F(SyncApplyTest, ALaterMessageBinds) {
  learn(tmpl());
  learn(connection());
  serve();
  EXPECT_EQ(world_.server(kWeb, 1).persistent, 0U);
  learn(tmpl());
  learn(connection(1, 0x83));
  EXPECT_EQ(world_.server(kWeb, 1).persistent, 1U);
  EXPECT_EQ(world_.server(kWeb, 1).active, 1U);
  EXPECT_EQ(world_.server(kWeb, 1).inactive, 0U);
  EXPECT_EQ(world_.visit({.from = client(1)}), "r1");
}

// An unbound connection is forwarded as its message said, and counted nowhere.
TEST_F(SyncApplyTest, AnUnboundConnectionGoesOn) {
  world_.serve(tcp_service(81), scheduled_by("rr"), {1});  // so that there are hooks (SVC-18)
  learn(connection(2));
  EXPECT_EQ(world_.send(flow(), kAck), "r2");
  Sysctls sysctls;
  sysctls.expire_nodest_conn = 1;
  world_.director.set_sysctls(sysctls);
  EXPECT_EQ(world_.send(flow(), kAck), "r2");
  world_.director.remove_server(world_.now(), tcp_service(81), real(1));  // sweeps
  EXPECT_EQ(the_connection().state, "ESTABLISHED");
}

TEST_F(SyncApplyTest, CountsByTheActiveFlag) {
  serve();
  learn(connection(1, 0x83));
  EXPECT_EQ(world_.server(kWeb, 1).active, 1U);
  learn(connection(1, 0x183));
  EXPECT_EQ(world_.server(kWeb, 1).active, 0U);
  EXPECT_EQ(world_.server(kWeb, 1).inactive, 1U);
}

// SYN-12.
TEST_F(SyncApplyTest, AnotherServerReplacesTheConnectionIfActive) {
  serve();
  learn(connection(1));
  EXPECT_EQ(learn(connection(2, 0x183)), SyncLearned::kStale);
  EXPECT_EQ(the_connection().server, rip(1));
  EXPECT_EQ(learn(connection(2)), SyncLearned::kTaken);
  EXPECT_EQ(the_connection().server, rip(2));
  EXPECT_EQ(world_.server(kWeb, 1).active, 0U);
  EXPECT_EQ(world_.server(kWeb, 2).active, 1U);
}

TEST_F(SyncApplyTest, ATemplateKeepsItsServer) {
  serve();
  learn(tmpl());
  SyncEntry other = tmpl();
  other.server = rip(2);
  learn(other);
  EXPECT_EQ(world_.templates()[0].server, rip(1));
}

TEST_F(SyncApplyTest, TheForwardingMethodIsThatOfTheLocalServer) {
  serve();
  learn(connection(1, 0x00));  // NAT at the master
  EXPECT_EQ(world_.send(flow(), kAck), "r1");
  EXPECT_EQ(world_.last().method, ForwardMethod::kDirectRoute);
}

// A server of a mark's service has port 0, whatever port its connections have.
TEST_F(SyncApplyTest, AMarkFindsItsServer) {
  world_.serve(mark_service(7), persistent(300), {1, 1});
  SyncEntry said = tmpl();
  said.protocol = 0;
  said.virtual_address = Address::v4(7);
  said.virtual_port = said.server_port = 0;
  said.fwmark = 7;
  learn(said);
  SyncEntry conn = connection();
  conn.fwmark = 7;
  learn(conn);
  EXPECT_EQ(world_.server(mark_service(7), 1).persistent, 1U);
  EXPECT_EQ(world_.server(mark_service(7), 1).active, 1U);
}

TEST_F(SyncApplyTest, Version0TakesTheTimeoutOfTheState) {
  serve();
  SyncEntry said = connection();
  said.timeout_s = 0;
  said.state = 4;
  learn(said);
  EXPECT_EQ(the_connection().state, "FIN_WAIT");
  EXPECT_EQ(the_connection().expires_in, 120s);
}

TEST_F(SyncApplyTest, WhatCannotBeTaken) {
  serve();
  SyncEntry said = connection();
  said.state = 11;
  EXPECT_EQ(learn(said), SyncLearned::kUnknownState);
  said.protocol = 47;
  EXPECT_EQ(learn(said), SyncLearned::kUnknownProtocol);
  said = tmpl();
  said.protocol = 47;
  EXPECT_EQ(learn(said), SyncLearned::kUnknownProtocol);
  said = connection();
  said.flags |= sync_flags::kOnePacket;
  EXPECT_EQ(learn(said), SyncLearned::kOnePacket);
  for (SyncEntry of_engine : {tmpl(), connection()}) {
    of_engine.engine = "six";
    of_engine.engine_data = "a";
    EXPECT_EQ(learn(of_engine), SyncLearned::kUnknownEngine);
  }
  EXPECT_THAT(world_.director.entries(world_.now()), SizeIs(0));
}

// Whatever protocol and state a message says, with whatever flags: no entry comes into being that the table has no
// place for.
TEST_F(SyncApplyTest, EveryProtocolAndStateIsSurvived) {
  for (int protocol = 0; protocol < 256; ++protocol) {
    for (const std::uint32_t flags : {0x83u, 0x1183u, 0x1000u, 0x3083u, 0xffffffffu}) {
      for (const int state : {0, 1, 11, 13, 14, 300}) {
        SyncEntry said = tmpl();
        said.protocol = static_cast<std::uint8_t>(protocol);
        said.flags = flags;
        said.state = static_cast<std::uint16_t>(state);
        const bool ours = protocol == 6 || protocol == 17 || protocol == 132 || (protocol == 0 && said.is_template());
        EXPECT_EQ(learn(said) != SyncLearned::kUnknownProtocol, ours) << protocol << ' ' << flags;
      }
    }
  }
}

// CON-32, by the state's number; version 0 takes the timeout from there.
TEST_F(SyncApplyTest, AssociationsAreLearned) {
  const ServiceKey key{.protocol = Protocol::kSctp, .address = vip(), .port = 80};
  world_.serve(key, scheduled_by("rr"), {1}, 80);
  SyncEntry said = connection();
  said.protocol = 132;
  said.state = 8;
  said.timeout_s = 0;
  EXPECT_EQ(learn(said), SyncLearned::kTaken);
  EXPECT_EQ(the_connection().state, "ESTABLISHED");
  EXPECT_EQ(the_connection().expires_in, 900s);
  EXPECT_EQ(world_.server(key, 1).active, 1U);
  said.state = 13;
  said.flags |= sync_flags::kInactive;
  EXPECT_EQ(learn(said), SyncLearned::kTaken);
  EXPECT_EQ(the_connection().state, "CLOSED");
  EXPECT_EQ(the_connection().expires_in, 61s);
  said.timeout_s = 7;
  learn(said);
  EXPECT_EQ(the_connection().expires_in, 7s);
  said.state = 14;
  EXPECT_EQ(learn(said), SyncLearned::kUnknownState);
}

// A call is found by its id; without one the template is another.
TEST_F(SyncApplyTest, CallsAreLearned) {
  ServiceSettings settings = persistent(300);
  settings.engine = "sip";
  world_.serve(udp_service(5060), settings, {1, 1, 1}, 5060);
  SyncEntry said = tmpl();
  said.protocol = 17;
  said.virtual_port = said.server_port = 5060;
  said.engine = "sip";
  said.engine = std::string_view("sip\0x", 5);  // as far as the zero
  said.engine_data = "a";
  EXPECT_EQ(learn(said), SyncLearned::kTaken);
  said.engine = std::string_view("\0sip", 4);
  EXPECT_EQ(learn(said), SyncLearned::kUnknownEngine);
  said.engine = "sip";
  for (const char* id : {"a", "b", "a", ""}) {
    said.engine_data = id;
    if (*id == 0) said.engine = {};
    EXPECT_EQ(learn(said), SyncLearned::kTaken);
  }
  std::string ids;
  for (const EntryView& view : world_.templates()) ids += view.engine + ":" + view.engine_data + " ";
  EXPECT_THAT(world_.templates(), SizeIs(3)) << ids;
  EXPECT_NE(ids.find("sip:a "), std::string::npos);
  EXPECT_EQ(world_.server(udp_service(5060), 1).persistent, 3U);

  const auto call = [&](const std::string& id) {
    const std::string text = "OPTIONS sip:x SIP/2.0\r\nCall-ID: " + id + "\r\n";
    Packet packet =
        packet_of({.from = client(1), .port = 5060, .client_port = world_.fresh_port(), .protocol = Protocol::kUdp});
    packet.payload = std::as_bytes(std::span(text));
    return name_of(world_.director.handle(world_.now(), packet).server);
  };
  EXPECT_EQ(call("c"), "r3");  // rr
  EXPECT_EQ(call("b"), "r1");
  EXPECT_EQ(call("a"), "r1");

  // Of a connection the engine is heard and forgotten.
  said = connection();
  said.protocol = 17;
  said.state = 0;
  said.virtual_port = said.server_port = 5060;
  said.engine = "sip";
  said.engine_data = "a";
  EXPECT_EQ(learn(said), SyncLearned::kTaken);
  EXPECT_EQ(learn(said), SyncLearned::kTaken);
  EXPECT_THAT(world_.connections(), SizeIs(4));
}

// SVC-22: what is full learns nothing new, but goes on with what it has.
TEST_F(SyncApplyTest, AFullTableLearnsNothingNew) {
  serve();
  world_.director.limit_entries(1);
  EXPECT_EQ(learn(tmpl(1)), SyncLearned::kTaken);
  EXPECT_EQ(learn(tmpl(2)), SyncLearned::kNoRoom);
  SyncEntry unbound = tmpl(3);
  unbound.server = rip(99);
  EXPECT_EQ(learn(unbound), SyncLearned::kNoRoom);
  EXPECT_EQ(learn(tmpl(1)), SyncLearned::kTaken);
  EXPECT_EQ(world_.director.refused_entries(), 2U);
  EXPECT_THAT(world_.templates(), SizeIs(1));
}

TEST_F(SyncApplyTest, BackupOnlyHolds) {
  serve();
  Sysctls sysctls;
  sysctls.backup_only = 1;
  world_.director.set_sysctls(sysctls);
  EXPECT_EQ(world_.send(flow(), kSyn), "r3");  // no backup is running
  world_.director.set_sync_backup(true);
  EXPECT_EQ(world_.send(flow(), kAck), "pass");
  world_.director.set_sync_backup(false);
  EXPECT_EQ(world_.send(flow(), kAck), "r3");
}

}  // namespace
}  // namespace lvspec::director
