#include "harness/report/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "harness/report/escape.h"

namespace lvspec {
namespace {

/// As @actions/core has it: what a value of a command cannot hold, in per cent.
std::string command_escape(std::string_view text, bool is_property) {
  std::string out;
  for (const char c : terminal_text(text)) {
    const bool special = c == '%' || c == '\n' || c == '\r' || (is_property && (c == ':' || c == ','));
    if (special)
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out;
}

/// "suites/pcc/pcc_test.cc:41" as "file=suites/pcc/pcc_test.cc,line=41,"; nothing where it is no such place.
std::string place_of(const std::string& where) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string::npos || colon == 0) return "";
  int line = 0;
  const char* end = where.data() + where.size();
  const auto [rest, error] = std::from_chars(where.data() + colon + 1, end, line);
  if (error != std::errc() || rest != end || line < 1) return "";
  return fmt::format("file={},line={},", command_escape(where.substr(0, colon), true), line);
}

}  // namespace

std::string github_annotations(const CaseResult& result) {
  constexpr std::size_t kShown = 5;
  if (!needs_attention(result.verdict) && !asserted_nothing(result)) return "";
  const bool mild = result.verdict == Verdict::kInconclusive ||
                    (result.verdict == Verdict::kFail && result.info.level != Level::kMust);
  const std::string_view command = mild ? "warning" : "error";
  const std::string title =
      command_escape(fmt::format("{} on {}: {}", result.info.id, result.director, name_of(result.verdict)), true);
  std::string cited = result.info.claim;
  if (!result.info.clauses.empty()) cited += fmt::format("\n{}", fmt::join(result.info.clauses, ", "));
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, result.failures.size()); ++i) {
    const Assertion& failure = result.failures[i];
    out += fmt::format("::{} {}title={}::{}\n", command, place_of(failure.where), title,
                       command_escape(fmt::format("{}\n{}\nexpected: {}\nactual: {}\nagain: {}", cited, failure.what,
                                                  failure.expected, failure.actual, result.rerun),
                                      false));
  }
  if (!out.empty()) return out;
  const std::string why = asserted_nothing(result) ? "the case evaluated not one assertion" : result.reason;
  return fmt::format("::{} title={}::{}\n", command, title,
                     command_escape(fmt::format("{}\n{}\nagain: {}", cited, why, result.rerun), false));
}

}  // namespace lvspec
