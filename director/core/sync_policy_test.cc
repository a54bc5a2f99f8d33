// What a master tells its backup, and when.

#include "director/core/sync_policy.h"

#include <string>

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Writes down what it is told: "T" for templates, a connection by its state's number.
class Ear : public SyncSink {
 public:
  void add(DirectorTime now, const SyncEntry& entry) override {
    heard_.push_back(entry);
    text_ += entry.is_template() ? "T" : std::to_string(entry.state);
    last_ = now;
  }
  std::string take() { return std::exchange(text_, {}); }
  const std::vector<SyncEntry>& heard() const { return heard_; }
  DirectorTime last() const { return last_; }

 private:
  std::vector<SyncEntry> heard_;
  std::string text_;
  DirectorTime last_;
};

class SyncPolicyTest : public ::testing::Test {
 protected:
  SyncPolicyTest() { world_.director.set_sync_master(&ear_); }
  ~SyncPolicyTest() override { world_.director.set_sync_master(nullptr); }

  void sysctls(void (*change)(Sysctls&)) {
    Sysctls sysctls = world_.director.sysctls();
    change(sysctls);
    world_.director.set_sysctls(sysctls);
  }
  /// SYN, then `more` packets with ACK; what was told after each, with commas.
  std::string packets(Flow& flow, int more) {
    if (flow.client_port == 0) flow.client_port = world_.fresh_port();
    world_.send(flow, kSyn);
    std::string told = ear_.take();
    for (int i = 0; i < more; ++i) {
      world_.send(flow, kAck);
      told += "," + ear_.take();
    }
    return told;
  }

  World world_;
  Ear ear_;
};

// Packet 3 of an established connection, then 53, 103 ... (SYN-03). ESTABLISHED is 1.
TEST_F(SyncPolicyTest, AConnectionIsToldByItsCountOfPackets) {
  world_.serve(tcp_service(80), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 4), ",,1,,");  // SYN, ACK, third, ...
  for (int packet = 6; packet <= 110; ++packet) {
    world_.send(flow, kAck);
    EXPECT_EQ(ear_.take(), packet == 53 || packet == 103 ? "1" : "") << packet;
  }
}

// The count in an entry has 20 bits, and its residue must survive their end.
TEST_F(SyncPolicyTest, ALongConnectionIsToldForEver) {
  world_.serve(tcp_service(80), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)};
  packets(flow, 1);
  for (int packet = 3; packet <= 1'200'000; ++packet) {
    world_.send(flow, kAck);
    ASSERT_EQ(ear_.take(), packet % 50 == 3 ? "1" : "") << packet;
  }
}

// FIN_WAIT 4 and CLOSE 6, at once, whatever the count; SYN_RECV never.
TEST_F(SyncPolicyTest, AnEndIsToldAtOnce) {
  world_.serve(tcp_service(80), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 1), ",");
  world_.send(flow, kFinAck);
  EXPECT_EQ(ear_.take(), "4");
  world_.send(flow, kAck);
  EXPECT_EQ(ear_.take(), "");
  world_.send(flow, kRst);
  EXPECT_EQ(ear_.take(), "6");
}

// SCTP: ESTABLISHED 8 by the count; S-SENT 9, S-RECEIVED 10, S-ACK-SENT 11 and CLOSED 13 at once; what comes before
// never, REJECTED 12 neither (SYN-03).
TEST_F(SyncPolicyTest, AnAssociationIsToldByItsStates) {
  world_.serve({.protocol = Protocol::kSctp, .address = vip(), .port = 9}, scheduled_by("rr"), {1});
  const Flow flow{.from = client(1), .port = 9, .client_port = 4000, .protocol = Protocol::kSctp};
  const auto told = [&](SctpEvent event, bool is_reply = false) {
    Packet packet = packet_of(flow);
    packet.sctp = {.first = event, .event = event};
    if (is_reply) {
      std::swap(packet.source, packet.destination);
      std::swap(packet.source_port, packet.destination_port);
      world_.director.handle_reply(world_.now(), packet);
    } else {
      world_.director.handle(world_.now(), packet);
    }
    return ear_.take();
  };
  EXPECT_EQ(told(SctpEvent::kInit), "");  // INIT1
  EXPECT_EQ(told(SctpEvent::kInit), "");  // INIT
  EXPECT_EQ(told(SctpEvent::kInit), "");  // third, and still INIT
  told(SctpEvent::kInitAck, true);        // C-SENT
  told(SctpEvent::kCookieAck, true);      // ESTABLISHED
  for (int packet = 4; packet <= 53; ++packet) {
    EXPECT_EQ(told(SctpEvent::kData), packet == 53 ? "8" : "") << packet;
  }
  EXPECT_EQ(told(SctpEvent::kShutdown), "10");
  EXPECT_EQ(told(SctpEvent::kData), "");
  EXPECT_EQ(told(SctpEvent::kAbort), "13");
  EXPECT_EQ(ear_.heard().back().protocol, 132);
  EXPECT_EQ(ear_.heard().back().timeout_s, 61U);
}

