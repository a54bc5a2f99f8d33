// What is listed: settings read back as they were set, servers in their order, remaining times, counters.

#include <map>

#include "harness/ruleset/read.h"
#include "harness/ruleset/write.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class TablesListed : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(300s);

  /// Two rounds of the estimation timer, so that one has certainly begun after what was counted (CON-76).
  static void let_estimate(Bench& bench) { bench.elapse(2 * past(bench, 2s)); }
};

// Field: FR-27, FR-28, FR-79, FR-98.
LVSPEC_CASE(TablesListed, EverySettingIsReadBack,
            {.id = "tables.every-setting-is-read-back",
             .claim = "Services of every protocol, mark and family, plain, with -p, with -p N, with -M, with -o and "
                      "with scheduler flags are read back as they were set, and each change changes nothing else.",
             .clauses = {"EDT-01", "SVC-16"},
             .field_reports = {"FR-27", "FR-28", "FR-79", "FR-98"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  const std::vector<ServiceBuilder> kinds = {TcpService(kVip, 80),   UdpService(kVip, 80),    SctpService(kVip, 80),
                                             MarkService(8),         TcpService(kVip6, 80),   UdpService(kVip6, 80),
                                             SctpService(kVip6, 80), MarkService(8, AF_INET6)};
  for (const ServiceBuilder& kind : kinds) {
    const ServiceId id = kind.get().id;
    const bool has_datagrams = id.is_mark() || id.protocol == Protocol::kUdp;
    const auto narrowed = [&](ServiceBuilder service) {
      return id.family == AF_INET ? service.mask("255.255.255.0") : service.mask(64);
    };
    ServiceBuilder plain = kind;
    plain.scheduler("sh");
    std::vector<VirtualService> variants = {plain,
                                            ServiceBuilder(plain).persistent(),
                                            ServiceBuilder(plain).persistent(777s),
                                            narrowed(ServiceBuilder(plain).persistent(777s)),
                                            ServiceBuilder(plain).flags({"sh-fallback"}),
                                            ServiceBuilder(plain).flags({"sh-port"}).persistent(777s),
                                            ServiceBuilder(plain).flags({"sh-fallback", "sh-port"}),
                                            plain};
    if (has_datagrams) {
      variants.push_back(ServiceBuilder(plain).one_packet());
      variants.push_back(narrowed(ServiceBuilder(plain).one_packet().persistent(777s)));
    }
    const auto as_set = [&](VirtualService wanted) {
      VirtualService found = bench.service(id).service;
      found.servers = wanted.servers = {};
      EXPECT_THAT(found, Eq(wanted));
    };
    ASSERT_OK(bench.add(variants.front()));
    for (const VirtualService& wanted : variants) {
      ASSERT_OK(bench.edit(wanted));
      as_set(wanted);
    }
    ASSERT_OK(bench.remove(id));
    VirtualService anew = variants.back();
    ASSERT_OK(bench.add(anew));  // by -A as by -E
    as_set(anew);
  }
}

// Up to the 31 days that ipvsadm takes. Field: FR-11, FR-13, FR-111.
LVSPEC_CASE(TablesListed, EveryWindowIsReadBackAndUsed,
            {.id = "tables.every-window-is-read-back-and-used",
             .claim = "-p from 1 s over 65535, 65536, 86400 and 86401 s to 31 days is read back as it was set, and a "
                      "client's template is armed for all of it.",
             .clauses = {"TPL-30"},
             .field_reports = {"FR-07", "FR-11", "FR-13", "FR-111"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {81, 82, 83, 84, 85, 86}})));
  std::uint16_t port = 81;
  for (const std::chrono::seconds window : {1s, 65535s, 65536s, 86400s, 86401s, kLongestPersistence}) {
    const VirtualService service = TcpService(kVip, port).scheduler("rr").persistent(window);
    ASSERT_OK(bench.add(service));
    EXPECT_THAT(bench.service(service.id).service.persistent_s, Eq(std::optional<std::uint32_t>(window.count())));
    const Answer first = bench.client(1).connect(kVip, port);
    EXPECT_THAT(bench.client(1).connect(kVip, port), ServedBy(first.server));
    EXPECT_THAT(bench.client(2).connect(kVip, port), ServedBy(Ne(first.server)));
    EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.vport = port, .expires = window})));
    ++port;
  }
}

