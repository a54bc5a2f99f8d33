#include "harness/report/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "harness/report/escape.h"
#include "harness/report/json.h"
#include "harness/report/measured.h"

namespace lvspec {
namespace {

using nlohmann::json;

/// Case and director.
using Key = std::pair<std::string, std::string>;

enum class Rank { kHeld, kNotAnswered, kDeviates };

Rank rank_of(const CaseResult& result) {
  switch (result.verdict) {
    case Verdict::kFail:
    case Verdict::kXpass:
      return Rank::kDeviates;
    case Verdict::kHarnessError:
    case Verdict::kInconclusive:
    case Verdict::kUnsupported:
    case Verdict::kEnvSkip:
      return Rank::kNotAnswered;
    case Verdict::kPass:
    case Verdict::kInfo:
    case Verdict::kXfail:
      break;
  }
  return asserted_nothing(result) ? Rank::kNotAnswered : Rank::kHeld;
}

/// The gravest result of each case on each director, in the order in which they first occur.
struct ByKey {
  std::vector<Key> order;
  std::map<Key, const CaseResult*> results;

  explicit ByKey(const Run& run) {
    for (const CaseResult& result : run.cases) {
      const Key key = {result.info.id, result.director};
      const auto [place, fresh] = results.emplace(key, &result);
      if (fresh) order.push_back(key);
      if (rank_of(result) > rank_of(*place->second)) place->second = &result;
    }
  }
  const CaseResult* find(const Key& key) const {
    const auto found = results.find(key);
    return found == results.end() ? nullptr : found->second;
  }
};

/// What is said of a cell that one run alone has.
constexpr const char* kNotMeasured = "not measured";

using At = std::vector<std::pair<std::string, std::string>>;

void compare_measurements(const CaseResult& before, const CaseResult& after, std::vector<MeasuredChange>* changes) {
  std::vector<std::pair<std::string, At>> order;
  std::map<std::pair<std::string, At>, std::pair<std::string, std::string>> values;
  const auto enter = [&](const CaseResult& result, auto member) {
    for (const Measurement& cell : result.measurements) {
      const auto [place, fresh] =
          values.emplace(std::pair(cell.table, cell.at), std::pair(kNotMeasured, kNotMeasured));
      if (fresh) order.push_back(place->first);
      place->second.*member = cell.value;
    }
  };
  enter(before, &std::pair<std::string, std::string>::first);
  enter(after, &std::pair<std::string, std::string>::second);
  for (const auto& key : order)
    if (const auto& [was, is] = values.at(key); was != is)
      changes->push_back({after.director, after.info.id, key.first, key.second, was, is});
  // Of an INFO without a table the reason is the value.
  if (order.empty() && before.verdict == Verdict::kInfo && after.verdict == Verdict::kInfo &&
      before.reason != after.reason)
    changes->push_back({after.director, after.info.id, "", {}, before.reason, after.reason});
}

/// "timeout tcp of ipvs" -> its value in both runs, of directors that were asked for their settings in both.
std::map<std::string, std::pair<std::string, std::string>> compare_settings(const Run& before, const Run& after) {
  std::map<std::string, std::map<std::string, std::string>> earlier;
  for (const DirectorInfo& director : before.directors) earlier[director.name] = settings_of(director);
  std::map<std::string, std::pair<std::string, std::string>> settings;
  for (const DirectorInfo& director : after.directors) {
    const auto now = settings_of(director);
    if (earlier[director.name].empty() || now.empty()) continue;
    for (const auto& [name, value] : earlier[director.name]) settings[name + " of " + director.name].first = value;
    for (const auto& [name, value] : now) settings[name + " of " + director.name].second = value;
  }
  return settings;
}

std::vector<SetupChange> compare_setup(const Run& before, const Run& after) {
  std::vector<SetupChange> changes;
  const auto add = [&](const std::string& what, const std::string& was, const std::string& is) {
    if (was != is) changes.push_back({what, was, is});
  };
  add("lvspec", before.version, after.version);
  add("suite digest", before.suite_digest, after.suite_digest);
  add("command", before.rerun, after.rerun);
  add("kernel", before.environment.kernel, after.environment.kernel);
  add("machine", before.environment.machine, after.environment.machine);
  add("lab", before.environment.lab, after.environment.lab);
  add("clock", before.environment.clock, after.environment.clock);
  std::map<std::string, std::pair<std::string, std::string>> sysctls, versions;
  for (const auto& [name, value] : before.environment.sysctls) sysctls[name].first = value;
  for (const auto& [name, value] : after.environment.sysctls) sysctls[name].second = value;
  for (const DirectorInfo& director : before.directors) versions[director.name].first = director.version;
  for (const DirectorInfo& director : after.directors) versions[director.name].second = director.version;
  for (const auto& [name, values] : sysctls) add(name, values.first, values.second);
  for (const auto& [name, values] : compare_settings(before, after)) add(name, values.first, values.second);
  for (const auto& [name, values] : versions)
    if (!values.first.empty() && !values.second.empty()) add("version of " + name, values.first, values.second);
  return changes;
}

/// "PASS -> FAIL", "new: FAIL", "gone: was PASS".
std::string verdicts_of(const CaseChange& change) {
  if (change.before == nullptr) return std::string(name_of(change.after->verdict));
  if (change.after == nullptr) return fmt::format("was {}", name_of(change.before->verdict));
  return fmt::format("{} -> {}", name_of(change.before->verdict), name_of(change.after->verdict));
}

/// The words of a place in a table: "passport: window: -p 10".
std::string place_of(const MeasuredChange& change) {
  std::string out = change.table;
  for (const auto& [name, value] : change.at) out += fmt::format("{}{}", out.empty() ? "" : ", ", value);
  return out.empty() ? change.case_id : out;
}

/// The lists in the order in which people want them.
std::vector<std::pair<std::string, const std::vector<CaseChange>*>> lists_of(const RunDiff& diff) {
  return {{"regressions", &diff.regressions},
          {"fixes", &diff.fixes},
          {"new", &diff.added},
          {"gone", &diff.gone},
          {"other", &diff.other}};
}

/// "1 regression, 0 fixes, 2 new, 0 gone, 3 measurements changed; 120 compared".
std::string counts_text(const RunDiff& diff) {
  const auto counted = [](std::size_t n, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
  };
  std::string out =
      fmt::format("{}, {}, {} new, {} gone, {}", counted(diff.regressions.size(), "regression", "regressions"),
                  counted(diff.fixes.size(), "fix", "fixes"), diff.added.size(), diff.gone.size(),
                  counted(diff.measurements.size(), "measurement changed", "measurements changed"));
  if (!diff.other.empty()) out += fmt::format(", {} otherwise", diff.other.size());
  return out + fmt::format("; {} compared", counted(static_cast<std::size_t>(diff.compared), "case", "cases"));
}

json json_of(const std::vector<CaseChange>& changes) {
  json out = json::array();
  for (const CaseChange& change : changes) {
    const CaseResult& shown = change.shown();
    json row = {{"id", shown.info.id},       {"director", shown.director}, {"level", name_of(shown.info.level)},
                {"title", shown.info.claim}, {"reason", shown.reason},     {"rerun", shown.rerun}};
    if (change.before != nullptr) row["old"] = name_of(change.before->verdict);
    if (change.after != nullptr) row["new"] = name_of(change.after->verdict);
    out.push_back(std::move(row));
  }
  return out;
}

json json_of(const Run& run) {
  return {{"version", run.version},
          {"suite_digest", run.suite_digest},
          {"started_at", run.started_at},
          {"rerun", run.rerun}};
}

}  // namespace

int RunDiff::exit_status() const {
  if (!regressions.empty()) return 1;
  return compared == 0 ? 3 : 0;
}

RunDiff diff_runs(const Run& before, const Run& after) {
  RunDiff diff;
  diff.setup = compare_setup(before, after);
  const ByKey old_results(before), new_results(after);
  for (const Key& key : new_results.order) {
    const CaseResult* is = new_results.find(key);
    const CaseResult* was = old_results.find(key);
    if (was == nullptr) {
      diff.added.push_back({nullptr, is});
      continue;
    }
    ++diff.compared;
    compare_measurements(*was, *is, &diff.measurements);
    if (rank_of(*is) > rank_of(*was))
      diff.regressions.push_back({was, is});
    else if (rank_of(*is) < rank_of(*was))
      diff.fixes.push_back({was, is});
    else if (is->verdict != was->verdict)
      diff.other.push_back({was, is});
  }
  for (const Key& key : old_results.order)
    if (new_results.find(key) == nullptr) diff.gone.push_back({old_results.find(key), nullptr});
  return diff;
}

std::string diff_text(const RunDiff& diff) {
  std::string out;
  for (const SetupChange& change : diff.setup)
    out += fmt::format("setup: {}: {} -> {}\n", terminal_text(change.what), terminal_text(change.before),
                       terminal_text(change.after));
  for (const auto& [name, list] : lists_of(diff)) {
    if (list->empty()) continue;
    out += name + ":\n";
    for (const CaseChange& change : *list) {
      const CaseResult& shown = change.shown();
      out += fmt::format("  {} on {} ({}): {}\n", terminal_text(shown.info.id), terminal_text(shown.director),
                         name_of(shown.info.level), verdicts_of(change));
      if (list != &diff.regressions) continue;
      if (!shown.reason.empty()) out += fmt::format("    {}\n", terminal_text(shown.reason, 4));
      if (!shown.rerun.empty()) out += fmt::format("    again: {}\n", terminal_text(shown.rerun, 4));
    }
  }
  if (!diff.measurements.empty()) out += "measurements:\n";
  for (const MeasuredChange& change : diff.measurements)
    out += fmt::format("  {} on {}: {} -> {}\n", terminal_text(place_of(change)), terminal_text(change.director),
                       terminal_text(change.before), terminal_text(change.after));
  return out + counts_text(diff) + "\n";
}

std::string diff_markdown(const RunDiff& diff) {
  std::string out = fmt::format("# lvspec diff: {}\n", counts_text(diff));
  if (!diff.setup.empty()) out += "\n## Setup\n\n| | old | new |\n| --- | --- | --- |\n";
  for (const SetupChange& change : diff.setup)
    out += fmt::format("| {} | {} | {} |\n", markdown_escape(change.what), markdown_escape(change.before),
                       markdown_escape(change.after));
  for (const auto& [name, list] : lists_of(diff)) {
    if (list->empty()) continue;
    out += fmt::format("\n## {}\n\n| case | director | level | verdict | reason |\n| --- | --- | --- | --- | --- |\n",
                       static_cast<char>(name[0] - 'a' + 'A') + name.substr(1));
    for (const CaseChange& change : *list)
      out += fmt::format("| {} | {} | {} | {} | {} |\n", markdown_escape(change.shown().info.id),
                         markdown_escape(change.shown().director), name_of(change.shown().info.level),
                         markdown_escape(verdicts_of(change)), markdown_escape(change.shown().reason));
  }
  if (!diff.measurements.empty())
    out += "\n## Measurements\n\n| what | director | old | new |\n| --- | --- | --- | --- |\n";
  for (const MeasuredChange& change : diff.measurements)
    out += fmt::format("| {} | {} | {} | {} |\n", markdown_escape(place_of(change)), markdown_escape(change.director),
                       markdown_escape(change.before), markdown_escape(change.after));
  return out;
}

json diff_json(const RunDiff& diff, const Run& before, const Run& after) {
  json setup = json::array();
  for (const SetupChange& change : diff.setup)
    setup.push_back({{"what", change.what}, {"old", change.before}, {"new", change.after}});
  json measurements = json::array();
  for (const MeasuredChange& change : diff.measurements) {
    json at = json::array();
    for (const auto& [name, value] : change.at) at.push_back({{"name", name}, {"value", value}});
    measurements.push_back({{"case", change.case_id},
                            {"director", change.director},
                            {"table", change.table},
                            {"at", std::move(at)},
                            {"old", change.before},
                            {"new", change.after}});
  }
  return {{"tool", "lvspec"},
          {"schema_version", kSchemaVersion},
          {"old", json_of(before)},
          {"new", json_of(after)},
          {"setup", std::move(setup)},
          {"compared", diff.compared},
          {"exit_status", diff.exit_status()},
          {"regressions", json_of(diff.regressions)},
          {"fixes", json_of(diff.fixes)},
          {"added", json_of(diff.added)},
          {"gone", json_of(diff.gone)},
          {"other", json_of(diff.other)},
          {"measurements", std::move(measurements)}};
}

}  // namespace lvspec
