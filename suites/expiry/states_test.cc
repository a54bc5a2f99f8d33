// Connection entries: their states and how long each lives. They hold templates alive (TPL-34), so they are half of
// every window.

#include "suites/support.h"

namespace lvspec {
namespace {

class ExpiryStates : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  static EntryParts in(const char* state, std::chrono::seconds expires) {
    return EntryParts{.state = state, .expires = expires};
  }
};

// Direct routing shows the director the client's half alone. Source: ip_vs_proto_tcp.c, tcp_states, IN-ONLY.
LVSPEC_CASE(
    ExpiryStates, TheLifeOfAConnection,
    {.id = "expiry.life-of-a-connection",
     .claim = "In direct routing a connection is ESTABLISHED for 900 s after its last packet and FIN_WAIT for 120 s.",
     .clauses = {"CON-03", "CON-20", "CON-21", "CON-24", "CON-70"},
     .field_reports = {"FR-118"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  const std::string server = held.answer().server;
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("ESTABLISHED", 900s))));
  EXPECT_THAT(bench.server(service_.id, server).active, Eq(1U));
  bench.elapse(100s);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("ESTABLISHED", 800s))));
  ASSERT_THAT(held.say_again(), ServedBy(server));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("ESTABLISHED", 900s))));
  ASSERT_OK(held.close(Close::kClientFirst));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("FIN_WAIT", 120s))));
  EXPECT_THAT(bench.server(service_.id, server).active, Eq(0U));
  EXPECT_THAT(bench.server(service_.id, server).inactive, Eq(1U));
  bench.elapse(past(bench, 120s));
  EXPECT_THAT(bench.connections(), IsEmpty());
  EXPECT_THAT(bench.server(service_.id, server).inactive, Eq(0U));
}

// A reset leaves the entry for 10 s. Source: ip_vs_proto_tcp.c, tcp_timeouts.
LVSPEC_CASE(ExpiryStates, AResetEndsSoon,
            {.id = "expiry.reset-lives-ten-seconds",
             .claim = "A connection that the client resets stays in CLOSE for 10 s.",
             .clauses = {"CON-20", "CON-24"},
             .field_reports = {"FR-21"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  ASSERT_THAT(bench.client(1).connect(kVip, 80, Close::kReset), Answered());
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("CLOSE", 10s))));
  bench.elapse(past(bench, 10s));
  EXPECT_THAT(bench.connections(), IsEmpty());
}

// Idle for longer than 900 s the entry is gone, and a segment in mid-stream schedules nothing: the director's own
// stack answers it with a RST. Source: ip_vs_proto_tcp.c, tcp_conn_schedule().
LVSPEC_CASE(ExpiryStates, AnIdleConnectionIsForgottenAfter900Seconds,
            {.id = "expiry.idle-connection-is-forgotten",
             .claim = "A connection idle for 899 s goes on; one idle for more than 900 s is reset.",
             .clauses = {"CON-20", "SVC-03"},
             .field_reports = {"FR-65", "FR-118"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  Connection held = bench.client(1).hold(kVip, 80);
  bench.elapse(899s);
  EXPECT_THAT(held.say_again(), ServedBy(held.answer().server));
  bench.elapse(past(bench, 900s));
  EXPECT_THAT(bench.connections(), IsEmpty());
  EXPECT_THAT(held.say_again(), Reset());
}

// `ipvsadm --set` changes the table; an entry adopts it at its next packet. Source: ip_vs_ctl.c, ip_vs_set_timeout().
LVSPEC_CASE(ExpiryStates, TimeoutsCanBeSet,
            {.id = "expiry.timeouts-can-be-set",
             .claim = "--set 30 20 10 is used from each entry's next packet on, and shortens what holds a template.",
             .clauses = {"CON-21", "TPL-36"},
             .field_reports = {"FR-01", "FR-114"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(25s)));
  Connection held = bench.client(1).hold(kVip, 80);
  ASSERT_OK(bench.set_timeouts(30, 20, 10));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("ESTABLISHED", 900s))));
  ASSERT_THAT(held.say_again(), Answered());
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("ESTABLISHED", 30s))));
  ASSERT_OK(held.close(Close::kClientFirst));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("FIN_WAIT", 20s))));
  bench.elapse(past(bench, 25s));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// UDP has one state and lives for 300 s after its last datagram. Source: ip_vs_proto_udp.c, udp_timeouts.
LVSPEC_CASE(ExpiryStates, AUdpFlowLives300Seconds,
            {.id = "expiry.udp-flow-lives-300",
             .claim = "A UDP flow keeps its server while datagrams are less than 300 s apart, persistent or not.",
             .clauses = {"CON-30", "CON-31"},
             .field_reports = {"FR-66", "FR-107"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  UdpSocket socket = bench.client(1).hold_udp(kVip, 53);
  const Answer first = socket.ask();
  ASSERT_THAT(first, Answered());
  for (int i = 0; i < 3; ++i) {
    bench.elapse(299s);
    EXPECT_THAT(socket.ask(), ServedBy(first.server));
  }
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("UDP", 300s))));
  bench.elapse(past(bench, 300s));
  EXPECT_THAT(socket.ask(), ServedBy(Ne(first.server)));
}

}  // namespace
}  // namespace lvspec
