// Which port a marked packet has when it leaves, and which of its packets one-packet scheduling is for.

#include "suites/support.h"

namespace lvspec {
namespace {

class FwmarkServerPort : public testing::DirectorTest {
 protected:
  static MarkRule mark_everything() {
    MarkRule rule;
    rule.destination = Prefix{kVip, 32};
    rule.mark = 8;
    return rule;
  }
  static std::string last_target(const Bench& bench) {
    const std::vector<Sighting> sightings = bench.sightings();
    return sightings.empty() ? "nowhere" : sightings.back().target.str();
  }
};

// Source: ip_vs_core.c, ip_vs_sched_persist() against ip_vs_schedule(). Field: FR-53.
LVSPEC_CASE(FwmarkServerPort, PersistenceKeepsThePacketsPort,
            {.id = "fwmark.server-port-counts-without-persistence-only",
             .claim = "Behind NAT a mark service sends connections to its server's own port, and with -p to the port "
                      "that the client asked for.",
             .clauses = {"FWM-05", "TPL-09"},
             .field_reports = {"FR-52", "FR-53"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {80, 8080}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 8080;
  ASSERT_OK(bench.set_marks({mark_everything()}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").server(bench.rip(1), server)));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(last_target(bench), Eq(Endpoint{bench.rip(1), 8080}.str()));
  ASSERT_OK(bench.edit(MarkService(8).scheduler("rr").persistent(300s)));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(last_target(bench), Eq(Endpoint{bench.rip(1), 80}.str()));
}

// Field: FR-52.
LVSPEC_CASE(FwmarkServerPort, APortZeroServerKeepsThePacketsPort,
            {.id = "fwmark.port-zero-server-keeps-the-port",
             .claim = "Behind NAT a mark service whose server has no port sends each connection to the port that the "
                      "client asked for, with and without -p.",
             .clauses = {"FWM-05"},
             .field_reports = {"FR-48", "FR-52"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {80, 8080}}).masquerading()));
  ServerOptions server = bench.server_options();
  server.port = 0;
  ASSERT_OK(bench.set_marks({mark_everything()}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").server(bench.rip(1), server)));
  for (const bool persistent : {false, true}) {
    if (persistent) ASSERT_OK(bench.edit(MarkService(8).scheduler("rr").persistent(300s)));
    for (const std::uint16_t port : {80, 8080}) {
      ASSERT_THAT(bench.client(1).connect(kVip, port), ServedBy("real1"));
      EXPECT_THAT(last_target(bench), Eq(Endpoint{bench.rip(1), port}.str()));
    }
  }
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), "svc->flags & IP_VS_SVC_F_ONEPACKET && protocol == IPPROTO_UDP".
LVSPEC_CASE(
    FwmarkServerPort, OnePacketIsForUdp,
    {.id = "fwmark.one-packet-is-for-udp",
     .claim = "-o on a mark service leaves no entry of a datagram, and one of each TCP connection, which works "
              "as ever.",
     .clauses = {"FWM-10", "CON-50"},
     .field_reports = {"FR-108"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80}, .udp = {53}})));
  ASSERT_OK(bench.set_marks({mark_everything()}));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").one_packet()));
  std::vector<Answer> datagrams;
  for (int i = 0; i < 3; ++i) datagrams.push_back(bench.client(1).udp(kVip, 53, 40000));
  EXPECT_THAT(names(datagrams), ElementsAre("real3", "real2", "real1"));
  EXPECT_THAT(bench.connections(), IsEmpty());
  Connection held = bench.client(1).hold(kVip, 80);
  EXPECT_THAT(held.say_again(), ServedBy(held.answer().server));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.protocol = "TCP", .state = "ESTABLISHED"})));
}

}  // namespace
}  // namespace lvspec
