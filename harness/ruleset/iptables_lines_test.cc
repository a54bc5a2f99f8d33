#include <gmock/gmock.h>

#include "harness/ruleset/read.h"

namespace lvspec {
namespace {

using testing::ElementsAre;

const LineOrigin kHere{"t.rules", 7};

MarkRule rule_of(const std::string& line, int family = AF_UNSPEC, std::string_view table = {}) {
  const Result<MarkRule> rule = parse_iptables_line(line, kHere, family, table);
  EXPECT_TRUE(rule.ok()) << line << "\n" << (rule.ok() ? "" : rule.error().message);
  return rule.ok() ? *rule : MarkRule();
}

std::string error_of(const std::string& line, std::string_view table = {}) {
  const Result<MarkRule> rule = parse_iptables_line(line, kHere, AF_UNSPEC, table);
  if (rule.ok()) return "no error";
  EXPECT_EQ(rule.error().kind, ErrorKind::kUsage);
  return rule.error().message;
}

const MarkRule kWebTo8{.protocol = Protocol::kTcp,
                       .destination = Prefix::of("198.51.100.10/32"),
                       .destination_ports = {{80, 80}},
                       .in_interface = "eth0",
                       .mark = 8};

TEST(IptablesLine, ReadsTheNotesAndWhatIptablesSaveMakesOfThem) {
  EXPECT_EQ(
      rule_of("iptables -A PREROUTING -i eth0 -t mangle -d 198.51.100.10 -p tcp --dport 80 -j MARK --set-mark 8"),
      kWebTo8);
  EXPECT_EQ(rule_of("-A PREROUTING -d 198.51.100.10/32 -i eth0 -p tcp -m tcp --dport 80 -j MARK --set-xmark "
                    "0x8/0xffffffff",
                    AF_INET, "mangle"),
            kWebTo8);
  EXPECT_EQ(rule_of("iptables --table=mangle --append PREROUTING --in-interface eth0 --dst 198.51.100.10 --proto TCP "
                    "--destination-port 80 --jump MARK --set-mark 010 -m comment --comment \"web to 8\""),
            kWebTo8);
  EXPECT_EQ(rule_of("-t mangle -A PREROUTING -ieth0 -d198.51.100.10 -p6 --dport=80 -j MARK --set-mark 8"), kWebTo8);
}

TEST(IptablesLine, ReadsPorts) {
  const std::string begin = "-t mangle -A PREROUTING -p udp ";
  const std::string end = " -j MARK --set-mark 1";
  const MarkRule range = rule_of(begin + "--dport 8000:8080 --sport 1024:" + end);
  EXPECT_THAT(range.destination_ports, ElementsAre(PortRange{8000, 8080}));
  EXPECT_THAT(range.source_ports, ElementsAre(PortRange{1024, 65535}));
  EXPECT_THAT(rule_of(begin + "--sport :1023" + end).source_ports, ElementsAre(PortRange{0, 1023}));
  EXPECT_THAT(rule_of(begin + "-m multiport --dports 80,23,8000:8080" + end).destination_ports,
              ElementsAre(PortRange{80, 80}, PortRange{23, 23}, PortRange{8000, 8080}));
  EXPECT_THAT(rule_of(begin + "-m multiport --sports 53" + end).source_ports, ElementsAre(PortRange{53, 53}));
}

TEST(IptablesLine, ReadsNetworks) {
  const auto source = [](const std::string& text) {
    return rule_of("-t mangle -A PREROUTING -s " + text + " -j MARK --set-mark 1").source;
  };
  EXPECT_EQ(source("192.0.2.77/24"), Prefix::of("192.0.2.0/24"));
  EXPECT_EQ(source("192.0.2.0/255.255.255.0"), Prefix::of("192.0.2.0/24"));
  EXPECT_EQ(source("192.0.2.129/25"), Prefix::of("192.0.2.128/25"));
  EXPECT_EQ(source("0.0.0.0/0"), std::nullopt);
  EXPECT_EQ(source("2001:db8::1/32"), Prefix::of("2001:db8::/32"));
}

TEST(IptablesLine, KnowsItsFamily) {
  const std::string bare = "-t mangle -A PREROUTING -j MARK --set-mark 1";
  EXPECT_EQ(rule_of(bare).family, AF_INET);
  EXPECT_EQ(rule_of("ip6tables " + bare).family, AF_INET6);
  EXPECT_EQ(rule_of("/usr/sbin/iptables " + bare, AF_INET6).family, AF_INET);
  EXPECT_EQ(rule_of(bare, AF_INET6).family, AF_INET6);
  EXPECT_EQ(rule_of("-d 2001:db8::1 " + bare).family, AF_INET6);
}

// iptables-extensions(8), MARK: --set-mark ors the value in, --set-xmark xors it.
TEST(IptablesLine, ReadsMasks) {
  const auto rule = [](const std::string& mark) { return rule_of("-t mangle -A PREROUTING -j MARK " + mark); };
  EXPECT_EQ(rule("--set-mark 0x100/0xff").apply(0x1234), 0x1300U);
  EXPECT_EQ(rule("--set-xmark 0x100/0xff").apply(0x1134), 0x1000U);
  EXPECT_EQ(rule("--set-mark 4294967295").mark, 0xffffffffU);
  EXPECT_EQ(rule("--set-mark 8").mask, 0xffffffffU);
}

struct Mistake {
  const char* name;
  const char* line;
  const char* error;
};

class IptablesMistake : public testing::TestWithParam<Mistake> {};

TEST_P(IptablesMistake, NamesTokenAndRemedy) {
  EXPECT_EQ(error_of(GetParam().line), std::string("t.rules:7: ") + GetParam().error) << GetParam().line;
}

#define WHAT_IS_READ                                                                                        \
  "a mark rule here is made of -t mangle -A PREROUTING -i -p -s -d --sport --dport, -m multiport --sports " \
  "--dports, "                                                                                              \
  "-j MARK --set-mark or --set-xmark"

const Mistake kMistakes[] = {
    {"empty", "iptables", "\"iptables\": no command; add -A PREROUTING"},
    {"no_chain", "iptables -t mangle -j MARK --set-mark 8", "\"-t\": no command; add -A PREROUTING"},
    {"chain", "iptables -t mangle -A OUTPUT -j MARK --set-mark 8",
     "\"OUTPUT\": not a chain that marks packets for IPVS here; use PREROUTING: IPVS reads the mark that a packet "
     "has "
     "when it reaches LOCAL_IN"},
    {"no_table", "iptables -A PREROUTING -j MARK --set-mark 8",
     "\"PREROUTING\": no chain of the filter table, which is meant where none is named; add -t mangle"},
    {"table", "iptables -t nat -A PREROUTING -j MARK --set-mark 8",
     "\"nat\": MARK is a target of the mangle table only; write -t mangle"},
    {"no_target", "iptables -t mangle -A PREROUTING -p tcp",
     "\"-t\": the rule does nothing; add -j MARK --set-mark N"},
    {"no_mark", "iptables -t mangle -A PREROUTING -j MARK",
     "\"MARK\": One of the --set-xmark, --{and,or,xor,set}-mark options is required; add --set-mark N"},
    {"target", "iptables -t mangle -A PREROUTING -j ACCEPT",
     "\"ACCEPT\": a target that gives no mark; a mark rule ends in -j MARK --set-mark N"},
    {"mark", "iptables -t mangle -A PREROUTING -j MARK --set-mark eight",
     "\"eight\": bad mark value for --set-mark; write MARK or MARK/MASK, numbers from 0 to 4294967295, 0x for "
     "hexadecimal"},
    {"mask", "iptables -t mangle -A PREROUTING -j MARK --set-xmark 8/",
     "\"8/\": bad mark value for --set-xmark; write MARK or MARK/MASK, numbers from 0 to 4294967295, 0x for "
     "hexadecimal"},
    {"protocol", "iptables -t mangle -A PREROUTING -p icmp -j MARK --set-mark 8",
     "\"icmp\": not a protocol that IPVS schedules; write tcp, udp, sctp or all"},
    {"port_without_protocol", "iptables -t mangle -A PREROUTING --dport 80 -j MARK --set-mark 8",
     "\"--dport\": ports without a protocol that has ports; add -p tcp, -p udp or -p sctp"},
    {"port", "iptables -t mangle -A PREROUTING -p tcp --dport telnet -j MARK --set-mark 8",
     "\"telnet\": not a port or range of ports; write 80, or 8000:8080 with the lower one first; names are not "
     "resolved"},
    {"range", "iptables -t mangle -A PREROUTING -p tcp --dport 90:80 -j MARK --set-mark 8",
     "\"90:80\": not a port or range of ports; write 80, or 8000:8080 with the lower one first; names are not "
     "resolved"},
    {"list", "iptables -t mangle -A PREROUTING -p tcp -m multiport --dports 80,,23 -j MARK --set-mark 8",
     "\"\": not a port or range of ports; write 80, or 8000:8080 with the lower one first; names are not resolved"},
    {"long_list",
     "iptables -t mangle -A PREROUTING -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,20:30 -j MARK "
     "--set-mark 8",
     "\"1,2,3,4,5,6,7,8,9,10,11,12,13,14,20:30\": too many ports specified; multiport takes 15, a range counting as "
     "two; write two rules"},
    {"no_multiport", "iptables -t mangle -A PREROUTING -p tcp --dports 80,23 -j MARK --set-mark 8",
     "\"--dports\": unknown option \"--dports\"; add -m multiport before it"},
    {"match", "iptables -t mangle -A PREROUTING -m state -j MARK --set-mark 8",
     "\"state\": a match that is not read; " WHAT_IS_READ},
    {"match_protocol", "iptables -t mangle -A PREROUTING -p tcp -m udp --dport 80 -j MARK --set-mark 8",
     "\"udp\": a match of another protocol than -p names; add -p udp"},
    {"address", "iptables -t mangle -A PREROUTING -d vip -j MARK --set-mark 8",
     "\"vip\": not an address or network for -d; write it in numbers, 198.51.100.10 or 198.51.100.0/24"},
    {"addresses", "iptables -t mangle -A PREROUTING -s 192.0.2.1,192.0.2.2 -j MARK --set-mark 8",
     "\"192.0.2.1,192.0.2.2\": not an address or network for -s; write one rule for each address"},
    {"family", "iptables -t mangle -A PREROUTING -d 2001:db8::1 -j MARK --set-mark 8",
     "\"2001:db8::1\": an IPv6 address in an IPv4 rule; begin the line with ip6tables"},
    {"families", "-t mangle -A PREROUTING -s 2001:db8::1 -d 192.0.2.1 -j MARK --set-mark 8",
     "\"192.0.2.1\": an IPv4 address in an IPv6 rule; begin the line with iptables"},
    {"interface", "iptables -t mangle -A PREROUTING -i averyveryverylongname -j MARK --set-mark 8",
     "\"averyveryverylongname\": not an interface name for -i; write one of 1 to 15 letters, eth0, or eth+ for all "
     "that "
     "begin so"},
    {"twice", "iptables -t mangle -A PREROUTING -p tcp --dport 80 --dport 23 -j MARK --set-mark 8",
     "\"--dport\": multiple --dport flags not allowed; say it once"},
    {"negated", "iptables -t mangle -A PREROUTING ! -d 192.0.2.1 -j MARK --set-mark 8",
     "\"!\": negated matches are not read; say what the rule takes, not what it leaves"},
    {"negated_value", "iptables -t mangle -A PREROUTING -d ! 192.0.2.1 -j MARK --set-mark 8",
     "\"!\": negated matches are not read; say what the rule takes, not what it leaves"},
    {"option", "iptables -t mangle -F PREROUTING", "\"-F\": unknown option of a mark rule; " WHAT_IS_READ},
    {"word", "iptables -t mangle -A PREROUTING 80 -j MARK --set-mark 8",
     "\"80\": unknown argument; every value stands behind its option; take it out"},
    {"dash", "iptables -t mangle -A PREROUTING \u2014dport 80 -j MARK --set-mark 8",
     "\"\u2014dport\": unknown argument; its dash is a typographic one; write -"},
    {"no_value", "iptables -t mangle -A PREROUTING -j MARK --set-mark",
     "\"--set-mark\": option requires an argument; write its value behind it"},
};

INSTANTIATE_TEST_SUITE_P(Every, IptablesMistake, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return info.param.name; });

TEST(IptablesLine, RefusesOtherSections) {
  EXPECT_EQ(error_of("-A PREROUTING -j MARK --set-mark 8", "nat"),
            "t.rules:7: \"nat\": a table that gives no marks; rules belong in the *mangle section");
}

}  // namespace
}  // namespace lvspec
