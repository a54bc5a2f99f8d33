#include "harness/report/junit.h"

#include <fmt/format.h>

#include <iterator>

#include "harness/report/escape.h"
#include "harness/report/tally.h"
#include "harness/report/text.h"

namespace lvspec {
namespace {

enum class Outcome { kPassed, kFailure, kError, kSkipped };

Outcome outcome_of(const CaseResult& result) {
  switch (result.verdict) {
    case Verdict::kFail:
    case Verdict::kXpass:
      return Outcome::kFailure;
    case Verdict::kHarnessError:
    case Verdict::kInconclusive:
      return Outcome::kError;
    case Verdict::kUnsupported:
    case Verdict::kEnvSkip:
    case Verdict::kXfail:
      return Outcome::kSkipped;
    case Verdict::kPass:
    case Verdict::kInfo:
      break;
  }
  return asserted_nothing(result) ? Outcome::kError : Outcome::kPassed;
}

struct Counts {
  int tests = 0, failures = 0, errors = 0, skipped = 0;
  double seconds = 0;

  void add(const CaseResult& result) {
    const Outcome outcome = outcome_of(result);
    ++tests;
    failures += outcome == Outcome::kFailure;
    errors += outcome == Outcome::kError;
    skipped += outcome == Outcome::kSkipped;
    seconds += result.wall_ms / 1e3;
  }
};

/// The one line that dashboards show beside a red case.
std::string message_of(const CaseResult& result) {
  if (!result.reason.empty()) return fmt::format("{}: {}", name_of(result.verdict), result.reason);
  if (!result.failures.empty()) {
    const Assertion& first = result.failures.front();
    return fmt::format("expected {}, actual {}", first.expected, first.actual);
  }
  return asserted_nothing(result) ? "nothing was asserted" : std::string(name_of(result.verdict));
}

std::string case_element(const CaseResult& result, const std::string& class_name, const Guidance& guidance) {
  const std::string suite = result.info.suite();
  const std::string name = suite.size() < result.info.id.size() ? result.info.id.substr(suite.size() + 1) : suite;
  std::string out = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", class_name,
                                xml_escape(name), result.wall_ms / 1e3);
  const std::string message = xml_escape(message_of(result));
  const auto element = [&](const char* tag) {
    return fmt::format(">\n      <{0} message=\"{1}\" type=\"{2}\">{3}</{0}>\n    </testcase>\n", tag, message,
                       name_of(result.verdict), xml_escape(failure_text(result, guidance)));
  };
  switch (outcome_of(result)) {
    case Outcome::kFailure:
      return out + element("failure");
    case Outcome::kError:
      return out + element("error");
    case Outcome::kSkipped:
      return out + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", message);
    case Outcome::kPassed:
      break;
  }
  if (result.verdict != Verdict::kInfo) return out + "/>\n";
  return out + fmt::format(">\n      <system-out>{}</system-out>\n    </testcase>\n", message);
}

}  // namespace

std::string to_junit(const Run& run) {
  const Tallies tallies(run);
  Counts all;
  std::string suites;
  for (const std::string& director : tallies.directors) {
    for (const std::string& suite : tallies.suites) {
      // A dot separates levels in every dashboard's tree, so it must not come from a director's own name.
      std::string safe_director = director;
      for (char& c : safe_director)
        if (c == '.' || c == '/' || c == ' ') c = '_';
      const std::string name = xml_escape(fmt::format("lvspec.{}.{}", safe_director, suite));
      Counts counts;
      std::string elements;
      for (const CaseResult& result : run.cases) {
        if (result.director != director || result.info.suite() != suite) continue;
        counts.add(result);
        all.add(result);
        elements += case_element(result, name, run.guidance);
      }
      if (counts.tests == 0) continue;
      suites += fmt::format(
          "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\" "
          "timestamp=\"{}\">\n{}  </testsuite>\n",
          name, counts.tests, counts.failures, counts.errors, counts.skipped, counts.seconds,
          xml_escape(run.started_at), elements);
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"lvspec\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n{}</testsuites>\n",
      all.tests, all.failures, all.errors, run.wall_s, suites);
}

}  // namespace lvspec
