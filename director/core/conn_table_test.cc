#include "director/core/conn_table.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

class ConnTableTest : public testing::Test {
 protected:
  ConnKey key(int from, std::uint16_t port = 40000) {
    return connection_key(packet_of({.from = client(from), .client_port = port}));
  }
  ConnKey template_of(int from) {
    return {.protocol = Protocol::kTcp, .is_template = true, .client = client(from), .virtual_address = vip()};
  }
  ConnEntry& make(const ConnKey& key, Duration timeout, DirectorTime now = {}) {
    ConnEntry& entry = *table.create(key, server, 80);
    entry.timeout = timeout;
    table.arm(entry, now);
    return entry;
  }

  RealServer server;
  ConnTable table{4};
};

TEST_F(ConnTableTest, FindsByTheWholeKeyOnly) {
  ConnEntry& entry = make(key(1), 10s);
  EXPECT_EQ(table.find(key(1)), &entry);
  EXPECT_EQ(table.find(key(2)), nullptr);
  EXPECT_EQ(table.find(key(1, 40001)), nullptr);
  ConnKey other_family = key(1);
  other_family.family = Family::kIpv6;
  EXPECT_EQ(table.find(other_family), nullptr);
}

// TPL-18
TEST_F(ConnTableTest, ConnectionsAndTemplatesNeverMatchEachOther) {
  make(template_of(1), 10s);
  ConnKey from_port_zero = template_of(1);
  from_port_zero.is_template = false;
  EXPECT_EQ(table.find(from_port_zero), nullptr);
}

// TPL-17, also across a growing table
TEST_F(ConnTableTest, OfEqualKeysTheNewestIsFound) {
  make(template_of(1), 10s);
  ConnEntry& newer = make(template_of(1), 10s);
  EXPECT_EQ(table.find(template_of(1)), &newer);
  table.reserve(1024);
  EXPECT_EQ(table.find(template_of(1)), &newer);
}

// TPL-17: whichever goes, the newest of those that stay is found.
TEST_F(ConnTableTest, WhenTheNewestGoesTheNextIsFound) {
  for (const auto& order : {std::vector{2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {0, 1, 2}, {1, 0, 2}, {2, 0, 1}}) {
    std::vector<ConnEntry*> left;
    for (int n = 0; n < 3; ++n) left.push_back(&make(template_of(1), 10s));
    for (const int n : order) {
      const auto newest = std::find_if(left.rbegin(), left.rend(), [](ConnEntry* entry) { return entry != nullptr; });
      ASSERT_EQ(table.find(template_of(1)), *newest);
      table.remove(*std::exchange(left[n], nullptr));
    }
    ASSERT_EQ(table.find(template_of(1)), nullptr);
  }
}

TEST_F(ConnTableTest, ARenamedTemplateUncoversTheOlder) {
  ConnEntry& older = make(template_of(1), 10s);
  ConnEntry& newer = make(template_of(1), 10s);
  table.rename(newer);
  EXPECT_EQ(table.find(template_of(1)), &older);
  table.remove(newer);
  EXPECT_EQ(table.find(template_of(1)), &older);
}

// IPv4 and IPv6 lie apart, and so do their accessors.
TEST_F(ConnTableTest, EntriesGiveBackTheirKeyAndController) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    ConnKey connection_key = key(1), template_key = template_of(1);
    for (ConnKey* each : {&connection_key, &template_key}) {
      each->family = family;
      if (family == Family::kIpv6) each->client.bytes[15] = each->virtual_address.bytes[15] = 7;
    }
    ConnEntry& connection = make(connection_key, 10s);
    ConnEntry& tmpl = make(template_key, 10s);
    EXPECT_TRUE(connection.key() == connection_key);
    EXPECT_TRUE(tmpl.key() == template_key);
    EXPECT_EQ(connection.controller(), nullptr);
    table.control(connection, tmpl);
    EXPECT_EQ(connection.controller(), &tmpl);
    EXPECT_EQ(tmpl.controller(), nullptr);
    EXPECT_EQ(table.find(connection_key), &connection);
    EXPECT_EQ(table.find(template_key), &tmpl);
    table.remove(tmpl);
    EXPECT_EQ(connection.controller(), nullptr);
  }
}

TEST_F(ConnTableTest, BucketsTogetherHoldEveryArmedEntry) {
  for (int n = 0; n < 50; ++n) make(key(n), 10s);
  make(template_of(1), 10s);
  std::size_t visited = 0;
  for (std::size_t bucket = 0; bucket < table.buckets(); ++bucket) {
    table.visit_bucket(bucket, [&](ConnEntry&) { ++visited; });
  }
  EXPECT_EQ(visited, 51u);
}

