#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// JUnit XML as Jenkins and GitLab read it: one <testsuite name="lvspec.DIRECTOR.SUITE"> for each director and suite.
/// FAIL and XPASS become <failure>, HARNESS-ERROR and INCONCLUSIVE <error>, UNSUPPORTED, ENV-SKIP and XFAIL
/// <skipped>; INFO passes with its value in <system-out>. A PASS that asserted nothing is an <error>.
std::string to_junit(const Run& run);

}  // namespace lvspec
