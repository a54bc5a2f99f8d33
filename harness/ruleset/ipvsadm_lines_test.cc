#include <gmock/gmock.h>

#include "harness/ruleset/read.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const LineOrigin kHere{"t.rules", 7};

template <typename T>
T parsed(const std::string& line) {
  const Result<Command> command = parse_ipvsadm_line(line, kHere);
  EXPECT_TRUE(command.ok()) << line << "\n" << (command.ok() ? "" : command.error().message);
  if (!command.ok() || !std::holds_alternative<T>(*command)) {
    EXPECT_TRUE(command.ok() && std::holds_alternative<T>(*command)) << "another command: " << line;
    return {};
  }
  return std::get<T>(*command);
}

VirtualService service_of(const std::string& line) { return parsed<AddService>(line).service; }
RealServer server_of(const std::string& line) { return parsed<AddServer>(line).server; }

std::string error_of(const std::string& line) {
  const Result<Command> command = parse_ipvsadm_line(line, kHere);
  if (command.ok()) return "no error";
  EXPECT_EQ(command.error().kind, ErrorKind::kUsage);
  return command.error().message;
}

TEST(IpvsadmLine, HasDefaults) {
  EXPECT_EQ(service_of("ipvsadm -A -t 198.51.100.10:80"), TcpService("198.51.100.10", 80).get());
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11"),
            (RealServer{.address = IpAddress::of("203.0.113.11"), .port = 80}));
}

TEST(IpvsadmLine, TakesShortAndLongOptions) {
  const VirtualService expected =
      UdpService("198.51.100.10", 5060).scheduler("rr").persistent(60s).mask("255.255.255.0").one_packet().pe("sip");
  EXPECT_EQ(service_of("-A -u 198.51.100.10:5060 -s rr -p 60 -M 255.255.255.0 -o --pe sip"), expected);
  EXPECT_EQ(service_of("/sbin/ipvsadm --add-service --udp-service=198.51.100.10:5060 --scheduler rr --persistent 60 "
                       "--netmask 255.255.255.0 --ops --pe=sip"),
            expected);
  const RealServer server{.address = IpAddress::of("203.0.113.11"),
                          .port = 8080,
                          .method = ForwardMethod::kMasquerade,
                          .weight = 3,
                          .upper = 9,
                          .lower = 4};
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11:8080 -m -w 3 -x 9 -y 4"), server);
  EXPECT_EQ(server_of("--add-server --tcp-service 198.51.100.10:80 --real-server 203.0.113.11:8080 --masquerading "
                      "--weight 3 --u-threshold 9 --l-threshold 4"),
            server);
}

TEST(IpvsadmLine, JoinsLettersAndValuesAsPoptDoes) {
  EXPECT_EQ(service_of("-At 198.51.100.10:80 -p60 -srr"),
            TcpService("198.51.100.10", 80).persistent(60s).scheduler("rr").get());
  EXPECT_EQ(server_of("-at 198.51.100.10:80 -r 203.0.113.11 -gw2").weight, 2);
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11 -w=+2").weight, 2);
}

// ADM-33: 360, not the 300 of the man page and of the user's notes, line 57.
TEST(IpvsadmLine, PersistsFor360SecondsWithoutANumber) {
  EXPECT_EQ(service_of("-A -t 198.51.100.10:0 -p").persistent_s, 360U);
  EXPECT_EQ(service_of("-A -t 198.51.100.10:0 -p -s rr").persistent_s, 360U);
  EXPECT_EQ(service_of("-A -t 198.51.100.10:0 -p 2678400").persistent_s, 2678400U);
}

TEST(IpvsadmLine, ReadsMarksOfBothFamilies) {
  EXPECT_EQ(service_of("-A -f 8 -s rr -p 600"), MarkService(8).scheduler("rr").persistent(600s).get());
  EXPECT_EQ(service_of("-A -f 9 -6 -M 64 -p 77"), MarkService(9, AF_INET6).persistent(77s).mask(64).get());
  EXPECT_EQ(service_of("-A -f 4294967295").id.fwmark, 4294967295U);  // FWM-01: 0..99 is no limit
  EXPECT_EQ(parsed<DeleteService>("-D -f 9 -6").service, ServiceId::of_mark(9, AF_INET6));
  EXPECT_EQ(server_of("-a -f 8 -r 203.0.113.11").port, 0);
  EXPECT_EQ(server_of("-a -f 8 -r 203.0.113.11:8080 -g").port, 8080);
}

