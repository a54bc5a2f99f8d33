// Whom each scheduler chooses, connection by connection. The sequences are worked out from the clauses (section 7);
// servers are met in list order, the last added first (SCH-01, DST-05).

#include <array>

#include "suites/support.h"

namespace lvspec {
namespace {

class Schedulers : public testing::DirectorTest {
 protected:
  const ServiceId service_ = ServiceId::of(Protocol::kTcp, kVip, 80);

  /// real1, real2, real3, added in this order with these weights.
  static ServiceBuilder pool(const Bench& bench, const char* scheduler, std::array<int, 3> weights = {1, 1, 1},
                             const IpAddress& vip = kVip) {
    ServiceBuilder service = TcpService(vip, 80).scheduler(scheduler);
    for (int i = 1; i <= 3; ++i) {
      service.server(bench.rip(i, vip.family()), {.weight = weights[static_cast<std::size_t>(i) - 1]});
    }
    return service;
  }

  /// One short connection from each of the clients 1 to n.
  static std::vector<std::string> one_each(Bench& bench, int n, const IpAddress& vip = kVip) {
    std::vector<Answer> answers;
    for (int i = 1; i <= n; ++i) answers.push_back(bench.client(i, vip.family()).connect(vip, 80));
    return names(answers);
  }

  /// n more connections of client 1 that stay open.
  std::vector<std::string> hold(Bench& bench, int n) {
    std::vector<Answer> answers;
    for (int i = 0; i < n; ++i) {
      held_.push_back(bench.client(1).hold(kVip, 80));
      answers.push_back(held_.back().answer());
    }
    return names(answers);
  }

  /// One short connection of client 1 from each of n ports, 40001 and up.
  static std::vector<std::string> from_ports(Bench& bench, int n) {
    std::vector<Answer> answers;
    for (int i = 1; i <= n; ++i) {
      answers.push_back(
          bench.client(1).connect(kVip, 80, Close::kClientFirst, static_cast<std::uint16_t>(40000 + i)));
    }
    return names(answers);
  }

 private:
  std::vector<Connection> held_;
};

// Source: ip_vs_sed.c, ip_vs_sed_schedule(): (active + 1) / weight.
LVSPEC_CASE(Schedulers, SedSharesHeldConnections,
            {.id = "schedulers.sed-shares-held-connections",
             .claim = "sed gives each new connection to the server with the smallest share (active + 1) / weight.",
             .clauses = {"SCH-32", "SCH-03"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sed", {1, 2, 3})));
  EXPECT_THAT(hold(bench, 12), ElementsAre("real3", "real2", "real3", "real3", "real2", "real1", "real3", "real2",
                                           "real3", "real3", "real2", "real1"));
}

// What is closed weighs nothing, unlike under wlc. Source: ip_vs_sed.c, ip_vs_sed_dest_overhead().
LVSPEC_CASE(Schedulers, SedForgetsFinishedConnections,
            {.id = "schedulers.sed-forgets-finished-connections",
             .claim = "sed does not count finished connections: one after the other all reach the same server.",
             .clauses = {"SCH-32"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sed")));
  EXPECT_THAT(names(bench.client(1).connect_times(4, kVip, 80)), Each("real3"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("wlc")));
  EXPECT_THAT(names(bench.client(1).connect_times(2, kVip, 80)), ElementsAre("real2", "real1"));  // wlc does
}

// Source: ip_vs_nq.c, ip_vs_nq_schedule(), "idle".
LVSPEC_CASE(Schedulers, NqFillsIdleServersFirst,
            {.id = "schedulers.nq-fills-idle-servers-first",
             .claim = "nq gives each idle server a connection, however small it is, before it decides as sed.",
             .clauses = {"SCH-33"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "nq", {1, 2, 3})));
  EXPECT_THAT(hold(bench, 12), ElementsAre("real3", "real2", "real1", "real3", "real3", "real2", "real3", "real2",
                                           "real3", "real3", "real2", "real1"));
}

// Source: ip_vs_fo.c, ip_vs_fo_schedule().
LVSPEC_CASE(Schedulers, FoSendsAllToTheHeaviest,
            {.id = "schedulers.fo-sends-all-to-the-heaviest",
             .claim = "fo sends everything to the server with the highest weight; quiescent, to the next.",
             .clauses = {"SCH-40", "DST-12"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "fo", {2, 3, 1})));
  EXPECT_THAT(hold(bench, 4), Each("real2"));  // whatever the load
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 0)));
  EXPECT_THAT(hold(bench, 2), Each("real1"));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 3)));
  EXPECT_THAT(hold(bench, 2), Each("real2"));
}

