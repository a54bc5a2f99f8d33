// The persistence mask (-M) in all its lengths, and what follows from clients being one.

#include <fmt/format.h>

#include "suites/support.h"

namespace lvspec {
namespace {

class Netmask : public testing::DirectorTest {};

// A block by its first and last address, and the first address beyond it, if the clients' network has one.
struct Block {
  std::string mask;  // or a prefix length
  std::string first, last, outside;
};

// Source: ip_vs_core.c, ip_vs_sched_persist(). Field: FR-38.
LVSPEC_CASE(
    Netmask, EveryLengthGroupsItsBlock,
    {.id = "netmask.every-length-groups-its-block",
     .claim = "-M of /8, /16, /20, /24, /26, /30, /31 and /32 keeps the first and the last address of a block "
              "on one server, and lets the first address beyond it go its own way.",
     .clauses = {"TPL-10", "TPL-12"},
     .field_reports = {"FR-38", "FR-41"}}) {
  const std::vector<Block> blocks = {{"255.0.0.0", "192.0.2.1", "192.0.2.200", ""},
                                     {"255.255.0.0", "192.0.2.1", "192.0.2.200", ""},
                                     {"255.255.240.0", "192.0.2.1", "192.0.2.200", ""},
                                     {"255.255.255.0", "192.0.2.1", "192.0.2.200", ""},
                                     {"255.255.255.192", "192.0.2.64", "192.0.2.127", "192.0.2.128"},
                                     {"255.255.255.252", "192.0.2.8", "192.0.2.11", "192.0.2.12"},
                                     {"255.255.255.254", "192.0.2.20", "192.0.2.21", "192.0.2.22"},
                                     {"255.255.255.255", "192.0.2.1", "192.0.2.1", "192.0.2.2"}};
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {81, 82, 83, 84, 85, 86, 87, 88}})));
  std::uint16_t port = 81;
  for (const Block& block : blocks) {
    const VirtualService service = TcpService(kVip, port).scheduler("rr").persistent(300s).mask(block.mask);
    ASSERT_OK(bench.add(service));
    EXPECT_THAT(bench.service(service.id).service.netmask, Eq(IpAddress::of(block.mask)));
    const Answer first = bench.client_at(block.first).connect(kVip, port);
    ASSERT_THAT(first, Answered());
    EXPECT_THAT(bench.client_at(block.last).connect(kVip, port), ServedBy(first.server));
    if (!block.outside.empty()) {
      EXPECT_THAT(bench.client_at(block.outside).connect(kVip, port), ServedBy(Ne(first.server)));
    }
    ++port;
  }
}

// Source: ip_vs_ctl.c, ip_vs_add_service(); ip_vs_core.c, ipv6_addr_prefix(). Field: FR-43.
LVSPEC_CASE(Netmask, Ipv6LengthsFrom1To128,
            {.id = "netmask.ipv6-lengths-from-1-to-128",
             .claim = "IPv6 prefix lengths from 1 to 128 are read back and group as they say; 0 is refused, also "
                      "without -p.",
             .clauses = {"TPL-11"},
             .field_reports = {"FR-43"}}) {
  struct Length {
    int bits;
    std::string first, last, outside;
  };
  const std::vector<Length> lengths = {{1, "2001:db8:2::1", "2001:db8:2::ff", ""},
                                       {48, "2001:db8:2::1", "2001:db8:2::ff", ""},
                                       {64, "2001:db8:2::1", "2001:db8:2::ff", ""},
                                       {127, "2001:db8:2::10", "2001:db8:2::11", "2001:db8:2::12"},
                                       {128, "2001:db8:2::1", "2001:db8:2::1", "2001:db8:2::2"}};
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {81, 82, 83, 84, 85}})));
  std::uint16_t port = 81;
  for (const Length& length : lengths) {
    const VirtualService service = TcpService(kVip6, port).scheduler("rr").persistent(300s).mask(length.bits);
    ASSERT_OK(bench.add(service));
    EXPECT_THAT(bench.service(service.id).service.prefix_length, Eq(length.bits));
    const Answer first = bench.client_at(length.first).connect(kVip6, port);
    ASSERT_THAT(first, Answered());
    EXPECT_THAT(bench.client_at(length.last).connect(kVip6, port), ServedBy(first.server));
    if (!length.outside.empty()) {
      EXPECT_THAT(bench.client_at(length.outside).connect(kVip6, port), ServedBy(Ne(first.server)));
    }
    ++port;
  }
  EXPECT_THAT(bench.add(TcpService(kVip6, 90).scheduler("rr").persistent(300s).mask(0)), Not(Obeyed()));
  EXPECT_THAT(bench.add(TcpService(kVip6, 90).scheduler("rr").mask(0)), Not(Obeyed()));
}

