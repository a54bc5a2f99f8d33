#include "harness/report/markdown.h"

#include <fmt/format.h>

#include <sstream>

#include "harness/report/escape.h"
#include "harness/report/measured.h"
#include "harness/report/tally.h"
#include "harness/report/text.h"

namespace lvspec {
namespace {

/// As a code block by indentation: unlike a fence it cannot be ended by what it contains.
std::string code_block(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += "    " + line + "\n";
  return out;
}

std::string row(const std::vector<std::string>& cells) { return fmt::format("| {} |\n", fmt::join(cells, " | ")); }

std::string cell(const Tally& tally) { return fmt::format("{} {}", symbol_of(tally.worst()), describe(tally)); }

std::string table(const Run& run) {
  const Tallies tallies(run);
  std::vector<std::string> head = {"suite"}, rule = {"---"}, total = {"**total**"}, words = {""};
  for (const std::string& director : tallies.directors) {
    head.push_back(markdown_escape(director));
    rule.emplace_back("---");
    const auto tally = tallies.by_director.find(director);
    total.push_back(tally == tallies.by_director.end() ? "-" : cell(tally->second));
    words.push_back(fmt::format("**{}**", overall_word(run, director)));
  }
  std::string out = row(head) + row(rule);
  for (const std::string& suite : tallies.suites) {
    std::vector<std::string> cells = {markdown_escape(suite)};
    for (const std::string& director : tallies.directors) {
      const auto& by_director = tallies.by_suite.at(suite);
      const auto tally = by_director.find(director);
      cells.push_back(tally == by_director.end() ? "-" : cell(tally->second));
    }
    out += row(cells);
  }
  return out + row(total) + (is_partial(run) ? "" : row(words));
}

}  // namespace

std::string to_markdown(const Run& run) {
  std::string out = fmt::format("# lvspec: {}\n\n{}\n", overall_word(run), table(run));
  out += fmt::format("{} of protocol time in {}, {} lab, {}, lvspec {}, {}.\n", duration_text(virtual_seconds(run)),
                     duration_text(run.wall_s), markdown_escape(run.environment.lab),
                     markdown_escape(run.environment.kernel), markdown_escape(run.version),
                     markdown_escape(run.started_at));
  if (!run.rerun.empty()) out += "\nAgain:\n\n" + code_block(terminal_text(run.rerun));

  std::string attention, skipped;
  for (const CaseResult& result : run.cases) {
    if (needs_attention(result.verdict) || asserted_nothing(result)) {
      attention += fmt::format("\n### {}\n\n{}", markdown_escape(result.info.id),
                               code_block(failure_text(result, run.guidance)));
    } else if (was_skipped(result.verdict)) {
      skipped +=
          fmt::format("- {} on {}: {} ({})\n", markdown_escape(result.info.id), markdown_escape(result.director),
                      markdown_escape(result.reason), name_of(result.verdict));
    }
  }
  if (!attention.empty()) out += "\n## To look at\n" + attention;
  for (const MeasuredTable& table : measured_tables(run))
    out += fmt::format("\n## Measured: {}\n\n{}", markdown_escape(table.name), table_markdown(table));
  if (!skipped.empty()) out += "\n## Skipped\n\n" + skipped;
  return out;
}

}  // namespace lvspec