// The listing is the kernel's own list; ipvsadm sorts it. Source: ip_vs_ctl.c, __ip_vs_update_dest().
LVSPEC_CASE(TablesListed, ServersNewestFirst,
            {.id = "tables.servers-newest-first",
             .claim = "A service's servers are listed in its own order: the last added first, one that was removed "
                      "and added again before all others.",
             .clauses = {"DST-05", "DST-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(service_));
  const auto listed = [&] {
    std::vector<std::string> servers;
    for (const ServerState& server : bench.service(service_.id).servers)
      servers.push_back(bench.name_of(server.server.address));
    return servers;
  };
  EXPECT_THAT(listed(), ElementsAre("real3", "real2", "real1"));
  ASSERT_OK(bench.remove_server(service_.id, {bench.rip(1), 80}));
  ASSERT_OK(bench.add_server(service_.id, {.address = bench.rip(1), .port = 80}));
  EXPECT_THAT(listed(), ElementsAre("real1", "real3", "real2"));
}

// Any address may be virtual: whether it is the machine's own, or anybody's, is not asked. Each network namespace has
// tables of its own. Source: ip_vs_ctl.c, ip_vs_add_service().
LVSPEC_CASE(TablesListed, AnyAddressMayBeVirtual,
            {.id = "tables.any-address-may-be-virtual",
             .claim = "A service on a foreign, a multicast or the null address is taken and listed, in the tables of "
                      "its own namespace and not in those of another.",
             .clauses = {"SVC-17"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1).standby()));
  for (const char* address : {"192.0.2.77", "224.0.0.5", "0.0.0.0", "255.255.255.255", "ff02::1"}) {
    const VirtualService service =
        TcpService(address, 80).scheduler("rr").server(bench.rip(1, IpAddress::of(address).family()));
    ASSERT_OK(bench.add(service));
    EXPECT_THAT(bench.service(service.id).servers, SizeIs(1));
  }
  EXPECT_THAT(bench.tables().services, SizeIs(5));
  EXPECT_THAT(bench.standby_tables().services, IsEmpty());
}

// Source: ip_vs_conn.c, ip_vs_check_template(): renamed, still bound. Field: FR-78.
LVSPEC_CASE(
    TablesListed, ARejectedTemplateStillCounts,
    {.id = "tables.rejected-template-still-counts",
     .claim = "A rejected template is listed with port 65535 beside its successor, and counts in PersistConn of "
              "its old server until its own window ends.",
     .clauses = {"VAL-04", "VAL-05", "CON-70"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2)));
  ASSERT_OK(bench.add(service_));
  ASSERT_OK(bench.set_sysctl("expire_quiescent_template", 1));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real2"));
  bench.elapse(150s);
  ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, "real2", 0)));
  ASSERT_THAT(bench.client(1).connect(kVip, 80), ServedBy("real1"));
  EXPECT_THAT(
      bench.templates(),
      ElementsAre(TemplateOf(EntryParts{.vport = 80, .server = bench.rip(1), .sport = 80, .expires = 300s}),
                  TemplateOf(EntryParts{.vport = 65535, .server = bench.rip(2), .sport = 65535, .expires = 150s})));
  EXPECT_THAT(bench.server(service_.id, "real1").persistent, Eq(1U));
  EXPECT_THAT(bench.server(service_.id, "real2").persistent, Eq(1U));
  bench.elapse(past(bench, 300s) - 150s);
  EXPECT_THAT(bench.templates(), ElementsAre(TemplateOf(EntryParts{.vport = 80, .server = bench.rip(1)})));
  EXPECT_THAT(bench.server(service_.id, "real2").persistent, Eq(0U));
}

