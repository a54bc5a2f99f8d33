#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec::testing {

/// Thrown to end a case whose verdict is known already.
struct CaseOver {};

/// What the case that runs now has looked at so far. There is one at a time in a process.
class Recorder {
 public:
  static Recorder& current();

  void start();
  /// Called for every EXPECT_THAT and ASSERT_THAT, held or not.
  void looked(Assertion assertion);
  /// The world, or the director's declaration, ends the case; the first word counts.
  void refused(const Error& error);
  /// A measured value, for cases that measure.
  void measured(const std::string& value) { measured_ = value; }
  /// A cell of a table in the report, kept whatever the verdict.
  void measured(Measurement cell) { cells_.push_back(std::move(cell)); }

  /// An answer came from the server that was expected.
  void served() { ++served_; }
  /// A bench comes down: how many servers it had, and which of them were ever asked.
  void bench_closes(std::size_t servers, const std::set<std::string>& asked) {
    servers_ = std::max(servers_, servers);
    asked_.insert(asked.begin(), asked.end());
  }

  bool failed() const { return !failures_.empty() || refusal_.has_value(); }
  /// Verdict, reason, failures and count into `result`, by the rules of design.md.
  void conclude(bool gtest_failed, const std::string& gtest_text, CaseResult* result) const;

  /// How to ask the bench that stands now for the director's belief; empty while there is none.
  std::function<std::string()> belief;
  /// For who wants to know only whether a case fails: `looked` then throws CaseOver at the first failure.
  bool stop_at_first_failure = false;

 private:
  int looks_ = 0;
  Looks outside_, inside_;
  std::vector<Assertion> failures_;
  std::optional<Error> refusal_;
  std::string measured_;
  int served_ = 0;
  std::set<std::string> asked_;
  std::size_t servers_ = 0;
  std::vector<Measurement> cells_;
};

}  // namespace lvspec::testing
