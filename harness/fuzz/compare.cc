#include "harness/fuzz/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "harness/fuzz/lines.h"

namespace lvspec::fuzz {
namespace {

/// Lines of `ours` that `theirs` has not, each as often as it is there more often.
std::vector<std::string> only_in(std::vector<std::string> ours, std::vector<std::string> theirs) {
  std::sort(ours.begin(), ours.end());
  std::sort(theirs.begin(), theirs.end());
  std::vector<std::string> rest;
  std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(rest));
  return rest;
}

Difference difference(Difference::Kind kind, std::size_t step, const std::vector<std::string>& first,
                      const std::vector<std::string>& second) {
  if (kind == Difference::Kind::kOutcome) return {kind, step, first, second};
  Difference found{kind, step, only_in(first, second), only_in(second, first)};
  // The same lines in another order: the order of a list of servers.
  if (found.first.empty() && found.second.empty()) return {kind, step, first, second};
  return found;
}

std::string listed(const std::string& name, const std::vector<std::string>& lines) {
  if (lines.empty()) return fmt::format("  {}: (nothing)\n", name);
  std::string text;
  for (const std::string& line : lines) text += fmt::format("  {}: {}\n", name, line);
  return text;
}

}  // namespace

std::string_view name_of(Difference::Kind kind) {
  static constexpr std::array<std::string_view, 4> kNames = {"answers", "services and servers", "entries",
                                                             "statistics"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::optional<Difference> first_difference(const Record& first, const Record& second, Statistics statistics) {
  using Kind = Difference::Kind;
  const std::size_t steps = std::min(first.steps.size(), second.steps.size());
  for (std::size_t i = 0; i < steps; ++i) {
    const StepRecord &a = first.steps[i], &b = second.steps[i];
    if (a.blurred || b.blurred) return std::nullopt;
    if (a.outcome != b.outcome) return difference(Kind::kOutcome, i, a.outcome, b.outcome);
    if (a.services != b.services) return difference(Kind::kServices, i, a.services, b.services);
    if (a.entries != b.entries) return difference(Kind::kEntries, i, a.entries, b.entries);
    if (statistics == Statistics::kCompared && a.counts != b.counts)
      return difference(Kind::kCounts, i, a.counts, b.counts);
  }
  return std::nullopt;
}

std::string text_of(const Difference& difference, const Program& program, const std::string& first_name,
                    const std::string& second_name) {
  return fmt::format("{} differ after step {} of {}: {}{}{}", name_of(difference.kind), difference.step + 1,
                     program.steps.size(), script_of({program.steps[difference.step]}),
                     listed(first_name, difference.first), listed(second_name, difference.second));
}

}  // namespace lvspec::fuzz