// Source: as above; a mark service has a family, and a mask of it. Field: FR-43.
LVSPEC_CASE(Netmask, MarkServicesHaveTheMaskOfTheirFamily,
            {.id = "netmask.mark-services-of-both-families",
             .claim = "A mark service of IPv4 groups by a mask, one of IPv6 by a prefix length, and both are listed "
                      "with the network as client.",
             .clauses = {"FWM-06", "TPL-11", "TPL-12"},
             .field_reports = {"FR-38", "FR-43"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  MarkRule four, six;
  four.destination = Prefix{kVip, 32};
  six.family = AF_INET6;
  six.destination = Prefix{kVip6, 128};
  four.mark = six.mark = 8;
  ASSERT_OK(bench.set_marks({four, six}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").persistent(300s).mask("255.255.255.240")));
  ASSERT_OK(bench.add(MarkService(8, AF_INET6).scheduler("rr").persistent(300s).mask(124)));
  const Answer first = bench.client_at("192.0.2.16").connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client_at("192.0.2.31").connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client_at("192.0.2.32").connect(kVip, 80), ServedBy(Ne(first.server)));
  const Answer third = bench.client_at("2001:db8:2::10").connect(kVip6, 80);
  ASSERT_THAT(third, Answered());
  EXPECT_THAT(bench.client_at("2001:db8:2::1f").connect(kVip6, 80), ServedBy(third.server));
  EXPECT_THAT(bench.client_at("2001:db8:2::20").connect(kVip6, 80), ServedBy(Ne(third.server)));
  const std::vector<Entry> templates = bench.templates();
  EXPECT_THAT(templates, SizeIs(4));
  EXPECT_THAT(templates, Contains(TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.16"), .cport = 0})));
  EXPECT_THAT(templates, Contains(TemplateOf(EntryParts{.client = IpAddress::of("2001:db8:2::10"), .cport = 0})));
}

// The mask is for the template alone. Source: ip_vs_core.c, ip_vs_sched_persist(), ip_vs_conn_fill_param().
LVSPEC_CASE(Netmask, ConnectionsShowTheirClients,
            {.id = "netmask.connections-show-their-clients",
             .claim = "With -M one template is listed, and counted in PersistConn, for a whole network; connections "
                      "are listed with the client's own address and port.",
             .clauses = {"TPL-09", "TPL-12", "CON-70"},
             .field_reports = {"FR-38"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(2)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.0");
  ASSERT_OK(bench.add(service));
  std::vector<Answer> answers;
  for (int i = 1; i <= 3; ++i) answers.push_back(bench.client(i).connect(kVip, 80));
  ASSERT_THAT(answers, Each(ServedBy("real2")));
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.0"), .cport = 0})));
  for (const Answer& answer : answers)
    EXPECT_THAT(bench.connections(),
                Contains(ConnectionOf(EntryParts{.client = answer.client.address, .cport = answer.client.port})));
  EXPECT_THAT(bench.server(service.id, "real2").persistent, Eq(1U));
  EXPECT_THAT(bench.server(service.id, "real2").inactive, Eq(3U));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), its end. Field: FR-16.
LVSPEC_CASE(Netmask, NeighboursRenewEachOthersWindow,
            {.id = "netmask.neighbours-renew-one-window",
             .claim = "With -M a connection of any client of the network renews the window of all.",
             .clauses = {"TPL-10", "TPL-31"},
             .field_reports = {"FR-16", "FR-38"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.0");
  ASSERT_OK(bench.add(service));
  const Answer first = bench.client(1).connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  bench.elapse(200s);
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(first.server));
  bench.elapse(200s);
  EXPECT_THAT(connect_while_quiescent(bench, service.id, bench.client(1), kVip, 80, first.server),
              ServedBy(first.server));
}

// A Call-ID is added to the masked address, it does not replace it. Source: ip_vs_pe_sip.c, ip_vs_sip_ct_match().
LVSPEC_CASE(Netmask, ACallIsOneForEverybodyWithMaskZero,
            {.id = "netmask.mask-zero-makes-a-call-one-for-all",
             .claim = "With --pe sip one Call-ID from two clients is two calls, and with -M 0.0.0.0 it is one.",
             .clauses = {"TPL-20", "TPL-10"},
             .field_reports = {"FR-110"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {}, .udp = {5060, 5061}})));
  const auto sip = [](std::uint16_t port) {
    return UdpService(kVip, port).scheduler("rr").persistent(300s).pe("sip").one_packet();
  };
  ASSERT_OK(bench.add(sip(5060)));
  ASSERT_OK(bench.add(sip(5061).mask("0.0.0.0")));
  const auto ask = [&](int client, std::uint16_t port, const std::string& call) {
    return bench.client(client).ask(kVip, port,
                                    fmt::format("OPTIONS sip:b@example.net SIP/2.0\r\nCall-ID: {}\r\n\r\n", call));
  };
  EXPECT_THAT(ask(1, 5060, "a"), ServedBy("real3"));
  EXPECT_THAT(ask(2, 5060, "a"), ServedBy("real2"));
  EXPECT_THAT(ask(1, 5061, "a"), ServedBy("real3"));
  EXPECT_THAT(ask(2, 5061, "a"), ServedBy("real3"));
  EXPECT_THAT(ask(1, 5061, "b"), ServedBy("real2"));
  EXPECT_THAT(ask(2, 5061, "b"), ServedBy("real2"));
}

}  // namespace
}  // namespace lvspec
