#include "harness/report/json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "harness/report/moments_json.h"
#include "harness/report/tally.h"

namespace lvspec {
namespace {

using nlohmann::json;

/// JSON has no NaN and no infinity; a clock that yields one is a bug that must not cost the user the report.
double finite(double value) { return std::isfinite(value) ? value : 0; }

json to_json(const Looks& looks) { return {{"held", looks.held}, {"failed", looks.failed}}; }

json names_of(const std::vector<Profile>& profiles) {
  json names = json::array();
  for (const Profile profile : profiles) names.push_back(name_of(profile));
  return names;
}

/// Reads the members of one JSON object and remembers the first thing that is wrong, with its place.
/// After an error every further read yields an empty value; the caller looks at the error once, at the end.
class Reader {
 public:
  Reader(const json& value, std::string place, std::string* error)
      : value_(value), place_(std::move(place)), error_(error) {
    if (!value_.is_object()) fail("", "is not an object");
  }

  bool has(const char* key) const { return value_.is_object() && value_.contains(key); }
  std::string text(const char* key) const { return get<std::string>(key, &json::is_string, "a text"); }
  double number(const char* key) const { return get<double>(key, &json::is_number, "a number"); }
  bool flag(const char* key) const { return get<bool>(key, &json::is_boolean, "true or false"); }

  int count(const char* key) const {
    const double value = get<double>(key, &json::is_number_integer, "a whole number");
    if (value < 0 || value > std::numeric_limits<int>::max()) {
      fail(key, "is out of range");
      return 0;
    }
    return static_cast<int>(value);
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> out;
    for_each(key, [&](const json& item, const std::string& place) {
      if (item.is_string()) return out.push_back(item.get<std::string>());
      set_error(place + ": is not a text");
    });
    return out;
  }

  std::map<std::string, std::string> text_map(const char* key) const {
    const json* found = find(key, &json::is_object, "an object");
    std::map<std::string, std::string> out;
    if (found == nullptr) return out;
    for (const auto& [name, item] : found->items()) {
      if (!item.is_string())
        fail(key, fmt::format("\"{}\" is not a text", name));
      else
        out[name] = item.get<std::string>();
    }
    return out;
  }

  /// A member that must be one of our names: `of` is level_of or verdict_of.
  template <typename Enum>
  Enum name(const char* key, std::optional<Enum> (*of)(std::string_view), const char* noun) const {
    const std::string word = text(key);
    const std::optional<Enum> found = of(word);
    if (!found) fail(key, fmt::format("\"{}\" is not a {}", word, noun));
    return found.value_or(Enum{});
  }

  Reader object(const char* key) const {
    static const json empty = json::object();
    const json* found = find(key, &json::is_object, "an object");
    return Reader(found == nullptr ? empty : *found, at(key), error_);
  }

  /// Calls `visit(item, place)` for each element of an array.
  template <typename Visit>
  void for_each(const char* key, Visit visit) const {
    const json* found = find(key, &json::is_array, "an array");
    if (found == nullptr) return;
    for (std::size_t i = 0; i < found->size(); ++i) visit((*found)[i], fmt::format("{}[{}]", at(key), i));
  }

  /// As for_each, where every element is an object.
  template <typename Visit>
  void for_each_object(const char* key, Visit visit) const {
    for_each(key, [&](const json& item, const std::string& place) { visit(Reader(item, place, error_)); });
  }

 private:
  std::string at(const std::string& key) const {
    return place_.empty() ? key : key.empty() ? place_ : place_ + "." + key;
  }
  void set_error(const std::string& text) const {
    if (error_->empty()) *error_ = text;
  }
  void fail(const std::string& key, const std::string& what) const {
    const std::string place = at(key);
    set_error(place.empty() ? what : place + ": " + what);
  }

  const json* find(const char* key, bool (json::*is)() const, const char* noun) const {
    if (!error_->empty()) return nullptr;
    const auto found = value_.find(key);
    if (found == value_.end()) {
      fail(key, "is missing");
    } else if (!((*found).*is)()) {
      fail(key, fmt::format("is not {}", noun));
    } else {
      return &*found;
    }
    return nullptr;
  }

  template <typename T>
  T get(const char* key, bool (json::*is)() const, const char* noun) const {
    const json* found = find(key, is, noun);
    return found == nullptr ? T{} : found->get<T>();
  }

