// Master and backup.

#include "director/core/fault_stories.h"

namespace lvspec::director {
namespace {

// What a master says reaches a backup, first without the service and then with it; then the backup takes over.
void state_sync(Story& story) {
  class Wire : public SyncSink {
   public:
    explicit Wire(Story& backup) : backup_(backup) {}
    void add(DirectorTime, const SyncEntry& entry) override { backup_.director.learn(backup_.now(), entry); }

   private:
    Story& backup_;
  } wire(story);
  World master;
  master.director.set_sync_master(&wire);
  master.serve(kWeb, persistent(300), {1, 1, 1});
  const auto tell_tables = [&] {
    story.tell(std::to_string(story.connections().size()));
    story.tell_templates();
  };
  Flow held{.from = client(1)};
  master.visit({.from = client(2)});
  story.serve(tcp_service(81), persistent(300), {1});
  story.tell(story.visit({.from = client(2)}));
  tell_tables();
  story.serve(kWeb, persistent(300), {1, 1, 1});
  story.tell(story.visit({.from = client(2)}));  // unbound
  master.open(held);
  tell_tables();
  story.elapse(100s);
  master.send(held, kAck);
  tell_tables();
  Sysctls sysctls;
  sysctls.sync_persist_mode = 1;
  master.director.set_sysctls(sysctls);
  master.visit({.from = client(3)});
  tell_tables();
  story.visit({.from = client(9)});  // so that rr does not happen to choose what the master chose
  for (int n = 1; n <= 3; ++n) story.tell(story.visit({.from = client(n)}));
  story.director.set_sync_backup(true);
  sysctls.backup_only = 1;
  story.director.set_sysctls(sysctls);
  story.tell(story.visit({.from = client(1)}));
  master.director.set_sync_master(nullptr);
}

// Messages that no master of ours would send now.
void messages_by_hand(Story& story) {
  story.serve(kWeb, persistent(300), {1, 1, 1});
  SyncEntry tmpl;
  tmpl.protocol = 6;
  tmpl.flags = sync_flags::kDirectRoute | sync_flags::kTemplate | sync_flags::kInactive;
  tmpl.virtual_port = tmpl.server_port = 80;
  tmpl.client = client(1);
  tmpl.virtual_address = vip();
  tmpl.server = real(1).address;
  SyncEntry connection = tmpl;
  connection.flags = sync_flags::kDirectRoute;
  connection.state = 1;
  connection.client_port = 40000;
  connection.timeout_s = 900;
  story.director.learn(story.now(), tmpl);
  story.director.learn(story.now(), connection);
  story.tell_templates();
  tmpl.server = connection.server = real(2).address;
  connection.flags |= sync_flags::kInactive;
  story.director.learn(story.now(), tmpl);
  story.director.learn(story.now(), connection);
  story.tell_templates();
  for (const EntryView& entry : story.connections()) story.tell(name_of(entry.server));
}

// The 60 s that a master grants are told: a backup that did not hear of them would forget the client.
void told_extension(Story& story) {
  class Count : public SyncSink {
   public:
    void add(DirectorTime, const SyncEntry&) override { ++said; }
    int said = 0;
  } count;
  story.director.set_sync_master(&count);
  story.serve(kWeb, persistent(100), {1});
  story.open({.from = client(1)});
  story.elapse(101s);
  story.tell(std::to_string(count.said));
  story.director.set_sysctls({.sync_refresh_period = 20});
  for (int i = 0; i < 4; ++i) story.open({.from = client(1), .client_port = static_cast<std::uint16_t>(10 + i)});
  story.tell(std::to_string(count.said));
  story.director.set_sync_master(nullptr);
}

}  // namespace

std::vector<Plot> sync_plots() { return {state_sync, messages_by_hand, told_extension}; }

}  // namespace lvspec::director
