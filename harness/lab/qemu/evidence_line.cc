#include "harness/lab/qemu/evidence_line.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace lvspec {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = "end";

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno != EINTR) return system_error("write(evidence line)");
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Status send_folder(const std::string& folder, int fd) {
  termios line{};
  if (tcgetattr(fd, &line) == 0) {
    cfmakeraw(&line);  // else every line end becomes two bytes
    cfsetspeed(&line, B115200);
    if (tcsetattr(fd, TCSANOW, &line) != 0) return system_error("tcsetattr(evidence line)");
  }
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  if (error) return Error{fmt::format("evidence in {}: {}", folder, error.message())};
  for (; at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (error) return Error{fmt::format("evidence in {}: {}", folder, error.message())};
    if (!at->is_regular_file()) continue;
    std::ifstream file(at->path(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const std::string content = text.str();
    LVSPEC_TRY(write_all(
        fd, fmt::format("{} {}\n", content.size(), at->path().lexically_relative(folder).string()) + content));
  }
  LVSPEC_TRY(write_all(fd, fmt::format("{}\n", kEnd)));
  tcdrain(fd);
  return {};
}

Status receive_folder(int fd, const std::string& folder) {
  std::string text;
  char chunk[1 << 16];
  for (ssize_t count = 0; (count = pread(fd, chunk, sizeof chunk, static_cast<off_t>(text.size()))) > 0;)
    text.append(chunk, static_cast<std::size_t>(count));
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line == kEnd) return {};
    std::size_t size = 0;
    const auto [after, error] = std::from_chars(line.data(), line.data() + line.size(), size);
    if (error != std::errc() || after == line.data() + line.size() || *after != ' ' || size > rest.size()) break;
    const fs::path name = fs::path(std::string(after + 1, line.data() + line.size())).lexically_normal();
    if (name.empty() || name.is_absolute() || *name.begin() == "..")
      return Error{fmt::format("evidence \"{}\": a name that leads out of its folder", name.string())};
    const fs::path path = folder / name;
    std::error_code ignored;  // a folder that could not be made is a file that cannot be written
    fs::create_directories(path.parent_path(), ignored);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(rest.data(), static_cast<std::streamsize>(size));
    if (!file.flush()) return system_error(fmt::format("write({})", path.string()));
    rest.remove_prefix(size);
  }
  if (text.empty()) return {};
  return Error{"evidence: the line broke off in the middle"};
}

}  // namespace lvspec
