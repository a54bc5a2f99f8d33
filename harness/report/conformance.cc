#include "harness/report/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "harness/report/json.h"

namespace lvspec {
namespace {

using nlohmann::json;

/// The cases of one suite and level on one director, sorted by what became of them.
struct Group {
  int passed = 0, announced = 0;
  std::vector<const CaseResult*> failed, skipped, not_judged;

  void add(const CaseResult& result) {
    if (result.verdict == Verdict::kFail || result.verdict == Verdict::kXpass)
      failed.push_back(&result);
    else if (was_skipped(result.verdict))
      skipped.push_back(&result);
    else if (needs_attention(result.verdict) || asserted_nothing(result))
      not_judged.push_back(&result);
    else if (result.verdict == Verdict::kXfail)
      ++announced;
    else
      ++passed;
  }
  bool empty() const { return passed + announced == 0 && failed.empty() && skipped.empty() && not_judged.empty(); }
  /// Gateway API's words: success, partial (something was skipped), failure; and one of ours.
  std::string_view result() const {
    if (!failed.empty()) return "failure";
    if (!not_judged.empty()) return "notJudged";
    return skipped.empty() ? "success" : "partial";
  }
};

json cases_of(const std::vector<const CaseResult*>& results) {
  json out = json::array();
  for (const CaseResult* result : results)
    out.push_back({{"name", result->info.id},
                   {"verdict", name_of(result->verdict)},
                   {"clauses", result->info.clauses},
                   {"reason", asserted_nothing(*result) ? "the case evaluated not one assertion" : result->reason},
                   {"command", result->rerun}});
  return out;
}

json level_of(const Group& group, bool partial) {
  json out = json::object();
  if (!partial) out["result"] = group.result();
  out["statistics"] = {{"Passed", group.passed},
                       {"Failed", group.failed.size()},
                       {"Announced", group.announced},
                       {"Skipped", group.skipped.size()},
                       {"NotJudged", group.not_judged.size()}};
  if (!group.failed.empty()) out["failedCases"] = cases_of(group.failed);
  if (!group.not_judged.empty()) out["notJudgedCases"] = cases_of(group.not_judged);
  if (!group.skipped.empty()) out["skippedCases"] = cases_of(group.skipped);
  return out;
}

}  // namespace

nlohmann::json conformance_report(const Run& run, const DirectorInfo& director, const std::string& results_sha256) {
  std::vector<std::string> suites;
  for (const CaseResult& result : run.cases)
    if (result.director == director.name &&
        std::find(suites.begin(), suites.end(), result.info.suite()) == suites.end())
      suites.push_back(result.info.suite());
  json profiles = json::array();
  for (const std::string& suite : suites) {
    json profile = {{"name", suite}};
    for (const Level level : kAllLevels) {
      Group group;
      for (const CaseResult& result : run.cases)
        if (result.director == director.name && result.info.suite() == suite && result.info.level == level)
          group.add(result);
      if (!group.empty()) profile[std::string(name_of(level))] = level_of(group, is_partial(run));
    }
    profiles.push_back(std::move(profile));
  }
  nlohmann::json out = {
      {"apiVersion", "lvspec/v1"},
      {"kind", "ConformanceReport"},
      {"date", run.started_at},
      {"implementation",
       {{"name", director.name}, {"version", director.version}, {"capabilities", director.capabilities}}},
      {"profiles", std::move(profiles)},
      {"provenance",
       {{"tool", "lvspec"},
        {"version", run.version},
        {"suiteDigest", run.suite_digest},
        {"kernel", run.environment.kernel},
        {"machine", run.environment.machine},
        {"lab", run.environment.lab},
        {"clock", run.environment.clock},
        {"command", run.rerun},
        {"resultsSha256", results_sha256}}}};
  if (is_partial(run))
    out["partial"] = {{"selected", run.selected}, {"catalogue", run.catalogue}};
  else
    out["result"] = overall_word(run, director.name);
  return out;
}

std::string conformance_name(const DirectorInfo& director) {
  std::string name = director.name;
  std::replace(name.begin(), name.end(), '/', '_');
  return "conformance." + name + ".json";
}

}  // namespace lvspec
