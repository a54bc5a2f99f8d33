// SCTP services. The director reads chunk types alone, so raw packets of a client at whose address nobody is at home
// play the association; that the real servers speak no SCTP does not matter to it.

#include <fmt/format.h>

#include <array>
#include <map>

#include "harness/probe/frame.h"
#include "suites/support.h"

namespace lvspec {
namespace {

constexpr std::uint8_t kSctp = 132;
constexpr std::uint8_t kData = 0, kInit = 1, kInitAck = 2, kHeartbeat = 4, kAbort = 6, kShutdown = 7,
                       kShutdownAck = 8, kError = 9, kCookieEcho = 10, kCookieAck = 11, kShutdownComplete = 14;

class ProtocolsSctp : public testing::DirectorTest {
 protected:
  static constexpr std::uint16_t kPort = 5060;

  static void send(BenchClient client, std::uint16_t from, std::uint8_t chunk) {
    client.send_packet(kVip, kSctp, sctp_packet(from, kPort, sctp_chunk(chunk)));
  }
  static EntryParts in(const std::string& state, std::uint16_t from) {
    return {.protocol = "SCTP", .cport = from, .vport = kPort, .state = state};
  }
  /// The states by client port.
  static std::map<std::uint16_t, std::string> states(Bench& bench) {
    std::map<std::uint16_t, std::string> found;
    for (const Entry& entry : bench.connections()) found[entry.client.port] = entry.state;
    return found;
  }
};

// Every state that packets from the client alone can lead to, and every chunk in it. Each pair has a port of its own.
// Source: ip_vs_proto_sctp.c, sctp_states, INPUT_ONLY.
LVSPEC_CASE(
    ProtocolsSctp, StatesInDirectRouting,
    {.id = "protocols.sctp-states-in-direct-routing",
     .claim = "In direct routing an SCTP entry moves by the first chunk of each packet from the client, as the "
              "in-only table says.",
     .clauses = {"CON-33", "CON-03"}}) {
  constexpr std::array<std::uint8_t, 10> kChunks = {
      kData, kInit, kInitAck, kCookieEcho, kCookieAck, kShutdown, kShutdownAck, kShutdownComplete, kError, kAbort};
  struct Row {
    std::vector<std::uint8_t> path;
    std::array<std::string, 10> after;
  };
  const std::string kEst = "ESTABLISHED", kIn1 = "INIT1", kIn = "INIT", kEch = "C-ECHOED", kRec = "S-RECEIVED",
                    kClo = "CLOSED";
  const std::vector<Row> rows = {
      {{}, {kEst, kIn1, kEch, kEst, kEst, kRec, kClo, kClo, kClo, "-"}},  // an ABORT makes no entry (SVC-03)
      {{kInit}, {kIn1, kIn, kEch, kEst, kIn1, kIn1, kIn, kClo, kIn1, kClo}},
      {{kInit, kInit}, {kIn, kIn, kEch, kEst, kIn, kIn, kIn, kClo, kIn, kClo}},
      {{kInitAck}, {kEch, kEch, kEch, kEch, kEst, kEch, kEch, kEch, kEch, kClo}},
      {{kData}, {kEst, kEst, kEst, kEst, kEst, kRec, kClo, kEst, kEst, kClo}},
      {{kShutdown}, {kRec, kRec, kRec, kRec, kRec, kRec, kRec, kClo, kRec, kClo}},
      {{kError}, {kClo, kIn, kClo, kClo, kClo, kClo, kClo, kClo, kClo, kClo}},
  };
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_sysctl("sloppy_sctp", 1));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));  // else an INIT in CLOSED begins a new entry (CON-40)
  ASSERT_OK(bench.add(SctpService(kVip, kPort).scheduler("rr")));
  BenchClient mute = bench.mute_client(1);
  std::vector<std::string> expected, found;
  std::uint16_t from = 40000;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < kChunks.size(); ++i, ++from) {
      for (const std::uint8_t chunk : row.path) send(mute, from, chunk);
      send(mute, from, kChunks[i]);
      expected.push_back(fmt::format("{} {} {}", fmt::join(row.path, ","), kChunks[i], row.after[i]));
    }
    // Looked at row by row: an INIT1 lives for 4 s only.
    const auto now = states(bench);
    from = static_cast<std::uint16_t>(from - kChunks.size());
    for (const std::uint8_t chunk : kChunks) {
      const auto state = now.find(from++);
      found.push_back(
          fmt::format("{} {} {}", fmt::join(row.path, ","), chunk, state == now.end() ? "-" : state->second));
    }
  }
  EXPECT_THAT(found, ::testing::ElementsAreArray(expected));
}

// Source: ip_vs_proto_sctp.c, sctp_conn_schedule(), sctp_timeouts.
LVSPEC_CASE(
    ProtocolsSctp, OnlyAnInitOpens,
    {.id = "protocols.sctp-only-init-opens",
     .claim = "Only an SCTP packet whose first chunk is INIT makes an entry; with sloppy_sctp every packet does "
              "whose first chunk is not ABORT.",
     .clauses = {"SVC-03", "CTL-19"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(SctpService(kVip, kPort).scheduler("rr")));
  BenchClient mute = bench.mute_client(1);
  send(mute, 40000, kInit);
  for (const std::uint8_t chunk : {kData, kCookieEcho, kHeartbeat, kShutdown, kAbort})
    send(mute, static_cast<std::uint16_t>(40001 + chunk), chunk);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(in("INIT1", 40000))));
  ASSERT_OK(bench.set_sysctl("sloppy_sctp", 1));
  send(mute, 40100, kCookieEcho);
  send(mute, 40101, kAbort);
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(in("INIT1", 40000)), ConnectionOf(in("ESTABLISHED", 40100))));
}

