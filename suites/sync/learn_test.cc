// What a backup makes of messages, written by hand: those of other masters, of older ones, and of none at all.

#include "suites/support.h"
#include "suites/sync/messages.h"

namespace lvspec {
namespace {

class SyncLearning : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  /// A director that is a backup and has the service.
  Result<Bench> backup(std::uint32_t sync_id = 0) {
    LVSPEC_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3)));
    LVSPEC_TRY(bench.add(service_));
    LVSPEC_TRY(bench.director().start_daemon({.role = SyncRole::kBackup, .sync_id = sync_id}));
    return bench;
  }
  static SyncedEntry connection(Bench& bench, int client, int server) {
    return {.client = {bench.client(client).cip(), 40000}, .target = {kVip, 80}, .server = {bench.rip(server), 80}};
  }
  static SyncedEntry tmpl(Bench& bench, int client, int server) {
    SyncedEntry entry = connection(bench, client, server);
    entry.flags = kSyncTemplate;
    entry.client.port = 0;
    return entry;
  }
  static void say(Bench& bench, const std::vector<SyncedEntry>& entries, std::uint8_t sync_id = 0) {
    say_to_backups(bench.netns("client"), entries, sync_id);
  }
};

// Source: ip_vs_sync.c, ip_vs_proc_conn(), "IP_VS_SYNC_CONN_TIMEOUT".
LVSPEC_CASE(SyncLearning, WithoutATimeout,
            {.id = "sync.without-timeout",
             .claim = "A message that says no timeout gives a template 180 s and a connection what its state has "
                      "here.",
             .clauses = {"SYN-08"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup());
  SyncedEntry timeless = tmpl(bench, 1, 1), held = connection(bench, 2, 1), ended = connection(bench, 3, 1);
  ended.state = kSyncFinWait;
  for (SyncedEntry* entry : {&timeless, &held, &ended}) entry->timeout_s = 0;
  say(bench, {timeless, held, ended});
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.expires = 180s})));
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.state = "ESTABLISHED", .expires = 900s}),
                                               ConnectionOf(EntryParts{.state = "FIN_WAIT", .expires = 120s})));
}

// Source: ip_vs_sync.c, ip_vs_proc_sync_conn(), "Invalid TCP state".
LVSPEC_CASE(SyncLearning, OddEntriesAreLeftOut,
            {.id = "sync.odd-entries-are-left-out",
             .claim = "Entries of a state or a protocol that a backup does not know are left out, and those behind "
                      "them in the same message are taken.",
             .clauses = {"SYN-11"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup());
  SyncedEntry stateless = connection(bench, 1, 1), foreign = connection(bench, 2, 1);
  stateless.state = kSyncNoState;
  foreign.protocol = 47;
  say(bench, {stateless, foreign, tmpl(bench, 3, 1)});
  EXPECT_THAT(bench.connections(), IsEmpty());
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.client = bench.client(3).cip()})));
}

// Source: ip_vs_sync.c, ip_vs_proc_conn(), "This is reused port".
LVSPEC_CASE(SyncLearning, AReusedPortIsReplaced,
            {.id = "sync.reused-port-is-replaced",
             .claim = "A message about a known connection at another server replaces it, unless it tells of an end: "
                      "that is the old one's, and late.",
             .clauses = {"SYN-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup());
  say(bench, {connection(bench, 1, 1)});
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(1)})));
  say(bench, {connection(bench, 1, 2)});
  EXPECT_THAT(bench.connections(), ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(2)})));
  SyncedEntry late = connection(bench, 1, 1);
  late.state = kSyncFinWait;
  late.flags |= kSyncInactive;
  say(bench, {late});
  EXPECT_THAT(bench.connections(),
              ElementsAre(ConnectionOf(EntryParts{.server = bench.rip(2), .state = "ESTABLISHED"})));
}

// Source: ip_vs_sync.c, ip_vs_proc_conn(): templates are looked up by their key alone.
LVSPEC_CASE(SyncLearning, ATemplateKeepsItsServer,
            {.id = "sync.template-keeps-its-server",
             .claim = "A message that names another server for a known template renews it and moves nobody.",
             .clauses = {"SYN-12", "SYN-07"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup());
  say(bench, {tmpl(bench, 1, 1)});
  SyncedEntry elsewhere = tmpl(bench, 1, 2);
  elsewhere.timeout_s = 200;
  say(bench, {elsewhere});
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.server = bench.rip(1), .expires = 200s})));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
}

// Source: ip_vs_sync.c, ip_vs_process_message(), "SyncID incoming but not for us".
LVSPEC_CASE(SyncLearning, OnlyItsOwnSyncId,
            {.id = "sync.other-ids-are-ignored",
             .claim = "A backup of sync ID 5 takes messages of ID 5 and no others.",
             .clauses = {"SYN-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup(5));
  say(bench, {tmpl(bench, 1, 1)}, 7);
  say(bench, {tmpl(bench, 2, 1)}, 0);
  say(bench, {tmpl(bench, 3, 1)}, 5);
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.client = bench.client(3).cip()})));
}

// Source: ip_vs_sync.c, ip_vs_process_message().
LVSPEC_CASE(SyncLearning, WithoutASyncIdAll,
            {.id = "sync.id-zero-takes-all",
             .claim = "A backup without a sync ID takes the messages of all masters.",
             .clauses = {"SYN-01", "SYN-09"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, backup());
  for (int i = 1; i <= 3; ++i) say(bench, {tmpl(bench, i, i)}, static_cast<std::uint8_t>(80 * i));
  EXPECT_THAT(bench.templates(), SizeIs(3));
  for (int i = 1; i <= 3; ++i) EXPECT_THAT(bench.client(i).connect(kVip, 80), ServedBy("real" + std::to_string(i)));
}

}  // namespace
}  // namespace lvspec
