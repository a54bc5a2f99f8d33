#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>

#include "harness/cli/commands.h"
#include "harness/compare/page.h"
#include "harness/report/file.h"

namespace lvspec {
namespace {

struct CompareOptions {
  std::vector<std::string> files;
  std::string out;
  std::string language = "en";
};

int compare(const CompareOptions& options, const Law& law) {
  const auto sources = read_sources(options.files);
  if (!sources.ok()) return complain(sources.error());
  const auto columns = columns_of(*sources);
  if (!columns.ok()) return complain(columns.error());
  PageOptions page;
  page.language = options.language;
  page.folder = folder_of(options.out);
  page.made_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const std::string text = comparison_page(*columns, law, page);
  if (const Status written = write_file(options.out, text); !written.ok()) {
    fmt::print(stderr, "lvspec: --out {}: {}\n", options.out, written.error().message);
    return kUsage;
  }
  fmt::print("{}: {} director{}, {} kB\n", options.out, columns->size(), columns->size() == 1 ? "" : "s",
             text.size() / 1000);
  return kConforms;
}

}  // namespace

Action add_compare_command(CLI::App& app, const Law& law) {
  auto* command = app.add_subcommand("compare", "lay directors of one or several runs side by side, on one page");
  command->footer(
      "The page is one file that opens from disk and asks no network. Columns come in the order of the files; links\n"
      "to evidence are relative, so keep the reports beside it.\n"
      "Examples:\n"
      "  lvspec run --out report && lvspec compare report --out compare.html\n"
      "  lvspec compare ours/results.json vendor/results.json --out compare.html --lang zh\n"
      "Exit status: 0 written, whatever the verdicts; 2 a file that cannot be read, is of another schema version, "
      "or\n"
      "             of another catalogue than the first");
  auto options = std::make_shared<CompareOptions>();
  command->add_option("RESULTS", options->files, "results.json of a run, or its report's folder")->required();
  command->add_option("--out", options->out, "the page: FILE.html")->required();
  command->add_option("--lang", options->language, "en, or zh: the page and what is promised in Chinese")
      ->check(CLI::IsMember({"en", "zh"}))
      ->capture_default_str();
  return [options, &law] { return compare(*options, law); };
}

}  // namespace lvspec
