#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// The head of a TAP 14 document: its version and its plan.
std::string tap_head(std::size_t cases);

/// One test point, with a YAML block where somebody has to act. A skipped case is `ok # SKIP why`, one that failed as
/// announced `not ok # TODO why`; INCONCLUSIVE, HARNESS-ERROR, XPASS and a case that asserted nothing are `not ok`.
/// @param number  of the point, from 1.
std::string tap_point(std::size_t number, const CaseResult& result);

/// A whole run, in the order of its cases.
/// Source: https://testanything.org/tap-version-14-specification.html
std::string to_tap(const Run& run);

}  // namespace lvspec