// Source: ip_vs_conn.c, ip_vs_conn_seq_show(). Field: FR-03.
LVSPEC_CASE(TablesListed, RemainingTimesStayWithinTheWindow,
            {.id = "tables.remaining-time-within-the-window",
             .claim = "The time left counts down second by second, is never more than the window nor less than "
                      "nothing, and stands at 0 while a timer is late.",
             .clauses = {"TIM-05", "TIM-01"},
             .field_reports = {"FR-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(2, {.tcp = {}, .udp = {53}})));
  ASSERT_OK(bench.add(UdpService(kVip, 53).scheduler("rr").persistent(100s).one_packet()));
  ASSERT_THAT(bench.client(1).udp(kVip, 53), Answered());
  const auto start = bench.elapsed();
  for (; bench.elapsed() - start < 99s; bench.elapse(3s)) {
    const auto left = 100s - (bench.elapsed() - start);
    const std::vector<Entry> templates = bench.templates();
    ASSERT_THAT(templates, SizeIs(1));
    EXPECT_THAT(templates.front().expires_in,
                AllOf(Le(left + 1s), Ge(left - 2s)));  // whole seconds, and a while to read
  }
  const auto end = start + past(bench, 100s);
  for (; bench.elapsed() < end; bench.elapse(200ms)) {
    for (const Entry& late : bench.templates()) EXPECT_THAT(late.expires_in, AllOf(Le(2s), Ge(0ns)));
  }
  EXPECT_THAT(bench.templates(), IsEmpty());
}

// Nobody asks whether a template has expired; it is there or it is gone. Source: ip_vs_conn.c, ip_vs_ct_in_get().
LVSPEC_CASE(
    TablesListed, WhatIsListedIsUsed,
    {.id = "tables.listed-template-is-used",
     .claim = "Whenever around the end of its window a client comes back, its server has it if and only if its "
              "template was still listed; then it has a whole window again.",
     .clauses = {"TIM-03", "TPL-31"},
     .field_reports = {"FR-03", "FR-19"}}) {
  constexpr int kClients = 8;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(kClients).real_servers(3)));
  ASSERT_OK(bench.add(service_));
  std::map<int, Answer> first;
  for (int i = 1; i <= kClients; ++i) first[i] = bench.client(i).connect(kVip, 80);
  bench.elapse(298s);
  for (int i = 1; i <= kClients; ++i) {
    const auto mine = TemplateOf(EntryParts{.client = bench.client(i).cip(), .vport = 80});
    const bool listed = ::testing::Matches(Contains(mine))(bench.templates());
    const std::string server = first[i].server;
    const Answer now = connect_while_quiescent(bench, service_.id, bench.client(i), kVip, 80, server);
    if (listed) {
      EXPECT_THAT(now, ServedBy(server));
    } else {
      EXPECT_THAT(now, ServedBy(Ne(server)));
    }
    EXPECT_THAT(bench.templates(),
                Contains(TemplateOf(EntryParts{.client = bench.client(i).cip(), .vport = 80, .expires = 300s})));
    bench.elapse(1s);
  }
}

// Field: FR-19.
LVSPEC_CASE(TablesListed, ReadingChangesNothing,
            {.id = "tables.reading-changes-nothing",
             .claim = "A window ends at its time whether the tables are read every second or not at all.",
             .clauses = {"TPL-33"},
             .field_reports = {"FR-19"}}) {
  for (const bool read : {false, true}) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(1).real_servers(3)));
    ASSERT_OK(bench.add(service_));
    const Answer first = bench.client(1).connect(kVip, 80);
    ASSERT_THAT(first, Answered());
    const auto end = past(bench, 300s);
    if (read) {
      for (; bench.elapsed() + 10s < end; bench.elapse(10s)) bench.tables();
    }
    bench.elapse(end - bench.elapsed());
    ASSERT_OK(bench.edit_server(service_.id, with_weight(bench, service_.id, first.server, 0)));
    EXPECT_THAT(bench.client(1).connect(kVip, 80), ServedBy(Ne(first.server)));
  }
}

// A datagram of 28 bytes of headers and 5 of its own. Source: ip_vs_core.c, ip_vs_in_stats(), ip_vs_out_stats().
LVSPEC_CASE(TablesListed, StatisticsCountPacketsAndBytes,
            {.id = "tables.statistics-count-packets-and-bytes",
             .claim = "--stats counts a connection once and its packets with their IP headers; in direct routing "
                      "nothing goes out, behind NAT the replies do.",
             .clauses = {"CON-75", "CON-72"}}) {
  for (const bool nat : {false, true}) {
    BenchPlan plan = BenchPlan().real_servers(1, {.tcp = {}, .udp = {53}});
    if (nat) plan.masquerading();
    ASSERT_OK_AND_ASSIGN(Bench bench, build(plan));
    const VirtualService dns = UdpService(kVip, 53).scheduler("rr").persistent(300s);
    ASSERT_OK(bench.add(dns));
    BenchClient client = bench.mute_client(1);
    for (int i = 0; i < 3; ++i) client.send_datagram(kVip, 53, 40000, "hello");
    client.send_datagram(kVip, 53, 40001, "hello");
    let_estimate(bench);
    for (const auto& [conns, traffic] :
         {std::pair(bench.service(dns.id).connections, bench.service(dns.id).traffic),
          std::pair(bench.server(dns.id, "real1").connections, bench.server(dns.id, "real1").traffic)}) {
      EXPECT_THAT(conns, Eq(2U));  // the template is none
      EXPECT_THAT(traffic.in_packets, Eq(4U));
      EXPECT_THAT(traffic.in_bytes, Eq(4U * (20 + 8 + 5)));
      EXPECT_THAT(traffic.out_packets, Eq(nat ? 4U : 0U));
      EXPECT_THAT(traffic.out_bytes > 0, Eq(nat));
    }
  }
}

