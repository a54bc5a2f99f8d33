#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// What a case has to say to GitHub Actions, as workflow commands, each on a line: `::error
/// file=...,line=...,title=...
/// ::...`; empty for a case that nobody has to look at. One for each assertion that did not hold, five at most,
/// because GitHub shows ten of a step. A deviation below must, and INCONCLUSIVE, are `::warning`. Source:
/// https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
std::string github_annotations(const CaseResult& result);

}  // namespace lvspec
