#pragma once

#include <string>
#include <vector>

#include "harness/report/model.h"

namespace lvspec {

/// What one director made of one row, and the case that shows it; absent where it was not measured.
struct MeasuredCell {
  const Measurement* measurement = nullptr;
  const CaseResult* by = nullptr;

  std::string text() const { return measurement == nullptr ? "not measured" : measurement->value; }
};

struct MeasuredRow {
  std::vector<std::string> at;      ///< as `heads`
  std::vector<MeasuredCell> cells;  ///< one for each director
  std::string case_id;

  /// Whether two directors gave different values.
  bool differs() const;
};

/// All measurements of one name, directors side by side. Points into the run it was made from.
struct MeasuredTable {
  std::string name;  ///< "server-gone"
  std::vector<std::string> heads, directors;
  std::vector<MeasuredRow> rows;  ///< in order of appearance: that of the cases, then that in which a case measured
};

std::vector<MeasuredTable> measured_tables(const Run& run);

/// What a director told of its sysctls, timeouts and module parameters: `setting: NAME` of its passport, by NAME.
std::map<std::string, std::string> settings_of(const DirectorInfo& director);

/// Fills Run::directors[].passport from what the cases of the suite `passport` measured. A case that was not run, or
/// did not come to its end, is there under its id with "not measured" and why. Nothing, if none was selected.
/// @param catalogue  every case there is.
void fill_passports(const std::vector<CaseInfo>& catalogue, Run* run);

/// One passport as a JSON object with a line for each property, sorted: two of them are compared by `diff`.
std::string passport_text(const DirectorInfo& director);

/// Left-aligned columns for a terminal, with the name above.
std::string table_text(const MeasuredTable& table);
std::string table_markdown(const MeasuredTable& table);
/// A section whose cells lead to their cases; a curve is drawn where there is one.
/// @param link_of  the address of a case on the page.
std::string table_html(const MeasuredTable& table, std::string (*link_of)(const std::string& case_id));

}  // namespace lvspec
