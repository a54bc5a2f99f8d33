#include "harness/fuzz/lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::fuzz {
namespace {

using ::testing::StartsWith;

Endpoint at(const char* text) { return *Endpoint::parse(text); }

class LineRoundTrip : public ::testing::TestWithParam<const char*> {};

TEST_P(LineRoundTrip, IsWrittenAsItWasRead) {
  const Result<Command> command = parse_ipvsadm_line(GetParam());
  ASSERT_TRUE(command.ok()) << command.error().message;
  EXPECT_EQ(ipvsadm_line(*command), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, LineRoundTrip,
                         ::testing::Values("-A -t 198.51.100.10:80 -s rr -p 300 -M 255.255.255.0",
                                           "-E -u 198.51.100.10:53 -s wlc -o", "-D -t [2001:db8:51::10]:80",
                                           "-A -f 8 -6 -s sh -b sh-fallback,sh-port", "-D -f 8", "-C",
                                           "-a -t 198.51.100.10:80 -r 203.0.113.11:80 -g -w 2 -x 5 -y 3",
                                           "-e -f 8 -r 203.0.113.11:0 -m -w 0",
                                           "-d -t 198.51.100.10:80 -r 203.0.113.11:80"));

TEST(Lines, AMarkRuleIsReadBack) {
  MarkRule rule;
  rule.family = AF_INET6;
  rule.protocol = Protocol::kTcp;
  rule.destination = Prefix::of("2001:db8:51::10/128");
  rule.destination_ports = {{80, 80}, {443, 443}};
  rule.in_interface = "eth0";
  rule.mark = 4000000000;
  const std::string line = iptables_line(rule);
  EXPECT_THAT(line, StartsWith("ip6tables -t mangle -A PREROUTING -d 2001:db8:51::10/128"));
  const Result<MarkRule> read = parse_iptables_line(line);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, rule);
}

TEST(Lines, AScriptIsWhatPeopleType) {
  const Endpoint client = at("192.0.2.1:40000"), vip = at("198.51.100.10:80");
  EXPECT_EQ(
      script_of({SetSysctl{"expire_nodest_conn", 1}, *parse_ipvsadm_line("-A -t 198.51.100.10:80 -s rr"),
                 SetTimeouts{900, 0, 20}, Connect{client, vip, Shape::kOpen}, Pause{60}, Segment{client, vip, "PA"},
                 Segment{client, vip, "FA"}, Segment{at("192.0.2.2:40000"), vip, "A"},
                 Connect{client, vip, Shape::kServerFirst}, Datagram{at("192.0.2.2:40000"), at("198.51.100.10:53")}}),
      "sysctl -w net.ipv4.vs.expire_nodest_conn=1\n"
      "ipvsadm -A -t 198.51.100.10:80 -s rr\n"
      "ipvsadm --set 900 0 20\n"
      "nc -4 -s 192.0.2.1 -p 40000 198.51.100.10 80 &   # held open\n"
      "sleep 60\n"
      "# type a line into the nc from port 40000\n"
      "# end the nc from port 40000\n"
      "hping3 -c 1 -A -a 192.0.2.2 -s 40000 -k -p 80 198.51.100.10\n"
      "curl --http1.0 --interface 192.0.2.1 --local-port 40000 http://198.51.100.10:80/   # the server closes "
      "first\n"
      "nc -4 -s 192.0.2.2 -p 40000 198.51.100.10 53 -u -w 0 <<< question\n");
}

}  // namespace
}  // namespace lvspec::fuzz
