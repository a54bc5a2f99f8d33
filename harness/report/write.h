#pragma once

#include <string>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// Writes results.json, junit.xml, summary.md and index.html into `dir`, which is created if need be. Each file is
/// written under a temporary name and renamed, so that whoever looks sees the old one or the new one, complete.
/// Errors name file, call and errno; a temporary file is not left behind.
Status write_report(const Run& run, const std::string& dir);

}  // namespace lvspec
