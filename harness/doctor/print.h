#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/doctor/configuration.h"
#include "harness/doctor/examine.h"
#include "harness/doctor/lean.h"

namespace lvspec::doctor {

struct Counts {
  std::size_t errors = 0, traps = 0, notes = 0;
};

/// All that the doctor says of one configuration.
struct Report {
  std::vector<Finding> findings;
  std::vector<Lean> leans;

  Counts counts() const;
};

Report report_on(const Configuration& configuration);

/// For people, as a compiler speaks: `keepalived.conf:12: trap: TEXT [ID]` and under it what to write instead, the
/// clauses in a few words, the field reports and the case; then what each service leans on; then the numbers.
std::string to_text(const Report& report);

/// {"findings": [{file, line, severity, id, text, instead, clauses: [{id, gist}], field_reports, case}],
///  "services": [{file, line, service, client, window_s, sentence, clauses}], "errors", "traps", "notes"};
/// line is absent where there is none, window_s is null without persistence.
nlohmann::json to_json(const Report& report);

/// Every finding that there can be, for people: ID, severity, case, clauses.
std::string list_text();
nlohmann::json list_json();

}  // namespace lvspec::doctor
