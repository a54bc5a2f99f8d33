// Windows behind NAT and through tunnels: the director sees both halves of a connection, or one, and the rules are
// those of direct routing. Field: FR-118.

#include "suites/support.h"

namespace lvspec {
namespace {

class ExpiryMethods : public testing::DirectorTest {
 protected:
  const VirtualService service_ = TcpService(kVip, 80).scheduler("rr").persistent(100s);

  /// Data renews nothing, a new connection does, a window that ends over an open connection goes on in steps of 60 s,
  /// and is one of 60 s from then on.
  void expect_window_rules(const BenchPlan& plan) {
    ASSERT_OK_AND_ASSIGN(Bench bench, build(plan));
    ASSERT_OK(bench.add(service_));
    const auto left = [&](std::chrono::seconds expires) {
      return Contains(TemplateOf(EntryParts{.client = bench.client(1).cip(), .vport = 80, .expires = expires}));
    };
    Connection held = bench.client(1).hold(kVip, 80);
    const std::string server = held.answer().server;
    EXPECT_THAT(bench.client(2).connect(kVip, 80), ServedBy(Ne(server)));
    bench.elapse(40s);
    EXPECT_THAT(held.say_again(), ServedBy(server));
    EXPECT_THAT(bench.templates(), left(60s));
    EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kReset), ServedBy(server));
    EXPECT_THAT(bench.templates(), left(100s));

    bench.elapse(past(bench, 100s));
    EXPECT_THAT(bench.client(1).connect(kVip, 80, Close::kReset), ServedBy(server));
    EXPECT_THAT(bench.templates(), left(60s));
    EXPECT_THAT(held.say_again(), ServedBy(server));
  }
};

// Source: ip_vs_conn.c, ip_vs_conn_expire(); the transmitter plays no part.
LVSPEC_CASE(
    ExpiryMethods, BehindNat,
    {.id = "expiry.window-rules-behind-nat",
     .claim = "Behind NAT, too, new connections renew the window, data does not, and a window that ends over an "
              "open connection is one of 60 s from then on.",
     .clauses = {"TPL-31", "TPL-34", "TPL-35", "FWD-03"},
     .field_reports = {"FR-01", "FR-16", "FR-18", "FR-118"}}) {
  expect_window_rules(BenchPlan().clients(2).real_servers(3).masquerading());
}

LVSPEC_CASE(ExpiryMethods, ThroughTunnels,
            {.id = "expiry.window-rules-through-tunnels",
             .claim = "Through tunnels, too, new connections renew the window, data does not, and a window that ends "
                      "over an open connection is one of 60 s from then on.",
             .clauses = {"TPL-31", "TPL-34", "TPL-35", "FWD-04"},
             .field_reports = {"FR-01", "FR-16", "FR-18", "FR-118"}}) {
  expect_window_rules(BenchPlan().clients(2).real_servers(3).tunnelling());
}

}  // namespace
}  // namespace lvspec
