#include "harness/adapters/products/products.h"

#include <fmt/format.h>

#include <map>
#include <regex>

namespace lvspec {
namespace {

struct Row {
  const char* program;
  std::vector<std::string> version_argv;
  ProductStart* start;
  std::vector<std::string> capabilities;
  Affinity affinity;
};

const std::map<std::string, Row>& rows() {
  using Window = Affinity::Window;
  using RenewedBy = Affinity::RenewedBy;
  static const std::map<std::string, Row> rows = {
      {"haproxy",
       {"haproxy",
        {"-v"},
        start_haproxy,
        {"ipv4", "ipv6", "tcp", "mask", "edit", "rr", "wrr", "lc", "wlc", "sh", "fo", "affinity",
         "edit-keeps-clients"},
        {}}},
      {"keepalived",
       {"keepalived",
        {"--version"},
        start_keepalived,
        {"ipv4", "ipv6", "tcp",        "udp",    "sctp",   "dr",   "masq",      "tunnel",   "ppc",
         "pcc",  "mark", "mask",       "tables", "sysctl", "edit", "threshold", "rr",       "wrr",
         "lc",   "wlc",  "lblc",       "lblcr",  "dh",     "sh",   "mh",        "sed",      "nq",
         "fo",   "ovf",  "one-packet", "marks",  "port0",  "nat",  "tun",       "affinity", "edit-keeps-clients"},
        {}}},
      {"nftables",
       {"nft",
        {"--version"},
        start_nftables,
        {"ipv4", "tcp", "udp", "dr", "port0", "mask", "rr", "edit", "affinity"},
        {.window = Window::kForEver, .renewed_by = RenewedBy::kNothing}}},
      {"nginx",
       {"nginx",
        {"-v"},
        start_nginx,
        {"ipv4", "ipv6", "tcp", "udp", "edit", "rr", "wrr", "lc", "wlc", "affinity"},
        {.window = Window::kForEver, .renewed_by = RenewedBy::kNothing}}},
      {"pen", {"pen", {}, start_pen, {"ipv4", "tcp", "rr", "affinity"}, {}}},
  };
  return rows;
}

/// "2.6.12" from whatever the program prints about itself.
std::string version_of(const Row& row) {
  const Result<std::string> path = program_path(row.program);
  if (!path.ok()) return "not installed";
  if (row.version_argv.empty()) return "of Debian";
  ChildCommand command;
  command.argv = {*path};
  command.argv.insert(command.argv.end(), row.version_argv.begin(), row.version_argv.end());
  Result<Child> child = Child::start(command);
  if (!child.ok() || !child->wait(std::chrono::seconds(5))) return "of an unknown version";
  const std::string text = child->output();
  std::smatch found;
  return std::regex_search(text, found, std::regex("[0-9]+\\.[0-9]+[0-9.]*")) ? found.str() : "of an unknown version";
}

}  // namespace

const std::vector<std::string>& product_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, row] : rows()) all.push_back(name);
    return all;
  }();
  return names;
}

DirectorIdentity product_identity(const std::string& name) {
  static std::map<std::string, std::string> versions;  // asking costs a process
  const Row& row = rows().at(name);
  if (!versions.contains(name)) versions[name] = version_of(row);
  return {name, versions[name], row.capabilities, row.affinity};
}

Result<std::unique_ptr<DirectorUnderTest>> start_product(const std::string& name, const DirectorSite& site,
                                                         const ProductOptions& options) {
  const Row& row = rows().at(name);
  LVSPEC_ASSIGN(const std::string program, program_path(row.program));
  LVSPEC_ASSIGN(NetworkNamespace netns,
                site.netns->call([&] { return NetworkNamespace::current(site.netns->name()); }));
  LVSPEC_ASSIGN(WireFence fence, WireFence::open(netns));
  return row.start(site, std::move(netns), std::move(fence), product_identity(name), options);
}

}  // namespace lvspec