// Source: ip_vs_proto_sctp.c, sctp_timeouts.
LVSPEC_CASE(
    ProtocolsSctp, LifeOfAnAssociation,
    {.id = "protocols.sctp-life-of-an-association",
     .claim = "A persistent association goes INIT1 (4 s), ESTABLISHED (900 s, whatever --set says, and Active), "
              "S-RECEIVED and CLOSED (61 s); its template is assured once it was established.",
     .clauses = {"CON-32", "CON-33", "CON-70", "TPL-04", "TPL-40"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_timeouts(30, 20, 25));
  const VirtualService service = SctpService(kVip, kPort).scheduler("rr").persistent(1000s);
  ASSERT_OK(bench.add(service));
  BenchClient mute = bench.mute_client(1);
  const auto look = [&](const std::string& state, std::chrono::seconds expires, std::uint32_t active) {
    EntryParts parts = in(state, 40000);
    parts.expires = expires;
    const std::vector<Entry> found = bench.connections();
    ASSERT_THAT(found, ElementsAre(ConnectionOf(parts)));
    const ServerState server = bench.server(service.id, bench.name_of(found[0].server.address));
    EXPECT_THAT((std::vector<std::uint32_t>{server.active, server.inactive, server.persistent}),
                ElementsAre(active, 1 - active, 1U));
  };
  send(mute, 40000, kInit);
  look("INIT1", 4s, 0);
  EXPECT_THAT(
      bench.templates(),
      ElementsAre(TemplateOf(EntryParts{.protocol = "SCTP", .vport = kPort, .state = "NONE", .expires = 1000s})));
  send(mute, 40000, kCookieEcho);
  look("ESTABLISHED", 900s, 1);
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.protocol = "SCTP", .state = "ASSURED"})));
  send(mute, 40000, kShutdown);
  look("S-RECEIVED", 61s, 0);
  send(mute, 40000, kShutdownComplete);
  look("CLOSED", 61s, 0);
  bench.elapse(past(bench, 61s));
  EXPECT_THAT(bench.connections(), IsEmpty());
  // Another association of the client is led to the same server by the template.
  const std::vector<Entry> templates = bench.templates();
  ASSERT_THAT(templates, SizeIs(1));
  send(mute, 40001, kInit);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = templates[0].server.address})));
}

// Source: ip_vs_core.c, is_new_conn_expected().
LVSPEC_CASE(ProtocolsSctp, AnInitOnAClosedAssociationIsNew,
            {.id = "protocols.sctp-init-on-closed-is-new",
             .claim = "An INIT that hits a CLOSED association is scheduled anew, with conn_reuse_mode 0 it is not.",
             .clauses = {"CON-40"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(SctpService(kVip, kPort).scheduler("rr")));
  BenchClient mute = bench.mute_client(1);
  send(mute, 40000, kInit);
  send(mute, 40000, kAbort);
  const std::vector<Entry> first = bench.connections();
  ASSERT_THAT(first, ElementsAre(ConnectionOf(in("CLOSED", 40000))));
  send(mute, 40000, kInit);
  EXPECT_THAT(bench.connections(),
              ElementsAre(AllOf(ConnectionOf(in("INIT1", 40000)),
                                Not(ConnectionOf(EntryParts{.server = first[0].server.address})))));
  send(mute, 40000, kAbort);
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  const std::vector<Entry> second = bench.connections();
  ASSERT_THAT(second, SizeIs(1));
  EntryParts same = in("INIT", 40000);
  same.server = second[0].server.address;
  send(mute, 40000, kInit);
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(same)));
}

// A chunk behind a cookie counts if it is an ABORT; lengths that lie are not believed.
// Source: ip_vs_proto_sctp.c, set_sctp_state().
LVSPEC_CASE(
    ProtocolsSctp, AnAbortBehindACookieCounts,
    {.id = "protocols.sctp-abort-behind-a-cookie",
     .claim = "An ABORT bundled behind COOKIE-ECHO closes the association, behind DATA it does not; a chunk of "
              "length zero, one beyond the packet and a packet without a chunk are harmless.",
     .clauses = {"CON-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(SctpService(kVip, kPort).scheduler("rr")));
  BenchClient mute = bench.mute_client(1);
  const std::string abort = sctp_chunk(kAbort);
  const auto with_length = [](std::uint8_t type, char high, char low) {
    std::string chunk = sctp_chunk(type);
    chunk[2] = high;
    chunk[3] = low;
    return chunk;
  };
  const std::vector<std::string> packets = {
      sctp_chunk(kCookieEcho) + abort,            // an ABORT
      sctp_chunk(kData) + abort,                  // DATA
      with_length(kCookieEcho, 0, 5) + abort,     // padded to eight
      with_length(kCookieEcho, 0, 0) + abort,     // no length, no second chunk
      with_length(kCookieEcho, 0x7f, 0) + abort,  // beyond the packet
      sctp_chunk(kAbort).substr(0, 3),            // cut short
      "",                                         // none
  };
  std::uint16_t from = 40000;
  for (const std::string& chunks : packets) {
    send(mute, from, kInit);
    mute.send_packet(kVip, kSctp, sctp_packet(from++, kPort, chunks));
  }
  mute.send_packet(kVip, kSctp, sctp_packet(from++, kPort, ""));                // nothing to begin with
  mute.send_packet(kVip, kSctp, sctp_packet(from++, kPort, "").substr(0, 11));  // not even a header
  std::vector<std::string> found;
  for (const auto& [port, state] : states(bench)) found.push_back(state);
  EXPECT_THAT(found, ElementsAre("CLOSED", "INIT1", "CLOSED", "ESTABLISHED", "ESTABLISHED", "INIT1", "INIT1"));
}

}  // namespace
}  // namespace lvspec
