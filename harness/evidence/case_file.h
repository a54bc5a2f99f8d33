#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.h"

namespace lvspec {

/// What a failing case leaves behind: one folder ROOT/evidence/CASE.DIRECTOR/. The folder appears with the first
/// thing put into it; a case that passes leaves nothing.
class CaseFile {
 public:
  /// @param report_dir  the folder of the report (--out). Touches nothing yet.
  CaseFile(std::string report_dir, const std::string& case_id, const std::string& director);

  /// Writes one file; an older one of that name is replaced. Errors name the file and the errno.
  /// @param name  made safe: "director log" becomes "director-log", "../x" becomes "x"
  Status add_text(const std::string& name, std::string_view text);
  Status add_json(const std::string& name, const nlohmann::json& value);

  /// The folder's path, made to exist: for what writes its files itself (Capture::write).
  Result<std::string> folder();

  /// "evidence/pcc.same-client-all-ports.bundled": what goes into CaseResult::evidence.
  const std::string& relative() const { return relative_; }
  /// Whether anything was put into it.
  bool exists() const { return exists_; }
  /// Names of the files in it, sorted.
  std::vector<std::string> files() const;

 private:
  std::string report_dir_, relative_;
  bool exists_ = false;
};

/// A file name of letters, digits, "." "_" "-" and "+" only, without leading dots, never empty, at most 120 bytes.
std::string safe_file_name(std::string_view text);

}  // namespace lvspec
