#include "harness/report/tap.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/report/escape.h"

namespace lvspec {
namespace {

/// Text of a description or directive: one line, in which "#" begins nothing.
std::string tap_escape(std::string_view text) {
  std::string out;
  for (const char c : terminal_text(text)) {
    if (c == '\n') {
      out += ' ';
      continue;
    }
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// A YAML flow scalar; a JSON text is one.
std::string yaml_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_ok(const CaseResult& result) {
  if (asserted_nothing(result)) return false;
  return result.verdict == Verdict::kPass || result.verdict == Verdict::kInfo || was_skipped(result.verdict);
}

std::string directive(const CaseResult& result) {
  if (was_skipped(result.verdict))
    return fmt::format(" # SKIP {}: {}", name_of(result.verdict), tap_escape(result.reason));
  if (result.verdict == Verdict::kXfail) return " # TODO " + tap_escape(result.reason);
  return "";
}

/// Two columns in, as the specification wants it.
std::string diagnostics(const CaseResult& result) {
  std::string out = "  ---\n";
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) out += fmt::format("  {}: {}\n", key, yaml_text(value));
  };
  add("verdict", name_of(result.verdict));
  add("level", name_of(result.info.level));
  add("promised", result.info.claim);
  add("message", asserted_nothing(result) ? "the case evaluated not one assertion" : result.reason);
  out += fmt::format("  clauses: {}\n", nlohmann::json(result.info.clauses).dump());
  if (!result.failures.empty()) out += "  failures:\n";
  for (const Assertion& failure : result.failures)
    out +=
        fmt::format("    - at: {}\n      what: {}\n      expected: {}\n      actual: {}\n", yaml_text(failure.where),
                    yaml_text(failure.what), yaml_text(failure.expected), yaml_text(failure.actual));
  add("evidence", result.evidence);
  add("again", result.rerun);
  return out + "  ...\n";
}

}  // namespace

std::string tap_head(std::size_t cases) {
  return fmt::format("TAP version 14\n1..{}{}\n", cases, cases == 0 ? " # SKIP nothing was selected" : "");
}

std::string tap_point(std::size_t number, const CaseResult& result) {
  std::string out = fmt::format("{} {} - {} on {}{}\n", is_ok(result) ? "ok" : "not ok", number,
                                tap_escape(result.info.id), tap_escape(result.director), directive(result));
  if (needs_attention(result.verdict) || asserted_nothing(result)) out += diagnostics(result);
  return out;
}

std::string to_tap(const Run& run) {
  std::string out = tap_head(run.cases.size());
  for (std::size_t i = 0; i < run.cases.size(); ++i) out += tap_point(i + 1, run.cases[i]);
  return out;
}

}  // namespace lvspec
