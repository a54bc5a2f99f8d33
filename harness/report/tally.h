#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/report/model.h"

namespace lvspec {

/// How many cases of one group got which verdict.
struct Tally {
  std::map<Level, std::map<Verdict, int>> counts;

  void add(const CaseResult& result) { ++counts[result.info.level][result.verdict]; }
  int of(Level level, Verdict verdict) const;
  int of(Verdict verdict) const;
  /// Those that hold: PASS, XPASS, XFAIL (as announced) and INFO.
  int held(Level level) const;
  /// Those that were put to the director at all.
  int asked(Level level) const;
  /// The gravest verdict that somebody has to look at, FAIL first; PASS where there is none.
  Verdict worst() const;
  Verdict worst(Level level) const;
  int total() const;
};

/// Counts of every director and suite that occur in a run.
struct Tallies {
  explicit Tallies(const Run& run);

  std::vector<std::string> directors;  ///< as Run::directors has them, then others in order of appearance
  std::vector<std::string> suites;     ///< in order of appearance
  std::map<std::string, Tally> by_director;
  std::map<std::string, std::map<std::string, Tally>> by_suite;  ///< [suite][director]
};

/// "must 12/12 should 3/3 info 2", and "2 skipped" where some were; "-" for an empty tally.
std::string describe(const Tally& tally);

/// "612 s", "1 h 02 min", "41 ms": for people.
std::string duration_text(double seconds);

/// One character that tells verdicts apart without colour, from a font that every terminal has.
std::string_view symbol_of(Verdict verdict);

/// Protocol time of all cases, in seconds.
double virtual_seconds(const Run& run);

}  // namespace lvspec
