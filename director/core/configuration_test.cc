// Sections 4 and 5 of the semantics: what becomes of clients when servers and services go, change and return.

#include "director/core/director.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class ConfigurationTest : public testing::Test {
 protected:
  void SetUp() override { world.serve(kService, persistent(300), {1, 1, 1}); }
  Outcome edit(const ServiceSettings& settings) { return world.director.edit_service(kService, settings); }
  Outcome weight(int n, int value) { return world.director.edit_server(kService, real(n), {.weight = value}); }
  Outcome remove(int n) { return world.director.remove_server(world.now(), kService, real(n)); }
  Outcome add(int n, RealServerSettings settings = {}) {
    return world.director.add_server(kService, real(n), settings);
  }
  std::string visit(int n) { return world.visit({.from = client(n)}); }

  const ServiceKey kService = tcp_service(80);
  World world;
};

// VAL-03
TEST_F(ConfigurationTest, WeightZeroKeepsItsClients) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(weight(3, 0), Outcome::kOk);
  world.elapse(200s);
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(world.template_expires_in(), 300);
  EXPECT_EQ(visit(2), "r2");
  EXPECT_EQ(visit(3), "r1");
  EXPECT_EQ(visit(4), "r2");
}

// VAL-01, VAL-04, VAL-05, VAL-07
TEST_F(ConfigurationTest, AQuiescentTemplateIsRenamedAndReplaced) {
  world.director.set_sysctls({.expire_quiescent_template = 1});
  EXPECT_EQ(visit(1), "r3");
  world.elapse(100s);
  EXPECT_EQ(weight(3, 0), Outcome::kOk);
  EXPECT_EQ(visit(1), "r2");
  std::vector<EntryView> templates = world.templates();
  ASSERT_THAT(templates, SizeIs(2));
  std::sort(templates.begin(), templates.end(),
            [](const EntryView& a, const EntryView& b) { return a.virtual_port > b.virtual_port; });
  EXPECT_EQ(templates[0].virtual_port, 65535);
  EXPECT_EQ(templates[0].server_port, 65535);
  EXPECT_EQ(templates[0].expires_in, Duration(200s));  // its timer runs on
  EXPECT_EQ(templates[1].expires_in, Duration(300s));
  EXPECT_EQ(world.server(kService, 3).persistent, 1u);
  EXPECT_EQ(weight(3, 1), Outcome::kOk);
  EXPECT_EQ(visit(1), "r2");
}

// VAL-06
TEST_F(ConfigurationTest, RejectionIsLazy) {
  world.director.set_sysctls({.expire_quiescent_template = 1});
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(weight(3, 0), Outcome::kOk);
  EXPECT_EQ(weight(3, 1), Outcome::kOk);
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(visit(1), "r3");
}

// VAL-08
TEST_F(ConfigurationTest, WithNobodyLeftTheTemplateIsRenamedAllTheSame) {
  EXPECT_EQ(visit(1), "r3");
  for (int n : {1, 2, 3}) EXPECT_EQ(remove(n), Outcome::kOk);
  EXPECT_EQ(visit(1), "reject");
  ASSERT_THAT(world.templates(), SizeIs(1));
  EXPECT_EQ(world.templates()[0].virtual_port, 65535);
  EXPECT_FALSE(world.templates()[0].bound_available);
}

