#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "harness/cli/commands.h"
#include "harness/cli/pool.h"
#include "harness/cli/selection.h"
#include "harness/evidence/ladder.h"
#include "harness/evidence/world_picture.h"

namespace lvspec {
namespace {

/// The headings, in the reader's language. What packets say needs no translation.
struct Words {
  const char *promised, *level, *clauses, *reports, *faults, *world, *steps, *packets, *word, *again;
  DrawingWords drawing;
};
constexpr Words kEnglish{"What is promised",
                         "Level",
                         "What the law says",
                         "Where people met it",
                         "Deliberate faults that it notices",
                         "The world",
                         "What the case does, with the time of the protocol",
                         "The packets",
                         "Just now, on the bundled director",
                         "To see it again",
                         DrawingWords::kEnglish};
constexpr Words kChinese{"要求",
                         "级别",
                         "规则",
                         "实际遇到的问题",
                         "能发现的故障",
                         "测试环境",
                         "用例的步骤（协议时间）",
                         "报文",
                         "刚才在自带的调度器上的结果",
                         "再看一次",
                         DrawingWords::kChinese};

std::string heading(const char* words) { return fmt::format("\n{}\n", words); }

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A text of several lines below its heading.
void print_indented(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) fmt::print("{}{}\n", line.empty() ? "" : "  ", line);
}

/// A directory of ours, gone with us.
class Scratch {
 public:
  Scratch() : path_((std::filesystem::temp_directory_path() / "lvspec-explain-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs the case on the bundled director and tells what it did and what was on the wire.
Status show(const CaseInfo& info, std::size_t place, const Words& words) {
  const Scratch scratch;
  if (scratch.path().empty()) return system_error("mkdtemp");
  PoolOptions options;
  options.report_dir = scratch.path();
  options.keep_evidence = true;
  LVSPEC_ASSIGN(const std::vector<CaseResult> results,
                run_jobs({{info, "bundled", "", place}}, options, [](std::size_t, const CaseResult&) {}));
  const CaseResult& result = results.at(0);
  if (!result.evidence.empty()) {
    const std::string folder = scratch.path() + "/" + result.evidence;
    LVSPEC_ASSIGN(const WorldPicture picture, read_world_picture(content_of(folder + "/world.json")));
    fmt::print("{}", heading(words.world));
    print_indented(draw_world(picture, words.drawing));
    fmt::print("{}", heading(words.steps));
    print_indented(content_of(folder + "/history.txt"));
    std::vector<std::string> nodes;
    LVSPEC_ASSIGN(const std::vector<Rung> rungs, read_rungs(folder, &nodes));
    constexpr std::size_t kMost = 60;
    fmt::print("{}", heading(words.packets));
    print_indented(draw_ladder(nodes, rungs, kMost));
  }
  fmt::print("{}  {}{}\n", heading(words.word), name_of(result.verdict),
             result.reason.empty() ? "" : ": " + result.reason);
  return {};
}

const std::string& text_of(const Clause& clause, bool chinese, const Law& law) {
  const auto own = law.clauses_zh.find(clause.id);
  return chinese && own != law.clauses_zh.end() ? own->second : clause.text;
}

int explain(const std::string& id, bool chinese, const Catalogue& catalogue, const Law& law) {
  Selection selection;
  selection.globs = {id};
  const auto selected = select(catalogue, selection);
  if (!selected.ok()) return complain(selected.error());
  if (selected->size() != 1)
    return complain(
        usage_error(fmt::format("{}: {} cases fit; explain takes one (lvspec list)", id, selected->size())));
  const CaseInfo& info = selected->front();
  const Words& words = chinese ? kChinese : kEnglish;
  const auto own = law.claims_zh.find(info.id);
  fmt::print("{}\n{}  {}\n", info.id, heading(words.promised),
             chinese && own != law.claims_zh.end() ? own->second : info.claim);
  fmt::print("{}  {}\n", heading(words.level), name_of(info.level));
  if (!info.clauses.empty()) fmt::print("{}", heading(words.clauses));
  for (const std::string& clause : info.clauses)
    if (const Clause* known = law.clause(clause))
      fmt::print("  {} ({}; {})\n    {}\n", clause, known->level, known->section, text_of(*known, chinese, law));
  if (!info.field_reports.empty()) fmt::print("{}", heading(words.reports));
  for (const std::string& report : info.field_reports)
    if (const FieldReport* known = law.report(report))
      fmt::print("  {} ({})\n    {}\n", report, known->reference, known->symptom);
  if (const auto faults = law.notices.find(info.id); faults != law.notices.end())
    fmt::print("{}  {}\n", heading(words.faults), fmt::join(faults->second, "\n  "));
  const auto place = static_cast<std::size_t>(
      std::find_if(catalogue.begin(), catalogue.end(), [&](const CaseInfo& one) { return one.id == info.id; }) -
      catalogue.begin());
  if (const Status shown = show(info, place, words); !shown.ok()) return complain(shown.error());
  fmt::print("{}  ci/lvspec run --case {}\n", heading(words.again), info.id);
  return kConforms;
}

}  // namespace

Action add_explain_command(CLI::App& app, const Catalogue& catalogue, const Law& law) {
  auto* command = app.add_subcommand(
      "explain", "say what a case is about: the law, the world drawn, what it does, and the packets of a run");
  command->footer(
      "Examples:\n"
      "  lvspec explain expiry.sixty-second-trap\n"
      "  lvspec explain pcc.same-client-all-ports --lang zh\n"
      "The case is run once, on the bundled director.");
  auto id = std::make_shared<std::string>();
  auto language = std::make_shared<std::string>("en");
  command->add_option("CASE", *id, "id of a case (lvspec list)")->required();
  command->add_option("--lang", *language, "en, or zh: Chinese")
      ->check(CLI::IsMember({"en", "zh"}))
      ->capture_default_str();
  return [id, language, &catalogue, &law] { return explain(*id, *language == "zh", catalogue, law); };
}

}  // namespace lvspec