  const json& value_;
  std::string place_;
  std::string* error_;
};

Looks read_looks(const Reader& in) { return {.held = in.count("held"), .failed = in.count("failed")}; }

Moment read_moment(const Reader& in) {
  Moment out;
  out.kind = in.name("kind", moment_kind_of, "kind of moment");
  out.at_s = in.number("at");
  if (in.has("who")) out.who = in.text("who");
  if (in.has("what")) out.what = in.text("what");
  if (in.has("by")) out.by = in.text("by");
  if (in.has("left")) out.left_s = in.number("left");
  if (in.has("times")) out.times = in.count("times");
  return out;
}

CaseResult read_case(const Reader& in) {
  CaseResult out;
  out.info.id = in.text("id");
  out.info.claim = in.text("title");
  out.info.level = in.name("level", level_of, "level");
  out.info.clauses = in.texts("clauses");
  out.info.field_reports = in.texts("field_reports");
  out.info.test = in.text("test");
  if (in.has("profiles")) {  // absent from what older versions wrote
    out.info.profiles.clear();
    for (const std::string& name : in.texts("profiles"))
      if (const auto profile = profile_of(name)) out.info.profiles.push_back(*profile);
  }
  out.director = in.text("director");
  out.verdict = in.name("verdict", verdict_of, "verdict");
  out.reason = in.text("reason");
  out.assertions = in.count("assertions");
  in.for_each_object("failures", [&](const Reader& failure) {
    out.failures.push_back({.held = false,
                            .what = failure.text("what"),
                            .expected = failure.text("expected"),
                            .actual = failure.text("actual"),
                            .where = failure.text("where"),
                            .believed = failure.text("believed"),
                            .view = failure.has("view") && failure.text("view") == name_of(View::kInside)
                                        ? View::kInside
                                        : View::kOutside});
  });
  out.virtual_s = in.number("virtual_s");
  out.wall_ms = in.number("wall_ms");
  out.evidence = in.text("evidence");
  out.rerun = in.text("rerun");
  // What follows is absent from what older versions wrote.
  if (in.has("views")) {
    const Reader views = in.object("views");
    out.outside = read_looks(views.object("outside"));
    out.inside = read_looks(views.object("inside"));
  }
  if (in.has("timeline"))
    in.for_each_object("timeline", [&](const Reader& moment) { out.timeline.push_back(read_moment(moment)); });
  if (!in.has("measurements")) return out;
  in.for_each_object("measurements", [&](const Reader& cell) {
    Measurement read{
        .table = cell.text("table"), .at = {}, .value = cell.text("value"), .parts = cell.text_map("parts")};
    cell.for_each_object("at",
                         [&](const Reader& given) { read.at.emplace_back(given.text("name"), given.text("value")); });
    out.measurements.push_back(std::move(read));
  });
  return out;
}

Environment read_environment(const Reader& in) {
  return {.kernel = in.text("kernel"),
          .machine = in.text("machine"),
          .cpus = in.count("cpus"),
          .root = in.flag("root"),
          .lab = in.text("lab"),
          .clock = in.text("clock"),
          .sysctls = in.text_map("sysctls")};
}

Run read_whole(const Reader& in, std::string* error) {
  Run run;
  if (const std::string tool = in.text("tool"); error->empty() && tool != "lvspec")
    *error = fmt::format("tool: \"{}\" is not lvspec", tool);
  // Absent from what the first versions wrote, which differs in nothing else.
  if (in.has("schema_version"))
    if (const int version = in.count("schema_version"); error->empty() && version != kSchemaVersion)
      *error = fmt::format("schema_version: {}; this lvspec reads {}", version, kSchemaVersion);
  run.version = in.text("version");
  run.suite_digest = in.text("suite_digest");
  run.started_at = in.text("started_at");
  run.rerun = in.text("rerun");
  run.wall_s = in.number("wall_s");
  run.selected = in.count("selected");
  run.catalogue = in.count("catalogue");
  if (in.has("shard")) {
    const Reader shard = in.object("shard");
    run.shard = shard.count("index");
    run.shards = shard.count("of");
    if (error->empty() && (run.shard < 1 || run.shard > run.shards))
      *error = fmt::format("shard: {}/{} is no part of a whole", run.shard, run.shards);
  }
  run.environment = read_environment(in.object("environment"));
  in.for_each_object("directors", [&](const Reader& director) {
    const auto place = [&](const char* key, const std::string& otherwise) {
      return director.has(key) ? director.text(key) : otherwise;
    };
    run.directors.push_back({.name = director.text("name"),
                             .version = director.text("version"),
                             .capabilities = director.texts("capabilities"),
                             .passport = director.text_map("passport"),
                             .lab = place("lab", run.environment.lab),
                             .clock = place("clock", run.environment.clock),
                             .kernel = place("kernel", run.environment.kernel)});
    if (!director.has("profile")) return;  // absent from what older versions wrote
    run.directors.back().profile = director.name("profile", profile_of, "profile");
    run.directors.back().selected = director.count("selected");
    run.directors.back().catalogue = director.count("catalogue");
  });
  run.guidance = {.words = in.text_map("words"), .likely = in.text_map("likely_causes")};
  in.for_each_object("cases", [&](const Reader& one) { run.cases.push_back(read_case(one)); });
  return run;
}

/// The library's message without its own error numbers: "line 1, column 7: ...".
std::string parse_message(const json::parse_error& error) {
  const std::string what = error.what();
  const std::size_t start = what.find("parse error at ");
  return "not JSON: " + (start == std::string::npos ? what : what.substr(start + 15));
}

}  // namespace

json to_json(const CaseResult& result) {
  json failures = json::array();
  for (const Assertion& failure : result.failures) {
    failures.push_back({{"what", failure.what},
                        {"expected", failure.expected},
                        {"actual", failure.actual},
                        {"where", failure.where},
                        {"believed", failure.believed},
                        {"view", name_of(failure.view)}});
  }
  json measurements = json::array();
  for (const Measurement& cell : result.measurements) {
    json at = json::array();
    for (const auto& [name, value] : cell.at) at.push_back({{"name", name}, {"value", value}});
    measurements.push_back(
        {{"table", cell.table}, {"at", std::move(at)}, {"value", cell.value}, {"parts", cell.parts}});
  }
  json timeline = json::array();
  for (const Moment& moment : result.timeline) timeline.push_back(to_json(moment));
  return {{"id", result.info.id},
          {"suite", result.info.suite()},
          {"title", result.info.claim},
          {"level", name_of(result.info.level)},
          {"clauses", result.info.clauses},
          {"field_reports", result.info.field_reports},
          {"test", result.info.test},
          {"profiles", names_of(result.info.profiles)},
          {"director", result.director},
          {"verdict", name_of(result.verdict)},
          {"reason", result.reason},
          {"assertions", result.assertions},
          {"views", {{"outside", to_json(result.outside)}, {"inside", to_json(result.inside)}}},
          {"failures", std::move(failures)},
          {"virtual_s", finite(result.virtual_s)},
          {"wall_ms", finite(result.wall_ms)},
          {"evidence", result.evidence},
          {"rerun", result.rerun},
          {"measurements", std::move(measurements)},
          {"timeline", std::move(timeline)}};
}

json to_json(const Environment& environment) {
  return {{"kernel", environment.kernel},  {"machine", environment.machine}, {"cpus", environment.cpus},
          {"root", environment.root},      {"lab", environment.lab},         {"clock", environment.clock},
          {"sysctls", environment.sysctls}};
}

/// { "word", "exit_status", "directors": { NAME: { "word", "must": { "PASS": 12 }, ... } } }; zeros are left out.
json summary_of(const Run& run) {
  const Tallies tallies(run);
  json directors = json::object();
  for (const std::string& name : tallies.directors) {
    json entry = {{"word", overall_word(run, name)}};
    for (const Level level : kAllLevels) {
      json counts = json::object();
      if (const auto tally = tallies.by_director.find(name); tally != tallies.by_director.end())
        for (const Verdict verdict : kAllVerdicts)
          if (const int n = tally->second.of(level, verdict); n > 0) counts[std::string(name_of(verdict))] = n;
      entry[std::string(name_of(level))] = std::move(counts);
    }
    directors[name] = std::move(entry);
  }
  return {{"word", overall_word(run)}, {"exit_status", exit_status(run)}, {"directors", std::move(directors)}};
}

json to_json(const DirectorInfo& director) {
  return {{"name", director.name},
          {"version", director.version},
          {"capabilities", director.capabilities},
          {"passport", director.passport},
          {"lab", director.lab},
          {"clock", director.clock},
          {"kernel", director.kernel},
          {"profile", name_of(director.profile)},
          {"selected", director.selected},
          {"catalogue", director.catalogue}};
}

json shard_of(const Run& run) { return {{"index", run.shard}, {"of", run.shards}}; }

json to_json(const Run& run) {
  json directors = json::array();
  for (const DirectorInfo& director : run.directors) directors.push_back(to_json(director));
  json cases = json::array();
  for (const CaseResult& result : run.cases) cases.push_back(to_json(result));
  return {{"tool", "lvspec"},
          {"schema_version", kSchemaVersion},
          {"version", run.version},
          {"suite_digest", run.suite_digest},
          {"started_at", run.started_at},
          {"rerun", run.rerun},
          {"wall_s", finite(run.wall_s)},
          {"selected", run.selected},
          {"catalogue", run.catalogue},
          {"shard", shard_of(run)},
          {"environment", to_json(run.environment)},
          {"directors", std::move(directors)},
          {"words", run.guidance.words},
          {"likely_causes", run.guidance.likely},
          {"summary", summary_of(run)},
          {"cases", std::move(cases)}};
}

std::string to_text(const json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

Result<Run> read_run(std::string_view text, const std::string& file) {
  try {
    const json value = json::parse(text);
    std::string error;
    Run run = read_whole(Reader(value, "", &error), &error);
    if (!error.empty()) return usage_error(file + ": " + error);
    return run;
  } catch (const json::parse_error& error) {
    return usage_error(file + ": " + parse_message(error));
  } catch (const json::out_of_range& error) {  // a number that no double holds
    return usage_error(fmt::format("{}: {}", file, error.what()));
  }
}

std::string to_line(const CaseResult& result) {
  return to_json(result).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<CaseResult> from_line(std::string_view line) {
  try {
    const json value = json::parse(line);
    std::string error;
    CaseResult result = read_case(Reader(value, "", &error));
    if (!error.empty()) return Error{"a worker's line: " + error};
    return result;
  } catch (const json::parse_error& error) {
    return Error{"a worker's line: " + parse_message(error)};
  } catch (const json::out_of_range& error) {
    return Error{fmt::format("a worker's line: {}", error.what())};
  }
}

}  // namespace lvspec
