#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// Writes results.json, junit.xml, results.tap, summary.md, index.html, and of each director its conformance document
/// and its passport, into `dir`, which is created if need be; last SHA256SUMS over all of them and the evidence. Each
/// file is written under a temporary name and renamed, so that whoever looks sees the old one or the new one,
/// complete. Files of an earlier report in the same folder that this one has not, are removed. Errors name file, call
/// and errno; a temporary file is not left behind.
/// @param already  files of the report that are there already: "results.jsonl".
Status write_report(const Run& run, const std::string& dir, const std::vector<std::string>& already = {});

}  // namespace lvspec
