#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/cli/commands.h"

namespace lvspec {
namespace {

int list_as_json(const Catalogue& catalogue) {
  nlohmann::json rows = nlohmann::json::array();
  for (const CaseInfo& info : catalogue)
    rows.push_back({{"id", info.id},
                    {"suite", info.suite()},
                    {"claim", info.claim},
                    {"level", name_of(info.level)},
                    {"clauses", info.clauses},
                    {"field_reports", info.field_reports},
                    {"test", info.test}});
  fmt::print("{}\n", rows.dump(2));
  return kConforms;
}

int list(const Catalogue& catalogue) {
  std::size_t widest = 0;
  for (const CaseInfo& info : catalogue) widest = std::max(widest, info.id.size());
  for (const CaseInfo& info : catalogue) {
    fmt::print("{:<{}}  {:<6}  {}", info.id, widest, name_of(info.level), fmt::join(info.clauses, " "));
    if (!info.field_reports.empty()) fmt::print("  {}", fmt::join(info.field_reports, " "));
    fmt::print("\n{:<{}}  {}\n", "", widest, info.claim);
  }
  return kConforms;
}

}  // namespace

Action add_list_command(CLI::App& app, const Catalogue& catalogue) {
  auto* command = app.add_subcommand("list", "list the cases with their clauses, levels and field reports");
  command->footer("Example: lvspec list --json | jq -r '.[] | select(.clauses[] == \"TPL-34\") | .id'");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "as JSON");
  return [json, &catalogue] { return *json ? list_as_json(catalogue) : list(catalogue); };
}

}  // namespace lvspec