// Source: ip_vs_ovf.c, ip_vs_ovf_schedule(): active > weight is too much, so weight + 1 are let in.
LVSPEC_CASE(Schedulers, OvfOverflows,
            {.id = "schedulers.ovf-overflows",
             .claim = "ovf fills the heaviest server with weight + 1 connections, then the next; full, it refuses.",
             .clauses = {"SCH-41", "SVC-21"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "ovf", {1, 2, 3})));
  EXPECT_THAT(hold(bench, 9),
              ElementsAre("real3", "real3", "real3", "real3", "real2", "real2", "real2", "real1", "real1"));
  EXPECT_THAT(bench.client(1).connect(kVip, 80), Refused());
}

// Bucket = top byte of 0x61c88647 times the address: 208 for .10, 162 for .20, 116 for .30; buckets are real3, real2,
// real1 by turns. Source: ip_vs_dh.c, ip_vs_dh_hashkey(), ip_vs_dh_reassign().
LVSPEC_CASE(Schedulers, DhChoosesByVirtualAddress,
            {.id = "schedulers.dh-chooses-by-virtual-address",
             .claim = "dh sends all traffic of one virtual address to one server, whoever asks.",
             .clauses = {"SCH-50", "SCH-51"}}) {
  const IpAddress third = IpAddress::of("198.51.100.30");
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(4).real_servers(3).vips({kVip, kSecondVip, third})));
  for (const IpAddress& vip : {kVip, kSecondVip, third}) ASSERT_OK(bench.add(pool(bench, "dh", {1, 5, 1}, vip)));
  EXPECT_THAT(one_each(bench, 4, kVip), Each("real2"));
  EXPECT_THAT(one_each(bench, 4, kSecondVip), Each("real3"));
  EXPECT_THAT(one_each(bench, 4, third), Each("real1"));
}

