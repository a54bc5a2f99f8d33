#include "harness/lab/qemu/debian_archive.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "harness/process/child.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{600};

/// What apt finds wrong ("E: ..."), without what it did before; all of it where it says nothing of the kind.
std::string complaint_of(const std::string& output) {
  std::string complaint;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("E: ")) complaint += (complaint.empty() ? "" : "; ") + line.substr(3);
  return complaint.empty() ? output : complaint;
}

Result<std::string> output_of(std::vector<std::string> argv) {
  auto child = Child::start({.argv = argv, .fds = {}, .environment = {"LC_ALL=C"}});
  if (!child.ok()) return child.error();
  std::string line;
  for (const std::string& word : argv) line += (line.empty() ? "" : " ") + word;
  if (!child->wait(kPatience)) {
    child->stop();
    return Error{fmt::format("{}: no end after {} s", line, kPatience.count())};
  }
  if (child->status_text() != "exited with 0")
    return Error{fmt::format("{}: {}: {}", line, child->status_text(), complaint_of(child->output()))};
  return child->output();
}

/// VALUE of a line NAME=VALUE or NAME="VALUE".
std::string value_of(std::string_view text, std::string_view name) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != '=') continue;
    std::string value = line.substr(name.size() + 1);
    std::erase(value, '"');
    return value;
  }
  return "";
}

/// The configuration of an apt of ours. It is read after the machine's (-c), so what is a list there is emptied
/// first: hooks, that would run for us as they do for the machine, and further architectures.
std::string configuration(const std::string& folder) {
  return fmt::format(
      "#clear APT::Update::Pre-Invoke;\n"
      "#clear APT::Update::Post-Invoke;\n"
      "#clear APT::Update::Post-Invoke-Success;\n"
      "#clear APT::Architectures;\n"
      "APT::Architecture \"amd64\";\n"
      "APT::Architectures {{ \"amd64\"; }};\n"
      "APT::Update::Error-Mode \"any\";\n"  // else an archive out of reach is a warning, and looks like an empty one
      "APT::Sandbox::User \"\";\n"          // root's apt fetches as _apt, who may not enter root's home
      "Dir::Etc::SourceList \"{0}/sources.list\";\n"
      "Dir::Etc::SourceParts \"/dev/null\";\n"
      "Dir::State \"{0}/state\";\n"
      "Dir::State::Lists \"{0}/lists\";\n"
      "Dir::State::Status \"/dev/null\";\n"  // what is installed is not what can be fetched
      "Dir::Cache \"{0}/cache\";\n",
      folder);
}

}  // namespace

DebianArchive debian_archive(std::string_view os_release, std::string_view targets) {
  constexpr std::string_view kOldest = "bookworm";
  std::string codename = value_of(os_release, "ID") == "debian" ? value_of(os_release, "VERSION_CODENAME") : "";
  if (codename.empty()) codename = kOldest;
  DebianArchive archive;
  for (const std::string& release : {codename, std::string(kOldest)})
    for (const std::string& suite : {release, release + "-backports"})
      if (std::find(archive.suites.begin(), archive.suites.end(), suite) == archive.suites.end())
        archive.suites.push_back(suite);
  std::istringstream lines{std::string(targets)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string release, mirror, origin;
    // Others name their suites after Debian's releases, too.
    if (words >> release >> mirror >> origin && release == codename && origin == "Debian") {
      archive.mirror = mirror;
      break;
    }
  }
  return archive;
}

DebianArchive debian_archive_of_this_machine() {
  std::ifstream file("/etc/os-release");
  const std::string os_release{std::istreambuf_iterator<char>(file), {}};
  const auto targets = output_of({"apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI) $(ORIGIN)"});
  return debian_archive(os_release, targets.ok() ? *targets : "");
}

Result<std::vector<std::string>> Apt::names(const std::string& regular_expression) const {
  std::vector<std::string> words = {"apt-cache", "search", "--names-only", regular_expression};
  if (!conf.empty()) words.insert(words.begin() + 1, {"-c", conf});
  LVSPEC_ASSIGN(const std::string text, output_of(words));
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) names.push_back(line.substr(0, line.find(' ')));
  return names;
}

Status Apt::download(const std::string& package, const std::string& into) const {
  // apt-get downloads into the directory it is started in, and Child has none of its own to offer.
  std::vector<std::string> words = {"sh", "-c", "cd \"$1\" && shift && exec apt-get -q \"$@\"", "apt-get", into};
  if (!conf.empty()) words.insert(words.end(), {"-c", conf});
  words.insert(words.end(), {"download", package});
  LVSPEC_TRY(output_of(words));
  return {};
}

Result<Apt> apt_for(const DebianArchive& archive, const std::string& folder) {
  if (access(archive.keyring.c_str(), R_OK) != 0)
    return Error{fmt::format("{}: cannot be read; Debian's package debian-archive-keyring has it", archive.keyring)};
  std::error_code error;
  for (const char* name : {"state", "lists/partial", "cache/archives/partial"}) {
    fs::create_directories(fs::path(folder) / name, error);
    if (error) return Error{fmt::format("mkdir({}/{}): {}", folder, name, error.message())};
  }
  std::ofstream sources(folder + "/sources.list");
  for (const std::string& suite : archive.suites)
    sources << fmt::format("deb [signed-by={} arch=amd64 target=Packages] {} {} main\n", archive.keyring,
                           archive.mirror, suite);
  std::ofstream conf(folder + "/apt.conf");
  conf << configuration(folder);
  if (!sources.flush() || !conf.flush()) return system_error(fmt::format("write({}/apt.conf)", folder));
  Apt apt{folder + "/apt.conf"};
  LVSPEC_TRY(output_of({"apt-get", "-q", "-c", apt.conf, "update"}));
  return apt;
}

}  // namespace lvspec