// The picture of every web farm. Source: ip_vs_proto_tcp.c, tcp_state_active_table, tcp_timeouts.
LVSPEC_CASE(TablesListed, FinishedConnectionsAreInactive,
            {.id = "tables.finished-connections-are-inactive",
             .claim = "In direct routing finished requests count as InActConn for 120 s and never as ActiveConn.",
             .clauses = {"CON-73", "CON-27"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(service_));
  for (int i = 0; i < 4; ++i) ASSERT_THAT(bench.client(1).http(kVip, 80), ServedBy("real1"));
  const auto counted = [&] {
    const ServerState server = bench.server(service_.id, "real1");
    return std::array{server.active, server.inactive, server.persistent};
  };
  EXPECT_THAT(counted(), ElementsAre(0U, 4U, 1U));
  bench.elapse(119s);
  EXPECT_THAT(counted(), ElementsAre(0U, 4U, 1U));
  bench.elapse(past(bench, 120s) - 119s);
  EXPECT_THAT(counted(), ElementsAre(0U, 0U, 1U));
}

// Source: ip_vs_proto_tcp.c, tcp_state_active_table.
LVSPEC_CASE(TablesListed, HalfOpenConnectionsAreActive,
            {.id = "tables.half-open-connections-are-active",
             .claim = "SYN_RECV, SYNACK and ESTABLISHED count as ActiveConn; FIN_WAIT, CLOSE and TIME_WAIT do not.",
             .clauses = {"CON-27", "CON-71", "CON-70"}}) {
  constexpr std::uint8_t kSyn = 0x02, kAck = 0x10, kFinAck = 0x11, kRst = 0x04;
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr")));
  ASSERT_OK(bench.set_sysctl("conn_reuse_mode", 0));
  BenchClient mute = bench.mute_client(1);
  const auto expect_after = [&](std::vector<std::uint8_t> flags, const char* state, std::uint32_t active) {
    static std::uint16_t from = 40000;
    ++from;
    const std::uint32_t before = bench.server(service_.id, "real1").active;
    for (const std::uint8_t segment : flags) mute.send_segment(kVip, 80, from, segment);
    EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.cport = from, .state = state})));
    EXPECT_THAT(bench.server(service_.id, "real1").active - before, Eq(active));
  };
  expect_after({kSyn}, "SYN_RECV", 1);
  expect_after({kSyn, kAck}, "ESTABLISHED", 1);
  expect_after({kSyn, kAck, kFinAck}, "FIN_WAIT", 0);
  expect_after({kSyn, kFinAck}, "TIME_WAIT", 0);
  expect_after({kSyn, kAck, kRst}, "CLOSE", 0);
  ASSERT_OK(bench.set_sysctl("secure_tcp", 3));
  expect_after({kSyn}, "SYNACK", 1);
}

// Source: ip_vs_proto_tcp.c, tcp_states, INPUT_ONLY.
LVSPEC_CASE(
    TablesListed, TheServersCloseIsNotSeen,
    {.id = "tables.server-close-is-not-seen",
     .claim = "When the server ends a connection, direct routing goes on listing it as ESTABLISHED and Active "
              "until the client ends it too; NAT lists it as FIN_WAIT.",
     .clauses = {"CON-25", "CON-23"},
     .field_reports = {"FR-118"}}) {
  for (const bool nat : {false, true}) {
    BenchPlan plan = BenchPlan().real_servers(1);
    if (nat) plan.masquerading();
    ASSERT_OK_AND_ASSIGN(Bench bench, build(plan));
    ASSERT_OK(bench.add(service_));
    const Connection held = bench.client(1).hold(kVip, 80);
    bench.stop_server("real1");
    EXPECT_THAT(bench.connections(),
                ElementsAre(ConnectionOf(EntryParts{.state = nat ? "FIN_WAIT" : "ESTABLISHED"})));
    EXPECT_THAT(bench.server(service_.id, "real1").active, Eq(nat ? 0U : 1U));
  }
}

