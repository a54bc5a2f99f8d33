// A master and a backup, each in a network namespace of its own, with a wire between them.

#include "director/io/sync_daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "director/control/translate.h"
#include "harness/netlink/rtnetlink.h"
#include "harness/netns/namespace.h"

namespace lvspec::director {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kHere = 2, kThere = 3;
constexpr const char* kGroup6 = "ff05::81";
const Address kVip = Address::v4(0xc633640a), kRip = Address::v4(0xcb00710b);
const ServiceKey kWeb{.protocol = Protocol::kTcp, .address = kVip, .port = 80};

/// A director with its daemons, and a clock that stands still.
struct Site {
  explicit Site(const char* name, int byte)
      : netns(*NetworkNamespace::create(name)),
        daemon(director, clock,
               {{Family::kIpv4, Address::v4(0xcb007100u + static_cast<std::uint32_t>(byte))},
                {Family::kIpv6,
                 {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<unsigned char>(byte)}}}}) {
    daemon.log = [this](const std::string& line) { log.push_back(line); };
    ServiceSettings settings;
    settings.scheduler = "rr";
    settings.persistent = true;
    settings.timeout_s = 300;
    director.add_service(kWeb, settings);
    director.add_server(kWeb, {.address = kRip, .port = 80}, {});
  }

  /// @return the refusal's code, or the complaint about a bad request; empty: it runs.
  std::string start(const protocol::Daemon& order) {
    Refusal refusal;
    const Status entered = netns.call([&]() -> Status {
      try {
        refusal = daemon.start(order);
      } catch (const BadRequest& error) {
        refusal = {"bad-request", error.what()};
      }
      return {};
    });
    EXPECT_TRUE(entered.ok());
    return refusal.none() ? "" : refusal.code + ": " + refusal.text;
  }
  void pass(Duration time) {
    clock.advance(time);
    daemon.flush_due(clock.now());
  }

  NetworkNamespace netns;
  Director director;
  Clock clock{true};
  SyncDaemon daemon;
  std::vector<std::string> log;
};

class SyncDaemonTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }
  void SetUp() override {
    master_.emplace("master", 1);
    backup_.emplace("backup", 2);
    auto here = RtBatch::open(master_->netns), there = RtBatch::open(backup_->netns);
    ASSERT_TRUE(here.ok() && there.ok());
    here->add_veth({.name = "wire0", .ifindex = kHere, .mac = {2, 0, 0, 0, 0, 1}},
                   {.name = "wire0", .ifindex = kThere, .mac = {2, 0, 0, 0, 0, 2}}, backup_->netns);
    const auto raise = [](RtBatch& batch, int link) {
      batch.change_link(link, {.no_ipv6_link_local = true});
      batch.change_link(link, {.up = true});
      return batch.commit().ok();
    };
    ASSERT_TRUE(here->commit().ok() && raise(*here, kHere) && raise(*there, kThere));
    const auto works = [](RtBatch& batch, int link) {
      const auto links = batch.links();
      return links.ok() && std::any_of(links->begin(), links->end(), [&](const LinkState& state) {
               return state.ifindex == link && state.operational;
             });
    };
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!works(*here, kHere) || !works(*there, kThere)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no carrier";
      std::this_thread::sleep_for(1ms);
    }
  }

  static protocol::Daemon order(const char* role, const std::string& group = "224.0.0.81") {
    protocol::Daemon daemon;
    daemon.role = role;
    daemon.interface = "wire0";
    daemon.group = group;
    return daemon;
  }
  /// A client's SYN, which makes a template and has it told.
  void visit(int client) {
    Packet packet;
    packet.protocol = Protocol::kTcp;
    packet.source = Address::v4(0xc0000200u + static_cast<std::uint32_t>(client));
    packet.destination = kVip;
    packet.source_port = 40000;
    packet.destination_port = 80;
    packet.tcp.syn = true;
    master_->director.handle(master_->clock.now(), packet);
  }
  /// Waits until a message is there, and takes it.
  bool receive() {
    std::vector<pollfd> fds;
    for (const int fd : backup_->daemon.fds()) fds.push_back({fd, POLLIN, 0});
    if (poll(fds.data(), fds.size(), 5000) <= 0) return false;
    backup_->daemon.receive();
    return true;
  }
  std::vector<EntryView> learned() { return backup_->director.entries(backup_->clock.now()); }

  std::optional<Site> master_, backup_;
};

