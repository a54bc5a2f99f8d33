// State sync between the kernel's IPVS and the bundled director, each as master and as backup: one set of
// expectations for all four pairs. In a user-mode-linux guest, whose kernel is the judge.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "harness/adapters/bundled.h"
#include "harness/adapters/kernel_ipvs.h"
#include "harness/lab/bench.h"
#include "harness/probe/frame.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

const IpAddress kVip = IpAddress::of("198.51.100.10");
const IpAddress kVip6 = IpAddress::of("2001:db8:51::10");
const ServiceId kWeb = ServiceId::of(Protocol::kTcp, kVip, 80);

DirectorFactory factory_of(const std::string& kind) {
  if (kind == "ipvs")
    return {"ipvs", DirectorPlace::kStack, [](const DirectorSite& site) { return KernelIpvs::start(site, {}); }};
  return {"bundled", DirectorPlace::kInline,
          [](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
            LVSPEC_ASSIGN(auto director, Bundled::start(site, {.program = LVSPEC_DIRECTOR, .fault = ""}));
            return std::unique_ptr<DirectorUnderTest>(std::move(director));
          }};
}

std::string said(const Status& status) { return status.ok() ? "ok" : status.error().message; }

class Sync : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    auto bench = BenchPlan()
                     .clients(3)
                     .real_servers(3, {.tcp = {80, 443}, .udp = {53, 5060}})
                     .build(uml_lab(), factory_of(std::get<0>(GetParam())), factory_of(std::get<1>(GetParam())));
    ASSERT_TRUE(bench.ok()) << bench.error().message;
    bench_.emplace(*std::move(bench));
  }

  void serve(const VirtualService& service) {
    ASSERT_EQ(said(bench_->add(service)), "ok");
    ASSERT_EQ(said(bench_->add_to_standby(service)), "ok");
  }
  ServerState standby_server(const ServiceId& id, const std::string& name) {
    for (const ServiceState& service : bench_->standby_tables().services)
      if (service.service.id == id)
        for (const ServerState& server : service.servers)
          if (bench_->name_of(server.server.address) == name) return server;
    ADD_FAILURE() << "the standby has no " << name;
    return {};
  }
  std::string belief() {
    return "master:\n" + bench_->tables().str() + "standby:\n" + bench_->standby_tables().str();
  }

  std::optional<Bench> bench_;
};

void expect_same_key(const Entry& copy, const Entry& original) {
  EXPECT_EQ(copy.protocol, original.protocol);
  EXPECT_EQ(copy.client, original.client);
  EXPECT_EQ(copy.target, original.target);
  EXPECT_EQ(copy.server, original.server);
  EXPECT_EQ(copy.state, original.state);
}

TEST_P(Sync, DaemonsAreListedAndRefused) {
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  const Tables tables = bench_->tables();
  ASSERT_THAT(tables.daemons, SizeIs(1));
  EXPECT_EQ(tables.daemons[0],
            (SyncDaemon{SyncRole::kMaster, "eth0", 0, 1472, IpAddress::of("224.0.0.81"), 8848, 1}));
  const Tables standby = bench_->standby_tables();
  ASSERT_THAT(standby.daemons, SizeIs(1));
  EXPECT_EQ(standby.daemons[0],
            (SyncDaemon{SyncRole::kBackup, "eth0", 0, 1472, IpAddress::of("224.0.0.81"), 8848, 1}));
  EXPECT_THAT(said(bench_->director().start_daemon({.role = SyncRole::kMaster})),
              HasSubstr("Daemon has already run"));
  EXPECT_THAT(said(bench_->director().stop_daemon(SyncRole::kBackup)), HasSubstr("No daemon is running"));
  EXPECT_THAT(said(bench_->director().start_daemon({.role = SyncRole::kBackup, .interface = "nix0"})),
              HasSubstr("No such device"));
  ASSERT_EQ(said(bench_->director().start_daemon({.role = SyncRole::kBackup})), "ok");
  EXPECT_THAT(bench_->tables().daemons, SizeIs(2));
  ASSERT_EQ(said(bench_->director().stop_daemon(SyncRole::kMaster)), "ok");
  ASSERT_EQ(said(bench_->director().stop_daemon(SyncRole::kBackup)), "ok");
  EXPECT_THAT(bench_->tables().daemons, IsEmpty());
}