// VAL-10, VAL-20
TEST_F(ConfigurationTest, ADeletedServersConnectionsAreDroppedSilently) {
  Flow flow{.from = client(1)};
  EXPECT_EQ(world.open(flow), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.elapse(100s);
  EXPECT_EQ(world.send(flow, kAck), "drop");
  EXPECT_EQ(world.connections()[0].expires_in, Duration(800s));  // untouched
  EXPECT_EQ(visit(1), "r2");
  EXPECT_EQ(visit(1), "r2");  // pinned anew
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(world.send(flow, kAck), "r3");
  EXPECT_EQ(visit(1), "r2");  // VAL-07
}

// VAL-20
TEST_F(ConfigurationTest, WithNodestExpiryTheEntryGoesAtItsNextPacket) {
  Flow flow{.from = client(1)}, other{.from = client(1)};
  EXPECT_EQ(world.open(flow), "r3");
  EXPECT_EQ(world.open(other), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.director.set_sysctls({.expire_nodest_conn = 1});  // VAL-23: too late for the sweep
  EXPECT_THAT(world.connections(), SizeIs(2));
  EXPECT_EQ(world.send(flow, kAck), "pass");
  EXPECT_EQ(world.send(other, kSyn), "r2");
  EXPECT_THAT(world.connections(), SizeIs(1));
}

// VAL-21
TEST_F(ConfigurationTest, DeletingWithNodestExpirySweeps) {
  world.director.set_sysctls({.expire_nodest_conn = 1});
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(visit(2), "r2");
  EXPECT_EQ(remove(3), Outcome::kOk);
  ASSERT_THAT(world.templates(), SizeIs(1));
  EXPECT_EQ(world.templates()[0].client, client(2));
  world.director.clear(world.now());
  EXPECT_THAT(world.director.entries(world.now()), IsEmpty());
}

// VAL-22
TEST_F(ConfigurationTest, ASynToAQuiescentServerIsScheduledAnewThroughTheTemplate) {
  Flow flow{.from = client(1)};
  EXPECT_EQ(world.open(flow), "r3");
  EXPECT_EQ(weight(3, 0), Outcome::kOk);
  world.director.set_sysctls({.expire_nodest_conn = 1});
  world.elapse(100s);
  EXPECT_EQ(world.open(flow), "r3");
  EXPECT_EQ(world.template_expires_in(), 300);
  world.elapse(2s);
  EXPECT_EQ(world.director.totals().connections, 2u);
  world.director.set_sysctls({.expire_nodest_conn = 1, .expire_quiescent_template = 1});
  EXPECT_EQ(world.open(flow), "r2");
}

// EDT-03, EDT-04
TEST_F(ConfigurationTest, SwitchingPersistenceOffHidesTemplatesUntilItIsBack) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(edit(scheduled_by("rr")), Outcome::kOk);
  EXPECT_EQ(visit(1), "r2");
  EXPECT_EQ(visit(1), "r1");
  EXPECT_THAT(world.templates(), SizeIs(1));
  EXPECT_EQ(edit(persistent(500)), Outcome::kOk);
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(world.template_expires_in(), 300);  // its own timeout
}

// TPL-16, EDT-05
TEST_F(ConfigurationTest, AnotherMaskHidesTemplates) {
  EXPECT_EQ(visit(1), "r3");
  ServiceSettings wide = persistent(300);
  wide.netmask = AddressMask::v4(0xffffff00);
  EXPECT_EQ(edit(wide), Outcome::kOk);
  EXPECT_EQ(visit(1), "r2");
  EXPECT_EQ(visit(2), "r2");
  EXPECT_EQ(edit(persistent(300)), Outcome::kOk);
  EXPECT_EQ(visit(1), "r3");
}

// EDT-06, EDT-09
TEST_F(ConfigurationTest, TheSchedulersPlaceSurvivesAnEdit) {
  EXPECT_EQ(world.sequence(1), "r3");
  EXPECT_EQ(edit(persistent(30)), Outcome::kOk);
  EXPECT_EQ(world.sequence(1), "r2");
  EXPECT_EQ(edit(persistent(40, "nonsense")), Outcome::kNoSuchScheduler);
  EXPECT_EQ(world.director.services()[0]->settings.timeout_s, 30u);
  EXPECT_EQ(world.sequence(2), "r1 r3");
}

// EDT-10, EDT-11, DST-03, DST-04
TEST_F(ConfigurationTest, EverythingRevivesWhenTheServiceIsCreatedAgain) {
  Flow flow{.from = client(1)};
  EXPECT_EQ(world.open(flow), "r3");
  world.director.clear(world.now());
  EXPECT_THAT(world.director.services(), IsEmpty());
  EXPECT_THAT(world.director.entries(world.now()), SizeIs(2));
  EXPECT_EQ(world.send(flow, kAck), "pass");

  world.serve(kService, persistent(33, "wlc"), {1, 1, 1});
  EXPECT_EQ(world.send(flow, kAck), "r3");
  EXPECT_EQ(world.server(kService, 3).active, 1u);
  world.elapse(10s);
  EXPECT_EQ(world.server(kService, 3).statistics.shown(),
            (Counters{.connections = 1, .in_packets = 3, .in_bytes = 180}));
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(world.template_expires_in(), 300);
}

// DST-03, DST-04
TEST_F(ConfigurationTest, AServerThatReturnsIsTheSameOne) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  EXPECT_EQ(add(3, {.weight = 5}), Outcome::kOk);
  const RealServer& server = world.server(kService, 3);
  EXPECT_EQ(server.inactive, 1u);
  EXPECT_EQ(server.persistent, 1u);
  world.elapse(2s);
  EXPECT_EQ(world.server(kService, 3).statistics.shown().connections, 1u);
  EXPECT_EQ(server.settings.weight, 5);
}

