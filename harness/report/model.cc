#include "harness/report/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/base/check.h"

namespace lvspec {
namespace {

/// What decides a word and an exit status, counted once.
struct Findings {
  int asked = 0, failed_must = 0, failed_below = 0, unannounced = 0, harness_errors = 0, asserted_nothing = 0,
      inconclusive = 0;
  int failed() const { return failed_must + failed_below; }
};

Findings findings_of(const Run& run, std::string_view director) {
  Findings found;
  for (const CaseResult& result : run.cases) {
    if (!director.empty() && result.director != director) continue;
    if (was_skipped(result.verdict)) continue;
    ++found.asked;
    if (result.verdict == Verdict::kFail)
      ++(result.info.level == Level::kMust ? found.failed_must : found.failed_below);
    if (result.verdict == Verdict::kXpass) ++found.unannounced;
    if (result.verdict == Verdict::kHarnessError) ++found.harness_errors;
    if (result.verdict == Verdict::kInconclusive) ++found.inconclusive;
    if (asserted_nothing(result)) ++found.asserted_nothing;
  }
  return found;
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kMust:
      return "must";
    case Level::kShould:
      return "should";
    case Level::kInfo:
      return "info";
  }
  LVSPEC_CHECK(false);
}

std::string_view name_of(View view) { return view == View::kInside ? "inside" : "outside"; }

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kInfo:
      return "INFO";
    case Verdict::kUnsupported:
      return "UNSUPPORTED";
    case Verdict::kEnvSkip:
      return "ENV-SKIP";
    case Verdict::kInconclusive:
      return "INCONCLUSIVE";
    case Verdict::kXfail:
      return "XFAIL";
    case Verdict::kXpass:
      return "XPASS";
    case Verdict::kHarnessError:
      return "HARNESS-ERROR";
  }
  LVSPEC_CHECK(false);
}

std::string_view name_of(Profile profile) { return profile == Profile::kIpvs ? "ipvs" : "affinity"; }

std::optional<Profile> profile_of(std::string_view name) {
  if (name == "ipvs") return Profile::kIpvs;
  if (name == "affinity") return Profile::kAffinity;
  return std::nullopt;
}

std::optional<Level> level_of(std::string_view name) {
  const auto* found = std::find_if(kAllLevels.begin(), kAllLevels.end(), [&](Level l) { return name_of(l) == name; });
  return found == kAllLevels.end() ? std::nullopt : std::optional(*found);
}

std::optional<Verdict> verdict_of(std::string_view name) {
  const auto* found =
      std::find_if(kAllVerdicts.begin(), kAllVerdicts.end(), [&](Verdict v) { return name_of(v) == name; });
  return found == kAllVerdicts.end() ? std::nullopt : std::optional(*found);
}

bool needs_attention(Verdict verdict) {
  return verdict == Verdict::kFail || verdict == Verdict::kXpass || verdict == Verdict::kHarnessError ||
         verdict == Verdict::kInconclusive;
}

bool was_skipped(Verdict verdict) { return verdict == Verdict::kUnsupported || verdict == Verdict::kEnvSkip; }

bool asserted_nothing(const CaseResult& result) {
  if (result.assertions > 0) return false;
  const bool measured = result.verdict == Verdict::kInfo && !result.reason.empty();
  return result.verdict == Verdict::kPass || (result.verdict == Verdict::kInfo && !measured);
}

bool is_partial(const Run& run) {
  return run.selected != run.catalogue ||
         std::any_of(run.directors.begin(), run.directors.end(),
                     [](const DirectorInfo& info) { return info.selected != info.catalogue; });
}

bool is_partial(const Run& run, std::string_view director) {
  for (const DirectorInfo& info : run.directors)
    if (info.name == director && info.catalogue != 0) return info.selected != info.catalogue;
  return is_partial(run);
}

std::string overall_word(const Run& run, std::string_view director) {
  if (is_partial(run, director)) {
    for (const DirectorInfo& info : run.directors)
      if (info.name == director && info.catalogue != 0)
        return fmt::format("partial: {} of {}", info.selected, info.catalogue);
    return fmt::format("partial: {} of {}", run.selected, run.catalogue);
  }
  const Findings found = findings_of(run, director);
  if (found.asked == 0) return "nothing asserted";
  if (found.failed_must > 0) return "does not conform";
  if (found.harness_errors > 0) return "not judged: harness error";
  if (found.asserted_nothing > 0) return "nothing asserted";
  if (found.inconclusive > 0) return "inconclusive";
  if (found.failed_below > 0) {
    return fmt::format("conforms, with {} deviation{} below must", found.failed_below,
                       found.failed_below == 1 ? "" : "s");
  }
  return found.unannounced > 0 ? "conforms, more than was announced" : "conforms";
}

int exit_status(const Run& run) {
  const Findings found = findings_of(run, {});
  if (found.asked == 0) return 3;
  if (found.failed() + found.unannounced > 0) return 1;
  if (found.harness_errors > 0) return 4;
  if (found.asserted_nothing > 0) return 3;
  return found.inconclusive > 0 ? 5 : 0;
}

std::string_view exit_status_text() {
  return "Exit status:\n"
         "  0  all selected cases conform\n"
         "  1  a case failed (or passed although announced to fail), of whatever level was selected\n"
         "  2  usage: unknown option, case or director; a file that cannot be read\n"
         "  3  nothing was selected, everything was skipped, or a case passed without asserting anything\n"
         "  4  harness error: nothing failed, but some case could not be put to the director\n"
         "  5  nothing worse than inconclusive\n"
         "  When several apply: 1 goes before 4, because a job that retries on 4 must not wash a failure away.\n";
}

}  // namespace lvspec
