// The persistence engine sip: a call, not a client, is kept on its server.

#include <fmt/format.h>

#include "suites/support.h"

namespace lvspec {
namespace {

/// A request as a phone would send it.
std::string invite(const std::string& call_id) {
  return fmt::format(
      "INVITE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\r\nCall-ID: {}\r\nCSeq: 1 "
      "INVITE\r\n\r\n",
      call_id);
}

class ProtocolsSip : public testing::DirectorTest {
 protected:
  Result<Bench> phones() { return build(BenchPlan().clients(3).real_servers(3, {.tcp = {}, .udp = {5060}})); }
  static ServiceBuilder service() { return UdpService(kVip, 5060).scheduler("rr").persistent(300s).pe("sip"); }
  static EntryParts call(BenchClient client, const std::string& call_id) {
    return {.protocol = "UDP", .client = client.cip(), .vport = 5060, .engine_data = call_id};
  }
};

// Source: ip_vs_pe_sip.c, ip_vs_sip_ct_match(), ip_vs_sip_fill_param().
LVSPEC_CASE(
    ProtocolsSip, ACallStaysWithItsServer,
    {.id = "protocols.sip-call-stays",
     .claim = "With --pe sip the datagrams of one Call-ID and client reach one server, other calls of the same "
              "client reach others, and another client's call of the same name has a template of its own.",
     .clauses = {"TPL-20"},
     .field_reports = {"FR-110"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, phones());
  ASSERT_OK(bench.add(service().one_packet()));
  const auto ask = [&](int client, const std::string& call_id) {
    return bench.client(client).ask(kVip, 5060, invite(call_id));
  };
  EXPECT_THAT(ask(1, "a1@example.net"), ServedBy("real3"));
  EXPECT_THAT(ask(1, "a2@example.net"), ServedBy("real2"));
  EXPECT_THAT(ask(2, "a1@example.net"), ServedBy("real1"));
  EXPECT_THAT(ask(1, "a3"), ServedBy("real3"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(ask(1, "a1@example.net"), ServedBy("real3"));
    EXPECT_THAT(ask(1, "a2@example.net"), ServedBy("real2"));
    EXPECT_THAT(ask(2, "a1@example.net"), ServedBy("real1"));
  }
  EXPECT_THAT(bench.templates(), ::testing::UnorderedElementsAre(TemplateOf(call(bench.client(1), "a1@example.net")),
                                                                 TemplateOf(call(bench.client(1), "a2@example.net")),
                                                                 TemplateOf(call(bench.client(2), "a1@example.net")),
                                                                 TemplateOf(call(bench.client(1), "a3"))));
}

// Source: ip_vs_core.c, ip_vs_sched_persist(), "return *ignored = -1"; ip_vs_pe_sip.c, get_callid().
LVSPEC_CASE(
    ProtocolsSip, WithoutACallIdThereIsSilence,
    {.id = "protocols.sip-without-call-id",
     .claim = "A datagram to a --pe sip service that has no readable Call-ID is dropped: no answer, no ICMP, no "
              "entry and no template.",
     .clauses = {"TPL-21", "SVC-22"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, phones());
  ASSERT_OK(bench.add(service()));
  BenchClient mute = bench.mute_client(1);
  const std::string line = "OPTIONS sip:somebody@example.net SIP/2.0\r\n";
  std::uint16_t from = 40000;
  for (const std::string& message :
       {std::string("WHO\n"), std::string(), line, line + "Call-ID: \r\n\r\n", line + "Call-ID: cut-short",
        line + "Call-ID: two words\r\n", line + "Call-ID: a@\r\n", line + "Call-ID\r\n", line + "Call-IDs: a\r\n",
        line + "ii: a\r\n", line + "Call-ID: " + std::string(256, 'x') + "\r\n",
        line + " Call-ID: of-the-line-before\r\n", line + "Call-ID: \r\ni: behind-an-empty-value\r\n",
        line + "Call-ID: @\r\ni: @\r\ni: third\r\n"})
    mute.send_datagram(kVip, 5060, from++, message);
  EXPECT_THAT(bench.tables().entries, IsEmpty());
  EXPECT_THAT(bench.client(1).ask(kVip, 5060, "no SIP at all, but long enough"), Unanswered());
  EXPECT_THAT(bench.client(1).ask(kVip, 5060, invite("b1")), Answered());
}

// Source: nf_conntrack_sip.c, ct_sip_get_header(), callid_len().
LVSPEC_CASE(
    ProtocolsSip, AllWaysToWriteACallId,
    {.id = "protocols.sip-ways-to-write-a-call-id",
     .claim = "A Call-ID is read from long and compact headers, in any case, with blanks, continuation lines and "
              "each kind of line end, up to 255 bytes.",
     .clauses = {"TPL-20"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, phones());
  ASSERT_OK(bench.add(service()));
  BenchClient mute = bench.mute_client(1);
  const std::string line = "OPTIONS sip:somebody@example.net SIP/2.0\r\n", longest(255, 'x');
  std::uint16_t from = 40000;
  for (const std::string& message :
       {line + "Call-ID: a\r\n", line + "CALL-id:b\n", line + "i: c\r", line + "I \t:\t d\r\n",
        line + "Call-ID:\r\n e\r\n", line + "Call-ID: " + longest + "\r\n", line + "Call-ID: @\r\ni: f@g\r\n",
        line + "Call-ID\n : j\r\n", line + "Call-ID: \xe4\xf6\r\n", line + "Via: x\nCall-ID: {h}<[~]>\r\n"})
    mute.send_datagram(kVip, 5060, from++, message);
  std::vector<std::string> found;
  for (const Entry& entry : bench.templates()) found.push_back(entry.engine_data);
  EXPECT_THAT(found,
              ::testing::UnorderedElementsAre("a", "b", "c", "d", "e", longest, "f@g", "{h}<[~]>", "j", "\xe4\xf6"));
}

// Source: ip_vs_core.c, ip_vs_in_hook().
LVSPEC_CASE(
    ProtocolsSip, AFlowOutlivesItsCall,
    {.id = "protocols.sip-flow-wins",
     .claim = "Datagrams from a port that has an entry follow that entry, whatever Call-ID they carry or lack.",
     .clauses = {"TPL-22", "SVC-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, phones());
  ASSERT_OK(bench.add(service()));
  const auto ask = [&](const std::string& message, std::uint16_t from) {
    return bench.client(1).ask(kVip, 5060, message, from);
  };
  EXPECT_THAT(ask(invite("c1"), 40000), ServedBy("real3"));
  EXPECT_THAT(ask(invite("c2"), 40000), ServedBy("real3"));
  EXPECT_THAT(ask("no SIP", 40000), ServedBy("real3"));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(call(bench.client(1), "c1"))));
  EXPECT_THAT(ask(invite("c2"), 40001), ServedBy("real2"));
  EXPECT_THAT(ask(invite("c1"), 40002), ServedBy("real3"));
}

// Source: ip_vs_core.c, ip_vs_schedule().
LVSPEC_CASE(ProtocolsSip, WithoutPersistenceTheEngineIsIdle,
            {.id = "protocols.sip-needs-persistence",
             .claim = "On a service without -p, --pe sip is kept and read back, and changes nothing.",
             .clauses = {"TPL-24"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, phones());
  const VirtualService plain = UdpService(kVip, 5060).scheduler("rr").pe("sip");
  ASSERT_OK(bench.add(plain));
  EXPECT_THAT(bench.service(plain.id).service.pe, Eq("sip"));
  EXPECT_THAT(bench.client(1).ask(kVip, 5060, "no SIP"), ServedBy("real3"));
  EXPECT_THAT(bench.client(1).ask(kVip, 5060, invite("d1")), ServedBy("real2"));
  EXPECT_THAT(bench.client(1).ask(kVip, 5060, invite("d1")), ServedBy("real1"));
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// The answer has to find its way back to the phone that called. Source: ip_vs_core.c, __ip_vs_rs_conn_out(),
// ip_vs_new_conn_out().
LVSPEC_CASE(ProtocolsSip, AServerMayCallFirst,
            {.id = "protocols.sip-server-calls-first",
             .claim = "A SIP request that a server behind NAT sends of itself comes from the VIP, and pins its call "
                      "to that server.",
             .clauses = {"TPL-23", "VAL-01", "FWD-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {}}).masquerading()));
  ASSERT_OK(bench.add(service().one_packet()));
  BenchClient phone = bench.mute_client(1);
  Tap tap = bench.tap("client");
  const auto call_from = [&](int server) {
    const Client caller(bench.netns("real" + std::to_string(server)));
    must(caller.udp({.client = {bench.rip(server), 5060},
                     .target = {phone.cip(), 5060},
                     .question = invite("b1"),
                     .patience = 20ms}));
  };
  call_from(1);
  const auto heard = tap.await([](const HeardPacket& packet) { return packet.protocol() == 17; });
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->source(), Eq(kVip));
  EntryParts pinned = call(phone, "b1");
  pinned.server = bench.rip(1);
  pinned.sport = 5060;
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(pinned)));

  call_from(2);  // the same call by another server: the template is one for it from now on
  pinned.server = bench.rip(2);
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(pinned)));
  EXPECT_THAT(bench.templates(), SizeIs(2));  // and the old one, renamed
}

}  // namespace
}  // namespace lvspec
