#include "harness/lab/guest/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "harness/lab/guest/protocol.h"

namespace lvspec {
namespace {

/// The line of the console that `what` is in, or nothing.
std::string line_with(const std::string& text, const std::string& what) {
  const std::size_t at = text.find(what);
  if (at == std::string::npos) return "";
  const std::size_t end = text.find_first_of("\r\n", at);
  return text.substr(at, end == std::string::npos ? end : end - at);
}

}  // namespace

std::string tail_of(const std::string& text, std::size_t lines) {
  std::vector<std::string> kept;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    line.erase(std::remove(line.begin(), line.end(), '\r'), line.end());
    if (!line.empty()) kept.push_back("  | " + line);
    start = end + 1;
  }
  if (kept.size() > lines) kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(lines));
  return fmt::format("{}", fmt::join(kept, "\n"));
}

Result<GuestConsole> GuestConsole::open(const std::string& path, const std::string& scratch) {
  FileDescriptor file(path.empty() ? ::open(scratch.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600)
                                   : ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return system_error(fmt::format("open({})", path.empty() ? scratch + ", O_TMPFILE" : path));
  return GuestConsole(std::move(file));
}

void GuestConsole::read(const std::function<void(std::string_view)>& on_line) {
  char chunk[65536];
  for (ssize_t count = 0; (count = pread(file_.get(), chunk, sizeof chunk, static_cast<off_t>(text_.size()))) > 0;)
    text_.append(chunk, static_cast<std::size_t>(count));
  for (std::size_t end = 0; (end = text_.find('\n', line_start_)) != std::string::npos; line_start_ = end + 1) {
    std::string_view line(text_.data() + line_start_, end - line_start_);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);  // a terminal sends CR LF
    if (line.starts_with(guest_protocol::kReport)) {
      GuestExit exit;
      long long up_ms = 0;
      if (std::sscanf(line.data() + sizeof guest_protocol::kReport - 1, "%d %lld", &exit.status, &up_ms) != 2)
        continue;
      exit.virtual_ = std::chrono::milliseconds(up_ms);
      reported_ = exit;
    } else if (on_line) {
      on_line(line);
    }
  }
}

Result<GuestExit> GuestConsole::verdict(bool ended_well, const std::string& ended) const {
  if (const std::string panic = line_with(text_, "Kernel panic - not syncing"); !panic.empty())
    return Error{fmt::format("ended in a panic: {}", panic)};
  if (!reported_ || !ended_well) return Error{ended + (reported_ ? "" : " before its work was done")};
  return *reported_;
}

}  // namespace lvspec
