#include "director/core/ftp.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using ::testing::Eq;

constexpr Family k4 = Family::kIpv4, k6 = Family::kIpv6;
const Address kServer = Address::v4(0xcb00710b);

Address v6_one() {
  Address address;
  address.bytes = {0x20, 1, 0x0d, 0xb8};
  address.bytes[15] = 1;
  return address;
}

std::string_view text_at(std::string_view payload, const std::optional<FtpEndpoint>& endpoint) {
  return endpoint ? payload.substr(endpoint->begin, endpoint->end - endpoint->begin) : "nothing";
}

TEST(Ftp, PassiveRequests) {
  struct Row {
    std::string_view payload;
    Family family;
    FtpRequest request;
  };
  for (const Row& row :
       {Row{"PASV\r\n", k4, FtpRequest::kPassive}, Row{"pasv\r\n", k4, FtpRequest::kPassive},
        Row{"NOOP\r\nPASV\r\n", k4, FtpRequest::kPassive}, Row{"PASV\n", k4, FtpRequest::kNone},
        Row{"PASV\r\n", k6, FtpRequest::kNone}, Row{"EPSV\r\n", k4, FtpRequest::kExtendedPassive},
        Row{"EPSV\r\n", k6, FtpRequest::kExtendedPassive}, Row{"EPSV 1\r\n", k4, FtpRequest::kExtendedPassive},
        Row{"EPSV 2\r\n", k6, FtpRequest::kExtendedPassive}, Row{"EPSV 2\r\n", k4, FtpRequest::kNone},
        Row{"EPSV 1", k4, FtpRequest::kNone}, Row{"EPSV ALL\r\n", k4, FtpRequest::kNone},
        Row{"EPSV\r", k4, FtpRequest::kNone}, Row{"", k4, FtpRequest::kNone}}) {
    EXPECT_EQ(passive_request_in(row.payload, row.family), row.request) << row.payload;
  }
}

TEST(Ftp, PassiveAnswers) {
  for (const std::string_view payload :
       {"227 Entering Passive Mode (203,0,113,11,156,64).\r\n", "227 (203,0,113,11,156,64)",
        "227 203,0,113,11,156,64\r", "227 see ((203,0,113,11,156,64)"}) {
    const auto endpoint = passive_answer_in(payload);
    EXPECT_EQ(text_at(payload, endpoint), "203,0,113,11,156,64") << payload;
    EXPECT_TRUE(endpoint && endpoint->address == kServer && endpoint->port == 40000) << payload;
  }
  for (const std::string_view payload : {"227 (203,0,113,11,156,64", "227 (203,0,113,11,156)",
                                         "226 (203,0,113,11,156,64)", "x227 (203,0,113,11,156,64)", "227 (", "227"}) {
    EXPECT_FALSE(passive_answer_in(payload)) << payload;
  }
}

TEST(Ftp, ExtendedPassiveAnswers) {
  constexpr std::string_view kPayload = "229 Extended (|||40000|)\r\n";
  for (const Family family : {k4, k6}) {
    const auto endpoint = extended_passive_answer_in(kPayload, family);
    ASSERT_EQ(text_at(kPayload, endpoint), "|||40000|");
    EXPECT_EQ(endpoint->port, 40000);
    EXPECT_FALSE(endpoint->address);
  }
  EXPECT_TRUE(extended_passive_answer_in("229 (!1!203.0.113.11!21!)", k4)->address == kServer);
  for (const std::string_view payload :
       {"229 (|||40000", "229 (|||0|)", "229 (|||4x|)", "229 (||1.2.3.4|5|)", "229 (|2|203.0.113.11|5|)",
        "229 (\x01\x01\x01"
        "5\x01)",
        "229 |||40000|"}) {
    EXPECT_FALSE(extended_passive_answer_in(payload, k4)) << payload;
  }
}

TEST(Ftp, ActiveRequests) {
  const auto port = active_request_in("PORT 203,0,113,11,156,64\r\n", k4);
  ASSERT_TRUE(port);
  EXPECT_TRUE(port->address == kServer && port->port == 40000);
  const auto extended = active_request_in("eprt |2|2001:db8::1|40000|\r\n", k6);
  ASSERT_TRUE(extended);
  EXPECT_TRUE(extended->address == v6_one() && extended->port == 40000);
  EXPECT_TRUE(active_request_in("EPRT |1|203.0.113.11|40000|\r\n", k4));
  EXPECT_FALSE(active_request_in("PORT 203,0,113,11,156,64\r\n", k6));
  EXPECT_FALSE(active_request_in("EPRT |1|203.0.113.11|40000|\r\n", k6));
  EXPECT_FALSE(active_request_in("PORT 203,0,113,11\r\n", k4));
}

// As RFC 793 counts, round the end of the numbers as well.
TEST(Ftp, NumbersMoveBehindTheGrownSegment) {
  FtpShift shift;
  EXPECT_FALSE(shift.any());
  shift.grow(0xfffffff0, 3);  // "0xfffffff0 + 10 bytes" is 13 bytes now
  EXPECT_EQ(shift.towards_receiver(0xfffffff0), 0xfffffff0u);
  EXPECT_EQ(shift.towards_receiver(0xfffffffa), 0xfffffffdu);
  EXPECT_EQ(shift.towards_receiver(0), 3u);
  EXPECT_EQ(shift.towards_sender(0xfffffff0), 0xfffffff0u);
  EXPECT_EQ(shift.towards_sender(0xfffffffd), 0xfffffffau);
  shift.grow(100, -5);
  EXPECT_EQ(shift.towards_receiver(100), 103u);
  EXPECT_EQ(shift.towards_receiver(120), 118u);
  EXPECT_EQ(shift.towards_sender(118), 120u);
  shift.grow(90, 7);  // an old segment again
  EXPECT_EQ(shift.towards_receiver(120), 118u);
}

}  // namespace
}  // namespace lvspec::director
