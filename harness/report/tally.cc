#include "harness/report/tally.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/check.h"

namespace lvspec {
namespace {

void add_once(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

}  // namespace

int Tally::of(Level level, Verdict verdict) const {
  const auto at_level = counts.find(level);
  if (at_level == counts.end()) return 0;
  const auto found = at_level->second.find(verdict);
  return found == at_level->second.end() ? 0 : found->second;
}

int Tally::of(Verdict verdict) const {
  int sum = 0;
  for (const Level level : kAllLevels) sum += of(level, verdict);
  return sum;
}

int Tally::held(Level level) const {
  return of(level, Verdict::kPass) + of(level, Verdict::kXpass) + of(level, Verdict::kXfail) +
         of(level, Verdict::kInfo);
}

int Tally::asked(Level level) const {
  int sum = 0;
  for (const Verdict verdict : kAllVerdicts)
    if (!was_skipped(verdict)) sum += of(level, verdict);
  return sum;
}

int Tally::total() const {
  int sum = 0;
  for (const Verdict verdict : kAllVerdicts) sum += of(verdict);
  return sum;
}

Verdict Tally::worst(Level level) const {
  for (const Verdict verdict : {Verdict::kFail, Verdict::kXpass, Verdict::kHarnessError, Verdict::kInconclusive})
    if (of(level, verdict) > 0) return verdict;
  return Verdict::kPass;
}

Verdict Tally::worst() const {
  for (const Verdict verdict : {Verdict::kFail, Verdict::kXpass, Verdict::kHarnessError, Verdict::kInconclusive})
    if (of(verdict) > 0) return verdict;
  return Verdict::kPass;
}

Tallies::Tallies(const Run& run) {
  for (const DirectorInfo& director : run.directors) add_once(directors, director.name);
  for (const CaseResult& result : run.cases) {
    add_once(directors, result.director);
    add_once(suites, result.info.suite());
    by_director[result.director].add(result);
    by_suite[result.info.suite()][result.director].add(result);
  }
}

std::string describe(const Tally& tally) {
  std::string text;
  const auto append = [&](const std::string& part) { text += (text.empty() ? "" : "  ") + part; };
  for (const Level level : kAllLevels)
    if (const int asked = tally.asked(level); asked > 0)
      append(fmt::format("{} {}/{}", name_of(level), tally.held(level), asked));
  const int skipped = tally.of(Verdict::kUnsupported) + tally.of(Verdict::kEnvSkip);
  if (skipped > 0) append(fmt::format("{} skipped", skipped));
  return text.empty() ? "-" : text;
}

std::string duration_text(double seconds) {
  if (!(seconds > 0)) return "0 s";
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", std::max(1.0, seconds * 1e3));
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} s", seconds);
  const auto minutes = static_cast<long long>(seconds / 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string_view symbol_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "✓";
    case Verdict::kFail:
      return "✗";
    case Verdict::kInfo:
      return "i";
    case Verdict::kUnsupported:
      return "–";
    case Verdict::kEnvSkip:
      return "○";
    case Verdict::kInconclusive:
      return "?";
    case Verdict::kXfail:
      return "×";
    case Verdict::kXpass:
      return "+";
    case Verdict::kHarnessError:
      return "!";
  }
  LVSPEC_CHECK(false);
}

double virtual_seconds(const Run& run) {
  double sum = 0;
  for (const CaseResult& result : run.cases) sum += result.virtual_s;
  return sum;
}

}  // namespace lvspec
