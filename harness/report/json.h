#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// What `schema_version` says in every document that we write. A document with another number is refused; new members
/// alone are no new number.
inline constexpr int kSchemaVersion = 1;

/// The content of results.json; fixtures/schemas/results.schema.json describes it.
/// `summary` and each case's `suite` are derived: they are written for readers in jq, and ignored by read_run.
nlohmann::json to_json(const Run& run);
/// Parts of it, for other documents that say the same.
nlohmann::json to_json(const CaseResult& result);
nlohmann::json to_json(const Environment& environment);
nlohmann::json to_json(const DirectorInfo& director);
nlohmann::json summary_of(const Run& run);
nlohmann::json shard_of(const Run& run);

/// As text, indented by two. Bytes that are not UTF-8 (a vendor daemon's message) come out as U+FFFD; never throws.
std::string to_text(const nlohmann::json& json);

/// Reads what to_json wrote. Members that it does not know are ignored, so that older tools read newer files.
/// Errors (kUsage) name the file and the place: `old.json: cases[3].verdict: "PAS" is not a verdict`.
Result<Run> read_run(std::string_view text, const std::string& file);

/// One case as one line without newline at the end: what a worker process tells its parent.
std::string to_line(const CaseResult& result);
Result<CaseResult> from_line(std::string_view line);

}  // namespace lvspec