TEST_P(Sync, ATemplateAndItsConnectionSurviveFailOver) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  Connection held = bench_->client(1).hold(kVip, 80);
  const std::string server = held.answer().server;
  ASSERT_EQ(held.say_again().server, server);
  bench_->let_sync_arrive();

  const auto templates = bench_->standby_templates();
  ASSERT_THAT(templates, SizeIs(1)) << belief();
  expect_same_key(templates[0], bench_->templates().at(0));
  EXPECT_EQ(templates[0].state, "ASSURED");
  EXPECT_EQ(templates[0].origin, "SYNC");
  EXPECT_THAT(templates[0].expires_in, AllOf(Ge(295s), Le(300s)));
  const auto connections = bench_->standby_connections();
  ASSERT_THAT(connections, SizeIs(1)) << belief();
  expect_same_key(connections[0], bench_->connections().at(0));
  EXPECT_EQ(connections[0].state, "ESTABLISHED");
  EXPECT_EQ(connections[0].origin, "SYNC");
  EXPECT_THAT(connections[0].expires_in, AllOf(Ge(895s), Le(900s)));
  const ServerState counted = standby_server(kWeb, server);
  EXPECT_EQ(counted.persistent, 1U);
  EXPECT_EQ(counted.active, 1U);
  EXPECT_EQ(counted.inactive, 0U);
  EXPECT_EQ(counted.connections, 0U);

  bench_->fail_over();
  EXPECT_EQ(held.say_again().server, server);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(bench_->client(1).connect(kVip, 80).server, server) << belief();
  // The negative control: a client that was never told of goes by rr, which has not moved for client 1.
  EXPECT_NE(bench_->client(2).connect(kVip, 80).server, bench_->client(3).connect(kVip, 80).server);
}

// What ends is told at once, with the state and its timeout.
TEST_P(Sync, AnEndedConnection) {
  serve(TcpService(kVip, 80).scheduler("rr"));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  bench_->client(1).connect(kVip, 80);
  bench_->let_sync_arrive();
  const auto connections = bench_->standby_connections();
  ASSERT_THAT(connections, SizeIs(1)) << belief();
  expect_same_key(connections[0], bench_->connections().at(0));
  EXPECT_EQ(connections[0].state, "FIN_WAIT");
  EXPECT_THAT(connections[0].expires_in, AllOf(Ge(115s), Le(120s)));
  EXPECT_EQ(standby_server(kWeb, bench_->name_of(connections[0].server.address)).inactive, 1U);
}

// Every packet of a connection re-arms the backup's template, and none the master's (SYN-04, SYN-07).
TEST_P(Sync, TrafficRenewsTheBackupsTemplate) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  Connection held = bench_->client(1).hold(kVip, 80);
  bench_->elapse(100s);
  held.say_again();
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->templates().at(0).expires_in, AllOf(Ge(194s), Le(200s)));
  ASSERT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
  EXPECT_THAT(bench_->standby_templates()[0].expires_in, AllOf(Ge(294s), Le(300s)));
}

// The 60 s of an extension are told when they are granted, and replace the backup's window too (SYN-06, SYN-07).
TEST_P(Sync, AnExtensionIsTold) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(100s));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  Connection held = bench_->client(1).hold(kVip, 80);
  bench_->elapse(99s);
  bench_->elapse(4s + bench_->granule(100s) + bench_->granule(2s));
  ASSERT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
  EXPECT_THAT(bench_->standby_templates()[0].expires_in, AllOf(Ge(48s), Le(60s))) << belief();
}

// SYN-10: what arrives before the service is unbound, and rejected at use. A later message binds.
TEST_P(Sync, AnUnboundTemplate) {
  const VirtualService web = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  ASSERT_EQ(said(bench_->add(web)), "ok");
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  const std::string one = bench_->client(1).connect(kVip, 80).server;
  Connection held = bench_->client(2).hold(kVip, 80);
  const std::string two = held.answer().server;
  bench_->let_sync_arrive();
  ASSERT_THAT(bench_->standby_templates(), SizeIs(2)) << belief();
  ASSERT_EQ(said(bench_->add_to_standby(web)), "ok");
  EXPECT_EQ(standby_server(kWeb, one).persistent, 0U);
  held.say_again();  // and with it the template of client 2
  bench_->let_sync_arrive();
  EXPECT_EQ(standby_server(kWeb, one).persistent, 0U);
  EXPECT_EQ(standby_server(kWeb, two).persistent, 1U);
  bench_->fail_over();
  EXPECT_EQ(bench_->client(2).connect(kVip, 80).server, two);
  bench_->client(1).connect(kVip, 80);
  EXPECT_THAT(bench_->standby_templates(), SizeIs(3)) << belief();  // the rejected one was renamed
}

// Version 0 says no timeout: 180 s for a template (SYN-08), and the local table for a connection.
TEST_P(Sync, Version0) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->set_sysctl("sync_version", 0)), "ok");
  ASSERT_EQ(said(bench_->standby().set_timeouts(500, 0, 0)), "ok");
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  Connection held = bench_->client(1).hold(kVip, 80);
  held.say_again();
  bench_->let_sync_arrive();
  ASSERT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
  EXPECT_THAT(bench_->standby_templates()[0].expires_in, AllOf(Ge(175s), Le(180s)));
  ASSERT_THAT(bench_->standby_connections(), SizeIs(1)) << belief();
  EXPECT_THAT(bench_->standby_connections()[0].expires_in, AllOf(Ge(495s), Le(500s)));
}

