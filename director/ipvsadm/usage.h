#pragma once

#include <string>

namespace lvspec::ipvsadm {

/// The line of -v, with its end: what ipvsadm 1.31 prints up to its version, for scripts that look.
std::string version_line();

/// The text of -h. @param program  as it was called
std::string usage_text(const std::string& program);

}  // namespace lvspec::ipvsadm
