#include "harness/report/events.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "harness/report/json.h"

namespace lvspec {
namespace {

using nlohmann::json;

/// RFC 3339, UTC, to the millisecond.
std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(since / 1000)),
                     since % 1000);
}

std::string line_of(const json& event) { return event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string run_begin_event(const Run& run, std::size_t cases) {
  json directors = json::array();
  for (const DirectorInfo& director : run.directors) directors.push_back(to_json(director));
  return line_of({{"event", "run-begin"},
                  {"time", now_text()},
                  {"tool", "lvspec"},
                  {"schema_version", kSchemaVersion},
                  {"version", run.version},
                  {"suite_digest", run.suite_digest},
                  {"started_at", run.started_at},
                  {"rerun", run.rerun},
                  {"selected", run.selected},
                  {"catalogue", run.catalogue},
                  {"shard", shard_of(run)},
                  {"cases", cases},
                  {"environment", to_json(run.environment)},
                  {"directors", std::move(directors)}});
}

std::string case_end_event(std::size_t number, const CaseResult& result) {
  return line_of({{"event", "case-end"}, {"time", now_text()}, {"number", number}, {"case", to_json(result)}});
}

std::string run_end_event(const Run& run) {
  return line_of({{"event", "run-end"},
                  {"time", now_text()},
                  {"wall_s", std::isfinite(run.wall_s) ? run.wall_s : 0},
                  {"environment", to_json(run.environment)},
                  {"summary", summary_of(run)}});
}

}  // namespace lvspec