TEST_P(Sync, IPv6AndMarks) {
  MarkRule rule;
  rule.family = AF_INET6;
  rule.protocol = Protocol::kTcp;
  rule.destination = Prefix::of("2001:db8:51::10/128");
  rule.in_interface = "eth0";
  rule.mark = 9;
  ASSERT_EQ(said(bench_->set_marks({rule})), "ok");
  ASSERT_EQ(said(bench_->standby().set_marks({rule})), "ok");
  serve(MarkService(9, AF_INET6).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  Connection held = bench_->client(1, AF_INET6).hold(kVip6, 443);
  held.say_again();
  bench_->let_sync_arrive();
  const auto templates = bench_->standby_templates();
  ASSERT_THAT(templates, SizeIs(1)) << belief();
  expect_same_key(templates[0], bench_->templates().at(0));
  ASSERT_THAT(bench_->standby_connections(), SizeIs(1)) << belief();
  expect_same_key(bench_->standby_connections()[0], bench_->connections().at(0));
  const ServerState server = standby_server(ServiceId::of_mark(9, AF_INET6), held.answer().server);
  EXPECT_EQ(server.persistent, 1U);
  EXPECT_EQ(server.active, 1U);
  bench_->fail_over();
  EXPECT_EQ(bench_->client(1, AF_INET6).connect(kVip6, 443).server, held.answer().server);
}

// The messages may go by IPv6 as well; the group is only the way.
TEST_P(Sync, AGroupOfIPv6) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  const IpAddress group = IpAddress::of("ff05::81");
  ASSERT_EQ(said(bench_->director().start_daemon({.role = SyncRole::kMaster, .group = group})), "ok");
  ASSERT_EQ(said(bench_->standby().start_daemon({.role = SyncRole::kBackup, .group = group})), "ok");
  EXPECT_EQ(bench_->tables().daemons.at(0), (SyncDaemon{SyncRole::kMaster, "eth0", 0, 1452, group, 8848, 1}));
  EXPECT_EQ(bench_->standby_tables().daemons.at(0), (SyncDaemon{SyncRole::kBackup, "eth0", 0, 1452, group, 8848, 1}));
  bench_->client(1).connect(kVip, 80);
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
}

// Messages have no words for a server of another family than its service's.
TEST_P(Sync, MixedFamiliesAndDaemonsDoNotMeet) {
  RealServer other;
  other.address = IpAddress::of("2001:db8:113::b");
  other.port = 80;
  other.method = ForwardMethod::kTunnel;
  VirtualService mixed = TcpService(kVip, 81).scheduler("rr");
  ASSERT_EQ(said(bench_->director().add_service(mixed)), "ok");
  ASSERT_EQ(said(bench_->director().start_daemon({.role = SyncRole::kMaster})), "ok");
  EXPECT_NE(said(bench_->director().add_server(mixed.id, other)), "ok");
  ASSERT_EQ(said(bench_->director().stop_daemon(SyncRole::kMaster)), "ok");
  ASSERT_EQ(said(bench_->director().add_server(mixed.id, other)), "ok");
  EXPECT_NE(said(bench_->director().start_daemon({.role = SyncRole::kMaster})), "ok");
}

TEST_P(Sync, AnotherSyncIdIsNotHeard) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->director().start_daemon({.role = SyncRole::kMaster, .sync_id = 5})), "ok");
  ASSERT_EQ(said(bench_->standby().start_daemon({.role = SyncRole::kBackup, .sync_id = 6})), "ok");
  bench_->client(1).connect(kVip, 80);
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_tables().entries, IsEmpty());
  ASSERT_EQ(said(bench_->standby().stop_daemon(SyncRole::kBackup)), "ok");
  ASSERT_EQ(said(bench_->standby().start_daemon({.role = SyncRole::kBackup, .sync_id = 5})), "ok");
  bench_->client(1).connect(kVip, 80);
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
}

