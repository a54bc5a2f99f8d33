#include "harness/compare/page_data.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "harness/evidence/ladder.h"
#include "harness/report/escape.h"
#include "harness/report/file.h"
#include "harness/report/measured.h"
#include "harness/report/tally.h"

namespace lvspec {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRungs = 40;         // of one ladder: what fits a screen
constexpr std::size_t kLaddersBytes = 600000;  // of all: a page must stay a page
constexpr std::size_t kLongestTables = 4000;

/// Moments as arrays of numbers: texts by their place in one list of all.
class Timelines {
 public:
  /// @return the timeline's place; equal ones have one.
  std::size_t place_of(const std::vector<Moment>& moments) {
    json packed = json::array();
    for (const Moment& moment : moments) packed.push_back(pack(moment));
    const auto [found, fresh] = known_.emplace(packed.dump(), timelines_.size());
    if (fresh) timelines_.push_back(std::move(packed));
    return found->second;
  }
  const json& timelines() const { return timelines_; }
  const json& strings() const { return strings_; }

 private:
  std::size_t text(const std::string& text) {
    const auto [found, fresh] = places_.emplace(text, strings_.size());
    // An invalid byte would make dump() throw; the same text as the page will hold.
    if (fresh) strings_.push_back(text);
    return found->second;
  }

  json pack(const Moment& moment) {
    json out = {moment.at_s,      static_cast<int>(moment.kind),
                text(moment.who), text(moment.what),
                text(moment.by),  moment.left_s,
                moment.times};
    const json defaults = {0, 0, 0, 0, 0, 0, 1};
    while (out.size() > 2 && out.back() == defaults[out.size() - 1]) out.erase(out.size() - 1);
    return out;
  }

  json timelines_ = json::array();
  json strings_ = json::array({""});
  std::map<std::string, std::size_t> known_;
  std::map<std::string, std::size_t> places_ = {{"", 0}};
};

json pair_of(const Looks& looks) { return {looks.held, looks.failed}; }

/// The packets of a case whose evidence is there still.
class Ladders {
 public:
  /// @return the ladder's place; none where there is no evidence, or no more room.
  std::optional<std::size_t> place_of(const std::string& folder) {
    std::vector<std::string> nodes;
    const Result<std::vector<Rung>> rungs = read_rungs(folder, &nodes);
    if (!rungs.ok() || rungs->empty() || bytes_ > kLaddersBytes) return std::nullopt;
    json packed = json::array();
    const auto node = [&](const std::string& name) {
      return std::find(nodes.begin(), nodes.end(), name) - nodes.begin();
    };
    for (const Rung& rung : *rungs) {
      if (packed.size() == kMostRungs) break;
      const auto from = node(rung.from), to = node(rung.to);
      const auto count = static_cast<std::ptrdiff_t>(nodes.size());
      if (from < count && to < count && from != to) packed.push_back({from, to, rung.text});
    }
    json ladder = {{"nodes", nodes}, {"left", rungs->size() - std::min(rungs->size(), kMostRungs)}};
    ladder["rungs"] = std::move(packed);
    bytes_ += ladder.dump(-1, ' ', false, json::error_handler_t::replace).size();
    ladders_.push_back(std::move(ladder));
    return ladders_.size() - 1;
  }
  const json& ladders() const { return ladders_; }