// Source: ip_vs_sh.c, ip_vs_sh_hashkey(), ip_vs_sh_reassign().
LVSPEC_CASE(Schedulers, ShChoosesByClient,
            {.id = "schedulers.sh-chooses-by-client",
             .claim = "sh chooses by the client's address, each server in proportion to its weight.",
             .clauses = {"SCH-50", "SCH-52", "SCH-53", "SCH-54"},
             .field_reports = {"FR-101"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sh", {1, 2, 3})));
  const auto expected = ElementsAre("real3", "real2", "real3", "real2", "real1", "real2", "real1", "real3");
  EXPECT_THAT(one_each(bench, 8), expected);
  EXPECT_THAT(one_each(bench, 8), expected);
}

// The four words of an address are folded into one by XOR. Source: ip_vs_sh.c, ip_vs_sh_hashkey(), `addr_fold`.
LVSPEC_CASE(Schedulers, ShFoldsIpv6,
            {.id = "schedulers.sh-folds-ipv6",
             .claim = "sh chooses by the whole of an IPv6 client's address.",
             .clauses = {"SCH-50", "SCH-53"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3).vips({kVip6})));
  ASSERT_OK(bench.add(pool(bench, "sh", {1, 1, 1}, kVip6)));
  EXPECT_THAT(one_each(bench, 6, kVip6), ElementsAre("real3", "real1", "real3", "real2", "real3", "real2"));
}

// Source: ip_vs_sh.c, ip_vs_sh_get_port(). Flag 2.
LVSPEC_CASE(
    Schedulers, ShPortSpreadsAClient,
    {.id = "schedulers.sh-port-spreads-a-client",
     .claim = "With sh-port a client's connections are spread by their source ports; without it they are not.",
     .clauses = {"SCH-53", "EDT-07"},
     .field_reports = {"FR-101"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sh").flags({"sh-port"})));
  EXPECT_THAT(from_ports(bench, 6), ElementsAre("real1", "real2", "real3", "real3", "real1", "real3"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("sh")));
  EXPECT_THAT(names(bench.client(1).connect_times(3, kVip, 80)), Each("real1"));
}

// Source: ip_vs_sh.c, ip_vs_sh_get_fallback(). Flag 1.
LVSPEC_CASE(Schedulers, ShFallsBackIfAsked,
            {.id = "schedulers.sh-falls-back-if-asked",
             .claim = "Clients of a quiescent server are refused under sh; with sh-fallback they reach another.",
             .clauses = {"SCH-53", "EDT-07"},
             .field_reports = {"FR-102"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(6).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sh")));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 0)));
  EXPECT_THAT(one_each(bench, 6), ElementsAre("real1", "-", "real3", "-", "real1", "real3"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("sh").flags({"sh-fallback"})));
  EXPECT_THAT(one_each(bench, 6), ElementsAre("real1", "real1", "real3", "real1", "real1", "real3"));
}

// The hash schedulers look at the server only after they have chosen it. Source: ip_vs_sh.c, is_unavailable().
LVSPEC_CASE(Schedulers, ShRefusesForAFullServer,
            {.id = "schedulers.sh-refuses-for-a-full-server",
             .claim = "A server above its threshold is to sh as if its weight were 0: its clients are refused.",
             .clauses = {"SCH-53", "DST-22"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(4).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80)
                          .scheduler("sh")
                          .server(bench.rip(1))
                          .server(bench.rip(2), {.upper = 1})
                          .server(bench.rip(3))));
  const Connection first = bench.client(2).hold(kVip, 80);
  EXPECT_THAT(first.answer(), ServedBy("real2"));
  EXPECT_THAT(bench.client(4).connect(kVip, 80), Refused());
  EXPECT_THAT(bench.client(3).connect(kVip, 80), ServedBy("real3"));
}

// The hash is asked for the first connection of a network only, then the template decides.
// Source: ip_vs_core.c, ip_vs_sched_persist(); ip_vs_sh.c hashes the address unmasked.
LVSPEC_CASE(Schedulers, ATemplateBeatsTheHash,
            {.id = "schedulers.template-beats-the-hash",
             .claim = "With persistence, sh decides for the first client of a masked network and for no other.",
             .clauses = {"SCH-55", "TPL-01", "TPL-10"},
             .field_reports = {"FR-36"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(3).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "sh").persistent(300s).mask("255.255.255.0")));
  EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy("real2"));
  EXPECT_THAT(one_each(bench, 3), Each("real2"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("sh")));
  EXPECT_THAT(one_each(bench, 3), ElementsAre("real1", "real2", "real3"));
}

// Source: ip_vs_mh.c, ip_vs_mh_permutate(), ip_vs_mh_populate().
LVSPEC_CASE(Schedulers, MhChoosesByClient,
            {.id = "schedulers.mh-chooses-by-client",
             .claim = "mh chooses by the client's address, each server in proportion to its weight.",
             .clauses = {"SCH-60", "SCH-61", "SCH-63"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "mh", {1, 2, 3})));
  const auto expected = ElementsAre("real2", "real1", "real3", "real2", "real1", "real3", "real1", "real3");
  EXPECT_THAT(one_each(bench, 8), expected);
  EXPECT_THAT(one_each(bench, 8), expected);
}

// The table is built with the last weight that was not zero. Source: ip_vs_mh.c, ip_vs_mh_permutate(); ip_vs_ctl.c,
// __ip_vs_update_dest(), `last_weight`.
LVSPEC_CASE(Schedulers, MhQuiescentServerMovesNobody,
            {.id = "schedulers.mh-quiescent-server-moves-nobody",
             .claim = "Under mh a quiescent server's clients are refused and everybody else stays where he was.",
             .clauses = {"SCH-62", "SCH-63", "DST-13"},
             .field_reports = {"FR-102"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "mh", {1, 2, 3})));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 0)));
  EXPECT_THAT(one_each(bench, 8), ElementsAre("-", "real1", "real3", "-", "real1", "real3", "real1", "real3"));
}

// Source: ip_vs_mh.c, ip_vs_mh_get_fallback(). Flag 1.
LVSPEC_CASE(Schedulers, MhFallsBackIfAsked,
            {.id = "schedulers.mh-falls-back-if-asked",
             .claim = "With mh-fallback the clients of a quiescent server reach others, spread by a second hash.",
             .clauses = {"SCH-63", "EDT-07"},
             .field_reports = {"FR-102"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "mh", {1, 2, 3}).flags({"mh-fallback"})));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 0)));
  EXPECT_THAT(one_each(bench, 8),
              ElementsAre("real1", "real1", "real3", "real3", "real1", "real3", "real1", "real3"));
}

