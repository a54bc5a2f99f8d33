// TCP's state tables, with raw segments of a client at whose address nobody is at home.

#include <fmt/format.h>

#include <array>
#include <map>

#include "harness/probe/frame.h"
#include "suites/support.h"

namespace lvspec {
namespace {

constexpr std::uint8_t kS = tcp_flags::kSyn, kF = tcp_flags::kFin | tcp_flags::kAck, kA = tcp_flags::kAck,
                       kR = tcp_flags::kRst;

class ProtocolsTcp : public testing::DirectorTest {
 protected:
  /// The segments that lead to a state, and the states after SYN, FIN, ACK and RST there.
  struct Row {
    std::vector<std::uint8_t> path;
    std::array<std::string, 4> after;
  };

  /// Each pair of a row and a segment on a connection of its own.
  void expect_states(Bench& bench, const std::vector<Row>& rows) {
    constexpr std::array<std::uint8_t, 4> kSegments = {kS, kF, kA, kR};
    BenchClient mute = bench.mute_client(1);
    std::vector<std::string> expected, found;
    std::uint16_t from = 40000;
    for (const Row& row : rows) {
      for (std::size_t i = 0; i < kSegments.size(); ++i, ++from) {
        for (const std::uint8_t segment : row.path) mute.send_segment(kVip, 80, from, segment);
        mute.send_segment(kVip, 80, from, kSegments[i]);
        expected.push_back(
            fmt::format("{} after {:#x}, {:#x}", row.after[i], fmt::join(row.path, " "), kSegments[i]));
      }
    }
    std::map<std::uint16_t, std::string> states;
    for (const Entry& entry : bench.connections()) states[entry.client.port] = entry.state;
    from = 40000;
    for (const Row& row : rows)
      for (const std::uint8_t segment : kSegments)
        found.push_back(fmt::format("{} after {:#x}, {:#x}", states[from++], fmt::join(row.path, " "), segment));
    EXPECT_THAT(found, ::testing::ElementsAreArray(expected));
  }
};

// Source: ip_vs_proto_tcp.c, tcp_states, INPUT_ONLY.
LVSPEC_CASE(
    ProtocolsTcp, StatesInDirectRouting,
    {.id = "protocols.tcp-states-in-direct-routing",
     .claim = "In direct routing a TCP entry moves by the client's SYN, FIN, ACK and RST as the in-only table "
              "says, in every state that the client alone can reach.",
     .clauses = {"CON-22", "CON-23", "CON-24"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  expect_states(bench, {
                           {{kS}, {"SYN_RECV", "TIME_WAIT", "ESTABLISHED", "SYN_RECV"}},
                           {{kS, kA}, {"ESTABLISHED", "FIN_WAIT", "ESTABLISHED", "CLOSE"}},
                           {{kS, kA, kF}, {"SYN_RECV", "FIN_WAIT", "FIN_WAIT", "CLOSE"}},
                           {{kS, kF}, {"SYN_RECV", "TIME_WAIT", "TIME_WAIT", "CLOSE"}},
                           {{kS, kA, kR}, {"SYN_RECV", "CLOSE", "CLOSE", "CLOSE"}},
                           {{kS, kA, 0}, {"SYN_RECV", "CLOSE", "CLOSE", "CLOSE"}},  // no flag at all closes
                       });
}

// Source: ip_vs_proto_tcp.c, tcp_states_dos; ip_vs_ctl.c, update_defense_level().
LVSPEC_CASE(ProtocolsTcp, SecureTcpHasItsOwnTable,
            {.id = "protocols.secure-tcp-states",
             .claim = "With secure_tcp=3 a SYN leads to SYNACK in direct routing; 1 changes nothing while memory is "
                      "plentiful.",
             .clauses = {"CON-26", "CTL-18", "CTL-32"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  ASSERT_OK(bench.set_sysctl("secure_tcp", 1));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  bench.mute_client(1).send_segment(kVip, 80, 39999, kS);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "SYN_RECV"})));
  ASSERT_OK(bench.set_sysctl("secure_tcp", 3));
  expect_states(bench, {
                           {{kS}, {"SYNACK", "TIME_WAIT", "ESTABLISHED", "CLOSE"}},
                           {{kS, kA}, {"ESTABLISHED", "FIN_WAIT", "ESTABLISHED", "CLOSE"}},
                           {{kS, kA, kF}, {"SYNACK", "FIN_WAIT", "FIN_WAIT", "CLOSE"}},
                           {{kS, kF}, {"SYNACK", "TIME_WAIT", "TIME_WAIT", "CLOSE"}},
                           {{kS, kA, kR}, {"SYNACK", "CLOSE", "CLOSE", "CLOSE"}},
                       });
}

// Source: ip_vs_proto_tcp.c, tcp_conn_schedule().
LVSPEC_CASE(ProtocolsTcp, SloppyTcpTakesConnectionsInTheMiddle,
            {.id = "protocols.sloppy-tcp",
             .claim = "With sloppy_tcp=1 any segment but a RST makes an entry; without, only a SYN without RST does.",
             .clauses = {"SVC-03", "CTL-19"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  BenchClient mute = bench.mute_client(1);
  const auto send_all = [&](std::uint16_t from) {
    for (const std::uint8_t flags :
         {kA, kF, kR, static_cast<std::uint8_t>(kS | kA), static_cast<std::uint8_t>(kS | kR)})
      mute.send_segment(kVip, 80, from++, flags);
  };
  send_all(40000);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40003, .state = "SYN_RECV"})));
  ASSERT_OK(bench.set_sysctl("sloppy_tcp", 1));
  send_all(41000);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.cport = 40003}),
                                               ConnectionOf(EntryParts{.cport = 41000, .state = "ESTABLISHED"}),
                                               ConnectionOf(EntryParts{.cport = 41001, .state = "CLOSE"}),
                                               ConnectionOf(EntryParts{.cport = 41003, .state = "SYN_RECV"})));
}

}  // namespace
}  // namespace lvspec
