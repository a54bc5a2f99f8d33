#pragma once

#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// Writes a file under a temporary name beside `path` and renames it, so that whoever looks sees the old one or the
/// new one, complete. Errors name file, call and errno; a temporary file is not left behind.
Status write_file(const std::string& path, std::string_view text);

/// Error (kUsage): which file could not be read, and why.
Result<std::string> read_text_file(const std::string& path);

/// The run that a results.json holds. Error (kUsage): the file, and the place in it; or that it is no longer what the
/// SHA256SUMS beside it say.
/// @param path  the file, or the folder of a report.
Result<Run> read_run_file(const std::string& path);

/// The folder that a file lies in: "." for "results.json".
std::string folder_of(const std::string& path);

}  // namespace lvspec
