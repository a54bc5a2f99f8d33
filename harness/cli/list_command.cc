#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/cli/commands.h"
#include "harness/law/coverage.h"

namespace lvspec {
namespace {

using nlohmann::json;

struct Options {
  bool json = false, clauses = false, reports = false, check = false;
};

std::vector<std::string> profile_names(const CaseInfo& info) {
  std::vector<std::string> names;
  for (const Profile profile : info.profiles) names.emplace_back(name_of(profile));
  return names;
}

int list_cases(const Catalogue& catalogue, bool as_json) {
  if (as_json) {
    json rows = json::array();
    for (const CaseInfo& info : catalogue)
      rows.push_back({{"id", info.id},
                      {"suite", info.suite()},
                      {"claim", info.claim},
                      {"level", name_of(info.level)},
                      {"clauses", info.clauses},
                      {"field_reports", info.field_reports},
                      {"test", info.test},
                      {"profiles", profile_names(info)}});
    fmt::print("{}\n", rows.dump(2));
    return kConforms;
  }
  std::size_t widest = 0;
  for (const CaseInfo& info : catalogue) widest = std::max(widest, info.id.size());
  for (const CaseInfo& info : catalogue) {
    fmt::print("{:<{}}  {:<6}  {:<13}  {}", info.id, widest, name_of(info.level), fmt::join(profile_names(info), ","),
               fmt::join(info.clauses, " "));
    if (!info.field_reports.empty()) fmt::print("  {}", fmt::join(info.field_reports, " "));
    fmt::print("\n{:<{}}  {}\n", "", widest, info.claim);
  }
  return kConforms;
}

std::vector<Citation> citations_of(const Catalogue& catalogue) {
  std::vector<Citation> citations;
  for (const CaseInfo& info : catalogue)
    citations.push_back({info.id, info.level == Level::kMust, info.clauses, info.field_reports});
  return citations;
}

int list_clauses(const Catalogue& catalogue, const Law& law, bool as_json) {
  const Coverage coverage = coverage_of(law, citations_of(catalogue));
  json rows = json::array();
  for (const Clause& clause : law.clauses) {
    const auto& cases = coverage.cases_of(clause.id);
    const auto reason = law.uncovered.find(clause.id);
    if (as_json) {
      rows.push_back({{"id", clause.id},
                      {"level", clause.level},
                      {"section", clause.section},
                      {"text", clause.text},
                      {"cases", cases},
                      {"why_not", reason == law.uncovered.end() ? "" : reason->second}});
      continue;
    }
    fmt::print("{:<7} {:<6}  {}\n", clause.id, clause.level, gist_of(clause.text));
    if (!cases.empty()) fmt::print("{:<16}{}\n", "", fmt::join(cases, " "));
    if (reason != law.uncovered.end()) fmt::print("{:<16}no case: {}\n", "", reason->second);
    if (cases.empty() && reason == law.uncovered.end() && clause.level == "MUST") fmt::print("{:<16}NO CASE\n", "");
  }
  if (as_json) fmt::print("{}\n", rows.dump(2));
  return kConforms;
}

int list_reports(const Catalogue& catalogue, const Law& law, bool as_json) {
  const Coverage coverage = coverage_of(law, citations_of(catalogue));
  json rows = json::array();
  for (const FieldReport& report : law.reports) {
    const auto& cases = coverage.cases_of(report.id);
    if (as_json) {
      rows.push_back({{"id", report.id},
                      {"reference", report.reference},
                      {"kind", report.kind},
                      {"level", report.level},
                      {"symptom", report.symptom},
                      {"cases", cases}});
      continue;
    }
    fmt::print("{:<6} {:<3}  {}\n", report.id, report.level, gist_of(report.symptom));
    fmt::print("{:<12}{}\n", "", cases.empty() ? "no case" : fmt::format("{}", fmt::join(cases, " ")));
  }
  if (as_json) fmt::print("{}\n", rows.dump(2));
  return kConforms;
}

int check(const Catalogue& catalogue, const Law& law) {
  Coverage coverage = coverage_of(law, citations_of(catalogue));
  for (const CaseInfo& info : catalogue)
    if (!law.claims_zh.contains(info.id)) coverage.holes.push_back(info.id + " has no line in claims.zh.txt");
  for (const auto& [id, claim] : law.claims_zh)
    if (std::ranges::none_of(catalogue, [&](const CaseInfo& info) { return info.id == id; }))
      coverage.holes.push_back(fmt::format("claims.zh.txt: there is no case {}", id));
  for (const Clause& clause : law.clauses)
    if (!coverage.cases_of(clause.id).empty() && !law.clauses_zh.contains(clause.id))
      coverage.holes.push_back(clause.id + " is cited, and has no line in clauses.zh.txt");
  for (const std::string& hole : coverage.holes) fmt::print("{}\n", hole);
  fmt::print("{} clauses, {} of them MUST: {} shown by must-cases, {} with a reason why not\n", law.clauses.size(),
             coverage.musts, coverage.shown, coverage.excused);
  return coverage.holes.empty() ? kConforms : kDeviates;
}

}  // namespace

Action add_list_command(CLI::App& app, const Catalogue& catalogue, const Law& law) {
  auto* command = app.add_subcommand("list", "list the cases with their clauses, levels and field reports");
  command->footer(
      "Examples:\n"
      "  lvspec list --json | jq -r '.[] | select(.clauses[] == \"TPL-34\") | .id'\n"
      "  lvspec list --clauses | grep -A2 TPL-34      what the clause says, and the cases that show it\n"
      "  lvspec list | grep affinity                  what `run --profile affinity` asks\n"
      "  lvspec list --clauses --check                status 1 if a MUST clause has neither case nor reason");
  auto options = std::make_shared<Options>();
  command->add_flag("--json", options->json, "as JSON");
  auto* clauses = command->add_flag("--clauses", options->clauses, "the clauses, and which cases show each");
  command->add_flag("--reports", options->reports, "the field reports, and which cases show each")->excludes(clauses);
  command->add_flag("--check", options->check, "only what is wrong between clauses and cases")->needs(clauses);
  return [options, &catalogue, &law] {
    if (options->check) return check(catalogue, law);
    if (options->clauses) return list_clauses(catalogue, law, options->json);
    if (options->reports) return list_reports(catalogue, law, options->json);
    return list_cases(catalogue, options->json);
  };
}

}  // namespace lvspec
