#pragma once

#include "harness/law/law.h"

namespace lvspec {

/// What the cases cite, as it stands in suites/clauses: built in, so that a report needs no source tree.
const Law& law();

}  // namespace lvspec
