#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "harness/cli/commands.h"
#include "harness/report/file.h"
#include "harness/report/json.h"
#include "harness/report/merge.h"
#include "harness/report/text.h"
#include "harness/report/write.h"

namespace lvspec {
namespace {

struct MergeOptions {
  std::vector<std::string> files;
  std::string out;
};

/// Where the merged run goes: one file, or a whole report.
struct Target {
  std::string dir, file;  ///< `file` is empty for a whole report
};

Target target_of(const std::string& out) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path(out);
  if (path.filename() == "results.json") return {folder_of(out), ""};
  if (path.extension() != ".json" || fs::is_directory(path, error)) return {out, ""};
  return {folder_of(out), out};
}

int merge(const MergeOptions& options) {
  std::vector<RunFile> shards;
  for (const std::string& path : options.files) {
    auto run = read_run_file(path);
    if (!run.ok()) return complain(run.error());
    std::error_code error;
    shards.push_back({std::filesystem::is_directory(path, error) ? path + "/results.json" : path, std::move(*run)});
  }
  const auto merged = merge_runs(shards);
  if (!merged.ok()) return complain(merged.error());
  const Target target = target_of(options.out);
  if (const Status copied = gather_evidence(shards, target.dir); !copied.ok()) return complain(copied.error());
  std::error_code error;
  std::filesystem::create_directories(target.dir, error);
  if (error)
    return complain(system_error(fmt::format("--out {}: mkdir({})", options.out, target.dir), error.value()));
  const Status written =
      target.file.empty() ? write_report(*merged, target.dir) : write_file(target.file, to_text(to_json(*merged)));
  if (!written.ok()) return complain(written.error());
  fmt::print("{}", summary_text(*merged, target.file.empty() ? target.dir : ""));
  return kConforms;
}

}  // namespace

Action add_merge_command(CLI::App& app) {
  auto* command = app.add_subcommand("merge", "join the shards of a run into the run that they are parts of");
  command->footer(
      "The result is what the run would have been without --shard, but for times. Evidence is copied along. Shards "
      "of\n"
      "another suite, environment or command, a missing one, and one that is there twice, are refused.\n"
      "Examples:\n"
      "  lvspec merge shard-*/results.json --out report     a whole report: also junit.xml, index.html, ...\n"
      "  lvspec merge a.json b.json --out whole.json        this one file, and evidence/ beside it\n"
      "Exit status: 0 merged (whatever the verdicts are: see lvspec diff), 2 files that are no shards of one run,\n"
      "             4 the result cannot be written");
  auto options = std::make_shared<MergeOptions>();
  command->add_option("RESULTS", options->files, "results.json of each shard, or its report's folder")->required();
  command->add_option("--out", options->out, "FILE.json; a folder, or FOLDER/results.json, for a whole report")
      ->required();
  return [options] { return merge(*options); };
}

}  // namespace lvspec
