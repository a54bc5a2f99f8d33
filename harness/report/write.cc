#include "harness/report/write.h"

#include <algorithm>
#include <filesystem>

#include "harness/report/conformance.h"
#include "harness/report/digests.h"
#include "harness/report/file.h"
#include "harness/report/html.h"
#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/markdown.h"
#include "harness/report/measured.h"
#include "harness/report/tap.h"

namespace lvspec {
namespace {

/// The names of the files in each evidence folder; a folder that cannot be read is linked as a whole.
EvidenceFiles list_evidence(const Run& run, const std::string& dir) {
  EvidenceFiles files;
  for (const CaseResult& result : run.cases) {
    if (result.evidence.empty()) continue;
    std::vector<std::string>& names = files[result.evidence];
    names.clear();
    std::error_code error;
    std::filesystem::directory_iterator entry(std::filesystem::path(dir) / result.evidence, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
      names.push_back(entry->path().filename().string());
    std::sort(names.begin(), names.end());
  }
  return files;
}

/// "passport.bundled.json"; a director may be called by a command with its path.
std::string passport_name(const DirectorInfo& director) {
  std::string name = director.name;
  std::replace(name.begin(), name.end(), '/', '_');
  return "passport." + name + ".json";
}

}  // namespace

Status write_report(const Run& run, const std::string& dir, const std::vector<std::string>& already) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return system_error("mkdir(" + dir + ")", error.value());
  std::vector<std::string> names = already;
  const auto write = [&](const std::string& name, const std::string& text) {
    names.push_back(name);
    return write_file(dir + "/" + name, text);
  };
  const EvidenceFiles evidence = list_evidence(run, dir);
  const std::string results = to_text(to_json(run));
  LVSPEC_TRY(write("results.json", results));
  LVSPEC_TRY(write("junit.xml", to_junit(run)));
  LVSPEC_TRY(write("results.tap", to_tap(run)));
  LVSPEC_TRY(write("summary.md", to_markdown(run)));
  for (const DirectorInfo& director : run.directors) {
    if (!director.passport.empty()) LVSPEC_TRY(write(passport_name(director), passport_text(director)));
    LVSPEC_TRY(write(conformance_name(director), to_text(conformance_report(run, director, sha256_of(results)))));
  }
  LVSPEC_TRY(write("index.html", to_html(run, evidence)));
  for (const auto& [folder, files] : evidence)
    if (!files.empty()) names.push_back(folder);
  return seal_report(dir, names);
}

}  // namespace lvspec