// DST-03: identity in the trash includes the service.
TEST_F(ConfigurationTest, AServerReturnsToItsOwnServiceOnly) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.serve(tcp_service(81), scheduled_by("rr"), {1, 1, 1});
  EXPECT_EQ(world.server(tcp_service(81), 3).persistent, 0u);
}

// FR-96: a template that times out after its server is gone takes the server with it, and nothing else.
TEST_F(ConfigurationTest, ATemplateMayOutliveItsServer) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.elapse(301s);
  EXPECT_THAT(world.director.entries(world.now()), IsEmpty());
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(world.server(kService, 3).references, 0u);
  EXPECT_EQ(visit(1), "r3");
}

// DST-05, DST-06
TEST_F(ConfigurationTest, ServersAreListedLastAddedFirst) {
  const auto order = [&] {
    std::string names;
    for (const RealServer* server : world.director.services()[0]->servers) names += name_of(server->key.address);
    return names;
  };
  EXPECT_EQ(order(), "r3r2r1");
  EXPECT_EQ(weight(1, 7), Outcome::kOk);
  EXPECT_EQ(order(), "r3r2r1");
  EXPECT_EQ(remove(2), Outcome::kOk);
  EXPECT_EQ(add(2), Outcome::kOk);
  EXPECT_EQ(order(), "r2r3r1");
}

// DST-08
TEST_F(ConfigurationTest, EntriesKeepTheirMethod) {
  Flow flow{.from = client(1)};
  world.open(flow);
  EXPECT_EQ(world.director.edit_server(kService, real(3), {.method = ForwardMethod::kMasquerade}), Outcome::kOk);
  world.send(flow, kAck);
  EXPECT_EQ(world.last().method, ForwardMethod::kDirectRoute);
  visit(1);
  EXPECT_EQ(world.last().method, ForwardMethod::kMasquerade);
}

// SVC-16, EDT-08, DST-09, DST-11, NLK-02
TEST_F(ConfigurationTest, RefusesAsTheKernelDoes) {
  Director& director = world.director;
  EXPECT_EQ(director.add_service(kService, {}), Outcome::kServiceExists);
  EXPECT_EQ(director.add_service(tcp_service(81), {.scheduler = "nonsense"}), Outcome::kNoSuchScheduler);
  EXPECT_EQ(director.edit_service(tcp_service(81), {}), Outcome::kNoSuchService);
  EXPECT_EQ(director.remove_service(world.now(), tcp_service(81)), Outcome::kNoSuchService);
  EXPECT_EQ(director.add_server(tcp_service(81), real(1), {}), Outcome::kNoSuchService);
  EXPECT_EQ(add(1), Outcome::kServerExists);
  EXPECT_EQ(add(1, {.method = ForwardMethod::kTunnel}), Outcome::kServerExists);
  EXPECT_EQ(director.add_server(kService, real(1, 8080), {}), Outcome::kOk);
  EXPECT_EQ(remove(9), Outcome::kNoSuchServer);
  EXPECT_EQ(director.edit_server(kService, real(9), {}), Outcome::kNoSuchServer);
  EXPECT_EQ(add(4, {.weight = -1}), Outcome::kOutOfRange);
  EXPECT_EQ(add(4, {.lower_threshold = 1}), Outcome::kOutOfRange);
  EXPECT_EQ(add(4, {.tunnel = {.type = TunnelType::kGue}}), Outcome::kInvalid);
  EXPECT_EQ(director.add_server(kService, {.family = Family::kIpv6, .address = rip(4)}, {}), Outcome::kInvalid);
  EXPECT_EQ(director.add_service(mark_service(1), {}), Outcome::kOk);
  EXPECT_EQ(director.add_service({.fwmark = 1, .port = 80}, {}), Outcome::kServiceExists);
}

