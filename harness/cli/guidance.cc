#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/cli/commands.h"

namespace lvspec {

Guidance guidance_for(const Catalogue& cases, const Law& law) {
  Guidance guidance;
  for (const CaseInfo& info : cases) {
    for (const std::string& id : info.clauses)
      if (const Clause* clause = law.clause(id)) guidance.words[id] = gist_of(clause->text);
    for (const std::string& id : info.field_reports)
      if (const FieldReport* report = law.report(id)) guidance.words[id] = gist_of(report->symptom);
    if (const auto faults = law.notices.find(info.id); faults != law.notices.end())
      guidance.likely[info.id] = fmt::format("so does a director fail with the fault {} (lvspec mutants --list)",
                                             fmt::join(faults->second, ", or "));
  }
  return guidance;
}

}  // namespace lvspec
