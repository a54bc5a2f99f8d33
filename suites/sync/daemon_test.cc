// The sync daemons themselves: what a master says on the wire and when, and how daemons are started and stopped.

#include <set>

#include "suites/support.h"
#include "suites/sync/messages.h"

namespace lvspec {
namespace {

class SyncDaemons : public testing::DirectorTest {
 protected:
  const VirtualService persistent_ = UdpService(kVip, 53).scheduler("rr").persistent(300s);

  Result<Bench> one() { return build(BenchPlan().real_servers(3, {.tcp = {80}, .udp = {53}})); }
  static Status start(Bench& bench, SyncRole role) { return bench.director().start_daemon({.role = role}); }
};

// Source: ip_vs_sync.c, start_sync_thread(), make_send_sock().
LVSPEC_CASE(SyncDaemons, MessagesGoToTheGroup,
            {.id = "sync.messages-go-to-the-group",
             .claim = "A master's messages go from its own address to 224.0.0.81, UDP port 8848, TTL 1, in version "
                      "1, and tell of templates with their whole timeout.",
             .clauses = {"SYN-01", "SYN-04", "SYN-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(start(bench, SyncRole::kMaster));
  SyncEar ear(bench.netns("client"));
  const Answer answer = bench.client(1).udp(kVip, 53);
  bench.let_sync_arrive();
  const std::optional<HeardMessage> heard = ear.hear();
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->from.address, Eq(bench.dip()));
  EXPECT_THAT(heard->ttl, Eq(1));
  EXPECT_THAT(heard->version, Eq(1));
  EXPECT_THAT(heard->sync_id, Eq(0));
  ASSERT_THAT(heard->entries, SizeIs(1));
  const SyncedEntry& said = heard->entries.front();
  EXPECT_THAT(said.client, Eq(Endpoint{bench.client(1).cip(), 0}));
  EXPECT_THAT(said.target, Eq(Endpoint{kVip, 53}));
  EXPECT_THAT(said.server, Eq(Endpoint{bench.rip_of(answer.server), 53}));
  EXPECT_THAT(said.timeout_s, Eq(300U));
}

// Source: ip_vs_sync.c, start_sync_thread().
LVSPEC_CASE(SyncDaemons, ADaemonIsListed,
            {.id = "sync.daemons-are-listed",
             .claim = "Master and backup run together, each listed with interface, sync ID, group, port, TTL and the "
                      "longest message, 1472 bytes.",
             .clauses = {"SYN-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.director().start_daemon({.role = SyncRole::kBackup, .sync_id = 7}));
  ASSERT_OK(bench.director().start_daemon({.role = SyncRole::kMaster, .sync_id = 5}));
  const std::vector<SyncDaemon> daemons = bench.tables().daemons;
  ASSERT_THAT(daemons, SizeIs(2));
  EXPECT_THAT(daemons[0].role, Eq(SyncRole::kMaster));
  EXPECT_THAT(daemons[1].role, Eq(SyncRole::kBackup));
  EXPECT_THAT(daemons[0].sync_id, Eq(5U));
  EXPECT_THAT(daemons[1].sync_id, Eq(7U));
  for (const SyncDaemon& daemon : daemons) {
    EXPECT_THAT(daemon.interface, Eq(std::string("eth0")));
    EXPECT_THAT(daemon.group, Eq(kSyncGroup));
    EXPECT_THAT(daemon.port, Eq(kSyncPort));
    EXPECT_THAT(daemon.ttl, Eq(1));
    EXPECT_THAT(daemon.max_length, Eq(1472));
  }
}

// Source: ip_vs_sync.c, next_sync_buff(), get_curr_sync_buff().
LVSPEC_CASE(SyncDaemons, MessagesGather,
            {.id = "sync.messages-gather",
             .claim = "What a master has to tell gathers for two seconds and goes in one message.",
             .clauses = {"SYN-02"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(start(bench, SyncRole::kMaster));
  SyncEar ear(bench.netns("client"));
  ASSERT_THAT(bench.client(1).udp(kVip, 53), Answered());
  bench.elapse(900ms);
  ASSERT_THAT(bench.client(2).udp(kVip, 53), Answered());
  bench.let_sync_arrive();
  const std::optional<HeardMessage> heard = ear.hear();
  ASSERT_THAT(heard.has_value(), Eq(true));
  std::vector<std::string> clients;
  for (const SyncedEntry& entry : heard->entries) clients.push_back(entry.client.address.str());
  EXPECT_THAT(clients, ElementsAre("192.0.2.1", "192.0.2.2"));
}

// 40 entries of 36 bytes and a header of 8 are 1448 bytes; one more does not fit.
// Source: ip_vs_sync.c, ip_vs_sync_conn(), sb_queue_tail().
LVSPEC_CASE(SyncDaemons, AFullMessageGoesAtOnce,
            {.id = "sync.full-message-goes-at-once",
             .claim = "A message that is full, with 40 templates of IPv4 clients, does not wait for its two seconds.",
             .clauses = {"SYN-02", "SYN-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(start(bench, SyncRole::kMaster));
  SyncEar ear(bench.netns("client"));
  for (int i = 1; i <= 41; ++i) bench.client(i).send_datagram(kVip, 53, 40000, "?");
  EXPECT_THAT(bench.templates(), SizeIs(41));
  const std::optional<HeardMessage> heard = ear.hear();
  ASSERT_THAT(heard.has_value(), Eq(true));
  EXPECT_THAT(heard->entries, SizeIs(40));
}

// Source: ip_vs_conn.c, ip_vs_conn_expire(), "ip_vs_sync_conn(ipvs, cp, sysctl_sync_threshold(ipvs))".
LVSPEC_CASE(SyncDaemons, TheExtensionIsTold,
            {.id = "sync.extension-is-told",
             .claim = "When an open connection's template is kept for another 60 s, the master tells its backups, "
                      "though no packet has come.",
             .clauses = {"SYN-06", "TPL-35"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(100s)));
  ASSERT_OK(start(bench, SyncRole::kMaster));
  SyncEar ear(bench.netns("client"));
  Connection held = bench.client(1).hold(kVip, 80);
  bench.elapse(95s);
  EXPECT_THAT(ear.hear_all().size(), Ge(1U));
  bench.elapse(past(bench, 100s) - 95s);
  bench.let_sync_arrive();
  const std::optional<HeardMessage> heard = ear.hear();
  ASSERT_THAT(heard.has_value(), Eq(true));
  ASSERT_THAT(heard->entries, SizeIs(1));
  EXPECT_THAT(heard->entries[0].client, Eq(Endpoint{bench.client(1).cip(), 0}));
  EXPECT_THAT(heard->entries[0].timeout_s, Eq(60U));
}

// Source: ip_vs_sync.c, start_sync_thread(), "threads_mask"; select_master_thread_id().
LVSPEC_CASE(SyncDaemons, PortsShareTheClients,
            {.id = "sync.ports-share-the-clients",
             .claim = "With sync_ports 2 a master uses ports 8848 and 8849; the number is that of when it started.",
             .clauses = {"SYN-15", "CTL-22"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  ASSERT_OK(bench.add(persistent_));
  ASSERT_OK(bench.set_sysctl("sync_ports", 2));
  ASSERT_OK(start(bench, SyncRole::kMaster));
  ASSERT_OK(bench.set_sysctl("sync_ports", 4));
  SyncEar ear(bench.netns("client"), 4);
  for (int i = 1; i <= 60; ++i) bench.client(i).send_datagram(kVip, 53, 40000, "?");
  bench.let_sync_arrive();
  std::set<std::uint16_t> ports;
  ASSERT_THAT(bench.templates(), SizeIs(60));
  for (const HeardMessage& heard : ear.hear_all()) ports.insert(heard.port);
  EXPECT_THAT(ports, ElementsAre(8848, 8849));
}

// Source: ip_vs_sync.c, start_sync_thread(), stop_sync_thread(); libipvs, ipvs_strerror().
LVSPEC_CASE(SyncDaemons, StartAndStopOnce,
            {.id = "sync.daemons-start-and-stop-once",
             .claim = "A daemon that runs is not started again, one that does not run is not stopped, and none "
                      "starts on an interface that there is not.",
             .clauses = {"SYN-14"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, one());
  for (const SyncRole role : {SyncRole::kMaster, SyncRole::kBackup}) {
    EXPECT_THAT(bench.director().stop_daemon(role), RefusedSaying(HasSubstr("No daemon is running")));
    EXPECT_THAT(bench.director().start_daemon({.role = role, .interface = "eth7"}),
                RefusedSaying(HasSubstr("No such device")));
    ASSERT_OK(start(bench, role));
    EXPECT_THAT(start(bench, role), RefusedSaying(HasSubstr("Daemon has already run")));
    ASSERT_OK(bench.director().stop_daemon(role));
    EXPECT_THAT(bench.director().stop_daemon(role), RefusedSaying(HasSubstr("No daemon is running")));
  }
  EXPECT_THAT(bench.tables().daemons, IsEmpty());
}

}  // namespace
}  // namespace lvspec
