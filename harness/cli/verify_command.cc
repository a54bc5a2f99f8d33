#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/report/digests.h"
#include "harness/report/escape.h"

namespace lvspec {
namespace {

int verify(const std::string& dir) {
  const auto found = verify_report(dir);
  if (!found.ok()) return complain(found.error());
  const auto print = [&](const char* what, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) fmt::print("{}: {}/{}\n", what, dir, terminal_text(path));
  };
  print("changed", found->changed);
  print("missing", found->missing);
  print("extra", found->extra);
  if (!found->none()) return kDeviates;
  fmt::print("{}: all {} files are as they were written\n", dir, found->files);
  return kConforms;
}

}  // namespace

Action add_verify_command(CLI::App& app) {
  auto* command = app.add_subcommand("verify", "check that a report and its evidence are as they were written");
  command->footer(
      "Each report has a SHA256SUMS over results.json, all other forms of it, and the evidence. Whoever can write "
      "the\n"
      "report can write that file as well: keep a copy of it elsewhere where that matters.\n"
      "Examples:\n"
      "  lvspec verify report\n"
      "  (cd report && sha256sum -c SHA256SUMS)      the same by other means, but blind to files that came later\n"
      "Exit status: 0 as written, 1 a file was changed, is missing, or came later, 2 no SHA256SUMS to go by");
  auto dir = std::make_shared<std::string>();
  command->add_option("REPORT", *dir, "the folder that --out named")->required();
  return [dir] { return verify(*dir); };
}

}  // namespace lvspec
