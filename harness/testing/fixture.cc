#include "harness/testing/fixture.h"

namespace lvspec::testing {
namespace {

std::string current_case_id() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string test = std::string(info->test_suite_name()) + "." + info->name();
  for (const CaseInfo& row : catalogue())
    if (row.test == test) return row.id;
  return test;
}

}  // namespace

Ground& ground() {
  static Ground ground;
  return ground;
}

LastBench& last_bench() {
  static LastBench last;
  return last;
}

Result<Bench> DirectorTest::build(const BenchPlan& plan) {
  LVSPEC_ASSIGN(Bench bench, plan.build(ground().lab, ground().director));
  Recorder::current().belief = bench.belief_teller();
  bench.on_close([](Bench& closing) {
    Recorder& recorder = Recorder::current();
    recorder.belief = nullptr;
    last_bench().elapsed += closing.elapsed();
    for (const Moment& moment : closing.moments()) last_bench().timeline.add(moment);
    std::set<std::string> asked;
    for (const Sighting& sighting : closing.sightings()) asked.insert(sighting.server);
    recorder.bench_closes(closing.server_count(), asked);
    if (std::uncaught_exceptions() == 0 && !recorder.failed() && !ground().keep_evidence) return;
    if (ground().report_dir.empty()) return;
    CaseFile file(ground().report_dir, current_case_id(), ground().director.name);
    closing.keep_evidence(file);
    last_bench().evidence = file.relative();
  });
  return bench;
}

}  // namespace lvspec::testing
