#include "harness/ipvs/mark_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "harness/ipvs/nft_marks.h"
#include "harness/ipvs/xt_marks.h"

namespace lvspec {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MarkRule rule(int family = AF_INET) {
  MarkRule rule;
  rule.family = family;
  rule.protocol = Protocol::kTcp;
  rule.destination = Prefix::of(family == AF_INET6 ? "2001:db8:51::10/128" : "198.51.100.10/32");
  rule.destination_ports = {{80, 80}};
  rule.in_interface = "eth0";
  rule.mark = 8;
  return rule;
}

TEST(Disjoint, MergesWhatOverlapsOrTouches) {
  EXPECT_THAT(disjoint({{443, 443}, {80, 90}, {85, 100}, {101, 101}}),
              ElementsAre(PortRange{80, 101}, PortRange{443, 443}));
  EXPECT_THAT(disjoint({{60000, 65535}, {0, 65535}}), ElementsAre(PortRange{0, 65535}));
  EXPECT_THAT(disjoint({}), IsEmpty());
}

TEST(XtMarks, AnEmptyTableIsFivePoliciesAndAnEnd) {
  const XtBlob blob = xt_mangle_table({}, AF_INET);
  EXPECT_EQ(blob.count, 6U);
  EXPECT_EQ(blob.entries.size(), 5 * 152U + 176U);
  for (int hook = 0; hook < 5; ++hook) {
    EXPECT_EQ(blob.hook_entry[hook], blob.underflow[hook]);
    EXPECT_EQ(blob.hook_entry[hook], 152U * static_cast<unsigned>(hook));
  }
}

TEST(XtMarks, RulesStandInPrerouting) {
  const XtBlob blob = xt_mangle_table({rule(), rule(AF_INET6), rule()}, AF_INET);
  EXPECT_EQ(blob.count, 8U);
  EXPECT_EQ(blob.hook_entry[0], 0U);
  EXPECT_EQ(blob.underflow[0], 2 * (112U + 80U + 40U));  // entry, multiport, MARK
  EXPECT_EQ(blob.hook_entry[1], blob.underflow[1]);
  const std::string bytes(blob.entries.begin(), blob.entries.end());
  EXPECT_THAT(bytes, HasSubstr(std::string("\xc6\x33\x64\x0a", 4)));
  EXPECT_THAT(bytes, HasSubstr("eth0"));
}

TEST(XtMarks, MorePortsThanAMatchHoldsBecomeSeveralRules) {
  MarkRule many = rule();
  many.destination_ports.clear();
  for (std::uint16_t port = 1000; port < 1040; port += 2) many.destination_ports.push_back({port, port});  // 20 slots
  EXPECT_EQ(xt_mangle_table({many}, AF_INET).count, 6U + 2U);
  many.source_ports = many.destination_ports;
  EXPECT_EQ(xt_mangle_table({many}, AF_INET).count, 6U + 4U);
}

TEST(NftMarks, ATransactionIsDeleteAndMakeAnew) {
  const NftBatch batch = nft_marks_batch({rule()}, {AF_INET});
  EXPECT_THAT(batch.messages,
              ElementsAre("begin", "new table ip lvspec", "delete table ip lvspec", "new table ip lvspec",
                          "new chain ip lvspec marks (filter, prerouting, -150)", "new rule " + rule().str(), "end"));
  const std::string bytes(batch.bytes.begin(), batch.bytes.end());
  for (const char* word : {"payload", "bitwise", "meta", "cmp", "eth0"}) EXPECT_THAT(bytes, HasSubstr(word));
}

TEST(NftMarks, AFamilyWithoutRulesLosesItsTable) {
  const NftBatch batch = nft_marks_batch({}, {AF_INET6});
  EXPECT_THAT(batch.messages, ElementsAre("begin", "new table ip6 lvspec", "delete table ip6 lvspec", "end"));
}

TEST(NftMarks, EveryPairOfRangesIsARule) {
  MarkRule wide = rule();
  wide.source_ports = {{1024, 2047}, {4096, 8191}};
  wide.destination_ports = {{80, 80}, {81, 81}, {443, 443}};
  EXPECT_EQ(nft_marks_batch({wide}, {AF_INET}).messages.size(), 6U + 4U);  // 80 and 81 are one range
}

}  // namespace
}  // namespace lvspec
