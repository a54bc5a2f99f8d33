#include "harness/cli/directors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/adapters/bundled.h"
#include "harness/adapters/kernel_ipvs.h"
#include "harness/process/child.h"

namespace lvspec {
namespace {

std::string faulty_director() { return program_folder() + "/lvspec-director-faulty"; }

}  // namespace

std::string program_folder() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  LVSPEC_CHECK(length > 0);
  const std::string program(path, static_cast<std::size_t>(length));
  return program.substr(0, program.rfind('/'));
}

const std::vector<std::string>& director_names() {
  static const std::vector<std::string> names = {"bundled", "ipvs"};
  return names;
}

Result<DirectorFactory> director_named(const std::string& name, const std::string& fault) {
  const auto& names = director_names();
  if (std::find(names.begin(), names.end(), name) == names.end())
    return usage_error(
        fmt::format("--director {}: there is no such director; there is: {}", name, fmt::join(names, ", ")));
  if (name == "ipvs") {
    if (!fault.empty())
      return usage_error("--fault is for the bundled director; the kernel has no faults to switch on");
    return DirectorFactory{name, DirectorPlace::kStack,
                           [](const DirectorSite& site) { return KernelIpvs::start(site, {}); }};
  }
  BundledOptions options;
  options.program = fault.empty() ? program_folder() + "/lvspec-director" : faulty_director();
  options.fault = fault;
  return DirectorFactory{name, DirectorPlace::kInline,
                         [options](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
                           LVSPEC_ASSIGN(auto director, Bundled::start(site, options));
                           return std::unique_ptr<DirectorUnderTest>(std::move(director));
                         }};
}

Result<DirectorIdentity> identity_of(const std::string& name) {
  if (name == "ipvs") return DirectorIdentity{"ipvs", "the guest's kernel", {"ipv4", "ipv6", "dr", "tables", "mark"}};
  return bundled_identity(program_folder() + "/lvspec-director");
}

Result<std::vector<FaultRow>> known_faults() {
  LVSPEC_ASSIGN(Child child,
                Child::start({.argv = {faulty_director(), "--list-faults"}, .fds = {}, .environment = {}}));
  if (!child.wait(std::chrono::seconds(5)) || child.status_text() != "exited with 0")
    return Error{fmt::format("{} --list-faults: {}: {}", faulty_director(), child.status_text(), child.output())};
  std::vector<FaultRow> rows;
  const auto list = nlohmann::json::parse(child.output(), nullptr, false);
  if (!list.is_array())
    return Error{fmt::format("{} --list-faults: not a list: {}", faulty_director(), child.output())};
  for (const auto& row : list)
    rows.push_back({row.value("name", ""), row.value("text", ""), row.value("reports", "")});
  return rows;
}

}  // namespace lvspec
