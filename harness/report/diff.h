#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/report/model.h"

namespace lvspec {

/// One case on one director whose verdicts differ, or which only one of two runs has (`before` or `after` is null
/// then). Where a run has it several times (--repeat) it is the gravest of them. Points into the runs.
struct CaseChange {
  const CaseResult* before = nullptr;
  const CaseResult* after = nullptr;

  const CaseResult& shown() const { return after != nullptr ? *after : *before; }
};

/// One measured value that is another one now; "not measured" where there was, or is, none.
struct MeasuredChange {
  std::string director, case_id, table;
  std::vector<std::pair<std::string, std::string>> at;
  std::string before, after;
};

/// Something that the runs do not have in common besides verdicts: kernel, suite digest, a director's version.
struct SetupChange {
  std::string what, before, after;
};

/// What differs between two runs. Verdicts have three ranks: held (PASS, INFO, XFAIL), not answered (INCONCLUSIVE,
/// HARNESS-ERROR, UNSUPPORTED, ENV-SKIP, nothing asserted) and deviates (FAIL, XPASS). To come down is a regression,
/// also by one rank: a question that is no longer answered hides whatever else goes wrong. To go up is a fix; another
/// verdict of the same rank is `other`.
struct RunDiff {
  std::vector<SetupChange> setup;
  std::vector<CaseChange> regressions, fixes, added, gone, other;
  std::vector<MeasuredChange> measurements;
  int compared = 0;  ///< cases on directors that both runs have

  /// 1 with a regression; 3 where nothing was compared; else 0.
  int exit_status() const;
};

/// The result points into both runs.
RunDiff diff_runs(const Run& before, const Run& after);

std::string diff_text(const RunDiff& diff);
std::string diff_markdown(const RunDiff& diff);
/// As fixtures/schemas/diff.schema.json has it.
nlohmann::json diff_json(const RunDiff& diff, const Run& before, const Run& after);

}  // namespace lvspec
