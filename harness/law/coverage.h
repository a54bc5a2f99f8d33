#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/law/law.h"

namespace lvspec {

/// What one case cites.
struct Citation {
  std::string case_id;
  bool is_must = false;
  std::vector<std::string> clauses, reports;
};

/// Who shows what, in both directions.
struct Coverage {
  std::map<std::string, std::vector<std::string>> cases;  ///< clause or report -> cases that cite it
  /// What must not be: a MUST clause without must-case and without a reason, or with both; a citation of nothing.
  std::vector<std::string> holes;
  int musts = 0, shown = 0, excused = 0;  ///< MUST clauses

  const std::vector<std::string>& cases_of(const std::string& id) const;
};

Coverage coverage_of(const Law& law, const std::vector<Citation>& citations);

}  // namespace lvspec
