#include "harness/doctor/keepalived.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

Configuration read(const std::string& text) {
  auto configuration = read_keepalived(text, "k.conf");
  if (!configuration.ok()) ADD_FAILURE() << configuration.error().message;
  return configuration.ok() ? *configuration : Configuration{};
}

/// "LINE TEXT" of everything that was refused.
std::vector<std::string> refusals(const Configuration& configuration) {
  std::vector<std::string> all;
  for (const Refusal& one : configuration.refusals) all.push_back(std::to_string(one.place.line) + " " + one.text);
  return all;
}

TEST(Keepalived, ReadsAVirtualServer) {
  const Configuration read_ = read(
      "virtual_server 198.51.100.10 53 {\n"
      "  delay_loop 6\n"
      "  lb_algo sh\n"
      "  lb_kind TUN type gue port 6080 csum\n"
      "  protocol UDP\n"
      "  ops\n"
      "  sh-fallback\n"
      "  persistence_timeout 600\n"
      "  persistence_granularity 255.255.255.0\n"
      "  persistence_engine sip\n"
      "  inhibit_on_failure\n"
      "  real_server 203.0.113.11 53 {\n"
      "    weight 7\n"
      "    uthreshold 20\n"
      "    lthreshold 10\n"
      "    TCP_CHECK { connect_timeout 3 }\n"
      "  }\n"
      "  real_server 203.0.113.12 53 { inhibit_on_failure off }\n"
      "  sorry_server 203.0.113.13 53\n"
      "  quorum 2\n"
      "}\n");
  EXPECT_THAT(refusals(read_), IsEmpty());
  ASSERT_THAT(read_.services, SizeIs(1));
  const PlacedService& placed = read_.services[0];
  EXPECT_EQ(placed.service.title(), UdpService("198.51.100.10", 53)
                                        .scheduler("sh")
                                        .flags({"sh-fallback"})
                                        .persistent(std::chrono::seconds(600))
                                        .mask("255.255.255.0")
                                        .pe("sip")
                                        .one_packet()
                                        .get()
                                        .title());
  ASSERT_THAT(placed.servers, SizeIs(2));
  EXPECT_EQ(placed.servers[0].place.line, 12);
  EXPECT_TRUE(placed.servers[0].inhibit_on_failure);
  EXPECT_FALSE(placed.servers[1].inhibit_on_failure);
  const RealServer& server = placed.servers[0].server;
  EXPECT_EQ(server.weight, 7);
  EXPECT_EQ(server.upper, 20U);
  EXPECT_EQ(server.lower, 10U);
  EXPECT_EQ(server.method, ForwardMethod::kTunnel);
  EXPECT_EQ(server.tunnel, (Tunnel{TunnelType::kGue, 6080, TunnelChecksum::kFull}));
  ASSERT_TRUE(placed.sorry);
  EXPECT_EQ(placed.sorry->place.line, 19);
  EXPECT_FALSE(placed.sorry->inhibit_on_failure);
}

TEST(Keepalived, HasItsOwnDefaults) {
  const Configuration read_ = read("virtual_server 198.51.100.10 80 {\nreal_server 203.0.113.11 8080\n}\n");
  ASSERT_THAT(read_.services, SizeIs(1));
  EXPECT_EQ(read_.services[0].service.title(), TcpService("198.51.100.10", 80).get().title());
  EXPECT_EQ(read_.services[0].servers.at(0).server.str(),
            (RealServer{IpAddress::of("203.0.113.11"), 8080, ForwardMethod::kMasquerade}).str());
}

TEST(Keepalived, ExpandsGroups) {
  const Configuration read_ = read(
      "virtual_server group web {\n"
      "  persistence_granularity 64\n"
      "  lvs_method TUN\n"
      "  real_server 203.0.113.11 80 { weight x }\n"
      "}\n"
      "virtual_server_group web {\n"
      "  198.51.100.10 80\n"
      "  198.51.100.11-20 80\n"
      "  2001:db8::/120 80\n"
      "  fwmark 8\n"
      "  fwmark 9 inet6\n"
      "}\n");
  std::vector<std::string> titles;
  for (const PlacedService& one : read_.services) titles.push_back(one.service.title());
  // A number is a prefix length to IPv6 and 0.0.0.64 to IPv4 (ADM-35).
  EXPECT_THAT(titles,
              ElementsAre("TCP  198.51.100.10:80 wlc persistent 360 mask 0.0.0.64",
                          "TCP  198.51.100.11:80 wlc persistent 360 mask 0.0.0.64",
                          "TCP  [2001:db8::]:80 wlc persistent 360 mask 64",
                          "FWM  8 wlc persistent 360 mask 0.0.0.64", "FWM  9 IPv6 wlc persistent 360 mask 64"));
  EXPECT_THAT(refusals(read_), ElementsAre(HasSubstr("4 \"x\": weight takes a number")));
}

