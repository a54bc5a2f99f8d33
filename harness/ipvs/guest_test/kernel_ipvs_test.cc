// The adapter on the kernel's own IPVS, under a bench with clients and real servers, in the guest's virtual time.

#include "harness/adapters/kernel_ipvs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "harness/ipvs/kernel_clock.h"
#include "harness/lab/bench.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::StartsWith;

const IpAddress kVip = IpAddress::of("198.51.100.10");
const IpAddress kVip6 = IpAddress::of("2001:db8:51::10");

class KernelIpvsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const DirectorFactory factory{"ipvs", DirectorPlace::kStack,
                                  [](const DirectorSite& site) { return KernelIpvs::start(site, {}); }};
    auto bench = BenchPlan().clients(2).real_servers(3, {.tcp = {80, 443}, .udp = {53}}).build(uml_lab(), factory);
    ASSERT_TRUE(bench.ok()) << bench.error().message;
    bench_.emplace(*std::move(bench));
  }

  void add(const VirtualService& service) {
    const Status status = bench_->add(service);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  std::optional<Bench> bench_;
};

TEST_F(KernelIpvsTest, SaysWhoItIs) {
  EXPECT_TRUE(KernelIpvs::available().ok());
  EXPECT_EQ(bench_->director().identity().name, "ipvs");
  EXPECT_THAT(bench_->director().identity().version, HasSubstr("IPVS 1.2.1, HZ=100"));
  EXPECT_THAT(bench_->director().log(), HasSubstr("IPVS"));
  EXPECT_EQ(bench_->granule(300s), 5120ms);
}

TEST_F(KernelIpvsTest, ATemplateAndItsConnection) {
  add(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  const Answer first = bench_->client(1).connect(kVip, 80);
  ASSERT_EQ(first.outcome, Outcome::kAnswered) << first;
  const auto templates = bench_->templates();
  ASSERT_EQ(templates.size(), 1U);
  EXPECT_EQ(templates[0].protocol, "TCP");
  EXPECT_EQ(templates[0].client.str(), "192.0.2.1:0");
  EXPECT_EQ(templates[0].target.str(), "198.51.100.10:80");
  EXPECT_EQ(templates[0].server.address, bench_->rip_of(first.server));
  EXPECT_THAT(templates[0].expires_in, AllOf(Gt(299s), Le(300s)));
  const auto connections = bench_->connections();
  ASSERT_EQ(connections.size(), 1U);
  EXPECT_EQ(connections[0].client, first.client);
  EXPECT_EQ(connections[0].state, "FIN_WAIT");
  EXPECT_THAT(connections[0].expires_in, AllOf(Gt(119s), Le(120s)));
  const ServerState server = bench_->server(ServiceId::of(Protocol::kTcp, kVip, 80), first.server);
  EXPECT_EQ(server.persistent, 1U);
  EXPECT_EQ(server.inactive, 1U);
  EXPECT_EQ(server.connections, 0U);  // CON-76: a snapshot of every two seconds
  // Its timer is late by a granule, like all of them (TIM-02), and this is one tick past that.
  bench_->elapse(2s + bench_->granule(2s) + 10ms);
  EXPECT_EQ(bench_->server(ServiceId::of(Protocol::kTcp, kVip, 80), first.server).connections, 1U);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bench_->client(1).connect(kVip, 80).server, first.server);
  EXPECT_NE(bench_->client(2).connect(kVip, 80).server, first.server);
}

