#pragma once

#include "harness/report/model.h"

namespace lvspec {

/// A run with every verdict, two directors and awkward texts, for the tests of this room.
/// @param cases_per_suite  at least 3; further cases pass
Run sample_run(int cases_per_suite = 10);

/// A whole run of one director in which each case passed.
Run clean_run();

/// One result that failed, with evidence.
CaseResult failed_case();

}  // namespace lvspec
