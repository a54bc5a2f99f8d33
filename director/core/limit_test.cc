// A table that is full: what needs one more entry is dropped silently, and nothing else changes (SVC-22).

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using ::testing::SizeIs;

TEST(Limit, DropsWhatNeedsAnEntry) {
  World world;
  world.serve(tcp_service(80), scheduled_by("rr"), {1, 1});
  world.director.limit_entries(2);
  Flow first{.from = client(1)}, second{.from = client(2)};
  EXPECT_EQ(world.open(first), "r2");
  EXPECT_EQ(world.open(second), "r1");
  EXPECT_EQ(world.open({.from = client(3)}), "drop");
  EXPECT_EQ(world.send(first, kAck), "r2");
  EXPECT_EQ(world.director.refused_entries(), 1U);
  EXPECT_EQ(world.server(tcp_service(80), 1).statistics.shown().connections +
                world.server(tcp_service(80), 2).statistics.shown().connections,
            0U);  // as of the last round; after the next, two and not three
  world.elapse(2s);
  EXPECT_EQ(world.director.totals().connections, 2U);
  world.director.limit_entries(0);
  EXPECT_EQ(world.open({.from = client(3)}), "r1");  // rr had gone on for the one that was dropped
}

TEST(Limit, MakesRoomAsEntriesEnd) {
  World world;
  world.serve(udp_service(53), scheduled_by("rr"), {1});
  world.director.limit_entries(1);
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "r1");
  EXPECT_EQ(world.datagram({.from = client(2), .port = 53}), "drop");
  world.elapse(301s);
  EXPECT_EQ(world.datagram({.from = client(2), .port = 53}), "r1");
}

// The template is made and lives its time where only its first connection has no room.
TEST(Limit, LeavesATemplateAlone) {
  World world;
  world.serve(tcp_service(80), persistent(300), {1, 1});
  world.director.limit_entries(1);
  EXPECT_EQ(world.open({.from = client(1)}), "drop");
  EXPECT_EQ(world.open({.from = client(2)}), "drop");  // not even a template
  ASSERT_THAT(world.templates(), SizeIs(1));
  EXPECT_EQ(world.templates()[0].controlled, 0U);
  EXPECT_EQ(world.template_expires_in(), 300);
  world.director.limit_entries(2);
  EXPECT_EQ(world.open({.from = client(1)}), "r2");
  EXPECT_EQ(world.director.refused_entries(), 2U);
}

TEST(Limit, HoldsForSinglePackets) {
  World world;
  ServiceSettings settings = scheduled_by("rr");
  settings.one_packet = true;
  world.serve(udp_service(53), settings, {1});
  world.serve(tcp_service(80), scheduled_by("rr"), {1});
  world.director.limit_entries(1);
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "r1");
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "r1");  // gone as it came
  EXPECT_EQ(world.open({.from = client(1)}), "r1");
  EXPECT_EQ(world.datagram({.from = client(1), .port = 53}), "drop");
}

TEST(Limit, HoldsForWhatIsBypassed) {
  World world;
  world.serve(mark_service(7), scheduled_by("rr"), {});
  world.director.set_marks({{.mark = 7}});
  Sysctls sysctls;
  sysctls.cache_bypass = 1;
  world.director.set_sysctls(sysctls);
  world.director.limit_entries(1);
  EXPECT_EQ(world.send({.from = client(1), .client_port = 1}, kSyn), "pass");
  EXPECT_EQ(world.send({.from = client(1), .client_port = 2}, kSyn), "drop");
}

// What a server behind NAT begins of itself goes its way without an entry.
TEST(Limit, LetsServersCallOut) {
  World world;
  ServiceSettings settings = persistent(300);
  settings.engine = "sip";
  world.director.add_service(udp_service(5060), settings);
  world.director.add_server(udp_service(5060), real(1, 5060), {.method = ForwardMethod::kMasquerade});
  const std::string text = "OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n";
  Packet packet =
      packet_of({.from = rip(1), .to = client(1), .port = 4000, .client_port = 5060, .protocol = Protocol::kUdp});
  packet.payload = std::as_bytes(std::span(text));
  for (const std::size_t limit : {1, 1, 2}) {
    world.director.limit_entries(limit);
    const Verdict verdict = world.director.handle_reply(world.now(), packet);
    EXPECT_EQ(verdict.action == Verdict::Action::kPass, limit == 1);
  }
  EXPECT_THAT(world.connections(), SizeIs(1));
  EXPECT_EQ(world.template_expires_in(), 300);
}

}  // namespace
}  // namespace lvspec::director
