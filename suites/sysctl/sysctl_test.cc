// net.ipv4.vs.*: what the settings do, where no other suite has it already.

#include <fmt/format.h>

#include <map>

#include "harness/probe/frame.h"
#include "suites/support.h"
#include "suites/sync/messages.h"

namespace lvspec {
namespace {

using tcp_flags::kAck;
using tcp_flags::kFin;
using tcp_flags::kRst;
using tcp_flags::kSyn;

class Sysctls : public testing::DirectorTest {
 protected:
  const VirtualService plain_ = TcpService(kVip, 80).scheduler("rr");
  const VirtualService persistent_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  /// One port, used for a connection that ends so and then for another: the servers of both. rr would not give the
  /// same one twice.
  static std::vector<std::string> servers_of_a_reused_port(Bench& bench, std::uint16_t port, std::uint8_t end) {
    std::vector<std::string> servers;
    const auto note_server = [&] {
      for (const Entry& entry : bench.connections())
        if (entry.client.port == port) servers.push_back(bench.name_of(entry.server.address));
    };
    BenchClient client = bench.mute_client(1);
    for (const std::uint8_t flags : {kSyn, kAck, end}) client.send_segment(kVip, 80, port, flags);
    note_server();
    client.send_segment(kVip, 80, port, kSyn);
    note_server();
    return servers;
  }
};

// Source: ip_vs_core.c, is_new_conn_expected(), conn_reuse_mode. Field: FR-82.
LVSPEC_CASE(Sysctls, ReuseMode0KeepsTheServer,
            {.id = "sysctl.reuse-mode-0",
             .claim = "With conn_reuse_mode 0 a port used again goes to the server of its old connection, even after "
                      "a reset.",
             .clauses = {"CTL-05", "CON-40", "CON-41"},
             .field_reports = {"FR-82"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(plain_));
  EXPECT_THAT(servers_of_a_reused_port(bench, 40000, kRst), ElementsAre("real3", "real2"));  // by default
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  EXPECT_THAT(servers_of_a_reused_port(bench, 40001, kRst), ElementsAre("real1", "real1"));
}

// Source: ip_vs_core.c, is_new_conn_expected().
LVSPEC_CASE(Sysctls, ReuseMode1LeavesWhatHasClosedByFin,
            {.id = "sysctl.reuse-mode-1",
             .claim = "With conn_reuse_mode 1, the default, a port used again after FIN in direct routing is not "
                      "scheduled anew.",
             .clauses = {"CTL-05", "CON-41"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(plain_));
  EXPECT_THAT(servers_of_a_reused_port(bench, 40000, kFin | kAck), ElementsAre("real3", "real3"));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "SYN_RECV"})));
}

// Source: ip_vs_core.c, is_new_conn_expected(), "IP_VS_F_CONN... conn_reuse_mode & 2".
LVSPEC_CASE(
    Sysctls, ReuseMode2TakesFinAsWell,
    {.id = "sysctl.reuse-mode-2",
     .claim = "With conn_reuse_mode 2 a port used again after FIN in direct routing is scheduled anew, unless "
              "a template has the client.",
     .clauses = {"CTL-05", "CON-40", "CON-41", "CON-42"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 2));
  ASSERT_OK(bench.add(plain_));
  EXPECT_THAT(servers_of_a_reused_port(bench, 40000, kFin | kAck), ElementsAre("real3", "real2"));
  ASSERT_OK(bench.edit(persistent_));
  EXPECT_THAT(servers_of_a_reused_port(bench, 40001, kFin | kAck), ElementsAre("real1", "real1"));
}

// Both are read at each packet. Source: ip_vs_conn.c, expire_quiescent_template().
LVSPEC_CASE(Sysctls, QuiescentSwitchedBack,
            {.id = "sysctl.quiescent-switched-back",
             .claim = "expire_quiescent_template switched off again before a client comes back has done nothing to "
                      "its template.",
             .clauses = {"CTL-31", "CTL-11", "VAL-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3)));
  ASSERT_OK(bench.add(persistent_));
  const Answer first = bench.client(1).connect(kVip, 80), second = bench.client(2).connect(kVip, 80);
  for (const Answer& answer : {first, second})
    ASSERT_OK(bench.edit_server(persistent_.id, with_weight(bench, persistent_.id, answer.server, 0)));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(second.server)));  // it does while it is on
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 0));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(first.server));
}