// A one-packet entry is nobody's to find, and hides nothing (CON-50).
TEST_F(ConnTableTest, OnePacketEntriesAreNotFound) {
  ConnEntry& stored = make(key(1), 10s);
  ConnEntry& passing = *table.create(key(1), server, 80, ConnTable::Stored::kOnePacket);
  EXPECT_EQ(table.find(key(1)), &stored);
  table.remove(passing);
  EXPECT_EQ(table.find(key(1)), &stored);
}

TEST(StoredTimeout, RoundsUpToSecondsAndStopsAtItsMaximum) {
  EXPECT_EQ(Duration(StoredTimeout(1ns)), 1s);
  EXPECT_EQ(Duration(StoredTimeout(31 * 24h)), 31 * 24h);
  EXPECT_EQ(Duration(StoredTimeout(1000 * 24h)), Duration(std::chrono::seconds(0xffffff)));
}

TEST_F(ConnTableTest, GrowsAndKeepsPointersValid) {
  std::vector<ConnEntry*> entries;
  for (int n = 0; n < 3000; ++n) entries.push_back(&make(key(n), 10s));
  for (int n = 0; n < 3000; ++n) ASSERT_EQ(table.find(key(n)), entries[n]);
  EXPECT_EQ(table.size(), 3000u);
  EXPECT_EQ(table.fire(DirectorTime(10s)), 3000u);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(server.references, 0u);
}

// CON-02
TEST_F(ConnTableTest, RepliesComeFromTheServerUnderNatElseFromTheVip) {
  server.key = real(1, 8080);
  ConnEntry& routed = make(key(1), 10s);
  server.settings.method = ForwardMethod::kMasquerade;
  ConnEntry& natted = *table.create(key(2), server, 8080);
  table.arm(natted, {});
  const auto reply = [&](const Address& from, std::uint16_t port, int to) {
    return packet_of({.from = from, .to = client(to), .port = 40000, .client_port = port});
  };
  EXPECT_EQ(table.find_reply(reply(vip(), 80, 1)), &routed);
  EXPECT_EQ(table.find_reply(reply(rip(1), 80, 1)), nullptr);
  EXPECT_EQ(table.find_reply(reply(rip(1), 8080, 2)), &natted);
  EXPECT_EQ(table.find_reply(reply(vip(), 80, 2)), nullptr);
}

