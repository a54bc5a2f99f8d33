#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lvspec {

/// One value a round, in the order of the rounds.
using Rounds = std::vector<double>;

struct Spread {
  double median = 0, min = 0, max = 0;

  /// @param rounds  at least one (checked); of an even number the median is the mean of the middle two.
  static Spread of(Rounds rounds);
};

/// over[i] / under[i]. A machine's speed drifts by a factor of two within an hour, and within one round it does not:
/// so ratios are taken round by round, and only then is the median taken.
/// @param over, under  of one length (checked)
Rounds ratios(const Rounds& over, const Rounds& under);

/// What a ratio's median should be.
struct Goal {
  enum class Kind { kAtLeast, kAtMost };
  Kind kind = Kind::kAtLeast;
  double limit = 1;

  bool met_by(double median) const { return kind == Kind::kAtLeast ? median >= limit : median <= limit; }
  /// ">= 1.5"
  std::string str() const;
};

inline Goal at_least(double limit) { return {Goal::Kind::kAtLeast, limit}; }
inline Goal at_most(double limit) { return {Goal::Kind::kAtMost, limit}; }

/// Contenders that do the same thing in interleaved rounds: what was measured of each, and how they compare. Printed
/// as a table and written as JSON; contenders, measures and ratios stand in the order in which they were first named.
class Comparison {
 public:
  /// @param name   "forward"
  /// @param title  what all contenders do, in one line
  Comparison(std::string name, std::string title) : name_(std::move(name)), title_(std::move(title)) {}

  /// One round's value. @param measure  what and in which unit: "CPU, us/connection"
  void record(const std::string& contender, const std::string& measure, double value);

  /// Asks for the ratio over / under of a measure that both were recorded for in each round (checked when told).
  void compare(const std::string& measure, const std::string& over, const std::string& under,
               std::optional<Goal> goal = std::nullopt);

  /// Asks whether the measure itself meets a goal.
  void require(const std::string& measure, const std::string& contender, Goal goal);

  bool all_goals_met() const;
  /// The table: a line for each measure with a column for each contender, then a line for each ratio with its goal.
  std::string text() const;
  nlohmann::json json() const;

 private:
  struct Measure {
    std::string name;
    std::vector<std::pair<std::string, Rounds>> contenders;
  };
  struct Ratio {
    std::string measure, over, under;  ///< under is empty for the measure itself
    std::optional<Goal> goal;
  };

  const Rounds* find(const std::string& measure, const std::string& contender) const;
  Spread spread_of(const Ratio& ratio) const;

  std::string name_, title_;
  std::vector<std::string> contenders_;
  std::vector<Measure> measures_;
  std::vector<Ratio> ratios_;
};

}  // namespace lvspec
