// What a director does against floods, where it is certain: mode 3, and long enough for chance to be none.

#include <fmt/format.h>

#include "harness/probe/frame.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class ProtocolsDefence : public testing::DirectorTest {};

// Source: include/net/ip_vs.h, ip_vs_todrop(); ip_vs_ctl.c, update_defense_level().
LVSPEC_CASE(ProtocolsDefence, DropPacketTakesEveryNth,
            {.id = "protocols.drop-packet-takes-every-nth",
             .claim = "With drop_packet=3 the first of every am_droprate packets that would be scheduled vanishes "
                      "without ICMP; packets that have an entry all pass.",
             .clauses = {"SVC-19", "CTL-01", "CTL-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.set_sysctl("am_droprate", 3));
  ASSERT_OK(bench.set_sysctl("drop_packet", 3));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr")));
  std::vector<Answer> answers;
  for (std::uint16_t from = 40000; from < 40007; ++from) answers.push_back(bench.client(1).udp(kVip, 53, from));
  EXPECT_THAT(names(answers), ElementsAre("-", "real3", "real2", "-", "real1", "real3", "-"));
  EXPECT_THAT(answers[0], Unanswered());
  std::vector<Answer> again;
  for (int i = 0; i < 4; ++i) again.push_back(bench.client(1).udp(kVip, 53, 40001));
  EXPECT_THAT(names(again), ElementsAre("real3", "real3", "real3", "real3"));
}

// A 32nd of the chains a second: after 900 s an entry has been spared with a chance of e^-28.
// Source: ip_vs_conn.c, ip_vs_random_dropentry(), ip_vs_conn_del().
LVSPEC_CASE(
    ProtocolsDefence, DropEntryTakesWhatNeverConnected,
    {.id = "protocols.drop-entry-takes-what-never-connected",
     .claim = "With drop_entry=3 the template of a client that sent a lone SYN goes, and that of a client that "
              "connected stays.",
     .clauses = {"TPL-50", "TPL-42", "CON-60", "CTL-08"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3)));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(3000s);
  ASSERT_OK(bench.add(service));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), Answered());
  ASSERT_THAT(bench.mute_client(1).syn(kVip, 80), HalfOpen());
  bench.elapse(900s);
  EXPECT_THAT(bench.templates(), SizeIs(2));  // for without it both stay
  ASSERT_OK(bench.set_sysctl("drop_entry", 3));
  bench.elapse(900s);
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = 80, .state = "ASSURED"})));
}

// Eight lone SYNs: each is gone after 40 s with a chance of 72 %, and long before it would expire by itself.
// Source: ip_vs_conn.c, ip_vs_conn_expire(), "drop controlling connection".
LVSPEC_CASE(ProtocolsDefence, TheLastConnectionTakesItsTemplate,
            {.id = "protocols.forced-out-with-template",
             .claim = "A lone SYN's entry that drop_entry takes out takes its unassured template along.",
             .clauses = {"TPL-51", "CON-60"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(3000s)));
  for (int i = 1; i <= 14; ++i) bench.mute_client(i).send_segment(kVip, 80, 40000, tcp_flags::kSyn);
  EXPECT_THAT(bench.templates(), SizeIs(14));
  ASSERT_OK(bench.set_sysctl("drop_entry", 3));
  std::vector<std::string> clients, pinned;
  // Looked at on the way as well: a template that was left behind would itself be taken out sooner or later (TPL-50).
  for (int step = 0; step < 8; ++step) {
    bench.elapse(5s);
    const Tables tables = bench.tables();
    clients.clear();
    pinned.clear();
    for (const Entry& entry : tables.entries)
      (entry.is_template ? pinned : clients).push_back(entry.client.address.str());
    EXPECT_THAT(pinned, ::testing::UnorderedElementsAreArray(clients));  // it goes at once with its last connection
  }
  EXPECT_THAT(clients.size(), Le(13U));
}

// Source: ip_vs_ctl.c, proc_do_defense_mode(), proc_do_sync_threshold(), proc_do_sync_ports(), vs_vars[].
LVSPEC_CASE(ProtocolsDefence, SysctlsRefuseWhatMakesNoSense,
            {.id = "protocols.sysctl-ranges",
             .claim = "The modes of the defences are 0 to 3 and nothing else, the others take any number.",
             .clauses = {"CTL-08", "CTL-09", "CTL-18", "CTL-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  std::vector<std::string> refused;
  for (const char* name :
       {"drop_entry", "drop_packet", "secure_tcp", "am_droprate", "amemthresh", "cache_bypass", "conn_reuse_mode",
        "expire_nodest_conn", "expire_quiescent_template", "ignore_tunneled", "sloppy_sctp", "sloppy_tcp"}) {
    for (const int value : {-1, 4, 3, 1, 0}) {
      if (!bench.set_sysctl(name, value).ok()) refused.push_back(fmt::format("{}={}", name, value));
    }
  }
  EXPECT_THAT(refused, ElementsAre("drop_entry=-1", "drop_entry=4", "drop_packet=-1", "drop_packet=4",
                                   "secure_tcp=-1", "secure_tcp=4"));
}

// Source: ip_vs_ctl.c, ip_vs_genl_parse_service(); ip_vs_conn.c, ip_vs_conn_expire().
LVSPEC_CASE(
    ProtocolsDefence, AWindowOfNothing,
    {.id = "protocols.window-of-zero",
     .claim = "A window of 0 s, which only netlink can set, goes on in steps of 60 s while a connection is open.",
     .clauses = {"NLK-07", "TPL-34", "TPL-35"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(0s)));
  Connection held = bench.client(1).hold(kVip, 80);
  bench.elapse(1s);
  EXPECT_THAT(bench.templates(), SizeIs(1));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(held.answer().server));
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.expires = 60s})));
}

}  // namespace
}  // namespace lvspec
