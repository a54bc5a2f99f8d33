#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/compare/columns.h"
#include "harness/law/law.h"

namespace lvspec {

struct PageOptions {
  std::string language = "en";  ///< or "zh"
  std::string folder = ".";     ///< where the page will lie: links to evidence are relative to it
  std::string made_at;          ///< RFC 3339, UTC
};

/// One HTML file that needs nothing else: no network (its policy forbids it), no server, no other file but the
/// evidence that it links to.
std::string comparison_page(const std::vector<Column>& columns, const Law& law, const PageOptions& options);

}  // namespace lvspec
