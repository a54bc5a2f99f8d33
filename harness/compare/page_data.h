#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "harness/compare/page.h"

namespace lvspec {

/// What the page draws, packed: page/data.js opens it. Texts of moments and equal timelines are stored once.
nlohmann::json page_data(const std::vector<Column>& columns, const Law& law, const PageOptions& options);

}  // namespace lvspec