// Source: ip_vs_core.c, ip_vs_in_hook(), sysctl_expire_nodest_conn().
LVSPEC_CASE(Sysctls, NodestSwitchedBack,
            {.id = "sysctl.nodest-switched-back",
             .claim = "expire_nodest_conn counts when the packet comes: switched off again, a removed server's "
                      "connections hang as ever.",
             .clauses = {"CTL-31", "CTL-10", "VAL-20"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(2)));
  ASSERT_OK(bench.add(persistent_));
  Connection first = bench.client(1).hold(kVip, 80, 100ms), second = bench.client(2).hold(kVip, 80, 100ms);
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 0));
  for (const char* server : {"real1", "real2"})
    ASSERT_OK(bench.remove_server(persistent_.id, {bench.rip_of(server), 80}));
  EXPECT_THAT(first.say_again(), Unanswered());
  ASSERT_OK(bench.set_sysctl("expire_nodest_conn", 1));
  EXPECT_THAT(second.say_again(), Reset());
}

// ipvsadm(8) lists them, and 2.2 had them. Source: ip_vs_ctl.c, vs_vars[].
LVSPEC_CASE(Sysctls, ThereAreNoTimeouts,
            {.id = "sysctl.no-timeouts",
             .claim = "There are no timeout_* sysctls, whatever the manual says: `ipvsadm --set` sets timeouts.",
             .clauses = {"CTL-30"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  for (const char* state : {"established", "synsent", "synrecv", "finwait", "timewait", "close", "closewait",
                            "lastack", "listen", "synack", "udp", "icmp"})
    // A setting that is not there is refused, or not claimed: either is the answer.
    EXPECT_THAT(bench.set_sysctl(fmt::format("timeout_{}", state), 100).ok(), Eq(false));
  EXPECT_THAT(bench.set_sysctl("am_droprate", 100), Obeyed());
}

// Source: ip_vs_ctl.c, proc_do_sync_threshold(), proc_do_sync_ports(), vs_vars[].
LVSPEC_CASE(Sysctls, RangesOfSync,
            {.id = "sysctl.ranges-of-sync",
             .claim = "sync_ports takes powers of two, sync_retries 0 to 3, sync_version 0 and 1, and sync_threshold "
                      "a number below its period.",
             .clauses = {"CTL-22", "CTL-25", "CTL-27", "CTL-28"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  struct Try {
    const char* name;
    int value;
    bool taken;
  };
  for (const Try& one :
       {Try{"sync_ports", 0, false}, Try{"sync_ports", 3, false}, Try{"sync_ports", 8, true},
        Try{"sync_ports", 64, true}, Try{"sync_retries", 4, false}, Try{"sync_retries", 3, true},
        Try{"sync_version", 2, false}, Try{"sync_version", 0, true}, Try{"sync_threshold", 50, false},
        Try{"sync_threshold", 49, true}, Try{"sync_period", 49, false}, Try{"sync_period", 0, true},
        Try{"sync_threshold", 50, true}, Try{"sync_threshold", -1, false}}) {
    SCOPED_TRACE(fmt::format("{}={}", one.name, one.value));
    EXPECT_THAT(bench.set_sysctl(one.name, one.value).ok(), Eq(one.taken));
  }
}

// Source: ip_vs_core.c, ip_vs_leave(), "mark-based and destination is non-local".
LVSPEC_CASE(Sysctls, CacheBypassIsForOthersAddresses,
            {.id = "sysctl.cache-bypass-not-for-the-vip",
             .claim = "With cache_bypass a mark service without servers refuses clients of the VIP as before: only "
                      "addresses elsewhere are let through.",
             .clauses = {"CTL-04", "SVC-21"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  MarkRule rule;
  rule.protocol = Protocol::kTcp;
  rule.destination_ports = {{80, 80}};
  rule.mark = 8;
  ASSERT_OK(bench.set_marks({rule}));
  ASSERT_OK(bench.set_sysctl("cache_bypass", 1));
  ASSERT_OK(bench.add(MarkService(8).scheduler("rr").server(bench.rip(1), {.weight = 0})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.tables().entries, IsEmpty());
}

// Source: ip_vs_sync.c, ip_vs_sync_conn_needed(), "sync_refresh_period".
LVSPEC_CASE(Sysctls, SyncRefreshPeriodSavesMessages,
            {.id = "sysctl.sync-refresh-period",
             .claim = "A template goes out with every packet of its client; with sync_refresh_period 30, only when "
                      "its deadline has moved on by 30 s.",
             .clauses = {"CTL-24", "SYN-04"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(300s)));
  ASSERT_OK(bench.director().start_daemon({.role = SyncRole::kMaster}));
  SyncEar ear(bench.netns("client"));
  const auto messages_of_three_visits = [&] {
    for (int i = 0; i < 3; ++i) {
      must(bench.client(1).udp(kVip, 53).outcome == Outcome::kAnswered ? Status() : Error{"no answer"});
      bench.let_sync_arrive();
    }
    return ear.hear_all();
  };
  EXPECT_THAT(messages_of_three_visits(), SizeIs(3));
  ASSERT_OK(bench.set_sysctl("sync_refresh_period", 30));
  EXPECT_THAT(messages_of_three_visits(), IsEmpty());
  bench.elapse(30s);
  EXPECT_THAT(messages_of_three_visits(), SizeIs(1));
}

// Source: ip_vs_sync.c, ip_vs_sync_conn_v0().
LVSPEC_CASE(Sysctls, SyncVersion0,
            {.id = "sysctl.sync-version-0",
             .claim = "With sync_version 0 a master speaks as masters before 2.6.39 did: no timeouts and no marks.",
             .clauses = {"CTL-28", "SYN-08"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}}).standby()));
  const VirtualService dns = UdpService(kVip, 53).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(dns));
  ASSERT_OK(bench.add_to_standby(dns));
  ASSERT_OK(bench.set_sysctl("sync_version", 0));
  ASSERT_OK(bench.start_sync());
  SyncEar ear(bench.netns("client"));
  for (int i = 0; i < 3; ++i) ASSERT_THAT(bench.client(1).udp(kVip, 53, 40000), Answered());  // sync_threshold
  bench.let_sync_arrive();
  const std::optional<HeardMessage> heard = ear.hear();
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->version, Eq(0));
  ASSERT_THAT(bench.standby_templates(), SizeIs(1));
  EXPECT_THAT(bench.standby_templates()[0].expires_in, Le(180s));  // not 300
}

// A report without them cannot say why two kernels differ. Source: ip_vs_ctl.c, ip_vs_control_net_init_sysctl(),
// proc_do_defense_mode(); ip_vs_proto_tcp.c and ip_vs_proto_udp.c, the timeouts. Field: FR-68.
LVSPEC_CASE(
    Sysctls, SettingsAreTold,
    {.id = "sysctl.settings-are-told",
     .claim = "A director tells every setting that decides about clients as it is: the defaults at first, what "
              "was set since, and not what it has refused.",
     .clauses = {"CTL-01", "CTL-03", "CTL-04", "CTL-05", "CTL-08", "CTL-09", "CTL-10", "CTL-11", "CTL-18", "CTL-19",
                 "CTL-21", "CTL-27"},
     .field_reports = {"FR-68"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  const std::map<std::string, std::string> defaults = {{"net.ipv4.vs.am_droprate", "10"},
                                                       {"net.ipv4.vs.backup_only", "0"},
                                                       {"net.ipv4.vs.cache_bypass", "0"},
                                                       {"net.ipv4.vs.conn_reuse_mode", "1"},
                                                       {"net.ipv4.vs.drop_entry", "0"},
                                                       {"net.ipv4.vs.drop_packet", "0"},
                                                       {"net.ipv4.vs.expire_nodest_conn", "0"},
                                                       {"net.ipv4.vs.expire_quiescent_template", "0"},
                                                       {"net.ipv4.vs.secure_tcp", "0"},
                                                       {"net.ipv4.vs.sloppy_sctp", "0"},
                                                       {"net.ipv4.vs.sloppy_tcp", "0"},
                                                       {"net.ipv4.vs.sync_persist_mode", "0"},
                                                       {"net.ipv4.vs.sync_threshold", "3 50"},
                                                       {"timeout tcp", "900"},
                                                       {"timeout tcpfin", "120"},
                                                       {"timeout udp", "300"}};
  const auto told = [&bench](const std::string& name) { return must(bench.director().settings())[name]; };
  for (const auto& [name, value] : defaults) EXPECT_THAT(name + " " + told(name), Eq(name + " " + value));

  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  ASSERT_OK(bench.set_sysctl("drop_entry", 3));
  ASSERT_OK(bench.set_sysctl("sync_period", 60));
  ASSERT_OK(bench.set_timeouts(1000, 0, 50));
  EXPECT_THAT(told("net.ipv4.vs.expire_quiescent_template"), Eq("1"));
  EXPECT_THAT(told("net.ipv4.vs.drop_entry"), Eq("3"));
  EXPECT_THAT(told("net.ipv4.vs.sync_threshold"), Eq("3 60"));
  EXPECT_THAT(told("timeout tcp"), Eq("1000"));
  EXPECT_THAT(told("timeout tcpfin"), Eq("120"));
  EXPECT_THAT(told("timeout udp"), Eq("50"));

  EXPECT_THAT(bench.set_sysctl("drop_entry", 4), Not(Obeyed()));
  EXPECT_THAT(told("net.ipv4.vs.drop_entry"), Eq("3"));
}

}  // namespace
}  // namespace lvspec
