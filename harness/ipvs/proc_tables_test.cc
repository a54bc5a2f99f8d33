#include "harness/ipvs/proc_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTitle = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";
constexpr const char* kSyncTitle = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n";

ProcEntry only(const std::string& title, const std::string& line) {
  const auto entries = parse_connections(title + line + "\n").value();
  EXPECT_EQ(entries.size(), 1U);
  return entries.at(0);
}

TEST(ProcTables, AnEmptyTable) { EXPECT_THAT(parse_connections(kTitle).value(), IsEmpty()); }

TEST(ProcTables, AConnection) {
  ProcEntry expected;
  expected.protocol = "TCP";
  expected.client = Endpoint::parse("192.0.2.1:40000").value();
  expected.target = Endpoint::parse("198.51.100.10:80").value();
  expected.server = Endpoint::parse("203.0.113.11:80").value();
  expected.state = "ESTABLISHED";
  expected.expires_s = 899;
  EXPECT_EQ(only(kTitle, "TCP C0000201 9C40 C633640A 0050 CB00710B 0050 ESTABLISHED     899"), expected);
}

TEST(ProcTables, ATemplateHasClientPortZero) {
  const ProcEntry entry = only(kTitle, "TCP C0000200 0000 C633640A 0000 CB00710B 0000 ASSURED         299");
  EXPECT_TRUE(entry.is_template);
  EXPECT_EQ(entry.client.str(), "192.0.2.0:0");
  EXPECT_EQ(entry.expires_s, 299U);
}

// TPL-13: the mark stands where the virtual address would.
TEST(ProcTables, TheTemplateOfAMark) {
  const ProcEntry entry = only(kTitle, "IP  C0000201 0000 00000008 0000 CB00710B 0000 NONE              0");
  EXPECT_TRUE(entry.is_template);
  EXPECT_EQ(entry.protocol, "IP");
  EXPECT_EQ(entry.target.str(), "0.0.0.8:0");
}

TEST(ProcTables, IPv6) {
  const ProcEntry entry =
      only(kTitle,
           "TCP 2001:0db8:0002:0000:0000:0000:0000:0001 C350 2001:0db8:0051:0000:0000:0000:0000:0010 0050 "
           "2001:0db8:0113:0000:0000:0000:0000:000b 0050 FIN_WAIT        119");
  EXPECT_EQ(entry.client.str(), "[2001:db8:2::1]:50000");
  EXPECT_EQ(entry.server.str(), "[2001:db8:113::b]:80");
  EXPECT_EQ(entry.state, "FIN_WAIT");
  EXPECT_FALSE(entry.is_template);
}

TEST(ProcTables, TheTemplateOfAnIPv6Mark) {
  const ProcEntry entry =
      only(kTitle,
           "IP  2001:0db8:0002:0000:0000:0000:0000:0001 0000 0000:0009:0000:0000:0000:0000:0000:0000 0000 "
           "2001:0db8:0113:0000:0000:0000:0000:000b 0000 NONE            100");
  EXPECT_TRUE(entry.is_template);
  EXPECT_EQ(entry.target.str(), "[0:9::]:0");
}

// An IPv6 service with an IPv4 server, as tunnels may have it.
TEST(ProcTables, EachAddressHasItsOwnFamily) {
  const ProcEntry entry = only(
      kTitle,
      "TCP 2001:0db8:0002:0000:0000:0000:0000:0001 C350 2001:0db8:0051:0000:0000:0000:0000:0010 0050 CB00710B 0050 "
      "ESTABLISHED     899");
  EXPECT_EQ(entry.server.str(), "203.0.113.11:80");
}

// FTP: the kernel does not know the client's data port yet.
TEST(ProcTables, AConnectionMayLackItsClientPort) {
  EXPECT_FALSE(only(kTitle, "TCP C0000201 0000 C633640A 0014 CB00710B 0014 SYN_RECV         59").is_template);
}

TEST(ProcTables, ThePersistenceEngine) {
  const ProcEntry entry =
      only(kTitle, "UDP C0000201 0000 C633640A 13C4 CB00710B 13C4 NONE            299 sip 4711@192.0.2.1");
  EXPECT_EQ(entry.pe_name, "sip");
  EXPECT_EQ(entry.pe_data, "4711@192.0.2.1");
}

TEST(ProcTables, TheSyncTableHasAnOriginAndNoEngine) {
  const ProcEntry entry =
      only(kSyncTitle, "TCP C0000201 0000 C633640A 0050 CB00710B 0050 NONE        SYNC       300");
  EXPECT_EQ(entry.origin, "SYNC");
  EXPECT_EQ(entry.expires_s, 300U);
  EXPECT_TRUE(entry.is_template);
  EXPECT_THAT(entry.pe_name, IsEmpty());
}

TEST(ProcTables, NamesTheLineThatItCannotRead) {
  const std::string good = "TCP C0000201 9C40 C633640A 0050 CB00710B 0050 ESTABLISHED     899\n";
  for (const std::string bad : {"TCP C0000201 9C40", "TCP C000020 9C40 C633640A 0050 CB00710B 0050 ESTABLISHED 899",
                                "TCP C0000201 XXXX C633640A 0050 CB00710B 0050 ESTABLISHED 899",
                                "TCP C0000201 9C40 C633640A 0050 CB00710B 0050 ESTABLISHED soon", ""}) {
    const auto entries = parse_connections(kTitle + good + bad + "\n");
    ASSERT_FALSE(entries.ok()) << bad;
    EXPECT_THAT(entries.error().message, HasSubstr("line 3: \"" + bad + "\""));
  }
}

TEST(ProcTables, RefusesAnotherFile) {
  EXPECT_THAT(parse_connections("IP Virtual Server version 1.2.1\n").error().message, HasSubstr("is not its title"));
  EXPECT_FALSE(parse_connections("").ok());
}

}  // namespace
}  // namespace lvspec