// Source: ip_vs_mh.c, ip_vs_mh_get_port(). Flag 2.
LVSPEC_CASE(
    Schedulers, MhPortSpreadsAClient,
    {.id = "schedulers.mh-port-spreads-a-client",
     .claim = "With mh-port a client's connections are spread by their source ports; without it they are not.",
     .clauses = {"SCH-60", "SCH-63", "EDT-07"},
     .field_reports = {"FR-101"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "mh").flags({"mh-port"})));
  EXPECT_THAT(from_ports(bench, 8),
              ElementsAre("real3", "real1", "real3", "real1", "real3", "real3", "real2", "real2"));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("mh")));
  EXPECT_THAT(names(bench.client(1).connect_times(3, kVip, 80)), Each("real2"));
}

// Source: ip_vs_lblc.c, ip_vs_lblc_schedule(), is_overloaded().
LVSPEC_CASE(Schedulers, LblcStaysWithAServer,
            {.id = "schedulers.lblc-stays-with-a-server",
             .claim = "lblc keeps an address with its server until that is busy while another is idle.",
             .clauses = {"SCH-70", "SCH-71"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "lblc", {2, 2, 2})));
  EXPECT_THAT(hold(bench, 12), ElementsAre("real3", "real3", "real3", "real2", "real2", "real2", "real1", "real1",
                                           "real1", "real1", "real1", "real1"));
}

// A server that was removed is out of the cache at once, although the cache still holds it.
// Source: ip_vs_lblc.c, ip_vs_lblc_schedule(), IP_VS_DEST_F_AVAILABLE.
LVSPEC_CASE(Schedulers, LblcLeavesAServerThatIsGone,
            {.id = "schedulers.lblc-leaves-a-server-that-is-gone",
             .claim = "lblc moves an address when its server is quiescent or removed, and not back on its return.",
             .clauses = {"SCH-71", "DST-01"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "lblc", {9, 9, 9})));
  EXPECT_THAT(hold(bench, 2), Each("real3"));
  ASSERT_OK(bench.remove_server(service_, {bench.rip(3), 80}));
  EXPECT_THAT(hold(bench, 2), Each("real2"));
  ASSERT_OK(bench.add_server(service_, {.address = bench.rip(3), .port = 80, .weight = 9}));
  EXPECT_THAT(hold(bench, 2), Each("real2"));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 0)));
  EXPECT_THAT(hold(bench, 2), Each("real1"));
}

// Source: ip_vs_lblcr.c, ip_vs_lblcr_schedule(), ip_vs_dest_set_min().
LVSPEC_CASE(Schedulers, LblcrSharesAnAddress,
            {.id = "schedulers.lblcr-shares-an-address",
             .claim = "lblcr gives an address one more server each time its best one is busy while another is idle.",
             .clauses = {"SCH-70", "SCH-72"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "lblcr", {2, 2, 2})));
  EXPECT_THAT(hold(bench, 12), ElementsAre("real3", "real3", "real3", "real2", "real2", "real2", "real1", "real1",
                                           "real1", "real1", "real2", "real3"));
}

// Even an edit that changes nothing restarts the list. Source: ip_vs_wrr.c, ip_vs_wrr_dest_changed().
LVSPEC_CASE(Schedulers, WrrRestartsOnAnEdit,
            {.id = "schedulers.wrr-restarts-on-an-edit",
             .claim = "Editing a server, even to the weight it has, restarts the list of wrr.",
             .clauses = {"SCH-21", "SCH-25"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "wrr", {1, 2, 3})));
  EXPECT_THAT(names(bench.client(1).connect_times(4, kVip, 80)), ElementsAre("real3", "real2", "real1", "real3"));
  ASSERT_OK(bench.edit_server(service_, with_weight(bench, service_, "real2", 2)));
  EXPECT_THAT(names(bench.client(1).connect_times(8, kVip, 80)),
              ElementsAre("real3", "real3", "real2", "real3", "real2", "real1", "real3", "real3"));
}

// A scheduler that finds its servers there begins at the greatest weight. Source: ip_vs_wrr.c, ip_vs_wrr_init_svc().
LVSPEC_CASE(Schedulers, WrrBeginsAtTheTopAfterASwitch,
            {.id = "schedulers.wrr-begins-at-the-top-after-a-switch",
             .claim = "An rr service edited to wrr serves its heaviest server first, as its weights say.",
             .clauses = {"SCH-20", "SCH-24", "EDT-06"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(pool(bench, "rr", {1, 2, 3})));
  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("wrr")));
  EXPECT_THAT(names(bench.client(1).connect_times(6, kVip, 80)),
              ElementsAre("real3", "real3", "real2", "real3", "real2", "real1"));
}

}  // namespace
}  // namespace lvspec