// DST-11: the address of a new server.
TEST_F(ConfigurationTest, ServersHaveUnicastAddresses) {
  const auto try_address = [&](const RealServerKey& key, const ServiceKey& service) {
    return world.director.add_server(service, key, {});
  };
  for (const std::uint32_t refused : {0x00000000u, 0xe0000001u, 0xefffffffu, 0xffffffffu}) {
    EXPECT_EQ(try_address({.address = Address::v4(refused)}, kService), Outcome::kInvalid) << refused;
  }
  for (const std::uint32_t taken : {0x00000001u, 0x01000001u, 0x7f000001u, 0xdfffffffu, 0xf0000001u}) {
    EXPECT_EQ(try_address({.address = Address::v4(taken)}, kService), Outcome::kOk) << taken;
  }
  ServiceKey six = tcp_service(80);
  six.family = Family::kIpv6;
  ASSERT_EQ(world.director.add_service(six, {}), Outcome::kOk);
  const auto v6 = [](std::initializer_list<std::uint8_t> head, std::uint8_t last) {
    RealServerKey key{.family = Family::kIpv6};
    std::copy(head.begin(), head.end(), key.address.bytes.begin());
    key.address.bytes[15] = last;
    return key;
  };
  EXPECT_EQ(try_address(v6({}, 0), six), Outcome::kInvalid);            // ::
  EXPECT_EQ(try_address(v6({0xff, 0x02}, 1), six), Outcome::kInvalid);  // multicast
  EXPECT_EQ(try_address(v6({0xfe, 0x80}, 1), six), Outcome::kInvalid);  // link-local
  EXPECT_EQ(try_address(v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10}, 1), six), Outcome::kInvalid);  // mapped
  EXPECT_EQ(try_address(v6({}, 1), six), Outcome::kOk);                                                   // ::1
  EXPECT_EQ(try_address(v6({0xfd}, 1), six), Outcome::kOk);
  EXPECT_EQ(try_address(v6({0x20, 0x01}, 1), six), Outcome::kOk);
}

// TPL-11: a prefix of no bits is refused for IPv6, unlike for IPv4.
TEST_F(ConfigurationTest, AnIpv6MaskHasAtLeastOneBit) {
  ServiceKey six = tcp_service(80);
  six.family = Family::kIpv6;
  ServiceSettings settings = persistent(300);
  settings.netmask = AddressMask::prefix(0);
  EXPECT_EQ(world.director.add_service(six, settings), Outcome::kInvalid);
  EXPECT_EQ(edit(settings), Outcome::kOk);
  settings.netmask = AddressMask::prefix(1);
  EXPECT_EQ(world.director.add_service(six, settings), Outcome::kOk);
  settings.netmask = AddressMask::prefix(0);
  EXPECT_EQ(world.director.edit_service(six, settings), Outcome::kInvalid);
}

// NLK-06
TEST_F(ConfigurationTest, TimeoutsHaveALimit) {
  EXPECT_EQ(world.director.set_timeouts({.tcp_s = 5, .tcp_fin_s = 0, .udp_s = 21474837}), Outcome::kInvalid);
  EXPECT_EQ(world.director.timeouts().tcp_s, 900u);
  EXPECT_EQ(world.director.set_timeouts({.tcp_s = 5, .tcp_fin_s = 0, .udp_s = 21474836}), Outcome::kOk);
  EXPECT_EQ(world.director.timeouts().tcp_s, 5u);
  EXPECT_EQ(world.director.timeouts().tcp_fin_s, 120u);
}

// NLK, attribute SCHED_NAME: a service without a scheduler finds nobody; its templates go on.
TEST_F(ConfigurationTest, NoSchedulerFindsNobody) {
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(edit(persistent(300, "none")), Outcome::kOk);
  EXPECT_EQ(visit(1), "r3");
  EXPECT_EQ(visit(2), "reject");
  EXPECT_EQ(edit(persistent(300)), Outcome::kOk);
  EXPECT_EQ(visit(2), "r3");
}

// CON-76, CON-77, DST-04, EDT-11
class StatisticsTest : public ConfigurationTest {
 protected:
  std::uint64_t connections(int n) { return world.server(kService, n).statistics.shown().connections; }
};

TEST_F(StatisticsTest, AreASnapshotEveryTwoSeconds) {
  visit(1);
  EXPECT_EQ(connections(3), 0u);
  world.elapse(1999ms);
  EXPECT_EQ(connections(3), 0u);
  world.elapse(1ms);
  EXPECT_EQ(connections(3), 1u);
  EXPECT_EQ(world.director.services()[0]->statistics.shown().connections, 1u);
  EXPECT_EQ(world.director.totals().connections, 1u);
  visit(1);
  EXPECT_EQ(connections(3), 1u);
}

TEST_F(StatisticsTest, StandStillWithoutEstimation) {
  world.director.set_sysctls({.run_estimation = 0});
  visit(1);
  world.elapse(100s);
  EXPECT_EQ(connections(3), 0u);
  world.director.set_sysctls({});
  EXPECT_EQ(connections(3), 0u);
  world.elapse(2s);
  EXPECT_EQ(connections(3), 1u);
}