// A call stays with its server after fail-over. (The kernel does not show the Call-IDs of what it has learned.)
TEST_P(Sync, Calls) {
  serve(UdpService(kVip, 5060).scheduler("rr").persistent(300s).pe("sip"));
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  const auto call = [&](int client, const std::string& id) {
    return bench_->client(client)
        .ask(kVip, 5060, "OPTIONS sip:bob@example.net SIP/2.0\r\nCall-ID: " + id + "\r\n")
        .server;
  };
  const auto calls = [](const std::vector<Entry>& templates) {
    std::vector<std::string> lines;
    for (const Entry& entry : templates)
      lines.push_back(
          fmt::format("{} {} -> {} {}", entry.client.str(), entry.target.str(), entry.server.str(), entry.state));
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  const std::string first = call(1, "a@x"), second = call(1, "b@x"), third = call(2, "a@x");
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_templates(), SizeIs(3)) << belief();
  EXPECT_EQ(calls(bench_->standby_templates()), calls(bench_->templates())) << belief();
  bench_->fail_over();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(call(1, "a@x"), first);
    EXPECT_EQ(call(1, "b@x"), second);
    EXPECT_EQ(call(2, "a@x"), third);
  }
}

// In version 0 a template follows its connection's third packet, and its Call-ID is lost.
TEST_P(Sync, CallsInVersion0) {
  serve(UdpService(kVip, 5060).scheduler("rr").persistent(300s).pe("sip"));
  ASSERT_EQ(said(bench_->set_sysctl("sync_version", 0)), "ok");
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  for (int i = 0; i < 3; ++i)
    bench_->client(1).ask(kVip, 5060, "OPTIONS sip:bob@example.net SIP/2.0\r\nCall-ID: a\r\n", 4000);
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_connections(), SizeIs(1)) << belief();
  EXPECT_THAT(bench_->standby_templates(), SizeIs(1)) << belief();
  // Nobody asks for a template without an id: a call from another port is scheduled, and gets a template of its own.
  bench_->fail_over();
  bench_->client(1).ask(kVip, 5060, "OPTIONS sip:bob@example.net SIP/2.0\r\nCall-ID: a\r\n", 4001);
  EXPECT_THAT(bench_->standby_templates(), SizeIs(2)) << belief();
}

// SCTP is told in ESTABLISHED by the count, and at its end at once (SYN-03).
TEST_P(Sync, Associations) {
  serve(SctpService(kVip, 5061).scheduler("rr"));
  ASSERT_EQ(said(bench_->set_sysctl("sloppy_sctp", 1)), "ok");
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  BenchClient mute = bench_->mute_client(1);
  constexpr std::uint8_t kData = 0, kInit = 1, kAbort = 6, kShutdown = 7, kCookieEcho = 10;
  const std::vector<std::vector<std::uint8_t>> paths = {
      {kInit, kCookieEcho},
      {kInit, kCookieEcho, kData},
      {kInit, kInit, kInit},
      {kInit, kInit, kInit, kCookieEcho},
      {kInit, kCookieEcho, kShutdown},
      {kInit, kCookieEcho, kData, kShutdown},
      {kInit, kCookieEcho, kData, kAbort},
      {kInit, kAbort},
      {kData, kData, kData, kData},
      {kData},
  };
  std::uint16_t from = 4000;
  for (const auto& path : paths) {
    for (const std::uint8_t chunk : path) mute.send_packet(kVip, 132, sctp_packet(from, 5061, sctp_chunk(chunk)));
    ++from;
  }
  bench_->let_sync_arrive();
  std::vector<std::string> told;
  for (const Entry& entry : bench_->standby_connections()) {
    told.push_back(fmt::format("{} {}", entry.client.port, entry.state));
    EXPECT_THAT(entry.expires_in, entry.state == "ESTABLISHED" ? AllOf(Ge(895s), Le(900s)) : AllOf(Ge(55s), Le(61s)));
  }
  std::sort(told.begin(), told.end());
  EXPECT_THAT(told, ElementsAre("4001 ESTABLISHED", "4004 S-RECEIVED", "4005 S-RECEIVED", "4006 CLOSED",
                                "4007 CLOSED", "4008 ESTABLISHED"));
}

// A client's worth of connections more than one message holds, over several ports (SYN-15).
TEST_P(Sync, ManyEntriesOverSeveralPorts) {
  serve(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  ASSERT_EQ(said(bench_->set_sysctl_of_both("sync_ports", 4)), "ok");
  ASSERT_EQ(said(bench_->start_sync()), "ok");
  for (int i = 1; i <= 60; ++i) bench_->client_at(fmt::format("192.0.2.{}", i)).connect(kVip, 80);
  bench_->let_sync_arrive();
  EXPECT_THAT(bench_->standby_templates(), SizeIs(60));
  EXPECT_THAT(bench_->standby_connections(), SizeIs(60));
}

std::string pair_name(const ::testing::TestParamInfo<Sync::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_to_" + std::get<1>(info.param);
}
INSTANTIATE_TEST_SUITE_P(Pairs, Sync,
                         ::testing::Combine(::testing::Values("ipvs", "bundled"),
                                            ::testing::Values("ipvs", "bundled")),
                         pair_name);

}  // namespace
}  // namespace lvspec