// CON-02: of one client's connections to one port of one server, whichever goes, the newest that stays is answered.
TEST_F(ConnTableTest, BehindNatTheNewestIsAnswered) {
  server.key = real(1, 8080);
  server.settings.method = ForwardMethod::kMasquerade;
  const Packet reply = packet_of({.from = rip(1), .to = client(1), .port = 40000, .client_port = 8080});
  make(key(9), 10s);  // an empty table is not looked at; this one remembers who stood where
  for (const auto& order : {std::vector{2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {0, 1, 2}, {1, 0, 2}, {2, 0, 1}}) {
    std::vector<ConnEntry*> left;
    for (int n = 0; n < 3; ++n) {
      ConnKey to_port = key(1);
      to_port.virtual_port = static_cast<std::uint16_t>(80 + n);
      left.push_back(table.create(to_port, server, 8080));
      table.arm(*left.back(), {});
    }
    for (const int n : order) {
      const auto newest = std::find_if(left.rbegin(), left.rend(), [](ConnEntry* entry) { return entry != nullptr; });
      ASSERT_EQ(table.find_reply(reply), *newest);
      table.remove(*std::exchange(left[n], nullptr));
    }
    ASSERT_EQ(table.find_reply(reply), nullptr);
  }
}

// A timer of somebody else's has its place among those of its tick: before those of its slot that were armed earlier.
TEST_F(ConnTableTest, FiresBeforeAnothersTimerWhatGoesBeforeIt) {
  const TimerWheel wheel(100);
  std::uint32_t armings = 0;
  ConnTable shared(4, &armings);
  shared.set_timer_wheel(wheel);
  const auto arm = [&](int n) {
    ConnEntry& entry = *shared.create(key(n), server, 80);
    entry.timeout = 60s;
    shared.arm(entry, DirectorTime(1s));
    return &entry;
  };
  const ConnEntry* const older = arm(1);
  const table::Due other = wheel.arm(DirectorTime(1s), 60s, table::kNever, armings++);
  arm(2);
  ASSERT_EQ(wheel.fires(other), wheel.fires(older->due()));
  EXPECT_EQ(shared.fire_before(other), 1u);
  EXPECT_EQ(shared.find(key(1)), older);
  EXPECT_EQ(shared.fire(wheel.fires(other)), 1u);
}

TEST_F(ConnTableTest, FiresAtTheDeadlineNotBefore) {
  make(key(1), 10s);
  EXPECT_EQ(table.next_deadline(), DirectorTime(10s));
  EXPECT_EQ(table.fire(DirectorTime(10s) - 1ns), 0u);
  EXPECT_EQ(table.fire(DirectorTime(10s)), 1u);
  EXPECT_EQ(table.next_deadline(), std::nullopt);
}

// TPL-34, TPL-35: one step over an hour is the same as many small ones.
TEST_F(ConnTableTest, ExtendsFromEachDeadlineInOneLongStep) {
  ConnEntry& tmpl = make(template_of(1), 100s);
  ConnEntry& connection = make(key(1), 250s);
  table.control(connection, tmpl);
  EXPECT_EQ(table.fire(DirectorTime(249s)), 0u);
  EXPECT_EQ(table.next_deadline(), DirectorTime(250s));
  EXPECT_EQ(table.deadline_of(tmpl), DirectorTime(280s));  // 100, 160, 220, 280
  EXPECT_EQ(tmpl.timeout, Duration(60s));
  EXPECT_EQ(table.fire(DirectorTime(3600s)), 2u);
}

// TPL-36: at one instant the connection goes first, whichever was armed first.
TEST_F(ConnTableTest, ConnectionsGoBeforeTheirTemplate) {
  for (const bool template_first : {true, false}) {
    ConnEntry* tmpl = template_first ? &make(template_of(1), 120s) : nullptr;
    ConnEntry& connection = make(key(1), 120s);
    if (tmpl == nullptr) tmpl = &make(template_of(1), 120s);
    table.control(connection, *tmpl);
    EXPECT_EQ(table.fire(DirectorTime(120s)), 2u);
  }
}

// VAL-04
TEST_F(ConnTableTest, RenamedTemplatesRunOnUnseen) {
  ConnEntry& tmpl = make(template_of(1), 100s);
  table.rename(tmpl);
  EXPECT_EQ(table.find(template_of(1)), nullptr);
  EXPECT_EQ(table.find(tmpl.key()), nullptr);  // not even a service on port 65535 finds it
  EXPECT_EQ(tmpl.virtual_port, 65535);
  EXPECT_EQ(tmpl.server_port, 65535);
  EXPECT_EQ(server.persistent, 1u);
  EXPECT_EQ(table.next_deadline(), DirectorTime(100s));
}

// CON-70, DST-02
TEST_F(ConnTableTest, CountsOnItsServer) {
  ConnEntry& tmpl = make(template_of(1), 100s);
  ConnEntry& connection = make(key(1), 10s);
  EXPECT_EQ(server.persistent, 1u);
  EXPECT_EQ(server.inactive, 1u);
  table.update_state(connection, false, packet_of({.from = client(1)}, kSyn), {});
  EXPECT_EQ(server.active, 1u);
  EXPECT_EQ(server.inactive, 0u);
  table.update_state(connection, false, packet_of({.from = client(1)}, kAck), {});
  table.update_state(connection, false, packet_of({.from = client(1)}, kFinAck), {});
  EXPECT_EQ(server.active, 0u);
  EXPECT_EQ(server.inactive, 1u);
  server.available = false;
  table.remove(connection);
  EXPECT_EQ(server.references, 1u);
  table.remove(tmpl);
  EXPECT_EQ(server.references, 0u);
}

// With a wheel it is there until the next tick, and who it answers to in between renews it.
TEST_F(ConnTableTest, ExpireNowWaitsForTheTick) {
  table.set_timer_wheel(TimerWheel(100));
  ConnEntry& gone = make(key(1), 10s);
  ConnEntry& renewed = make(key(2), 10s);
  table.expire_now(gone, {});
  table.expire_now(renewed, {});
  EXPECT_EQ(table.fire({}), 0u);
  EXPECT_EQ(table.find(key(1)), &gone);
  table.arm(renewed, {});
  EXPECT_EQ(table.fire(DirectorTime(10ms)), 1u);
  EXPECT_EQ(table.find(key(1)), nullptr);
  EXPECT_EQ(table.find(key(2)), &renewed);
}

// VAL-21
TEST_F(ConnTableTest, SweepTakesTemplatesWithTheirLastConnection) {
  ConnEntry& tmpl = make(template_of(1), 100s);
  tmpl.assured = true;
  table.control(make(key(1), 10s), tmpl);
  table.control(make(key(1, 40001), 10s), tmpl);
  make(template_of(2), 100s);
  RealServer other;
  table.arm(*table.create(key(3), other, 80), {});
  server.available = false;
  table.remove_unavailable();
  EXPECT_EQ(table.size(), 1u);
  EXPECT_NE(table.find(key(3)), nullptr);
  EXPECT_EQ(server.references, 0u);
}

}  // namespace
}  // namespace lvspec::director