TEST_F(StatisticsTest, ZeroIsForOneServiceOrForAll) {
  world.serve(tcp_service(81), scheduled_by("rr"), {1});
  visit(1);
  world.visit({.from = client(1), .port = 81});
  world.elapse(2s);
  EXPECT_EQ(world.director.zero(world.now(), kService), Outcome::kOk);
  EXPECT_EQ(connections(3), 0u);
  EXPECT_EQ(world.director.services()[0]->statistics.shown(), Counters{});
  EXPECT_EQ(world.director.services()[1]->statistics.shown().connections, 1u);
  EXPECT_EQ(world.director.totals().connections, 2u);
  world.director.zero(world.now());
  EXPECT_EQ(world.director.services()[1]->statistics.shown(), Counters{});
  EXPECT_EQ(world.server(tcp_service(81), 1).statistics.shown(), Counters{});
  EXPECT_EQ(world.director.totals(), Counters{});
  EXPECT_EQ(world.director.zero(world.now(), tcp_service(82)), Outcome::kNoSuchService);
  EXPECT_THAT(world.templates(), SizeIs(1));
}

// DST-02: looked at 60 s after the first removal and every 60 s; freed when idle at two checks 120 s apart.
TEST_F(StatisticsTest, AServerStaysTwoMinutesInTheTrash) {
  ASSERT_EQ(world.director.edit_service(kService, scheduled_by("rr")), Outcome::kOk);
  visit(1);
  world.elapse(200s);  // nothing is bound to it any more
  EXPECT_EQ(connections(3), 1u);
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.elapse(179999ms);
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(connections(3), 1u);
  EXPECT_EQ(remove(3), Outcome::kOk);
  world.elapse(180s);
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(connections(3), 0u);
}

// DST-02: with something bound to it, it stays.
TEST_F(StatisticsTest, AServerWithATemplateStaysInTheTrash) {
  visit(1);
  world.elapse(2s);
  EXPECT_EQ(remove(3), Outcome::kOk);  // checks at 62, 122, ...; the template goes at 300
  world.elapse_until(421s);
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(connections(3), 1u);
  EXPECT_EQ(remove(3), Outcome::kOk);  // idle since the check at 302 no more: the trash was empty
  world.elapse(180s);
  EXPECT_EQ(add(3), Outcome::kOk);
  EXPECT_EQ(connections(3), 0u);
}

class ThresholdTest : public testing::Test {
 protected:
  void serve(const ServiceSettings& settings, RealServerSettings server) {
    ASSERT_EQ(world.director.add_service(kService, settings), Outcome::kOk);
    ASSERT_EQ(world.director.add_server(kService, real(1), server), Outcome::kOk);
  }
  const ServiceKey kService = tcp_service(80);
  World world;
};

// DST-20, DST-21
TEST_F(ThresholdTest, TheSixthIsRefusedUntilThreeAreLeft) {
  serve(scheduled_by("rr"), {.upper_threshold = 5});
  std::vector<Flow> flows(5);
  for (int n = 0; n < 5; ++n) {
    flows[n].from = client(n);
    EXPECT_EQ(world.open(flows[n]), "r1");
  }
  EXPECT_EQ(world.visit({.from = client(9)}), "reject");
  const auto end = [&](int n) {
    world.send(flows[n], kRst);
    world.elapse(10s);
  };
  end(0);
  EXPECT_EQ(world.visit({.from = client(9)}), "reject");
  end(1);
  EXPECT_EQ(world.open({.from = client(9)}), "r1");
  EXPECT_EQ(world.open({.from = client(9)}), "r1");
  EXPECT_EQ(world.open({.from = client(9)}), "reject");
}

// DST-22
TEST_F(ThresholdTest, TemplatesPushAServerAboveItsLimit) {
  serve(persistent(300), {.upper_threshold = 2});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(world.open({.from = client(1)}), "r1");
  EXPECT_EQ(world.open({.from = client(2)}), "reject");
  EXPECT_EQ(world.server(kService, 1).active, 6u);
}

// DST-23, the rule of 6.1.176: one more gets through.
TEST_F(ThresholdTest, AnEditIsNoticedByTheNextConnection) {
  serve(scheduled_by("rr"), {});
  for (int n = 0; n < 4; ++n) world.open({.from = client(n)});
  EXPECT_EQ(world.director.edit_server(kService, real(1), {.upper_threshold = 2}), Outcome::kOk);
  EXPECT_EQ(world.open({.from = client(9)}), "r1");
  EXPECT_EQ(world.open({.from = client(9)}), "reject");
  EXPECT_EQ(world.director.edit_server(kService, real(1), {.upper_threshold = 9}), Outcome::kOk);
  EXPECT_EQ(world.open({.from = client(9)}), "r1");
}

}  // namespace
}  // namespace lvspec::director
