#include "harness/cli/doctor_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "harness/base/file_descriptor.h"
#include "harness/cli/commands.h"
#include "harness/doctor/keepalived.h"
#include "harness/doctor/live/live.h"
#include "harness/doctor/print.h"
#include "harness/netns/namespace.h"

namespace lvspec {
namespace {

using doctor::Configuration;

/// Beyond it no file is a configuration; endless ones (/dev/zero) are told at once.
constexpr std::size_t kLargest = 64 << 20;

Result<std::string> read_all(const std::string& path) {
  const bool standard_input = path == "-";
  const FileDescriptor file(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return usage_error(fmt::format("{}: {}", path, errno_text(errno)));
  std::string text;
  std::array<char, 65536> block{};
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return usage_error(fmt::format("{}: {}", path, errno_text(errno)));
    if (got == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargest) return usage_error(fmt::format("{}: larger than 64 MiB, no configuration", path));
  }
}

Result<Configuration> read_configuration(const DoctorFileOptions& options) {
  LVSPEC_ASSIGN(const std::string text, read_all(options.file));
  const std::string name = options.file == "-" ? "stdin" : options.file;
  const bool keepalived =
      options.format == "auto" ? doctor::looks_like_keepalived(text) : options.format == "keepalived";
  if (!keepalived) return doctor::read_script(text, name);
  doctor::TreeOptions tree{.config_id = std::nullopt, .open = doctor::open_included};
  if (!options.config_id.empty()) tree.config_id = options.config_id;
  return doctor::read_keepalived(text, name, tree);
}

/// The tables of the running kernel, in the namespace that we are in.
Result<Configuration> read_running_kernel() {
  LVSPEC_ASSIGN(const NetworkNamespace here, NetworkNamespace::current("here"));
  auto live = doctor::read_live(here);
  if (!live.ok() && live.error().kind == ErrorKind::kUnsupported)
    return Error{"--live: the running kernel has no IPVS to look at: modprobe ip_vs, or name a FILE",
                 ErrorKind::kUnsupported};
  return live;
}

}  // namespace

int doctor_file(const DoctorFileOptions& options) {
  if (options.list) {
    fmt::print("{}", options.json ? doctor::list_json().dump(2) + "\n" : doctor::list_text());
    return kConforms;
  }
  const Result<Configuration> configuration = options.live ? read_running_kernel() : read_configuration(options);
  if (!configuration.ok()) return complain(configuration.error());
  const doctor::Report report = doctor::report_on(*configuration);
  if (options.json)
    fmt::print("{}\n", doctor::to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    fmt::print("{}", doctor::to_text(report));
  const doctor::Counts counts = report.counts();
  if (counts.errors > 0) return kUsage;
  return counts.traps > 0 ? kDeviates : kConforms;
}

}  // namespace lvspec
