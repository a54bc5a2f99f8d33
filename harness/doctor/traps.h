#pragma once

#include <string_view>
#include <vector>

/// What the doctor knows: every finding that it can make, with the clauses behind it.
namespace lvspec::doctor {

enum class Severity {
  kError,  ///< a program refuses the line
  kTrap,   ///< something will happen that its author can hardly have meant
  kNote,   ///< something to know
};

std::string_view name_of(Severity severity);  ///< "error", "trap", "note"

struct Trap {
  std::string_view id;  ///< frozen words, "mark-without-persistence"
  Severity severity;
  std::vector<std::string_view> clauses;        ///< of suites/clauses/ipvs-semantics.md
  std::vector<std::string_view> field_reports;  ///< of suites/clauses/field-reports.md
  std::string_view case_id;                     ///< of the catalogue; it shows at least one of the clauses
};

const std::vector<Trap>& all_traps();

/// A trap that there is (checked).
const Trap& trap(std::string_view id);

/// What a clause says, in a few words; every clause that a trap or a service leans on has one (checked).
std::string_view gist(std::string_view clause);

}  // namespace lvspec::doctor