 private:
  json ladders_ = json::array();
  std::size_t bytes_ = 0;
};

json column_of(const Column& column) {
  const Run& run = column.source->run;
  const DirectorInfo& director = *column.director;
  double virtual_s = 0;
  for (const CaseResult& result : run.cases)
    if (result.director == director.name) virtual_s += result.virtual_s;
  // What the director told of itself has the last word over what the run's environment says of all.
  auto sysctls = settings_of(director);
  sysctls.insert(run.environment.sysctls.begin(), run.environment.sysctls.end());
  return {{"label", column.label},
          {"name", director.name},
          {"version", director.version},
          {"profile", name_of(director.profile)},
          {"lab", director.lab},
          {"clock", director.clock},
          {"kernel", director.kernel},
          {"capabilities", director.capabilities},
          {"machine", run.environment.machine},
          {"cpus", run.environment.cpus},
          {"root", run.environment.root},
          {"sysctls", std::move(sysctls)},
          {"lvspec", run.version},
          {"file", column.source->file},
          {"started", run.started_at},
          {"rerun", run.rerun},
          {"selected", run.selected},
          {"catalogue", run.catalogue},
          {"wall_s", run.wall_s},
          {"virtual_s", virtual_s},
          {"word", overall_word(run, director.name)},
          {"partial", is_partial(run)}};
}

std::string cut(const std::string& text, std::size_t longest) {
  return text.size() <= longest ? text : text.substr(0, longest) + " ...";
}

json failures_of(const CaseResult& result) {
  json out = json::array();
  for (const Assertion& failure : result.failures) {
    out.push_back({{"what", failure.what},
                   {"expected", failure.expected},
                   {"actual", cut(failure.actual, kLongestTables)},
                   {"where", failure.where},
                   {"view", name_of(failure.view)}});
    if (!failure.believed.empty()) out.back()["believed"] = cut(failure.believed, kLongestTables);
  }
  return out;
}

/// Where the evidence of a run's case lies, on this machine now.
std::filesystem::path evidence_folder(const Source& source, const CaseResult& result) {
  std::error_code error;
  const std::filesystem::path report =
      std::filesystem::is_directory(source.file, error) ? source.file : folder_of(source.file);
  return report / result.evidence;
}

void add_evidence(const Column& column, const CaseResult& result, const PageOptions& options, Ladders* ladders,
                  json* cell) {
  if (result.evidence.empty()) return;
  const std::filesystem::path folder = evidence_folder(*column.source, result);
  std::error_code error;
  std::vector<std::string> files;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    files.push_back(entry->path().filename().string());
  if (files.empty()) return;  // kept once, and gone
  std::sort(files.begin(), files.end());
  const auto relative = std::filesystem::relative(folder, options.folder, error);
  (*cell)["ev"] = "./" + path_in_url(error ? folder.string() : relative.string());
  (*cell)["files"] = files;
  if (const auto ladder = ladders->place_of(folder.string())) (*cell)["l"] = *ladder;
}

json cell_of(const CaseResult& result, Timelines* timelines) {
  json cell = {{"v", name_of(result.verdict)}, {"o", pair_of(result.outside)}, {"i", pair_of(result.inside)},
               {"a", result.assertions},       {"vs", result.virtual_s},       {"wm", result.wall_ms},
               {"r", result.reason},           {"again", result.rerun}};
  cell["t"] = timelines->place_of(result.timeline);
  if (!result.failures.empty()) cell["f"] = failures_of(result);
  return cell;
}

json table_of(const MeasuredTable& table) {
  json rows = json::array();
  for (const MeasuredRow& row : table.rows) {
    json cells = json::array();
    for (const MeasuredCell& cell : row.cells) {
      if (cell.measurement == nullptr) {
        cells.push_back(nullptr);
        continue;
      }
      cells.push_back({{"value", cell.measurement->value}});
      if (const auto points = cell.measurement->parts.find("points"); points != cell.measurement->parts.end())
        cells.back()["points"] = points->second;
    }
    rows.push_back({{"at", row.at}, {"case", row.case_id}, {"cells", std::move(cells)}});
  }
  return {{"name", table.name}, {"heads", table.heads}, {"rows", std::move(rows)}};
}

/// What clauses and field reports say, the clauses in the page's language where they are translated.
std::map<std::string, std::string> words_in(const std::string& language, std::map<std::string, std::string> words,
                                            const Law& law) {
  if (language != "zh") return words;
  for (auto& [id, text] : words)
    if (const auto own = law.clauses_zh.find(id); own != law.clauses_zh.end()) text = own->second;
  return words;
}

}  // namespace

json page_data(const std::vector<Column>& columns, const Law& law, const PageOptions& options) {
  const Run all = together(columns);
  Timelines timelines;
  Ladders ladders;
  std::map<std::string, std::size_t> row_of;
  json rows = json::array();
  for (const CaseResult& result : all.cases) {
    const auto [place, fresh] = row_of.emplace(result.info.id, rows.size());
    if (fresh) {
      const auto chinese = law.claims_zh.find(result.info.id);
      const bool translated = options.language == "zh" && chinese != law.claims_zh.end();
      const auto likely = all.guidance.likely.find(result.info.id);
      rows.push_back({{"id", result.info.id},
                      {"claim", translated ? chinese->second : result.info.claim},
                      {"level", name_of(result.info.level)},
                      {"clauses", result.info.clauses},
                      {"reports", result.info.field_reports},
                      {"likely", likely == all.guidance.likely.end() ? "" : likely->second},
                      {"cells", json::array()}});
      rows.back()["cells"] = std::vector<json>(columns.size());
    }
    const auto column =
        std::find_if(columns.begin(), columns.end(), [&](const Column& one) { return one.label == result.director; });
    json cell = cell_of(result, &timelines);
    add_evidence(*column, result, options, &ladders, &cell);
    rows[place->second]["cells"][static_cast<std::size_t>(column - columns.begin())] = std::move(cell);
  }
  // As the catalogue lists them, in whatever order a run was shuffled.
  std::sort(rows.begin(), rows.end(), [](const json& a, const json& b) { return a["id"] < b["id"]; });
  json tables = json::array();
  for (const MeasuredTable& table : measured_tables(all)) tables.push_back(table_of(table));
  json heads = json::array();
  for (const Column& column : columns) heads.push_back(column_of(column));
  return {{"lang", options.language},           {"made", options.made_at},
          {"digest", all.suite_digest},         {"columns", std::move(heads)},
          {"cases", std::move(rows)},           {"words", words_in(options.language, all.guidance.words, law)},
          {"tables", std::move(tables)},        {"ladders", ladders.ladders()},
          {"timelines", timelines.timelines()}, {"strings", timelines.strings()}};
}

}  // namespace lvspec
