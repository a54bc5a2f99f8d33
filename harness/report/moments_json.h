#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "harness/report/model.h"

namespace lvspec {

std::string_view name_of(MomentKind kind);  ///< "world", "answer", "no-answer", ...
std::optional<MomentKind> moment_kind_of(std::string_view name);

/// { "at", "kind", "who", "what", "by", "left", "times" }; what is empty, zero or one is left out, since every case
/// of every report has dozens of them.
nlohmann::json to_json(const Moment& moment);

}  // namespace lvspec
