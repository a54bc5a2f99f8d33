#include "harness/cli/directors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "harness/adapters/bundled.h"
#include "harness/adapters/kernel_ipvs.h"
#include "harness/adapters/products/products.h"
#include "harness/process/child.h"

namespace lvspec {
namespace {

std::string faulty_director() { return program_folder() + "/lvspec-director-faulty"; }

/// The kernel has no faults to switch on, but somebody may change a setting behind a case's back: a fault
/// "sysctl:NAME=VALUE" does, so that a test can show that a kernel which behaves otherwise is noticed.
Result<DirectorFactory> ipvs_with(const std::string& fault) {
  std::string name;
  int value = 0;
  if (!fault.empty()) {
    const auto equals = fault.find('=');
    const bool good = fault.starts_with("sysctl:") && equals != std::string::npos && equals + 1 < fault.size() &&
                      fault.find_first_not_of("0123456789", equals + 1) == std::string::npos && fault.size() < 64;
    if (!good)
      return usage_error(
          fmt::format("--fault {}: for ipvs it is sysctl:NAME=VALUE, a setting of net.ipv4.vs", fault));
    name = fault.substr(7, equals - 7);
    value = std::atoi(fault.c_str() + equals + 1);
  }
  return DirectorFactory{"ipvs", DirectorPlace::kStack,
                         [=](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
                           LVSPEC_ASSIGN(auto director, KernelIpvs::start(site, {}));
                           if (!name.empty()) LVSPEC_TRY(director->set_sysctl(name, value));
                           return director;
                         }};
}

bool is_product(const std::string& name) {
  return std::find(product_names().begin(), product_names().end(), name) != product_names().end();
}

Result<DirectorFactory> product_with(const std::string& name, const std::string& fault) {
  ProductOptions options;
  options.real_time = getpid() != 1;  // in a guest we are its init, and its time jumps over idleness
  if (!fault.empty()) {
    if (!fault.starts_with("claims:") || fault.size() == 7)
      return usage_error(
          fmt::format("--fault {}: for {} it is claims:WORD, what it says of itself beyond the truth", fault, name));
    options.claims = fault.substr(7);
  }
  return DirectorFactory{name, DirectorPlace::kStack,
                         [=](const DirectorSite& site) { return start_product(name, site, options); }};
}

Result<DirectorFactory> exec_with(const std::string& name, const std::string& fault) {
  if (name.size() == 5) return usage_error("--director exec: what is to run? exec:CMD, as in exec:'python3 lb.py'");
  if (!fault.empty()) return usage_error(fmt::format("--fault {}: {} has none of ours", fault, name));
  const ExecOptions options = exec_options(name);
  return DirectorFactory{name, DirectorPlace::kStack,
                         [options](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
                           LVSPEC_ASSIGN(auto director, ExecDirector::start(site, options));
                           return std::unique_ptr<DirectorUnderTest>(std::move(director));
                         }};
}

/// Asked once: one that hangs is waited for once.
Result<DirectorIdentity> exec_identity_of(const std::string& name) {
  static std::map<std::string, Result<DirectorIdentity>> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  Result<DirectorIdentity> identity = exec_identity(exec_options(name));
  if (identity.ok()) {
    identity->version = identity->name + " " + identity->version;
    identity->name = name;  // columns go by what the user has called it
  }
  return known.emplace(name, std::move(identity)).first->second;
}

}  // namespace

std::string program_folder() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  LVSPEC_CHECK(length > 0);
  const std::string program(path, static_cast<std::size_t>(length));
  return program.substr(0, program.rfind('/'));
}

const std::vector<std::string>& director_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"bundled", "ipvs"};
    all.insert(all.end(), product_names().begin(), product_names().end());
    return all;
  }();
  return names;
}

Profile default_profile(const std::string& name) {
  return name == "bundled" || name == "ipvs" || name == "keepalived" ? Profile::kIpvs : Profile::kAffinity;
}

std::string best_lab(const std::string& name) {
  // Debian's user-mode-linux has no netdev family of nf_tables (CONFIG_NF_TABLES_NETDEV is not set).
  return name == "bundled" || name == "nftables" ? "host" : "uml";
}

bool is_exec(const std::string& name) { return name.starts_with("exec:"); }

ExecOptions exec_options(const std::string& name) {
  ExecOptions options;
  options.command = name.substr(5);
  options.keeper = program_folder() + "/lvspec-keeper";
  options.real_time = getpid() != 1;  // in a guest we are its init, and its time jumps over idleness
  return options;
}

std::string quoted(const std::string& name) {
  if (!is_exec(name)) return name;
  std::string text = "'";
  for (const char c : name) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

Result<DirectorFactory> director_named(const std::string& name, const std::string& fault, int timers_hz) {
  if (is_exec(name)) return exec_with(name, fault);
  const auto& names = director_names();
  if (std::find(names.begin(), names.end(), name) == names.end())
    return usage_error(fmt::format("--director {}: there is no such director; there is: {}, exec:CMD", name,
                                   fmt::join(names, ", ")));
  if (name == "ipvs") return ipvs_with(fault);
  if (is_product(name)) return product_with(name, fault);
  BundledOptions options;
  options.program = fault.empty() ? program_folder() + "/lvspec-director" : faulty_director();
  options.fault = fault;
  options.timers_hz = timers_hz;
  return DirectorFactory{name, DirectorPlace::kInline,
                         [options](const DirectorSite& site) -> Result<std::unique_ptr<DirectorUnderTest>> {
                           LVSPEC_ASSIGN(auto director, Bundled::start(site, options));
                           return std::unique_ptr<DirectorUnderTest>(std::move(director));
                         }};
}

Result<DirectorIdentity> identity_of(const std::string& name) {
  if (is_exec(name)) return exec_identity_of(name);
  if (is_product(name)) return product_identity(name);
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