// The Call-ID goes with the template, not with its connections.
TEST_F(SyncPolicyTest, ACallIsToldWithItsId) {
  ServiceSettings settings = persistent(300);
  settings.engine = "sip";
  world_.serve(udp_service(5060), settings, {1});
  const std::string text = "OPTIONS sip:x SIP/2.0\r\nCall-ID: a@b\r\n";
  Packet packet = packet_of({.from = client(1), .port = 5060, .client_port = 4000, .protocol = Protocol::kUdp});
  packet.payload = std::as_bytes(std::span(text));
  for (int i = 0; i < 3; ++i) world_.director.handle(world_.now(), packet);
  EXPECT_EQ(ear_.take(), "TT0T");
  const SyncEntry& tmpl = ear_.heard()[0];
  EXPECT_EQ(tmpl.engine, "sip");
  EXPECT_EQ(tmpl.engine_data, "a@b");
  EXPECT_EQ(tmpl.protocol, 17);
  EXPECT_EQ(tmpl.virtual_port, 5060);
  EXPECT_EQ(ear_.heard()[2].engine_data, "");
}

TEST_F(SyncPolicyTest, APeriodOfZeroTellsOnce) {
  sysctls([](Sysctls& s) {
    s.sync_threshold = 2;
    s.sync_period = 0;
  });
  world_.serve(tcp_service(80), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 60), ",1" + std::string(59, ','));
}

TEST_F(SyncPolicyTest, DatagramsCountTheSame) {
  world_.serve(udp_service(53), scheduled_by("rr"), {1});
  const Flow flow{.from = client(1), .port = 53, .client_port = 4000, .protocol = Protocol::kUdp};
  std::string told;
  for (int i = 0; i < 4; ++i) {
    world_.send(flow);
    told += ear_.take() + ",";
  }
  EXPECT_EQ(told, ",,0,,");
}

// With the defaults a template goes out for every packet of its connections (SYN-04).
TEST_F(SyncPolicyTest, ATemplateIsToldForEveryPacket) {
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 3), "T,T,1T,T");
}

TEST_F(SyncPolicyTest, PersistModeTellsTemplatesOnly) {
  sysctls([](Sysctls& s) { s.sync_persist_mode = 1; });
  world_.serve(tcp_service(80), persistent(300), {1});
  world_.serve(tcp_service(81), scheduled_by("rr"), {1});
  Flow flow{.from = client(1)}, free{.from = client(1), .port = 81};
  EXPECT_EQ(packets(flow, 2), "T,T,T");
  EXPECT_EQ(packets(free, 2), ",,1");  // not under a template
}

// Period and refresh 0: once, at the third packet of the template's own count, which spans its connections.
TEST_F(SyncPolicyTest, WithoutPeriodATemplateIsToldOnce) {
  sysctls([](Sysctls& s) { s.sync_period = 0; });
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow first{.from = client(1)}, second{.from = client(1)};
  EXPECT_EQ(packets(first, 1), ",");
  EXPECT_EQ(packets(second, 3), "T,,1,");
}

// Not again within 10 s of the deadline that was told, but once the template was renewed so far that it matters.
TEST_F(SyncPolicyTest, RefreshPeriodHoldsTemplatesBack) {
  sysctls([](Sysctls& s) { s.sync_refresh_period = 10; });
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 1), "T,");
  world_.elapse(9s);
  world_.send(flow, kAck);
  EXPECT_EQ(ear_.take(), "1");  // the connection, by its count; never told before
  world_.elapse(2s);
  world_.send(flow, kAck);
  EXPECT_EQ(ear_.take(), "T");
}

// Two repetitions, not before an eighth of the period has passed.
TEST_F(SyncPolicyTest, RetriesWithinTheRefreshPeriod) {
  sysctls([](Sysctls& s) {
    s.sync_refresh_period = 80;
    s.sync_retries = 2;
  });
  world_.serve(tcp_service(80), persistent(3000), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 1), "T,");
  std::string told;
  for (int i = 0; i < 5; ++i) {
    world_.elapse(11s);
    world_.send(flow, kFinAck);  // FIN_WAIT is told once
    told += ear_.take() + ",";
  }
  // 11 s: first retry. 22 s: 11 s after it, second. 33 s and later: no retry is left.
  EXPECT_EQ(told, "4T,T,,,,");
}

