#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "harness/cli/commands.h"
#include "harness/cli/directors.h"
#include "harness/cli/pool.h"

namespace lvspec {
namespace {

struct MutantsOptions {
  bool json = false, list = false;
  std::string witnesses, write_witnesses;
  int jobs = 0;
};

/// A fault and a must-case that notices it.
using Witness = std::pair<std::string, std::string>;

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
  /// Faults that no must-case has noticed.
  std::set<std::string> survivors(const Catalogue& catalogue) const {
    std::set<std::string> names;
    for (const FaultRow& fault : faults)
      if (must_kills(fault.name, catalogue).empty()) names.insert(fault.name);
    return names;
  }
  /// Must-cases that have noticed no fault.
  std::set<std::string> idle_cases(const Catalogue& catalogue) const {
    std::set<std::string> ids;
    for (const CaseInfo& info : catalogue)
      if (info.level == Level::kMust && killed_by(info.id).empty()) ids.insert(info.id);
    return ids;
  }
};

/// A file of lines "FAULT CASE"; "#" begins a comment.
Result<std::vector<Witness>> read_witnesses(const std::string& path) {
  std::ifstream file(path);
  if (!file) return usage_error(fmt::format("--witnesses {}: {}", path, errno_text(errno)));
  std::vector<Witness> witnesses;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Witness witness;
    std::string more;
    if (!(words >> witness.first >> witness.second) || words >> more)
      return usage_error(fmt::format("{}:{}: \"{}\": a line is FAULT CASE", path, number, line));
    witnesses.push_back(std::move(witness));
  }
  return witnesses;
}

/// One case for each fault, and one fault for each must-case that this leaves out.
Status write_witnesses(const std::string& path, const KillMatrix& matrix, const Catalogue& catalogue) {
  std::set<std::string> open;
  for (const CaseInfo& info : catalogue)
    if (info.level == Level::kMust) open.insert(info.id);
  std::set<Witness> witnesses;
  for (const FaultRow& fault : matrix.faults) {
    const std::vector<std::string> ids = matrix.must_kills(fault.name, catalogue);
    if (ids.empty()) continue;
    const auto fresh =
        std::find_if(ids.begin(), ids.end(), [&](const std::string& id) { return open.count(id) != 0; });
    const std::string& id = fresh == ids.end() ? ids.front() : *fresh;
    witnesses.emplace(fault.name, id);
    open.erase(id);
  }
  for (const std::string& id : open)
    if (const auto names = matrix.killed_by(id); !names.empty()) witnesses.emplace(names.front(), id);
  std::ofstream file(path);
  file << "# Which must-case notices which fault, so that ctest need not look for it: written by\n"
          "# `lvspec mutants --write-witnesses FILE`.\n";
  for (const auto& [fault, id] : witnesses) file << fault << ' ' << id << '\n';
  file.close();
  if (!file) return system_error(fmt::format("--write-witnesses {}", path));
  return {};
}

/// Runs the pairs that `wanted` picks, and enters what they say.
Status try_pairs(KillMatrix* matrix, const Catalogue& catalogue, const MutantsOptions& options,
                 const std::function<bool(const FaultRow&, const CaseInfo&)>& wanted) {
  std::vector<Job> jobs;
  for (const FaultRow& fault : matrix->faults)
    for (const CaseInfo& info : catalogue)
      if (info.level != Level::kInfo && wanted(fault, info)) jobs.push_back({info, "bundled", fault.name});
  PoolOptions pool;
  pool.workers = options.jobs > 0 ? options.jobs : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  pool.verdict_only = true;
  std::size_t count = 0;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto results = run_jobs(jobs, pool, [&](std::size_t job, const CaseResult& result) {
    if (result.verdict == Verdict::kFail) matrix->kills[jobs[job].fault].insert(result.info.id);
    if (result.verdict == Verdict::kHarnessError) matrix->errors.push_back(result);
    if (terminal && ++count % 20 == 0) fmt::print(stderr, "\r\033[K[{}/{}] {}", count, jobs.size(), jobs[job].fault);
  });
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (!results.ok()) return results.error();
  return {};
}

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
  for (const FaultRow& fault : matrix.faults) matrix.kills[fault.name];
  // With witnesses only these are heard first; whatever they leave open is searched for among all.
  const bool whole = options.witnesses.empty();
  if (!whole) {
    const auto witnesses = read_witnesses(options.witnesses);
    if (!witnesses.ok()) return complain(witnesses.error());
    const auto named = [&](const FaultRow& fault, const CaseInfo& info) {
      return std::find(witnesses->begin(), witnesses->end(), Witness(fault.name, info.id)) != witnesses->end();
    };
    if (const Status ran = try_pairs(&matrix, catalogue, options, named); !ran.ok()) return complain(ran.error());
  }
  const std::set<std::string> alive = matrix.survivors(catalogue), idle = matrix.idle_cases(catalogue);
  const auto is_open = [&](const FaultRow& fault, const CaseInfo& info) {
    return whole || alive.count(fault.name) != 0 || idle.count(info.id) != 0;
  };
  if (const Status ran = try_pairs(&matrix, catalogue, options, is_open); !ran.ok()) return complain(ran.error());
  if (!options.write_witnesses.empty())
    if (const Status written = write_witnesses(options.write_witnesses, matrix, catalogue); !written.ok())
      return complain(written.error());

  if (options.json) {
    print_json(matrix, catalogue);
  } else if (whole) {
    print_matrix(matrix, catalogue);
  } else {
    fmt::print("{} faults, each noticed by a must-case; {} cases, each must-case of them notices a fault\n",
               matrix.faults.size() - matrix.survivors(catalogue).size(), catalogue.size());
  }
  int status = kConforms;
  const std::set<std::string> survivors = matrix.survivors(catalogue);
  for (const FaultRow& fault : matrix.faults) {
    if (survivors.count(fault.name) == 0) continue;
    fmt::print(stderr, "lvspec: the fault {} survives: no must-case notices that the director {}\n", fault.name,
               fault.text);
    status = kDeviates;
  }
  for (const std::string& id : matrix.idle_cases(catalogue)) {
    fmt::print(stderr, "lvspec: the case {} kills no fault: nothing shows that it can fail\n", id);
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
  command->add_option(
      "--witnesses", options->witnesses,
      "a file of lines FAULT CASE: hear these first, and search among all only for what they leave open");
  command->add_option("--write-witnesses", options->write_witnesses, "write such a file of what was found");
  command->add_option("--jobs", options->jobs, "worlds at the same time (default: one for each CPU)")
      ->check(CLI::Range(1, 256));
  return [options, &catalogue] { return mutants(*options, catalogue); };
}

}  // namespace lvspec
