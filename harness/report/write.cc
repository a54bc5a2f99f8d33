#include "harness/report/write.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "harness/base/file_descriptor.h"
#include "harness/report/html.h"
#include "harness/report/json.h"
#include "harness/report/junit.h"
#include "harness/report/markdown.h"
#include "harness/report/measured.h"

namespace lvspec {
namespace {

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write(" + path + ")");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

/// Through a temporary file beside it: rename() is atomic within one file system only.
Status write_file(const std::string& dir, const std::string& name, std::string_view text) {
  const std::string path = dir + "/" + name;
  // Named after us and not by mkstemp, which would withhold the report from everybody whom the umask lets read it.
  const std::string temporary = dir + "/." + name + "." + std::to_string(::getpid());
  FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!fd.valid()) return system_error("open(" + temporary + ")");
  const auto finish = [&]() -> Status {
    LVSPEC_TRY(write_all(fd.get(), text, temporary));
    // On network file systems and full quotas it is close that fails.
    if (::close(fd.release()) != 0) return system_error("close(" + temporary + ")");
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      return system_error("rename(" + temporary + ", " + path + ")");
    return {};
  };
  const Status status = finish();
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

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

Status write_report(const Run& run, const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return system_error("mkdir(" + dir + ")", error.value());
  LVSPEC_TRY(write_file(dir, "results.json", to_text(to_json(run))));
  LVSPEC_TRY(write_file(dir, "junit.xml", to_junit(run)));
  LVSPEC_TRY(write_file(dir, "summary.md", to_markdown(run)));
  for (const DirectorInfo& director : run.directors)
    if (!director.passport.empty()) LVSPEC_TRY(write_file(dir, passport_name(director), passport_text(director)));
  return write_file(dir, "index.html", to_html(run, list_evidence(run, dir)));
}

}  // namespace lvspec
