// Servers at loopback addresses.

#include "suites/support.h"

namespace lvspec {
namespace {

class ForwardingLoopback : public testing::DirectorTest {};

// Direct routing to 127.0.0.1 hands the packet as it is to the local stack; NAT would make it one from outside to a
// loopback address. Source: ip_vs_xmit.c, ip_vs_nat_xmit(), "stopping DNAT to loopback address".
LVSPEC_CASE(ForwardingLoopback, NatToLoopbackIsDropped,
            {.id = "forwarding.nat-to-loopback-is-dropped",
             .claim = "A real server at 127.0.0.1 works with -g; with -m its packets vanish.",
             .clauses = {"FWD-11", "FWD-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).local_server({.tcp = {80}})));
  const IpAddress loopback = IpAddress::of("127.0.0.1");
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").server(loopback)));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("director"));
  ASSERT_OK(bench.edit_server(ServiceId::of(Protocol::kTcp, kVip, 80),
                              {.address = loopback, .port = 80, .method = ForwardMethod::kMasquerade}));
  EXPECT_THAT(bench.mute_client(1).syn(kVip, 80), Unanswered());
  EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.server = loopback, .state = "SYN_RECV"})));
}

}  // namespace
}  // namespace lvspec