TEST(IpvsadmLine, ReadsSctp) {
  EXPECT_EQ(service_of("-A --sctp-service 198.51.100.10:9"), SctpService("198.51.100.10", 9).get());
}

// ADM-36.
TEST(IpvsadmLine, ReadsIpv6Addresses) {
  EXPECT_EQ(service_of("-A -t [2001:db8::1]:80 -M 64").id.str(), "TCP [2001:db8::1]:80");
  EXPECT_EQ(service_of("-A -t 2001:db8::1 -p").id.str(), "TCP [2001:db8::1]:0");
  EXPECT_EQ(server_of("-a -t [2001:db8::1]:80 -r 2001:db8::3 -m").endpoint().str(), "[2001:db8::3]:80");
  EXPECT_THAT(error_of("-a -t [2001:db8::1]:80 -r [2001:db8::3]"),
              testing::StartsWith("t.rules:7: \"[2001:db8::3]\": illegal real server address[:port] specified; "));
}

// ADM-35: the classic parser takes 24 for 0.0.0.24, and a mask before an IPv6 service is lost.
TEST(IpvsadmLine, ReadsMasksAsIpvsadmDoes) {
  EXPECT_EQ(service_of("-A -t 198.51.100.10:80 -p -M 24").netmask, IpAddress::of("0.0.0.24"));
  EXPECT_EQ(service_of("-A -M 255.255.255.0 -t 198.51.100.10:80 -p").netmask, IpAddress::of("255.255.255.0"));
  EXPECT_EQ(service_of("-A -M 64 -t [2001:db8::1]:80 -p"), TcpService("2001:db8::1", 80).persistent().get());
  EXPECT_EQ(service_of("-A -f 8 -M 64 -6 -p"), MarkService(8, AF_INET6).persistent().get());
}

// DST-10.
TEST(IpvsadmLine, ForcesThePortOfTheServiceUnlessMasquerading) {
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11:8080 -g").port, 80);
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11:8080 -i").port, 80);
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11:8080 -m").port, 8080);
  // -d is not forced: it deletes what it names.
  EXPECT_EQ(parsed<DeleteServer>("-d -t 198.51.100.10:80 -r 203.0.113.11:8080").port, 8080);
  EXPECT_EQ(parsed<DeleteServer>("-d -t 198.51.100.10:80 -r 203.0.113.11").port, 80);
}

// EDT-01, DST-07.
TEST(IpvsadmLine, EditsAsAWhole) {
  EXPECT_EQ(parsed<EditService>("-E -t 198.51.100.10:80 -p 600").service,
            TcpService("198.51.100.10", 80).scheduler("wlc").persistent(600s).get());
  const EditServer edit = parsed<EditServer>("-e -t 198.51.100.10:80 -r 203.0.113.11 -w 3");
  EXPECT_EQ(edit.server, (RealServer{.address = IpAddress::of("203.0.113.11"), .port = 80, .weight = 3}));
  parsed<ClearServices>("ipvsadm -C");
  parsed<ClearServices>("--clear");
}

// ADM-37; both spellings are one bit in the kernel.
TEST(IpvsadmLine, ReadsSchedulerFlags) {
  EXPECT_THAT(service_of("-A -t 198.51.100.10:80 -s sh -b sh-port,sh-fallback").sched_flags,
              ElementsAre("sh-fallback", "sh-port"));
  EXPECT_THAT(service_of("-A -t 198.51.100.10:80 -b flag-1,flag-3 -s mh").sched_flags,
              ElementsAre("mh-fallback", "flag-3"));
  EXPECT_THAT(service_of("-A -t 198.51.100.10:80 -b flag-2").sched_flags, ElementsAre("flag-2"));
}

