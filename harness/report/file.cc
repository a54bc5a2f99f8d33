#include "harness/report/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "harness/base/file_descriptor.h"
#include "harness/report/digests.h"
#include "harness/report/json.h"

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

}  // namespace

// Through a temporary file beside it: rename() is atomic within one file system only.
Status write_file(const std::string& path, std::string_view text) {
  const std::string name = std::filesystem::path(path).filename().string();
  // Named after us and not by mkstemp, which would withhold the report from everybody whom the umask lets read it.
  const std::string temporary = fmt::format("{}/.{}.{}", folder_of(path), name, ::getpid());
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

Result<std::string> read_text_file(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return usage_error(fmt::format("{}: {}", path, errno_text(errno)));
  std::string text;
  char chunk[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return usage_error(fmt::format("{}: {}", path, errno_text(errno)));
    if (n == 0) return text;
    text.append(chunk, static_cast<std::size_t>(n));
  }
}

Result<Run> read_run_file(const std::string& path) {
  std::error_code error;
  const std::string file = std::filesystem::is_directory(path, error) ? path + "/results.json" : path;
  LVSPEC_ASSIGN(const std::string text, read_text_file(file));
  const std::string sums = folder_of(file) + "/" + std::string(kDigestsName);
  if (std::filesystem::exists(sums, error)) {
    LVSPEC_ASSIGN(const std::string sums_text, read_text_file(sums));
    LVSPEC_ASSIGN(const Digests digests, read_digests(sums_text, sums));
    const auto sealed = digests.find(std::filesystem::path(file).filename().string());
    if (sealed != digests.end() && sealed->second != sha256_of(text))
      return usage_error(fmt::format("{}: is not as it was written: {} has another digest", file, sums));
  }
  return read_run(text, file);
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace lvspec
