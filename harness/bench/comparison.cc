#include "harness/bench/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/base/check.h"

namespace lvspec {
namespace {

/// Three digits that mean something, and none that do not.
std::string number(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
}

std::string told(const Spread& spread) {
  return fmt::format("{} ({}..{})", number(spread.median), number(spread.min), number(spread.max));
}

/// Cells in columns: the first to the left, the others to the right, two spaces apart.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

nlohmann::json json_of(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

}  // namespace

Spread Spread::of(Rounds rounds) {
  LVSPEC_CHECK(!rounds.empty());
  std::sort(rounds.begin(), rounds.end());
  const std::size_t half = rounds.size() / 2;
  const double median = rounds.size() % 2 != 0 ? rounds[half] : (rounds[half - 1] + rounds[half]) / 2;
  return {median, rounds.front(), rounds.back()};
}

Rounds ratios(const Rounds& over, const Rounds& under) {
  LVSPEC_CHECK_EQ(over.size(), under.size());
  Rounds all;
  for (std::size_t i = 0; i < over.size(); ++i) all.push_back(over[i] / under[i]);
  return all;
}

std::string Goal::str() const { return fmt::format("{} {}", kind == Kind::kAtLeast ? ">=" : "<=", limit); }

void Comparison::record(const std::string& contender, const std::string& measure, double value) {
  if (std::find(contenders_.begin(), contenders_.end(), contender) == contenders_.end())
    contenders_.push_back(contender);
  auto row = std::find_if(measures_.begin(), measures_.end(), [&](const Measure& m) { return m.name == measure; });
  if (row == measures_.end()) row = measures_.insert(measures_.end(), {measure, {}});
  auto cell = std::find_if(row->contenders.begin(), row->contenders.end(),
                           [&](const auto& entry) { return entry.first == contender; });
  if (cell == row->contenders.end()) cell = row->contenders.insert(row->contenders.end(), {contender, {}});
  cell->second.push_back(value);
}

void Comparison::compare(const std::string& measure, const std::string& over, const std::string& under,
                         std::optional<Goal> goal) {
  ratios_.push_back({measure, over, under, goal});
}

void Comparison::require(const std::string& measure, const std::string& contender, Goal goal) {
  ratios_.push_back({measure, contender, "", goal});
}

const Rounds* Comparison::find(const std::string& measure, const std::string& contender) const {
  for (const Measure& row : measures_)
    if (row.name == measure)
      for (const auto& [name, rounds] : row.contenders)
        if (name == contender) return &rounds;
  return nullptr;
}

Spread Comparison::spread_of(const Ratio& ratio) const {
  const Rounds* over = find(ratio.measure, ratio.over);
  if (ratio.under.empty()) {
    LVSPEC_CHECK(over != nullptr);
    return Spread::of(*over);
  }
  const Rounds* under = find(ratio.measure, ratio.under);
  LVSPEC_CHECK(over != nullptr && under != nullptr);
  return Spread::of(ratios(*over, *under));
}

bool Comparison::all_goals_met() const {
  return std::all_of(ratios_.begin(), ratios_.end(), [this](const Ratio& ratio) {
    return !ratio.goal || ratio.goal->met_by(spread_of(ratio).median);
  });
}

std::string Comparison::text() const {
  std::vector<std::vector<std::string>> measured = {{"median (min..max)"}};
  measured[0].insert(measured[0].end(), contenders_.begin(), contenders_.end());
  for (const Measure& measure : measures_) {
    measured.push_back({measure.name});
    for (const std::string& contender : contenders_) {
      const Rounds* rounds = find(measure.name, contender);
      measured.back().push_back(rounds == nullptr ? "-" : told(Spread::of(*rounds)));
    }
  }
  std::vector<std::vector<std::string>> compared = {{"ratio, round by round", "median (min..max)", "goal", ""}};
  for (const Ratio& ratio : ratios_) {
    const Spread spread = spread_of(ratio);
    const std::string what = ratio.under.empty() ? ratio.over : fmt::format("{} / {}", ratio.over, ratio.under);
    compared.push_back({fmt::format("{}: {}", what, ratio.measure), told(spread), ratio.goal ? ratio.goal->str() : "",
                        !ratio.goal                         ? ""
                        : ratio.goal->met_by(spread.median) ? "met"
                                                            : "MISSED"});
  }
  return fmt::format("{}: {}\n\n{}\n{}", name_, title_, aligned(measured), aligned(compared));
}

nlohmann::json Comparison::json() const {
  nlohmann::json measures = nlohmann::json::array();
  for (const Measure& measure : measures_) {
    nlohmann::json contenders = nlohmann::json::object();
    for (const auto& [name, rounds] : measure.contenders) {
      contenders[name] = json_of(Spread::of(rounds));
      contenders[name]["rounds"] = rounds;
    }
    measures.push_back({{"name", measure.name}, {"contenders", contenders}});
  }
  nlohmann::json ratios = nlohmann::json::array();
  for (const Ratio& ratio : ratios_) {
    const Spread spread = spread_of(ratio);
    nlohmann::json row = json_of(spread);
    row["measure"] = ratio.measure;
    row["over"] = ratio.over;
    row["under"] = ratio.under;
    if (ratio.goal) {
      row["goal"] = {{ratio.goal->kind == Goal::Kind::kAtLeast ? "at_least" : "at_most", ratio.goal->limit}};
      row["met"] = ratio.goal->met_by(spread.median);
    }
    ratios.push_back(std::move(row));
  }
  return {{"name", name_}, {"title", title_}, {"measures", measures}, {"ratios", ratios}};
}

}  // namespace lvspec
