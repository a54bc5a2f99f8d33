#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.h"

namespace lvspec {

/// Makes or replaces one file. Errors name the path, the call and the errno.
Status write_evidence_file(const std::string& path, std::string_view content);

}  // namespace lvspec
