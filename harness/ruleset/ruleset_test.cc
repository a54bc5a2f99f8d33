#include "harness/ruleset/ruleset.h"

#include <gmock/gmock.h>

#include <sstream>

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const IpAddress kVip = IpAddress::of("198.51.100.10");
const IpAddress kRip1 = IpAddress::of("203.0.113.11");
const IpAddress kRip2 = IpAddress::of("203.0.113.12");

template <typename T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TEST(ServiceBuilder, SaysWhatItReads) {
  const VirtualService service = TcpService(kVip, 80)
                                     .scheduler("rr")
                                     .persistent(300s)
                                     .mask("255.255.255.0")
                                     .server(kRip1, {.weight = 2})
                                     .server(kRip2, {.method = ForwardMethod::kMasquerade, .upper = 9, .lower = 3});
  EXPECT_EQ(service.id, ServiceId::of(Protocol::kTcp, kVip, 80));
  EXPECT_EQ(service.scheduler, "rr");
  EXPECT_EQ(service.persistent_s, 300U);
  EXPECT_EQ(service.netmask, IpAddress::of("255.255.255.0"));
  EXPECT_FALSE(service.one_packet);
  EXPECT_THAT(
      service.servers,
      ElementsAre(
          RealServer{.address = kRip1, .port = 80, .weight = 2},
          RealServer{.address = kRip2, .port = 80, .method = ForwardMethod::kMasquerade, .upper = 9, .lower = 3}));
}

// ADM-32, ADM-33.
TEST(ServiceBuilder, HasIpvsadmsDefaults) {
  const VirtualService service = UdpService("198.51.100.10", 53).persistent();
  EXPECT_EQ(service.scheduler, "wlc");
  EXPECT_EQ(service.persistent_s, 360U);
  EXPECT_EQ(service.netmask.str(), "255.255.255.255");
  EXPECT_EQ(service.prefix_length, 128);
  EXPECT_EQ(VirtualService(MarkService(8)).persistent_s, std::nullopt);
}

TEST(ServiceBuilder, GivesServersThePortOfTheirService) {
  const VirtualService any = TcpService(kVip, kAnyPort).persistent(300s).server(kRip1);
  EXPECT_EQ(any.servers.front().port, 0);
  const VirtualService mark = MarkService(8).server("203.0.113.11").server(kRip2, {.port = 8080});
  EXPECT_EQ(mark.servers[0].port, 0);
  EXPECT_EQ(mark.servers[1].port, 8080);
}

TEST(ServiceId, IsPrintedAsIpvsadmListsIt) {
  EXPECT_EQ(printed(ServiceId::of(Protocol::kTcp, kVip, 80)), "TCP 198.51.100.10:80");
  EXPECT_EQ(printed(ServiceId::of(Protocol::kUdp, IpAddress::of("2001:db8::1"), 53)), "UDP [2001:db8::1]:53");
  EXPECT_EQ(printed(ServiceId::of(Protocol::kSctp, kVip, 9)), "SCTP 198.51.100.10:9");
  EXPECT_EQ(printed(ServiceId::of_mark(8)), "FWM 8");
  EXPECT_EQ(printed(ServiceId::of_mark(9, AF_INET6)), "FWM 9 IPv6");
  EXPECT_EQ(printed(ServiceId::of_mark(4294967295U)), "FWM 4294967295");
}

// SVC-16.
TEST(ServiceId, TellsFamiliesOfOneMarkApart) {
  EXPECT_NE(ServiceId::of_mark(8), ServiceId::of_mark(8, AF_INET6));
  EXPECT_NE(ServiceId::of(Protocol::kTcp, kVip, 80), ServiceId::of(Protocol::kUdp, kVip, 80));
}