TEST(Keepalived, ReadsWhatTimesAndFailOverDependOn) {
  const Configuration read_ = read(
      "global_defs {\n  lvs_sync_daemon eth0 V\n  lvs_timeouts tcp 900 tcpfin 30 udp 0\n}\n"
      "vrrp_instance V {\n  priority 100\n}\n");
  EXPECT_EQ(read_.tcp_fin_s, 30U);
  EXPECT_EQ(read_.udp_s, 300U);
  EXPECT_THAT(read_.sync_daemon, Optional(Place{"k.conf", 2}));
  EXPECT_THAT(read_.fail_over, Optional(Place{"k.conf", 5}));
}

TEST(Keepalived, RefusesValuesThatCannotBe) {
  const std::vector<std::pair<std::string, std::string>> kWrong = {
      {"virtual_server 198.51.100.10 70000 {\n}", "1 \"70000\": virtual_server takes a number; from 0 to 65535"},
      {"virtual_server host 80 {\n}", "1 \"host\": no address"},
      {"virtual_server 198.51.100.10 80", "1 \"80\": a block is expected"},
      {"virtual_server group web {\n}", "1 \"web\": no such virtual_server_group"},
      {"virtual_server fwmark 0 {\n}", "1 \"0\": virtual_server takes a number; from 1 to 4294967295"},
      {"virtual_server {\n}", "1 \"virtual_server\": an address or a mark is expected"},
      {"virtual_server_group\n", "1 \"virtual_server_group\": a name and a block"},
      {"virtual_server 198.51.100.10 80 {\nlb_algo wrl\n}", "1 \"wrl\": Scheduler or persistence engine not found"},
      {"virtual_server 198.51.100.10 80 {\nlb_kind DSR\n}", "2 \"DSR\": no forwarding method; one of NAT DR TUN"},
      {"virtual_server 198.51.100.10 80 {\nprotocol tcp\n}", "2 \"tcp\": no protocol; one of TCP UDP SCTP"},
      {"virtual_server 198.51.100.10 80 {\npersistence_timeout 0\n}",
       "2 \"0\": persistence_timeout takes a number; from 1 to 2678400"},
      {"virtual_server 198.51.100.10 80 {\npersistence_timeout 5m\n}",
       "2 \"5m\": persistence_timeout takes a number"},
      {"virtual_server 198.51.100.10 80 {\npersistence_granularity x\n}", "2 \"x\": no mask"},
      {"virtual_server 198.51.100.10 80 {\nreal_server 203.0.113.11 80 { weight -1 }\n}",
       "2 \"-1\": weight takes a number; from 0 to 65535"},
      {"virtual_server 198.51.100.10 80 {\nreal_server\n}", "2 \"real_server\": an address is expected"},
      {"virtual_server 198.51.100.10 80 {\nreal_server 203.0.113.11 80 { lthreshold 3 }\n}",
       "2 \"203.0.113.11:80\": Numerical result out of range"},
      {"virtual_server 198.51.100.10 80 {\nreal_server 2001:db8::1 80\nlvs_method DR\nip_family inet\n}",
       "2 \"2001:db8::1\": Different address family"},
      {"virtual_server 198.51.100.10 80 {\n}\nvirtual_server 198.51.100.10 80 {\n}",
       "3 \"TCP 198.51.100.10:80\": Service already exists"},
  };
  for (const auto& [text, refusal] : kWrong)
    EXPECT_THAT(refusals(read(text)), ElementsAre(HasSubstr(refusal))) << text;
}

TEST(Keepalived, PassesOverWhatDoesNotMatter) {
  EXPECT_THAT(refusals(read("static_routes { 192.0.2.0/24 via 198.51.100.1 }\n"
                            "virtual_server 198.51.100.10 80 {\n"
                            "  no_such_word 12 { and another }\n"
                            "  virtualhost www.example.org\n"
                            "}\n")),
              IsEmpty());
}

TEST(Keepalived, IsToldFromAScript) {
  EXPECT_TRUE(looks_like_keepalived("! a comment\n"));
  EXPECT_TRUE(looks_like_keepalived("# a comment\n\n  virtual_server 198.51.100.10 80{\n"));
  EXPECT_TRUE(looks_like_keepalived("global_defs\n{\n"));
  EXPECT_FALSE(looks_like_keepalived("# virtual_server\n-A -f 8\n*mangle\n:PREROUTING ACCEPT [0:0]\n"));
  EXPECT_TRUE(looks_like_keepalived("$NET=203.0.113\n"));
  EXPECT_FALSE(looks_like_keepalived("$IPVSADM -C\n"));
  EXPECT_FALSE(looks_like_keepalived("ipvsadm -C\n"));
  EXPECT_FALSE(looks_like_keepalived(""));
}

}  // namespace
}  // namespace lvspec::doctor
