#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// What one director may show to others: a document in the manner of the Kubernetes Gateway API's ConformanceReport,
/// with a profile for each suite, statistics for each level, the cases that failed or were skipped, and where all
/// this comes from. fixtures/schemas/conformance.schema.json describes it. A partial run has statistics, but no
/// `result`, neither of the whole nor of a level: "12 of 34" in `partial` stands in its place.
/// @param results_sha256  digest of the results.json that it was made from.
/// Source: https://gateway-api.sigs.k8s.io/concepts/conformance/ (ConformanceReport, v1)
nlohmann::json conformance_report(const Run& run, const DirectorInfo& director, const std::string& results_sha256);

/// "conformance.bundled.json"; a director may be called by a command with its path.
std::string conformance_name(const DirectorInfo& director);

}  // namespace lvspec
