// Section 3 of the semantics in virtual time: when templates begin, are renewed, and end. The director's timers are
// exact, so the granule g of the recipes is 0.

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class TemplateLifetime : public testing::Test {
 protected:
  void serve(std::uint32_t timeout_s) { world.serve(tcp_service(80), persistent(timeout_s), {1, 1, 1}); }
  bool has_template() { return !world.templates().empty(); }

  World world;
  Flow c1{.from = client(1)}, c2{.from = client(1)};
};

TEST_F(TemplateLifetime, Rec01_OneVisit) {
  serve(300);
  world.visit(c1);
  world.elapse_until(119s);
  EXPECT_THAT(world.connections(), SizeIs(1));
  world.elapse_until(120s);
  EXPECT_THAT(world.connections(), IsEmpty());
  world.elapse_until(299s);
  EXPECT_EQ(world.template_expires_in(), 1);
  world.elapse_until(300s);
  EXPECT_FALSE(has_template());
}

// TPL-31, TPL-32
TEST_F(TemplateLifetime, Rec02_ANewConnectionRenews) {
  serve(300);
  world.visit(c1);
  world.elapse_until(200s);
  world.visit(c2);
  EXPECT_EQ(world.template_expires_in(), 300);
  world.elapse_until(499s);
  EXPECT_TRUE(has_template());
  world.elapse_until(500s);
  EXPECT_FALSE(has_template());
}

// TPL-31, TPL-34, TPL-35, TPL-36
TEST_F(TemplateLifetime, Rec03To05_TheSixtySecondTrap) {
  serve(300);
  world.open(c1);
  for (int i = 0; i < 29; ++i) {
    world.elapse(10s);
    world.send(c1, kAck);
  }
  EXPECT_EQ(world.template_expires_in(), 10);  // at 290 s: traffic does not renew
  world.elapse_until(300s);
  EXPECT_EQ(world.template_expires_in(), 60);
  world.elapse_until(310s);
  world.open(c2);
  EXPECT_EQ(world.template_expires_in(), 60);  // and not 300
  EXPECT_EQ(world.templates()[0].timeout, Duration(60s));

  world.elapse_until(320s);
  world.close(c1);
  world.close(c2);
  world.elapse_until(440s);
  EXPECT_THAT(world.connections(), IsEmpty());
  world.elapse_until(489s);
  EXPECT_TRUE(has_template());  // armed at 310: fires at 370, 430 and 490
  world.elapse_until(490s);
  EXPECT_FALSE(has_template());
}

TEST_F(TemplateLifetime, Rec06_AShortWindowOutlivesItself) {
  serve(10);
  world.visit(c1);
  world.elapse_until(125s);
  EXPECT_TRUE(has_template());
  world.elapse_until(131s);
  EXPECT_FALSE(has_template());
}

// TPL-36 with g = 0: gone at the first p + 60k not before 120 s. One step and many must agree.
TEST_F(TemplateLifetime, EndsAtTheFirstSixtySecondStepAfterItsLastConnection) {
  for (const auto& [timeout_s, gone_at] : {std::pair(10u, 130s),
                                           {30u, 150s},
                                           {45u, 165s},
                                           {50u, 170s},
                                           {60u, 120s},
                                           {100u, 160s},
                                           {120u, 120s},
                                           {121u, 121s},
                                           {150u, 150s},
                                           {300u, 300s},
                                           {330u, 330s}}) {
    for (const Duration step : {Duration(1s), Duration(gone_at)}) {
      World world;
      world.serve(tcp_service(80), persistent(timeout_s), {1, 1});
      world.visit({.from = client(1)});
      while (world.now() + step < DirectorTime(gone_at)) world.elapse(step);
      world.elapse_until(gone_at - 1ns);
      EXPECT_THAT(world.templates(), SizeIs(1)) << "-p " << timeout_s;
      world.elapse(1ns);
      EXPECT_THAT(world.templates(), IsEmpty()) << "-p " << timeout_s;
    }
  }
}

// EDT-02
TEST_F(TemplateLifetime, Rec07_AnEditReachesNewTemplatesOnly) {
  serve(100);
  world.visit(c1);
  ASSERT_EQ(world.director.edit_service(tcp_service(80), persistent(300)), Outcome::kOk);
  world.elapse(50s);
  world.visit(c2);
  EXPECT_EQ(world.template_expires_in(), 100);
  world.elapse_until(210s);  // 150 s, and once more for the FIN_WAIT entry that ended at 170 s
  EXPECT_FALSE(has_template());
  world.visit({.from = client(2)});
  EXPECT_EQ(world.template_expires_in(), 300);
}

// CON-42, TPL-31
TEST_F(TemplateLifetime, Rec08_AReusedPortDoesNotRenew) {
  for (const int mode : {0, 1, 2}) {
    World world;
    world.serve(tcp_service(80), persistent(300), {1, 1, 1});
    world.director.set_sysctls({.conn_reuse_mode = mode});
    Flow flow{.from = client(1)};
    const std::string server = world.open(flow);
    world.send(flow, kRst);
    EXPECT_EQ(world.connections()[0].state, "CLOSE");
    world.elapse(5s);
    EXPECT_EQ(world.open(flow), server);
    EXPECT_THAT(world.connections(), SizeIs(1));
    EXPECT_EQ(world.template_expires_in(), 295);
    world.elapse(2s);
    EXPECT_EQ(world.director.totals().connections, 1u);
  }
}

