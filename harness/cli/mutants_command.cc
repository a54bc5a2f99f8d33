#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/cli/pool.h"

namespace lvspec {
namespace {

struct MutantsOptions {
  bool json = false, list = false;
  int jobs = 0;
};

/// Which cases noticed which fault. A kill is a FAIL; a harness error proves nothing.
struct KillMatrix {
  std::vector<FaultRow> faults;
  std::map<std::string, std::set<std::string>> kills;  ///< fault -> ids of the cases that failed
  std::vector<CaseResult> errors;

  std::vector<std::string> must_kills(const std::string& fault, const Catalogue& catalogue) const {
    std::vector<std::string> ids;
    for (const CaseInfo& info : catalogue)
      if (info.level == Level::kMust && kills.at(fault).count(info.id) != 0) ids.push_back(info.id);
    return ids;
  }
  std::vector<std::string> killed_by(const std::string& id) const {
    std::vector<std::string> names;
    for (const FaultRow& fault : faults)
      if (kills.at(fault.name).count(id) != 0) names.push_back(fault.name);
    return names;
  }
};

/// Faults down, cases across: one column a case, numbered below, so that the matrix fits a terminal.
void print_matrix(const KillMatrix& matrix, const Catalogue& catalogue) {
  std::size_t widest = 0;
  for (const FaultRow& fault : matrix.faults) widest = std::max(widest, fault.name.size());
  std::string header_tens, header_ones;
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    header_tens += (i + 1) % 10 == 0 ? static_cast<char>('0' + (i + 1) / 10 % 10) : ' ';
    header_ones += static_cast<char>('0' + (i + 1) % 10);
  }
  fmt::print("{:<{}}  {}\n{:<{}}  {}  must-cases that kill it\n", "", widest, header_tens, "", widest, header_ones);
  for (const FaultRow& fault : matrix.faults) {
    std::string row;
    for (const CaseInfo& info : catalogue)
      row += matrix.kills.at(fault.name).count(info.id) == 0 ? '.' : (info.level == Level::kMust ? 'K' : 'k');
    fmt::print("{:<{}}  {}  {}\n", fault.name, widest, row, matrix.must_kills(fault.name, catalogue).size());
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < catalogue.size(); ++i)
    fmt::print("{:>3}  {:<6}  {:<44}  kills {}\n", i + 1, name_of(catalogue[i].level), catalogue[i].id,
               matrix.killed_by(catalogue[i].id).size());
}

void print_json(const KillMatrix& matrix, const Catalogue& catalogue) {
  nlohmann::json faults = nlohmann::json::array();
  for (const FaultRow& fault : matrix.faults)
    faults.push_back({{"name", fault.name},
                      {"text", fault.text},
                      {"field_reports", fault.reports},
                      {"killed_by", matrix.kills.at(fault.name)},
                      {"must_kills", matrix.must_kills(fault.name, catalogue).size()}});
  nlohmann::json cases = nlohmann::json::array();
  for (const CaseInfo& info : catalogue)
    cases.push_back({{"id", info.id}, {"level", name_of(info.level)}, {"kills", matrix.killed_by(info.id)}});
  fmt::print("{}\n", nlohmann::json{{"faults", faults}, {"cases", cases}}.dump(2));
}

int list_faults(const std::vector<FaultRow>& faults) {
  for (const FaultRow& fault : faults) fmt::print("{:<36}  {}  {}\n", fault.name, fault.text, fault.reports);
  return kConforms;
}

int mutants(const MutantsOptions& options, const Catalogue& catalogue) {
  const auto faults = known_faults();
  if (!faults.ok()) return complain(faults.error());
  if (options.list) return list_faults(*faults);

  KillMatrix matrix;
  matrix.faults = *faults;
  std::vector<Job> jobs;
  for (const FaultRow& fault : matrix.faults) {
    matrix.kills[fault.name];
    for (const CaseInfo& info : catalogue)
      if (info.level != Level::kInfo) jobs.push_back({info, "bundled", fault.name});
  }
  PoolOptions pool;
  pool.workers = options.jobs > 0 ? options.jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  pool.verdict_only = true;
  std::size_t count = 0;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto results = run_jobs(jobs, pool, [&](std::size_t job, const CaseResult& result) {
    if (result.verdict == Verdict::kFail) matrix.kills[jobs[job].fault].insert(result.info.id);
    if (result.verdict == Verdict::kHarnessError) matrix.errors.push_back(result);
    if (terminal && ++count % 20 == 0) fmt::print(stderr, "\r\033[K[{}/{}] {}", count, jobs.size(), jobs[job].fault);
  });
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (!results.ok()) return complain(results.error());

  if (options.json) {
    print_json(matrix, catalogue);
  } else {
    print_matrix(matrix, catalogue);
  }
  int status = kConforms;
  for (const FaultRow& fault : matrix.faults) {
    if (!matrix.must_kills(fault.name, catalogue).empty()) continue;
    fmt::print(stderr, "lvspec: the fault {} survives: no must-case notices that the director {}\n", fault.name,
               fault.text);
    status = kDeviates;
  }
  for (const CaseInfo& info : catalogue) {
    if (info.level != Level::kMust || !matrix.killed_by(info.id).empty()) continue;
    fmt::print(stderr, "lvspec: the case {} kills no fault: nothing shows that it can fail\n", info.id);
    status = kDeviates;
  }
  for (const CaseResult& error : matrix.errors)
    fmt::print(stderr, "lvspec: {}: {}: {}\n", error.rerun, name_of(error.verdict), error.reason);
  return matrix.errors.empty() ? status : kHarness;
}

}  // namespace

Action add_mutants_command(CLI::App& app, const Catalogue& catalogue) {
  auto* command =
      app.add_subcommand("mutants", "run all cases on deliberately broken directors and print who noticed");
  command->footer(
      "Each fault must be noticed by a must-case (K), and each must-case must notice a fault; else the status is 1.\n"
      "Example: lvspec mutants --json | jq '.faults[] | select(.must_kills < 2) | .name'");
  auto options = std::make_shared<MutantsOptions>();
  command->add_flag("--json", options->json, "as JSON");
  command->add_flag("--list", options->list, "only list the faults");
  command->add_option("--jobs", options->jobs, "worlds at the same time (default: one for each CPU)")
      ->check(CLI::Range(1, 256));
  return [options, &catalogue] { return mutants(*options, catalogue); };
}

}  // namespace lvspec
