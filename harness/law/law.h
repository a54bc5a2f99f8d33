#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// One statement of suites/clauses/ipvs-semantics.md.
struct Clause {
  std::string id;       ///< "TPL-34"
  std::string level;    ///< "MUST", "SHOULD", "MAY", "INFO"; empty for rows of a table (sysctls, recipes)
  std::string section;  ///< "3. Template lifetime (TPL-30..59)"
  std::string text;     ///< all of it, without ID and level, on one line
};

/// One row of suites/clauses/field-reports.md.
struct FieldReport {
  std::string id;         ///< "FR-45"
  std::string reference;  ///< "kubernetes/kubernetes#89358"
  std::string kind;       ///< "bug", "limit", "surprise", "ask"
  std::string symptom;
  std::string level;  ///< proposed for a case: "M", "S", "I", "X", "M/I"
};

/// What is right, and what goes wrong for people: all that cases cite.
struct Law {
  std::vector<Clause> clauses;  ///< in the order of the text
  std::vector<FieldReport> reports;
  /// Clauses that no case is meant to show -> why.
  std::map<std::string, std::string> uncovered;
  /// Case -> deliberate faults of the bundled director that it is known to notice.
  std::map<std::string, std::vector<std::string>> notices;

  /// Case -> its claim in Chinese.
  std::map<std::string, std::string> claims_zh;
  /// Clause -> what it says, in Chinese; those that cases cite.
  std::map<std::string, std::string> clauses_zh;

  const Clause* clause(std::string_view id) const;
  const FieldReport* report(std::string_view id) const;
};

/// Errors name file and line: an ID that is given twice, a reason that is missing.
/// @param clauses    the text of ipvs-semantics.md: "- **TPL-34** (MUST) ...", "| CTL-15 | ..."
/// @param reports    the text of field-reports.md: "| FR-45 | ..."
/// @param uncovered  lines "ID reason"; "#" begins a comment
/// @param witnesses  the text of witnesses.txt: lines "FAULT CASE"
/// @param claims_zh  lines "CASE claim"
/// @param clauses_zh lines "ID text"
Result<Law> read_law(std::string_view clauses, std::string_view reports, std::string_view uncovered,
                     std::string_view witnesses = "", std::string_view claims_zh = "",
                     std::string_view clauses_zh = "");

/// The first sentence of a clause, without what follows in brackets, at most `longest` bytes: for one line.
std::string gist_of(std::string_view text, std::size_t longest = 200);

}  // namespace lvspec
