#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/report/diff.h"
#include "harness/report/file.h"
#include "harness/report/json.h"

namespace lvspec {
namespace {

struct DiffOptions {
  std::string before, after;
  std::string format = "text";
};

int diff(const DiffOptions& options) {
  const auto before = read_run_file(options.before);
  if (!before.ok()) return complain(before.error());
  const auto after = read_run_file(options.after);
  if (!after.ok()) return complain(after.error());
  const RunDiff found = diff_runs(*before, *after);
  if (options.format == "json")
    fmt::print("{}", to_text(diff_json(found, *before, *after)));
  else
    fmt::print("{}", options.format == "md" ? diff_markdown(found) : diff_text(found));
  if (found.compared == 0)
    fmt::print(stderr, "lvspec: {} and {} have no case on one director in common: nothing was compared\n",
               options.before, options.after);
  return found.exit_status();
}

}  // namespace

Action add_diff_command(CLI::App& app) {
  auto* command = app.add_subcommand("diff", "say what became worse, better, new or gone between two runs");
  command->footer(
      "Worse is what held and no longer does, also where it is no longer answered; differences of kernel, lab or\n"
      "suite are told first. Where a case was run several times its gravest verdict counts.\n"
      "Examples:\n"
      "  lvspec diff baseline.json report/results.json\n"
      "  lvspec diff old-report new-report --format md >> \"$GITHUB_STEP_SUMMARY\"\n"
      "  lvspec diff old.json new.json --format json | jq -r '.regressions[].id'\n"
      "Exit status: 0 no regression, 1 regressions, 2 a file that cannot be read, 3 no case in common");
  auto options = std::make_shared<DiffOptions>();
  command->add_option("OLD", options->before, "results.json of a run, or its report's folder")->required();
  command->add_option("NEW", options->after, "that of a later one")->required();
  command->add_option("--format", options->format, "text, md or json")
      ->check(CLI::IsMember({"text", "md", "json"}))
      ->capture_default_str();
  return [options] { return diff(*options); };
}

}  // namespace lvspec
