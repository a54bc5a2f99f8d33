// The persistence mask: which clients count as one (`-M`).

#include "suites/support.h"

namespace lvspec {
namespace {

class PpcMask : public testing::DirectorTest {};

// Source: ip_vs_core.c, ip_vs_sched_persist(): the client's address is masked before the key is built.
LVSPEC_CASE(
    PpcMask, ClientsOfOneNetworkShareATemplate,
    {.id = "ppc.mask-groups-a-network",
     .claim = "With -M 255.255.255.128 the clients of one /25 share one server; those of the next go on their own.",
     .clauses = {"TPL-10", "TPL-12"},
     .field_reports = {"FR-38"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.128")));

  const Answer first = bench.client_at("192.0.2.1").connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client_at("192.0.2.77").connect(kVip, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client_at("192.0.2.127").connect(kVip, 80), ServedBy(first.server));
  const Answer other = bench.client_at("192.0.2.128").connect(kVip, 80);
  EXPECT_THAT(other, ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.client_at("192.0.2.200").connect(kVip, 80), ServedBy(other.server));
  EXPECT_THAT(bench.templates(),
              ElementsAre(TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.0"), .cport = 0, .vport = 80}),
                          TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.128"), .cport = 0, .vport = 80})));
}

// 0.0.0.0 is a mask like any other: everybody is one client. Field: FR-37.
LVSPEC_CASE(PpcMask, MaskZeroIsEverybody,
            {.id = "ppc.mask-zero-is-everybody",
             .claim = "With -M 0.0.0.0 all clients are one: all reach the same server and share one template.",
             .clauses = {"TPL-10"},
             .field_reports = {"FR-37"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3, {.tcp = {80, 81}})));
  const VirtualService service = TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("0.0.0.0");
  ASSERT_OK(bench.add(service));
  ASSERT_OK(bench.add(TcpService(kVip, 81).scheduler("rr").persistent(300s)));
  EXPECT_THAT(bench.service(service.id).service.netmask, Eq(IpAddress::of("0.0.0.0")));

  const Answer first = bench.client_at("192.0.2.1").connect(kVip, 80);
  ASSERT_THAT(first, Answered());
  for (const char* client : {"192.0.2.2", "192.0.2.100", "192.0.2.200"})
    EXPECT_THAT(bench.client_at(client).connect(kVip, 80), ServedBy(first.server));
  const std::vector<Answer> unmasked = {bench.client_at("192.0.2.1").connect(kVip, 81),
                                        bench.client_at("192.0.2.2").connect(kVip, 81)};
  EXPECT_THAT(unmasked, SpreadOverAtLeast(2));
  EXPECT_THAT(bench.templates(), Contains(TemplateOf(EntryParts{.client = IpAddress::of("0.0.0.0"), .vport = 80})));
}

// Without -M a client is an address, also beside its neighbours. Field: FR-41.
LVSPEC_CASE(PpcMask, NeighboursAreIndependentByDefault,
            {.id = "ppc.mask-default-is-one-address",
             .claim = "Without -M neighbouring addresses are different clients.",
             .clauses = {"TPL-10"},
             .field_reports = {"FR-41", "FR-32"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(9).real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s)));
  std::vector<Answer> answers;
  for (int i = 1; i <= 9; ++i) answers.push_back(bench.client(i).connect(kVip, 80));
  EXPECT_THAT(names(answers),
              ElementsAre("real3", "real2", "real1", "real3", "real2", "real1", "real3", "real2", "real1"));
  EXPECT_THAT(bench.templates(), SizeIs(9));
}

// Any bit pattern is a mask: here only the last bit tells clients apart. Field: FR-39.
LVSPEC_CASE(PpcMask, AnyBitPatternIsAMask,
            {.id = "ppc.mask-need-not-be-contiguous",
             .claim = "A mask with holes is used bit by bit: with 0.0.0.1 odd and even addresses are two clients.",
             .level = Level::kShould,
             .clauses = {"TPL-10"},
             .field_reports = {"FR-39"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("0.0.0.1")));
  const Answer odd = bench.client_at("192.0.2.1").connect(kVip, 80);
  const Answer even = bench.client_at("192.0.2.2").connect(kVip, 80);
  ASSERT_THAT(odd, Answered());
  EXPECT_THAT(even, ServedBy(Ne(odd.server)));
  EXPECT_THAT(bench.client_at("192.0.2.131").connect(kVip, 80), ServedBy(odd.server));
  EXPECT_THAT(bench.client_at("192.0.2.200").connect(kVip, 80), ServedBy(even.server));
}

// The key is built with the mask of now: a template of another mask is not found, and found again when the mask is
// back. Source: ip_vs_core.c, ip_vs_sched_persist().
LVSPEC_CASE(
    PpcMask, EditingTheMaskHidesOldTemplates,
    {.id = "ppc.mask-edit-hides-templates",
     .claim = "After -M is edited the templates of the old mask wait unseen, and serve again when it is edited back.",
     .clauses = {"TPL-16", "EDT-05"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  const VirtualService by_address = TcpService(kVip, 80).scheduler("rr").persistent(300s);
  ASSERT_OK(bench.add(by_address));
  const Answer first = bench.client_at("192.0.2.1").connect(kVip, 80);
  ASSERT_THAT(first, Answered());

  ASSERT_OK(bench.edit(TcpService(kVip, 80).scheduler("rr").persistent(300s).mask("255.255.255.0")));
  EXPECT_THAT(bench.client_at("192.0.2.1").connect(kVip, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(), SizeIs(2));
  ASSERT_OK(bench.edit(by_address));
  EXPECT_THAT(bench.client_at("192.0.2.1").connect(kVip, 80), ServedBy(first.server));
}

// IPv6 masks are prefix lengths. Field: FR-43.
LVSPEC_CASE(PpcMask, Ipv6PrefixesGroup,
            {.id = "ppc.mask-ipv6-prefix",
             .claim = "An IPv6 persistence prefix of 124 groups sixteen neighbours and no others.",
             .clauses = {"TPL-11", "TPL-12"},
             .field_reports = {"FR-43"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(3)));
  ASSERT_OK(bench.add(TcpService(kVip6, 80).scheduler("rr").persistent(300s).mask(124)));
  const Answer first = bench.client_at("2001:db8:2::11").connect(kVip6, 80);
  ASSERT_THAT(first, Answered());
  EXPECT_THAT(bench.client_at("2001:db8:2::1f").connect(kVip6, 80), ServedBy(first.server));
  EXPECT_THAT(bench.client_at("2001:db8:2::20").connect(kVip6, 80), ServedBy(Ne(first.server)));
  EXPECT_THAT(bench.templates(),
              Contains(TemplateOf(EntryParts{.client = IpAddress::of("2001:db8:2::10"), .cport = 0, .vport = 80})));
}

}  // namespace
}  // namespace lvspec