// What is saved is what the director has, not what it was told: a flag that is not told, or is told in a form that is
// not read, is lost here. Thresholds and masks without persistence are not saved by ipvsadm either (DST-25). Field:
// FR-109.
LVSPEC_CASE(TablesListed, SavedRulesComeBack,
            {.id = "tables.saved-rules-come-back",
             .claim = "Rules of every kind, saved from the tables as ipvsadm-save prints them, cleared, restored and "
                      "saved again, are the same text byte for byte; and clients stick again.",
             .clauses = {"EDT-01", "TPL-01"},
             .field_reports = {"FR-109", "FR-27"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(2).real_servers(3, {.tcp = {81}})));
  const auto both = [&bench](ServiceBuilder service) {
    const int family = service.get().id.family;
    const std::uint16_t port = service.get().id.is_mark() ? 0 : service.get().id.port;
    return service.server(bench.rip(1, family), {.port = port, .weight = 3})
        .server(bench.rip(2, family), {.port = port, .method = ForwardMethod::kMasquerade})
        .server(bench.rip(3, family), {.port = port, .method = ForwardMethod::kTunnel, .weight = 0});
  };
  const VirtualService sticky = TcpService(kVip, 81)
                                    .scheduler("rr")
                                    .persistent(300s)
                                    .server(bench.rip(1))
                                    .server(bench.rip(2))
                                    .server(bench.rip(3));
  const std::vector<VirtualService> services = {
      sticky,
      both(TcpService(kVip, 80).scheduler("rr").persistent(300s)),
      both(TcpService(kVip, kAnyPort).scheduler("wlc").persistent(777s).mask("255.255.255.0")),
      both(UdpService(kVip, 53).scheduler("wrr").one_packet()),
      both(UdpService(kVip, 5060).scheduler("rr").persistent(100s).mask("0.0.0.0").pe("sip")),
      both(SctpService(kVip, 3868).scheduler("sh").flags({"sh-fallback", "sh-port"})),
      both(TcpService(kVip, 443).scheduler("mh").flags({"mh-port"}).persistent()),
      both(MarkService(1).scheduler("lc").one_packet().persistent(50s)),
      both(MarkService(0xffffffff).scheduler("sed")),
      both(MarkService(1, AF_INET6).scheduler("nq").persistent(60s).mask(64)),
      both(TcpService(kVip6, 80).scheduler("rr").persistent(300s).mask(127)),
      both(UdpService(kVip6, 53).scheduler("fo").one_packet())};
  for (const VirtualService& service : services) ASSERT_OK(bench.add(service));

  // The director lists the last one first (DST-05), ipvsadm-save sorts; here each service is in a place of its own.
  const auto saved = [&] {
    Ruleset rules;
    for (const VirtualService& service : services) {
      ServiceState state = bench.service(service.id);
      state.service.servers = {};
      for (auto server = state.servers.rbegin(); server != state.servers.rend(); ++server)
        state.service.servers.push_back(server->server);
      rules.services.push_back(state.service);
    }
    return write_ipvsadm(rules);
  };
  const std::string before = saved();
  EXPECT_THAT(before, HasSubstr("--pe sip"));
  ASSERT_OK(bench.clear());
  ASSERT_THAT(bench.tables().services, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const Ruleset restored, read_ruleset(before, "saved.rules"));
  ASSERT_OK(bench.add(restored));
  EXPECT_THAT(saved(), Eq(before));
  EXPECT_THAT(saved(), Eq(write_ipvsadm(Ruleset{services, {}})));  // and what it was told in the first place

  const Answer first = bench.client(1).connect(kVip, 81);
  EXPECT_THAT(bench.client(1).connect_times(3, kVip, 81), Each(ServedBy(first.server)));
  EXPECT_THAT(bench.client(2).connect(kVip, 81), ServedBy(Ne(first.server)));
}

}  // namespace
}  // namespace lvspec
