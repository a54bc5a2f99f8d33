#include "harness/evidence/case_file.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "harness/evidence/file.h"

namespace lvspec {

std::string safe_file_name(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  std::string out;
  // Only the last part of a path: nothing that a director calls itself may lead out of the folder.
  for (const char c : text.substr(text.find_last_of('/') + 1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("._-+").find(c) != std::string_view::npos;
    if (out.empty() && c == '.') continue;
    out += plain ? c : '-';
    if (out.size() == kLongest) break;
  }
  return out.empty() ? "unnamed" : out;
}

namespace {

/// As safe_file_name, but of all that a director is called: of exec:/opt/a/lb and exec:/opt/b/lb each has its own.
std::string folder_name(const std::string& case_id, std::string director) {
  std::replace(director.begin(), director.end(), '/', '-');
  return safe_file_name(case_id + "." + director);
}

}  // namespace

CaseFile::CaseFile(std::string report_dir, const std::string& case_id, const std::string& director)
    : report_dir_(std::move(report_dir)), relative_("evidence/" + folder_name(case_id, director)) {}

Result<std::string> CaseFile::folder() {
  const std::string path = report_dir_ + "/" + relative_;
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return system_error("mkdir(" + path + ")", error.value());
  exists_ = true;
  return path;
}

Status CaseFile::add_text(const std::string& name, std::string_view text) {
  LVSPEC_ASSIGN(const std::string path, folder());
  return write_evidence_file(path + "/" + safe_file_name(name), text);
}

Status CaseFile::add_json(const std::string& name, const nlohmann::json& value) {
  // What a director said may be in any encoding; evidence is written all the same.
  return add_text(name, value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::vector<std::string> CaseFile::files() const {
  std::vector<std::string> names;
  if (!exists_) return names;
  std::error_code error;
  std::filesystem::directory_iterator entry(report_dir_ + "/" + relative_, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lvspec
