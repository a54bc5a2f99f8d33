#include "harness/law/coverage.h"

#include <fmt/format.h>

#include <set>

namespace lvspec {

const std::vector<std::string>& Coverage::cases_of(const std::string& id) const {
  static const std::vector<std::string> none;
  const auto found = cases.find(id);
  return found == cases.end() ? none : found->second;
}

Coverage coverage_of(const Law& law, const std::vector<Citation>& citations) {
  Coverage coverage;
  std::set<std::string> shown;
  for (const Citation& citation : citations) {
    for (const std::string& id : citation.clauses) {
      if (law.clause(id) == nullptr)
        coverage.holes.push_back(fmt::format("{} cites {}: there is no such clause", citation.case_id, id));
      coverage.cases[id].push_back(citation.case_id);
      if (citation.is_must) shown.insert(id);
    }
    for (const std::string& id : citation.reports) {
      if (law.report(id) == nullptr)
        coverage.holes.push_back(fmt::format("{} cites {}: there is no such field report", citation.case_id, id));
      coverage.cases[id].push_back(citation.case_id);
    }
  }
  for (const Clause& clause : law.clauses) {
    const bool is_shown = shown.contains(clause.id), is_excused = law.uncovered.contains(clause.id);
    if (is_shown && is_excused)
      coverage.holes.push_back(fmt::format("{} has a must-case, and a reason why it has none", clause.id));
    if (clause.level != "MUST") continue;
    ++coverage.musts;
    coverage.shown += is_shown;
    coverage.excused += is_excused;
    if (!is_shown && !is_excused)
      coverage.holes.push_back(fmt::format("{} (MUST) has no must-case, and no reason in uncovered.txt: {}",
                                           clause.id, gist_of(clause.text)));
  }
  return coverage;
}

}  // namespace lvspec
