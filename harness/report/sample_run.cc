#include "harness/report/sample_run.h"

#include <fmt/format.h>

namespace lvspec {
namespace {

CaseResult passed(const std::string& id, const std::string& director, Level level = Level::kMust) {
  return {.info = {.id = id,
                   .claim = "A client keeps its real server for as long as its template lives.",
                   .level = level,
                   .clauses = {"TPL-06", "TPL-30"},
                   .field_reports = {},
                   .test = "Persistence.Sample"},
          .director = director,
          .verdict = Verdict::kPass,
          .reason = "",
          .assertions = 7,
          .failures = {},
          .virtual_s = 612,
          .wall_ms = 41.25,
          .evidence = "",
          .rerun = "ci/lvspec run --director " + director + " --case " + id};
}

CaseResult other(const std::string& id, const std::string& director, Verdict verdict, const std::string& reason) {
  CaseResult result = passed(id, director);
  result.verdict = verdict;
  result.reason = reason;
  result.assertions = 0;
  return result;
}

}  // namespace

CaseResult failed_case() {
  CaseResult result = passed("pcc.same-client-all-ports", "bundled");
  result.info.claim = "A port-zero service sends a client to one real server, whatever the port.";
  result.info.field_reports = {"FR-01", "FR-45"};
  result.verdict = Verdict::kFail;
  result.reason = "2 of 5 assertions did not hold";
  result.assertions = 5;
  result.failures = {{.held = false,
                      .what = "bench.client(1).connect(kVip, 443)",
                      .expected = "served by \"real2\"",
                      .actual = "served by \"real3\", 192.0.2.1:40112 -> 198.51.100.10:443",
                      .where = "suites/pcc/pcc_test.cc:41"},
                     {.held = false,
                      .what = "bench.director().templates()",
                      .expected = "contains TCP 192.0.2.1:0 -> 198.51.100.10:0 real2",
                      .actual = "{ TCP 192.0.2.1:0 -> 198.51.100.10:80   real2  expires in 297 s\n"
                                "  TCP 192.0.2.1:0 -> 198.51.100.10:443  real3  expires in 300 s }",
                      .where = "suites/pcc/pcc_test.cc:44"}};
  result.evidence = "evidence/pcc.same-client-all-ports.bundled";
  result.rerun = "ci/lvspec run --director bundled --case pcc.same-client-all-ports";
  return result;
}

Run clean_run() {
  Run run;
  run.version = "0.1.0";
  run.suite_digest = "sha256:9f2c41d07be6a3f5";
  run.guidance = {.words = {{"TPL-06", "Port 0 keys <TCP, CIP, 0>."}, {"FR-45", "Each port on its own."}},
                  .likely = {{"pcc.same-client-all-ports", "so does a director fail with the fault x"}}};
  run.started_at = "2025-11-22T09:30:00Z";
  run.rerun = "ci/lvspec run --director bundled --out report";
  run.wall_s = 1.234;
  run.environment = {.kernel = "Linux 6.1.0-41-amd64",
                     .machine = "x86_64",
                     .cpus = 2,
                     .root = true,
                     .lab = "host",
                     .clock = "virtual: the director's clock is moved by control message",
                     .sysctls = {{"net.ipv4.vs.expire_nodest_conn", "0"}}};
  run.directors = {
      {.name = "bundled",
       .version = "0.1.0",
       .capabilities = {"dr", "ipv4", "ipv6", "marks", "port0", "tables"},
       .passport = {{"window starts", "with the first SYN"}, {"window renewed by", "each new connection"}},
       .lab = "host",
       .clock = "virtual",
       .kernel = "Linux 6.1.0-41-amd64"}};
  run.cases = {passed("ppc.same-client-sticks", "bundled"), passed("ppc.other-client-rotates", "bundled"),
               passed("expiry.default-window", "bundled", Level::kShould)};
  run.selected = run.catalogue = 3;
  return run;
}

Run sample_run(int cases_per_suite) {
  Run run = clean_run();
  run.rerun = "ci/lvspec run --director bundled --director ipvs --out report";
  run.directors.push_back({.name = "ipvs",
                           .version = "Linux 6.1.176, ipvsadm 1.31",
                           .capabilities = {"dr"},
                           .passport = {},
                           .lab = "uml",
                           .kernel = "Linux 6.1.176"});
  run.cases.clear();
  for (const char* director : {"bundled", "ipvs"}) {
    for (const char* suite : {"ppc", "pcc", "fwmark", "expiry"}) {
      for (int i = 3; i < cases_per_suite; ++i) {
        const Level level = i % 5 == 4 ? Level::kShould : Level::kMust;
        run.cases.push_back(passed(fmt::format("{}.sample-{}", suite, i), director, level));
      }
    }
  }
  run.cases.push_back(failed_case());
  run.cases.back().outside = {.held = 1, .failed = 2};
  run.cases.back().failures[0].view = View::kInside;
  run.cases.back().timeline = {{.kind = MomentKind::kWorld, .what = "2 clients, 3 real servers, direct routing"},
                               {.kind = MomentKind::kAnswer,
                                .at_s = 1.5,
                                .who = "192.0.2.1",
                                .what = "connect :80",
                                .by = "real2",
                                .times = 3},
                               {.kind = MomentKind::kTemplate,
                                .at_s = 1.5,
                                .who = "192.0.2.1",
                                .what = "TCP :0",
                                .by = "real2",
                                .left_s = 299},
                               {.kind = MomentKind::kGap, .at_s = 1.5, .times = 12}};
  run.cases.push_back(passed("pcc.same-client-all-ports", "ipvs"));
  CaseResult should = failed_case();
  should.info.id = "ppc.listing-shows-the-window";
  should.info.level = Level::kShould;
  should.failures.resize(1);
  should.failures[0].actual = "<script>alert('x')</script> & \"quotes\" \x1b[31m \xff ]]> `tick` | bar";
  should.evidence = "evidence/ppc.listing-shows-the-window.bundled";
  run.cases.push_back(should);
  run.cases.push_back(other("ppc.ipv6-mask", "ipvs", Verdict::kEnvSkip, "needs ip_vs"));
  run.cases.push_back(
      other("ppc.ipv6-mask", "bundled", Verdict::kUnsupported, "the director does not declare \"mask6\""));
  run.cases.push_back(other("fwmark.no-pin-without-p", "bundled", Verdict::kHarnessError,
                            "real2: bind(203.0.113.12:80): EADDRINUSE"));
  run.cases.push_back(other("fwmark.spread", "bundled", Verdict::kInconclusive, "3 of 4 rounds agree"));
  run.cases.push_back(other("expiry.announced", "bundled", Verdict::kXfail, "known: FR-12"));
  run.cases.push_back(other("expiry.announced", "ipvs", Verdict::kXpass, "announced to fail (FR-12), and passed"));
  CaseResult info = other("expiry.granule", "bundled", Verdict::kInfo, "timers are late by at most 10 ms");
  info.info.level = Level::kInfo;
  info.measurements = {{.table = "passport",
                        .at = {{"property", "window: -p 10"}},
                        .value = "kept to 119 s, gone from 142 s <by FIN>",
                        .parts = {{"points", "60+ 119+ 142-"}}}};
  run.cases.push_back(info);
  run.selected = run.catalogue = 4 * (cases_per_suite - 3) + 7;
  return run;
}

}  // namespace lvspec
