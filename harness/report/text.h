#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// The table at the end of a run: suites down, directors across ("must 12/12  should 3/3"), what was skipped and why,
/// the overall word, protocol time against wall time, and where the report lies.
/// @param report_dir  as the user gave it to --out; empty where no report was written.
std::string summary_text(const Run& run, const std::string& report_dir);

/// The cases whose verdicts differ between the directors of a run, a line each, under a line that counts them.
std::string differences_text(const Run& run);

/// "TPL-06, TPL-30"; where it is known what they say, each on a line of its own with that.
std::string cited(const std::vector<std::string>& ids, const Guidance& guidance);

/// What a case that needs attention tells on the terminal: what was promised, what happened, where the evidence is,
/// how to see it again. Several lines, the last one ended.
/// @param report_dir  goes before the case's evidence folder, so that the path can be pasted.
std::string failure_text(const CaseResult& result, const Guidance& guidance = {}, const std::string& report_dir = "");

/// One line, for a run as it goes: `PASS  pcc.same-client-all-ports  bundled  612 s in 41 ms`.
std::string progress_line(const CaseResult& result);

}  // namespace lvspec