TEST_F(TemplateLifetime, Rec09_UdpKeepsItInSixtySecondSteps) {
  world.serve(udp_service(53), persistent(300), {1, 1, 1});
  const Flow flow{.from = client(1), .port = 53, .client_port = 5353};
  for (int i = 0; i < 61; ++i) {
    world.datagram(flow);
    world.elapse(10s);
  }
  EXPECT_EQ(world.template_expires_in(), 50);     // at 610 s, last armed at 600 s
  EXPECT_EQ(world.templates()[0].state, "NONE");  // TPL-41
  world.elapse_until(899s);                       // the last datagram was at 600 s
  EXPECT_TRUE(has_template());
  world.elapse_until(900s);
  EXPECT_FALSE(has_template());
}

// CON-51
TEST_F(TemplateLifetime, Rec10_EachDatagramOfAOnePacketServiceRenews) {
  ServiceSettings settings = persistent(60);
  settings.one_packet = true;
  world.serve(udp_service(53), settings, {1, 1, 1});
  const Flow flow{.from = client(1), .port = 53, .client_port = 5353};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world.datagram(flow), "r3");
    EXPECT_THAT(world.connections(), IsEmpty());
    world.elapse(50s);
    EXPECT_EQ(world.template_expires_in(), 10);
  }
  world.elapse(20s);
  EXPECT_EQ(world.datagram(flow), "r2");
  world.elapse(70s);
  EXPECT_EQ(world.datagram(flow), "r1");
}

// TPL-43
TEST_F(TemplateLifetime, AnUnansweredSynPinsForTheWholeWindow) {
  serve(300);
  c1.client_port = 40000;
  world.send(c1, kSyn);
  world.elapse(30s);
  world.send(c1, kSyn);  // a retransmission renews the entry, not the template
  EXPECT_EQ(world.connections()[0].expires_in, Duration(60s));
  EXPECT_EQ(world.template_expires_in(), 270);
  EXPECT_EQ(world.templates()[0].state, "NONE");
  world.elapse_until(90s);
  EXPECT_THAT(world.connections(), IsEmpty());
  EXPECT_EQ(world.template_expires_in(), 210);
}

// TPL-40
TEST_F(TemplateLifetime, TheHandshakeAssures) {
  serve(300);
  c1.client_port = 40000;
  world.send(c1, kSyn);
  EXPECT_EQ(world.templates()[0].state, "NONE");
  world.send(c1, kAck);
  EXPECT_EQ(world.templates()[0].state, "ASSURED");
  world.send(c1, kRst);
  EXPECT_EQ(world.templates()[0].state, "ASSURED");
}

// TPL-41
TEST_F(TemplateLifetime, AUdpReplyThatPassesAssures) {
  world.serve(udp_service(53), persistent(300), {1});
  world.datagram({.from = client(1), .port = 53, .client_port = 5353});
  Packet reply = packet_of({.from = vip(), .to = client(1), .port = 5353, .client_port = 53});
  reply.protocol = Protocol::kUdp;
  world.director.handle_reply(world.now(), reply);
  EXPECT_EQ(world.templates()[0].state, "ASSURED");
}

// NLK-07
TEST_F(TemplateLifetime, ZeroTimeoutLivesInSixtySecondSteps) {
  serve(0);
  world.open(c1);
  EXPECT_EQ(world.template_expires_in(), 60);
  EXPECT_EQ(world.open({.from = client(1)}), "r3");
  EXPECT_EQ(world.open({.from = client(2)}), "r2");
}

// Style.md, "Time": one step over an hour gives the same tables as 3600 steps of a second.
TEST_F(TemplateLifetime, BigAndSmallStepsAgree) {
  World coarse, fine;
  for (World* world : {&coarse, &fine}) {
    world->serve(tcp_service(80), persistent(70), {1, 1, 1});
    for (int n = 1; n <= 20; ++n) {
      Flow flow{.from = client(n % 7)};
      world->open(flow);
      if (n % 3 == 0) world->close(flow);
      if (n % 5 == 0) world->send(flow, kRst);
    }
  }
  const auto listing = [](World& world) {
    std::vector<std::string> lines;
    for (const EntryView& e : world.director.entries(world.now())) {
      lines.push_back(std::to_string(e.client.v4_host_order()) + ":" + std::to_string(e.client_port) + " " + e.state +
                      " " + std::to_string(e.expires_in.count()) + " " + std::to_string(e.controlled));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  for (int minute = 0; minute < 20; ++minute) {
    coarse.elapse(60s);
    for (int i = 0; i < 60; ++i) fine.elapse(1s);
    ASSERT_EQ(listing(coarse), listing(fine)) << "minute " << minute;
  }
}

}  // namespace
}  // namespace lvspec::director