// SYN-01, SYN-02: neither side of the wire has an address; the master speaks as its director.
TEST_F(SyncDaemonTest, TellsOverEitherFamily) {
  for (const char* group : {"224.0.0.81", kGroup6}) {
    SCOPED_TRACE(group);
    ASSERT_EQ(backup_->start(order("backup", group)), "");
    ASSERT_EQ(master_->start(order("master", group)), "");
    EXPECT_EQ(master_->daemon.list().at(0).max_length, group == kGroup6 ? 1452 : 1472);
    EXPECT_EQ(master_->daemon.next_flush(), std::nullopt);
    visit(group == kGroup6 ? 6 : 4);
    const DirectorTime due = master_->clock.now() + 2s;
    EXPECT_EQ(master_->daemon.next_flush(), due);
    master_->pass(1999ms);
    EXPECT_EQ(master_->daemon.next_flush(), due);
    master_->pass(1ms);
    EXPECT_EQ(master_->daemon.next_flush(), std::nullopt);
    ASSERT_TRUE(receive());
    ASSERT_THAT(learned(), SizeIs(group == kGroup6 ? 2 : 1));
    EXPECT_TRUE(learned()[0].learned && learned()[0].is_template);
    EXPECT_EQ(learned()[0].server, kRip);
    EXPECT_EQ(learned()[0].expires_in, 300s);
    EXPECT_TRUE(master_->daemon.stop("master").none());
    EXPECT_TRUE(backup_->daemon.stop("backup").none());
    EXPECT_THAT(backup_->daemon.fds(), IsEmpty());
  }
  EXPECT_THAT(master_->log, IsEmpty());
  EXPECT_THAT(backup_->log, IsEmpty());
}

// A full message does not wait: an entry takes 36 bytes, and 40 of them fit into 1472.
TEST_F(SyncDaemonTest, AFullMessageGoesAtOnce) {
  ASSERT_EQ(backup_->start(order("backup")), "");
  ASSERT_EQ(master_->start(order("master")), "");
  for (int client = 1; client <= 41; ++client) visit(client);
  ASSERT_TRUE(receive());
  EXPECT_THAT(learned(), SizeIs(40));
  master_->pass(2s);
  ASSERT_TRUE(receive());
  EXPECT_THAT(learned(), SizeIs(41));
}

TEST_F(SyncDaemonTest, AnotherSyncIdIsNotHeard) {
  protocol::Daemon five = order("master"), six = order("backup");
  five.sync_id = 5;
  six.sync_id = 6;
  ASSERT_EQ(backup_->start(six), "");
  ASSERT_EQ(master_->start(five), "");
  visit(1);
  master_->pass(2s);
  ASSERT_TRUE(receive());
  EXPECT_THAT(learned(), IsEmpty());
}

// What cannot be taken is said, each kind once.
TEST_F(SyncDaemonTest, AFullTableIsSaidOnce) {
  backup_->director.limit_entries(1);
  ASSERT_EQ(backup_->start(order("backup")), "");
  ASSERT_EQ(master_->start(order("master")), "");
  for (int client = 1; client <= 3; ++client) visit(client);
  master_->pass(2s);
  ASSERT_TRUE(receive());
  EXPECT_THAT(learned(), SizeIs(1));
  EXPECT_EQ(backup_->director.refused_entries(), 2U);
  EXPECT_THAT(backup_->log, ElementsAre("sync backup: an entry: for which there is no room"));
}

// SYN-14
TEST_F(SyncDaemonTest, Refusals) {
  ASSERT_EQ(master_->start(order("master")), "");
  EXPECT_EQ(master_->start(order("master")), "daemon-running: Daemon has already run");
  EXPECT_EQ(master_->daemon.stop("backup").code, "no-daemon");
  protocol::Daemon nowhere = order("backup");
  nowhere.interface = "nix0";
  EXPECT_EQ(master_->start(nowhere), "no-such-device: No such device");
  for (const char* group : {"192.0.2.1", "2001:db8::1"})
    EXPECT_THAT(master_->start(order("backup", group)), HasSubstr("not a multicast address")) << group;
  EXPECT_THAT(master_->start(order("backup", "ff05::x")), HasSubstr("group"));
  EXPECT_THAT(master_->start(order("both")), HasSubstr("neither master nor backup"));

  const RealServerKey other{.family = Family::kIpv6, .address = {{0x20, 1}}, .port = 80};
  EXPECT_EQ(master_->director.add_server(kWeb, other, {.method = ForwardMethod::kTunnel}), Outcome::kInvalid);
  EXPECT_EQ(backup_->director.add_server(kWeb, other, {.method = ForwardMethod::kTunnel}), Outcome::kOk);
  EXPECT_THAT(backup_->start(order("backup")), HasSubstr("Invalid operation"));
  EXPECT_THAT(master_->daemon.list(), SizeIs(1));
}

}  // namespace
}  // namespace lvspec::director