// ADM-02, ADM-03.
TEST(VirtualService, HasTheTitleThatIpvsadmLists) {
  EXPECT_EQ(TcpService(kVip, 80).scheduler("rr").persistent(200s).mask("255.255.255.0").get().title(),
            "TCP  198.51.100.10:80 rr persistent 200 mask 255.255.255.0");
  EXPECT_EQ(MarkService(9, AF_INET6).scheduler("rr").persistent(77s).mask(64).get().title(),
            "FWM  9 IPv6 rr persistent 77 mask 64");
  EXPECT_EQ(TcpService(kVip, 99).scheduler("sh").flags({"sh-fallback", "sh-port"}).get().title(),
            "TCP  198.51.100.10:99 sh (sh-fallback,sh-port)");
  EXPECT_EQ(UdpService(kVip, 5060).persistent(60s).pe("sip").one_packet().get().title(),
            "UDP  198.51.100.10:5060 wlc persistent 60 pe sip ops");
}

TEST(VirtualService, IsPrintedWithItsServers) {
  const VirtualService service =
      TcpService(kVip, 80).server(kRip1, {.weight = 0, .upper = 5, .lower = 2}).server(kRip2);
  EXPECT_EQ(printed(service),
            "TCP  198.51.100.10:80 wlc\n"
            "  -> 203.0.113.11:80 Route weight 0 upper 5 lower 2\n"
            "  -> 203.0.113.12:80 Route weight 1");
}

TEST(RealServer, IsPrintedWithItsTunnel) {
  RealServer server{.address = kRip1, .port = 80, .method = ForwardMethod::kTunnel};
  EXPECT_EQ(printed(server), "203.0.113.11:80 Tunnel weight 1");
  server.tunnel = {.type = TunnelType::kGue, .port = 6080, .checksum = TunnelChecksum::kNone};
  EXPECT_EQ(printed(server), "203.0.113.11:80 Tunnel weight 1 gue:6080:-c");
  server.tunnel = {.type = TunnelType::kGre, .port = 0, .checksum = TunnelChecksum::kFull};
  EXPECT_EQ(printed(server), "203.0.113.11:80 Tunnel weight 1 gre:+c");
}

TEST(MarkRule, IsPrintedAsASentence) {
  MarkRule rule{.protocol = Protocol::kTcp,
                .source = Prefix::of("192.0.2.0/24"),
                .destination = Prefix::of("198.51.100.10/32"),
                .destination_ports = {{80, 80}, {8000, 8080}},
                .in_interface = "eth0",
                .mark = 8};
  EXPECT_EQ(printed(rule), "-s 192.0.2.0/24 -d 198.51.100.10/32 -i eth0 -p tcp --dport 80,8000:8080 -> mark 8");
  rule.mask = 0xff;
  EXPECT_THAT(printed(rule), testing::EndsWith("-> mark 8 under mask 0xff"));
}

TEST(MarkRule, ChangesOnlyTheBitsUnderItsMask) {
  EXPECT_EQ((MarkRule{.mark = 8}).apply(0x1234), 8U);
  EXPECT_EQ((MarkRule{.mark = 0x8, .mask = 0xf}).apply(0x1234), 0x1238U);
  EXPECT_EQ((MarkRule{.mark = 0x1, .mask = 0}).apply(0x3), 0x2U);  // --set-xmark 1/0 flips a bit
}

TEST(PortRange, HoldsBothEnds) {
  const PortRange range{8000, 8080};
  EXPECT_TRUE(range.contains(8000));
  EXPECT_TRUE(range.contains(8080));
  EXPECT_FALSE(range.contains(7999));
  EXPECT_FALSE(range.contains(8081));
}

TEST(Ruleset, IsComparedAndPrintedWhole) {
  Ruleset ruleset;
  EXPECT_EQ(printed(ruleset), "no services, no marks");
  ruleset.services.push_back(MarkService(8).server(kRip1));
  ruleset.marks.push_back({.protocol = Protocol::kTcp, .mark = 8});
  EXPECT_EQ(printed(ruleset), "-p tcp -> mark 8\nFWM  8 wlc\n  -> 203.0.113.11:0 Route weight 1");
  Ruleset other = ruleset;
  EXPECT_EQ(ruleset, other);
  other.services[0].servers[0].weight = 2;
  EXPECT_FALSE(ruleset == other);
  EXPECT_EQ(ruleset.find(ServiceId::of_mark(8)), ruleset.services.data());
  EXPECT_EQ(ruleset.find(ServiceId::of_mark(9)), nullptr);
}

}  // namespace
}  // namespace lvspec