TEST_F(SyncPolicyTest, OnePacketEntriesAreNotToldTheirTemplatesAre) {
  ServiceSettings settings = persistent(300);
  settings.one_packet = true;
  world_.serve(udp_service(53), settings, {1});
  world_.datagram({.from = client(1), .port = 53});
  EXPECT_EQ(ear_.take(), "T");
  sysctls([](Sysctls& s) { s.sync_version = 0; });
  world_.datagram({.from = client(1), .port = 53});
  EXPECT_EQ(ear_.take(), "");
}

// Version 0 tells of a template only behind one of its connections.
TEST_F(SyncPolicyTest, Version0) {
  sysctls([](Sysctls& s) { s.sync_version = 0; });
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 3), ",,1T,");
}

// SYN-06, at the moment at which the timer fires, with 60 s (SYN-07).
TEST_F(SyncPolicyTest, AnExtensionIsTold) {
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1)};
  packets(flow, 1);
  world_.elapse(310s);
  EXPECT_EQ(ear_.take(), "T");
  EXPECT_EQ(ear_.heard().back().timeout_s, 60U);
  EXPECT_EQ(ear_.last(), DirectorTime(300s));
}

TEST_F(SyncPolicyTest, WhatIsSaid) {
  world_.serve(mark_service(7), persistent(300), {1});
  world_.director.set_marks({{.mark = 7}});
  Flow flow{.from = client(1), .port = 8080, .client_port = 4001};
  packets(flow, 2);
  ASSERT_EQ(ear_.heard().size(), 4U);
  const SyncEntry& tmpl = ear_.heard()[0];
  EXPECT_EQ(tmpl.protocol, 0);
  EXPECT_EQ(tmpl.flags, 0x1183U);  // template, inactive, no output, direct route
  EXPECT_EQ(tmpl.state, 0);
  EXPECT_EQ(ear_.heard()[1].state, 1);  // ASSURED
  EXPECT_EQ(tmpl.client, client(1));
  EXPECT_EQ(tmpl.virtual_address, Address::v4(7));
  EXPECT_EQ(tmpl.virtual_port, 0);
  EXPECT_EQ(tmpl.server, rip(1));
  EXPECT_EQ(tmpl.fwmark, 7U);
  EXPECT_EQ(tmpl.timeout_s, 300U);
  const SyncEntry& connection = ear_.heard()[2];
  EXPECT_EQ(connection.protocol, 6);
  EXPECT_EQ(connection.flags, 0x83U);  // active
  EXPECT_EQ(connection.client_port, 4001);
  EXPECT_EQ(connection.virtual_port, 8080);
  EXPECT_EQ(connection.server_port, 8080);
  EXPECT_EQ(connection.timeout_s, 900U);
}

TEST_F(SyncPolicyTest, NobodyIsToldWithoutAMaster) {
  world_.director.set_sync_master(nullptr);
  world_.serve(tcp_service(80), persistent(300), {1});
  Flow flow{.from = client(1)};
  EXPECT_EQ(packets(flow, 4), ",,,,");
  EXPECT_THAT(ear_.heard(), IsEmpty());
  // Connections were counted all the same, the template was not: it had its third packet a while later.
  world_.director.set_sync_master(&ear_);
  for (int packet = 6; packet <= 53; ++packet) world_.send(flow, kAck);
  EXPECT_EQ(ear_.take(), std::string(47, 'T') + "1T");
}

TEST(SyncSysctls, WhatTheKernelRefuses) {
  Sysctls good;
  EXPECT_TRUE(sync_sysctls_valid(good));
  good.sync_period = 0;
  EXPECT_TRUE(sync_sysctls_valid(good));
  for (void (*spoil)(Sysctls&) : std::initializer_list<void (*)(Sysctls&)>{
           [](Sysctls& s) { s.sync_threshold = 50; }, [](Sysctls& s) { s.sync_threshold = -1; },
           [](Sysctls& s) { s.sync_period = -1; }, [](Sysctls& s) { s.sync_version = 2; },
           [](Sysctls& s) { s.sync_retries = 4; }, [](Sysctls& s) { s.sync_ports = 3; },
           [](Sysctls& s) { s.sync_ports = 0; }}) {
    Sysctls sysctls;
    spoil(sysctls);
    EXPECT_FALSE(sync_sysctls_valid(sysctls));
  }
}

}  // namespace
}  // namespace lvspec::director
