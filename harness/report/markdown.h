#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// summary.md: the table of suites by directors, then each case that needs attention. Fits a CI job's summary page.
std::string to_markdown(const Run& run);

}  // namespace lvspec
