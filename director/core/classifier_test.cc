#include "director/core/classifier.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

MarkRule mark_port(std::uint16_t port, std::uint32_t mark) {
  MarkRule rule;
  rule.protocol = Protocol::kTcp;
  rule.destination = vip();
  rule.destination_mask = AddressMask::v4(0xffffffff);
  rule.destination_port_low = rule.destination_port_high = port;
  rule.mark = mark;
  return rule;
}

std::uint32_t mark_of(std::vector<MarkRule> rules, const Flow& flow) {
  Classifier classifier;
  classifier.replace(std::move(rules));
  return classifier.mark_of(packet_of(flow));
}

TEST(Classifier, MarksWhatMatchesAndNothingElse) {
  const std::vector<MarkRule> rules = {mark_port(80, 8)};
  EXPECT_EQ(mark_of(rules, {.from = client(1), .port = 80}), 8u);
  EXPECT_EQ(mark_of(rules, {.from = client(1), .port = 81}), 0u);
  EXPECT_EQ(mark_of(rules, {.from = client(1), .to = vip(11), .port = 80}), 0u);
  EXPECT_EQ(mark_of(rules, {.from = client(1), .port = 80, .protocol = Protocol::kUdp}), 0u);
}

TEST(Classifier, MatchesNetworksAndPortRanges) {
  MarkRule rule;
  rule.source = client(0);
  rule.source_mask = AddressMask::v4(0xffffff00);
  rule.destination_port_low = 8000;
  rule.destination_port_high = 8010;
  rule.mark = 5;
  EXPECT_EQ(mark_of({rule}, {.from = client(200), .port = 8010}), 5u);
  EXPECT_EQ(mark_of({rule}, {.from = client(200), .port = 8011}), 0u);
  EXPECT_EQ(mark_of({rule}, {.from = vip(), .port = 8000}), 0u);
}

TEST(Classifier, LastMatchWins) { EXPECT_EQ(mark_of({mark_port(80, 8), mark_port(80, 9)}, {.from = client(1)}), 9u); }

// iptables -j MARK --set-xmark value/mask
TEST(Classifier, MaskedMarksComposeBitByBit) {
  MarkRule low = mark_port(80, 0x0f), high = mark_port(80, 0x30);
  low.mark_mask = 0x0f;
  high.mark_mask = 0xf0;
  EXPECT_EQ(mark_of({low, high}, {.from = client(1)}), 0x3fu);
}

TEST(Classifier, FamiliesAreApart) {
  MarkRule rule;
  rule.family = Family::kIpv6;
  rule.mark = 1;
  EXPECT_EQ(mark_of({rule}, {.from = client(1)}), 0u);
}

}  // namespace
}  // namespace lvspec::director