TEST_F(KernelIpvsTest, ADayOfTimePassesAtOnceAndTemplatesGoAfterTheirGranule) {
  add(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  const Answer first = bench_->client(1).connect(kVip, 80);
  bench_->elapse(290s);
  ASSERT_EQ(bench_->templates().size(), 1U);
  EXPECT_THAT(bench_->templates()[0].expires_in, AllOf(Gt(9s), Le(10s)));
  EXPECT_THAT(bench_->connections(), IsEmpty());
  bench_->elapse(10s + bench_->granule(300s));
  EXPECT_THAT(bench_->templates(), IsEmpty());
  EXPECT_NE(bench_->client(1).connect(kVip, 80).server, first.server);
}

TEST_F(KernelIpvsTest, RepeatedLooksDoNotUseUpTime) {
  add(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  bench_->client(1).connect(kVip, 80);
  for (int i = 0; i < 20; ++i) bench_->tables();
  EXPECT_THAT(bench_->templates()[0].expires_in, AllOf(Gt(299s), Le(300s)));
}

TEST_F(KernelIpvsTest, MarksChooseTheService) {
  Ruleset ruleset;
  MarkRule rule;
  rule.protocol = Protocol::kTcp;
  rule.destination = Prefix::of("198.51.100.10/32");
  rule.destination_ports = {{80, 80}, {443, 443}};
  rule.in_interface = "eth0";
  rule.mark = 8;
  MarkRule six = rule;
  six.family = AF_INET6;
  six.destination = Prefix::of("2001:db8:51::10/128");
  six.mark = 9;
  ASSERT_TRUE(bench_->set_marks({rule, six}).ok());
  add(MarkService(8).scheduler("rr").persistent(300s));
  add(MarkService(9, AF_INET6).scheduler("rr").persistent(300s));
  const Answer web = bench_->client(1).connect(kVip, 80), tls = bench_->client(1).connect(kVip, 443);
  EXPECT_EQ(web.outcome, Outcome::kAnswered) << web;
  EXPECT_EQ(web.server, tls.server);
  const Answer web6 = bench_->client(1, AF_INET6).connect(kVip6, 80);
  EXPECT_EQ(web6.outcome, Outcome::kAnswered) << web6;
  std::vector<std::string> targets;
  for (const Entry& entry : bench_->templates()) {
    EXPECT_EQ(entry.protocol, "IP");
    targets.push_back(entry.target.str());
  }
  EXPECT_THAT(targets, ::testing::UnorderedElementsAre("0.0.0.8:0", "[0:9::]:0"));
  ASSERT_TRUE(bench_->set_marks({}).ok());
  EXPECT_NE(bench_->client(1).connect(kVip, 80).outcome, Outcome::kAnswered);
}

TEST_F(KernelIpvsTest, Sysctls) {
  ASSERT_TRUE(bench_->set_sysctl("expire_quiescent_template", 1).ok());
  const Status unknown = bench_->set_sysctl("no_such_thing", 1);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUnsupported);
  const Status refused = bench_->set_sysctl("drop_entry", 9);
  EXPECT_EQ(refused.error().kind, ErrorKind::kDirector) << refused.error().message;
  ServiceBuilder service = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  add(service);
  const Answer first = bench_->client(1).connect(kVip, 80);
  RealServer quiescent;
  quiescent.address = bench_->rip_of(first.server);
  quiescent.port = 80;
  quiescent.weight = 0;
  ASSERT_TRUE(bench_->director().edit_server(service.get().id, quiescent).ok());
  EXPECT_NE(bench_->client(1).connect(kVip, 80).server, first.server);
}

TEST_F(KernelIpvsTest, TimeoutsAndRefusals) {
  ASSERT_TRUE(bench_->set_timeouts(0, 60, 0).ok());
  add(TcpService(kVip, 80).scheduler("rr").persistent(300s));
  bench_->client(1).connect(kVip, 80);
  EXPECT_THAT(bench_->connections().at(0).expires_in, AllOf(Gt(59s), Le(60s)));
  const Status again = bench_->add(TcpService(kVip, 80).scheduler("rr"));
  EXPECT_THAT(again.error().message, HasSubstr("Service already exists"));
  ASSERT_TRUE(bench_->clear().ok());
  EXPECT_THAT(bench_->tables().services, IsEmpty());
}

}  // namespace
}  // namespace lvspec