TEST(IpvsadmLine, ReadsTunnels) {
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11 -i").tunnel, Tunnel{});
  EXPECT_EQ(
      server_of("-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type gue --tun-port 6080 --tun-remcsum").tunnel,
      (Tunnel{.type = TunnelType::kGue, .port = 6080, .checksum = TunnelChecksum::kRemote}));
  EXPECT_EQ(server_of("-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type gre --tun-csum").tunnel.checksum,
            TunnelChecksum::kFull);
  EXPECT_TRUE(server_of("-a -t 198.51.100.10:80 -r 2001:db8::3 -i").address.is_v6());  // FWD-05
}

TEST(IpvsadmLine, IgnoresCommentsAndTakesQuotes) {
  EXPECT_EQ(service_of("-A -t '198.51.100.10:80' -s \"r\"r # first").scheduler, "rr");
}

struct Mistake {
  const char* clause;
  const char* line;
  const char* error;
};

class IpvsadmMistake : public testing::TestWithParam<Mistake> {};

TEST_P(IpvsadmMistake, NamesTokenAndRemedy) {
  EXPECT_EQ(error_of(GetParam().line), std::string("t.rules:7: ") + GetParam().error) << GetParam().line;
}

const Mistake kMistakes[] = {
    {"ADM_60", "-A -t 198.51.100.10:0 -s rr",
     "\"198.51.100.10:0\": Zero port specified for non-persistent service; add -p SECONDS, or give the service a "
     "port"},
    {"ADM_60_edit", "-E -t 198.51.100.10",
     "\"198.51.100.10\": Zero port specified for non-persistent service; add -p SECONDS, or give the service a port"},
    {"ADM_61", "-A -t 198.51.100.10:80 --ops",
     "\"--ops\": One-Packet Scheduling is only for UDP virtual services; take it out, or make the service -u"},
    {"ADM_62", "-A -t 198.51.100.10:80 -p 0",
     "\"0\": invalid timeout value `0' specified; -p takes seconds, 1 to 2678400; without a number it means 360"},
    {"ADM_62_long", "-A -t 198.51.100.10:80 -p 2678401",
     "\"2678401\": invalid timeout value `2678401' specified; -p takes seconds, 1 to 2678400; without a number it "
     "means "
     "360"},
    {"ADM_62_unit", "-A -t 198.51.100.10:80 -p 10m",
     "\"10m\": invalid timeout value `10m' specified; -p takes seconds, 1 to 2678400; without a number it means 360"},
    {"ADM_63", "-A -f 0",
     "\"0\": invalid fwmark value `0' specified; a mark is a decimal number from 1 to 4294967295"},
    {"ADM_63_hex", "-A -f 0x10",
     "\"0x10\": invalid fwmark value `0x10' specified; a mark is a decimal number from 1 to 4294967295"},
    {"ADM_63_saved", "-A -f -1",
     "\"-1\": invalid fwmark value `-1' specified; a mark is a decimal number from 1 to 4294967295; ipvsadm -S "
     "prints "
     "-1 for the mark 4294967295"},
    {"ADM_64_weight", "-a -t 198.51.100.10:80 -r 203.0.113.11 -w heavy",
     "\"heavy\": illegal weight specified; -w takes a whole number from 0 to 2147483647"},
    {"ADM_64_upper", "-a -t 198.51.100.10:80 -r 203.0.113.11 -x -1",
     "\"-1\": illegal u_threshold specified; -x takes a whole number from 0 to 2147483647"},
    {"ADM_64_lower", "-a -t 198.51.100.10:80 -r 203.0.113.11 --l-threshold 2147483648",
     "\"2147483648\": illegal l_threshold specified; --l-threshold takes a whole number from 0 to 2147483647"},
    {"ADM_65_service", "-A -t 80",
     "\"80\": illegal virtual server address[:port] specified; write ADDRESS:PORT in numbers, IPv6 as "
     "[ADDRESS]:PORT; "
     "names are not resolved, so that a ruleset means the same on every machine"},
    {"ADM_65_named_port", "-A -t 198.51.100.10:http",
     "\"198.51.100.10:http\": illegal virtual server address[:port] specified; write ADDRESS:PORT in numbers, IPv6 "
     "as "
     "[ADDRESS]:PORT; names are not resolved, so that a ruleset means the same on every machine"},
    {"ADM_65_server", "-a -t 198.51.100.10:80 -r localhost",
     "\"localhost\": illegal real server address[:port] specified; write ADDRESS:PORT in numbers, IPv6 as "
     "[ADDRESS]:PORT; names are not resolved, so that a ruleset means the same on every machine"},
    {"ADM_66", "-A -t 198.51.100.10:80 -M /24",
     "\"/24\": illegal virtual server persistent mask specified; write it in dots, 255.255.255.0; a prefix length "
     "goes "
     "with IPv6 only, after the service"},
    {"ADM_66_ipv6", "-A -t [2001:db8::1]:80 -M 129",
     "\"129\": illegal ipv6 netmask specified; an IPv6 mask is a prefix length, 1 to 128"},
    {"ADM_67", "-A -t 198.51.100.10:80 -w 2",
     "\"-w\": Illegal 'weight' option with the 'add-service' command; take it out"},
    {"ADM_67_flush", "-C -t 198.51.100.10:80",
     "\"-t\": Illegal 'service-address' option with the 'flush' command; take it out"},
    {"ADM_67_numeric", "-A -t 198.51.100.10:80 -n",
     "\"-n\": Illegal 'numeric' option with the 'add-service' command; take it out"},
    {"ADM_68_service", "-A -s rr",
     "\"-A\": You need to supply the 'service-address' option for the 'add-service' command; add -t, -u, "
     "--sctp-service or -f"},
    {"ADM_68_server", "-a -f 8",
     "\"-a\": You need to supply the 'real-server' option for the 'add-server' command; add -r ADDRESS[:PORT]"},
    {"ADM_69", "-A -t 198.51.100.10:80 -u 198.51.100.10:80",
     "\"-u\": multiple 'service-address' options specified; say it once"},
    {"ADM_69_method", "-a -t 198.51.100.10:80 -r 203.0.113.11 -g -m",
     "\"-m\": multiple 'forwarding-method' options specified; say it once"},
    {"ADM_70", "-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type gre --tun-csum --tun-nocsum",
     "\"--tun-csum\": The option 'tun-csum' conflicts with the 'tun-nocsum' option in the 'gre' tunnel type; keep "
     "one of "
     "them"},
    {"ADM_72", "-A -D -t 198.51.100.10:80", "\"-D\": invalid option `-D'; one command a line; take it out"},
    {"ADM_73", "-A -t 198.51.100.10:80 rr",
     "\"rr\": unexpected argument rr; every value stands behind its option; take it out"},
    {"ADM_73_dash", "-A -t 198.51.100.10:80 \u2013p 600",
     "\"\u2013p\": unexpected argument \u2013p; its dash is a typographic one; write -"},
    {"ADM_75", "-A -6 -f 8", "\"-6\": -6 used before -f; write -f MARK -6; an IPv6 address needs no -6"},
    {"ADM_76_unknown", "-A -t 198.51.100.10:80 -b sticky",
     "\"sticky\": invalid scheduler flag `sticky'; the flags are sh-fallback sh-port mh-fallback mh-port flag-1 "
     "flag-2 "
     "flag-3"},
    {"ADM_76_other", "-A -t 198.51.100.10:80 -s rr -b sh-port",
     "\"sh-port\": incompatible scheduler flag `sh-port'; it goes with -s sh; this is -s rr"},
    {"ADM_77", "-a -t 198.51.100.10:80 -r 203.0.113.11 -g --tun-type gue",
     "\"--tun-type\": Tunnel options conflict with forward method; take it out, or forward with -i"},
    {"ADM_78", "-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type gue",
     "\"gue\": You need to supply the 'tun-port' option for the 'gue' tunnel type; add --tun-port PORT"},
    {"tunnel_illegal", "-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-port 9",
     "\"--tun-port\": Illegal 'tun-port' option with the 'ipip' tunnel type; take it out"},
    {"tunnel_type", "-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type vxlan",
     "\"vxlan\": illegal tunnel type specified; a tunnel is ipip, gue or gre"},
    {"tunnel_port", "-a -t 198.51.100.10:80 -r 203.0.113.11 -i --tun-type gue --tun-port 0",
     "\"0\": illegal tunnel port specified; a port is a number from 1 to 65535"},
    {"ADM_79_digit", "-a -f 8 -r 203.0.113.11 -g -2 -w 2",
     "\"-2\": unknown option of \"ipvsadm -a\"; take it out; a number follows an option, as in -w 2 for a weight"},
    {"ADM_79_letter", "-a -f 8 -r 203.0.113.11 -q",
     "\"-q\": unknown option of \"ipvsadm -a\"; take it out, or see ipvsadm(8) for the letter that was meant"},
    {"ADM_79_near", "-A -f 8 --schedular rr",
     "\"--schedular\": unknown option of \"ipvsadm -A\"; did you mean --scheduler?"},
    {"ADM_79_far", "-A -f 8 --bogus",
     "\"--bogus\": unknown option of \"ipvsadm -A\"; take it out, or see ipvsadm(8) for the name that was meant"},
    {"ADM_80", "-t 198.51.100.10:80 -A",
     "\"-t\": Try `ipvsadm -h' or 'ipvsadm --help' for more information; the first option has to be the command: -A "
     "-E "
     "-D for services, -a -e -d for their servers, -C for all"},
    {"ADM_80_nothing", "ipvsadm",
     "\"ipvsadm\": Try `ipvsadm -h' or 'ipvsadm --help' for more information; the first option has to be the "
     "command: "
     "-A -E -D for services, -a -e -d for their servers, -C for all"},
    {"family", "-a -t 198.51.100.10:80 -r 2001:db8::3 -g",
     "\"2001:db8::3\": Different address family is allowed only for tunneling servers; TCP 198.51.100.10:80 is an "
     "IPv4 "
     "service; give an address of its family, or add -i"},
    {"listing", "ipvsadm -L -n",
     "\"-L\": this command changes no service; a ruleset is made of -A -E -D -a -e -d and -C; leave the line out"},
    {"no_value", "-A -t", "\"-t\": missing argument; write its value behind it"},
    {"unwanted_value", "-A -f 8 --ops=1", "\"--ops\": option does not take an argument; leave out the value"},
    {"open_quote", "-A -s 'rr", "\"rr\": the quote is still open at the end of the line; close it"},
    {"continued", "-A -f 8 \\", "\"\\\": the line goes on after its end; write the command on one line"},
    {"control", "-A -f \x01", "\"-A -f \\x01\": a control character, 0x01; save the file as plain text"},
};

INSTANTIATE_TEST_SUITE_P(Every, IpvsadmMistake, testing::ValuesIn(kMistakes),
                         [](const auto& info) { return info.param.clause; });

// Of two mistakes, the one is reported that ipvsadm would report: values in their order, then the whole.
TEST(IpvsadmLine, ReportsTheMistakeThatIpvsadmReports) {
  EXPECT_THAT(error_of("-A -p 0 --bogus"), testing::HasSubstr("invalid timeout value"));
  EXPECT_THAT(error_of("-A --bogus -p 0"), testing::HasSubstr("unknown option"));
  EXPECT_THAT(error_of("-A -t 198.51.100.10:0 -w 1"), testing::HasSubstr("Illegal 'weight' option"));
}

TEST(IpvsadmLine, CutsLongTokensInTheMessage) {
  const std::string message = error_of("-A -t " + std::string(5000, 'x'));
  EXPECT_THAT(message, testing::HasSubstr("\"" + std::string(60, 'x') + "...\""));
  EXPECT_LT(message.size(), 300U);
}

}  // namespace
}  // namespace lvspec
