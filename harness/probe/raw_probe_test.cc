#include "harness/probe/raw_probe.h"

#include "harness/probe/sockets.h"
#include "harness/probe/test_world.h"

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class RawProbes : public ProbeWorld {
 protected:
  void SetUp() override {
    ProbeWorld::SetUp();
    for (int i = 1; i <= 3; ++i) names_[mac_of(i)] = server_name(i);
    auto raw = RawProbe::open(world_->client().netns);
    ASSERT_RESULT(raw);
    raw_.emplace(std::move(*raw));
  }

  MacAddress mac_of(int server) { return world_->real_server(server).port.mac; }
  /// A client that fell silent: routed to the clients' node, but not local there.
  static IpAddress mute(int i) { return IpAddress::of("192.0.2.240").plus(static_cast<std::uint64_t>(i)); }
  Endpoint vip(int family = AF_INET) { return {world_->topology().vips[family == AF_INET ? 0 : 1], 80}; }
  Answer syn(const Attempt& attempt, int server) {
    auto answer = raw_->syn(attempt, mac_of(server), names_);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    return answer.ok() ? *answer : Answer{};
  }

  std::optional<RawProbe> raw_;
  std::map<MacAddress, std::string> names_;
};

MATCHER_P(HalfOpenWith, server, "") {
  *result_listener << arg;
  return arg.outcome == Outcome::kHalfOpen && arg.server == server;
}

TEST_F(RawProbes, ASynToTheVipTellsTheServerByItsMac) {
  EXPECT_EQ(raw_->mac(), world_->client().port.mac);
  for (int i = 1; i <= 3; ++i)
    EXPECT_THAT(syn({.client = {mute(1), 40000}, .target = vip()}, i), HalfOpenWith(server_name(i)));
  EXPECT_THAT(syn({.client = {cip(1, AF_INET6), 40000}, .target = vip(AF_INET6)}, 2), HalfOpenWith("real2"));
}

TEST_F(RawProbes, AMuteClientStaysHalfOpenAndALocalOneAnswersWithRst) {
  Capture capture(world_->client().netns);
  EXPECT_THAT(syn({.client = {mute(1), 40000}, .target = vip()}, 1), HalfOpenWith("real1"));
  EXPECT_THAT(capture.segments(80), ElementsAre("client SYN", "server SYN ACK"));
  EXPECT_THAT(syn({.client = {cip(1), 40000}, .target = vip()}, 1), HalfOpenWith("real1"));
  EXPECT_THAT(capture.segments(80), ElementsAre("client SYN", "server SYN ACK", "client RST"));
}

TEST_F(RawProbes, AServerWithoutANameIsItsMac) {
  names_.clear();
  EXPECT_THAT(syn({.client = {mute(1), 40000}, .target = vip()}, 1), HalfOpenWith("02:00:cb:00:71:0b"));
}

// By its challenge ACK: an in-window SYN would have been answered with a RST, and told as a refusal.
TEST_F(RawProbes, TheServerThatKnowsTheConnectionIsStillRecognised) {
  EXPECT_THAT(syn({.client = {mute(1), 40000}, .target = vip()}, 1), HalfOpenWith("real1"));
  const Answer again = syn({.client = {mute(1), 40000}, .target = vip()}, 1);
  EXPECT_THAT(again, HalfOpenWith("real1"));
  EXPECT_THAT(again.detail, StartsWith("challenge ACK"));
}

TEST_F(RawProbes, RefusalAndSilence) {
  Endpoint closed = vip();
  closed.port = 81;
  const Answer refused = syn({.client = {mute(1), 40000}, .target = closed}, 1);
  EXPECT_THAT(refused, Ended(Outcome::kRefused));
  EXPECT_EQ(refused.detail, "RST from 02:00:cb:00:71:0b");
  const Status cut = world_->set_link(world_->real_server(1), false);
  ASSERT_RESULT(cut);
  const Answer silent = syn({.client = {mute(1), 40000}, .target = vip(), .patience = kShortPatience}, 1);
  EXPECT_THAT(silent, Ended(Outcome::kSilence));
  EXPECT_EQ(silent.detail, "no SYN-ACK within 300 ms");
  EXPECT_GE(silent.took, kShortPatience);
}

TEST_F(RawProbes, ManySynsAnswerInTheOrderOfTheAttempts) {
  std::vector<Attempt> attempts;
  for (int i = 0; i < 1000; ++i)
    attempts.push_back({.client = {mute(i % 8), static_cast<std::uint16_t>(30000 + i)}, .target = vip()});
  const auto answers = raw_->syn_all(attempts, mac_of(3), names_);
  ASSERT_RESULT(answers);
  ASSERT_EQ(answers->size(), attempts.size());
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    EXPECT_THAT((*answers)[i], HalfOpenWith("real3"));
    EXPECT_EQ((*answers)[i].client, attempts[i].client);
  }
  EXPECT_THAT(raw_->syn_all({}, mac_of(3), names_).value(), IsEmpty());
}

TEST_F(RawProbes, SegmentsGoOutAsTheyAreMade) {
  Capture capture(world_->real_server(1).netns);
  const Endpoint from{mute(1), 40000};
  for (const std::uint8_t flags : {tcp_flags::kFin, tcp_flags::kRst, tcp_flags::kAck}) {
    const Status sent = raw_->send_segment({.source = from, .target = vip(), .flags = flags}, mac_of(1));
    ASSERT_RESULT(sent);
  }
  // The bare ACK belongs to no connection; its RST says that all three have arrived.
  wait_readable(capture.socket(), ProbeClock::now() + kPatience);
  std::vector<std::string> seen = capture.segments(80);
  while (seen.size() < 4 && wait_readable(capture.socket(), ProbeClock::now() + kPatience)) {
    const auto more = capture.segments(80);
    seen.insert(seen.end(), more.begin(), more.end());
  }
  EXPECT_THAT(seen, ElementsAre("client FIN", "client RST", "client ACK", "server RST"));
}

TEST_F(RawProbes, TheWorldsRefusalIsAnError) {
  EXPECT_EQ(RawProbe::open(world_->client().netns, "eth7").error().message,
            "client: ioctl SIOCGIFHWADDR(eth7): ENODEV (No such device)");
  const TcpSegment too_long{.source = {mute(1), 40000}, .target = vip(), .payload = std::string(2000, 'x')};
  EXPECT_EQ(raw_->send_segment(too_long, mac_of(1)).error().message,
            "client: send(TCP to 198.51.100.10:80): EMSGSIZE (Message too long)");
}

}  // namespace
}  // namespace lvspec
