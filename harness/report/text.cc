#include "harness/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/report/escape.h"
#include "harness/report/measured.h"
#include "harness/report/tally.h"

namespace lvspec {
namespace {

constexpr int kLabelWidth = 16;  // two columns of indent, the longest label, one blank

/// "  expected:  served by ..."; further lines of the value stand under its first.
std::string labelled(std::string_view label, std::string_view value) {
  return fmt::format("  {:<{}}{}\n", fmt::format("{}:", label), kLabelWidth - 2, terminal_text(value, kLabelWidth));
}

std::string describe_with_mark(const Tally& tally) {
  const Verdict worst = tally.worst();
  return describe(tally) + (worst == Verdict::kPass ? "" : fmt::format("  {}", symbol_of(worst)));
}

/// Columns that a text takes: characters, not bytes. Ours are all one column wide.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Left-aligned columns, two spaces apart, without blanks at line ends.
std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - width_of(row[i]) + 3, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

/// One line for each reason for which cases were skipped: a whole suite may share one.
std::string skipped_text(const Run& run) {
  std::vector<std::pair<std::string, int>> reasons;
  for (const CaseResult& result : run.cases) {
    if (!was_skipped(result.verdict)) continue;
    const std::string reason = fmt::format("{} on {}: {}", name_of(result.verdict), result.director,
                                           terminal_text(result.reason, kLabelWidth));
    const auto found = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == reason; });
    if (found == reasons.end()) {
      reasons.emplace_back(reason, 1);
    } else {
      ++found->second;
    }
  }
  std::string out;
  for (const auto& [reason, n] : reasons) out += fmt::format("{} case{} {}\n", n, n == 1 ? "" : "s", reason);
  return out;
}

/// Whether it has to be said by which profile a director is judged.
bool several_profiles(const Run& run) {
  return std::any_of(run.directors.begin(), run.directors.end(),
                     [](const DirectorInfo& director) { return director.profile != Profile::kIpvs; });
}

std::string profile_text(const Run& run, const std::string& director) {
  for (const DirectorInfo& info : run.directors)
    if (info.name == director) return std::string(name_of(info.profile));
  return "-";
}

/// "partial: 12 of 34 cases of the catalogue; no word on the whole", or that of each profile.
std::string partial_text(const Run& run) {
  constexpr const char* kNoWord = "no word on the whole\n";
  if (!several_profiles(run)) return fmt::format("{} cases of the catalogue; {}", overall_word(run), kNoWord);
  std::map<Profile, std::string> parts;
  for (const DirectorInfo& info : run.directors)
    parts[info.profile] =
        fmt::format("{} of {} cases of profile {}", info.selected, info.catalogue, name_of(info.profile));
  std::string text = "partial: ";
  for (const auto& [profile, part] : parts) text += part + "; ";
  return text + kNoWord;
}

}  // namespace

std::string cited(const std::vector<std::string>& ids, const Guidance& guidance) {
  const auto words_of = [&](const std::string& id) { return guidance.words.find(id); };
  if (std::ranges::none_of(ids, [&](const auto& id) { return words_of(id) != guidance.words.end(); }))
    return fmt::format("{}", fmt::join(ids, ", "));
  std::string lines;
  for (const std::string& id : ids) {
    if (!lines.empty()) lines += '\n';
    lines += id;
    if (const auto words = words_of(id); words != guidance.words.end()) lines += "  " + words->second;
  }
  return lines;
}

std::string failure_text(const CaseResult& result, const Guidance& guidance, const std::string& report_dir) {
  constexpr std::size_t kShown = 5;
  std::string out =
      fmt::format("{} {}  {}  {}  ({})\n", symbol_of(result.verdict), name_of(result.verdict),
                  terminal_text(result.info.id), terminal_text(result.director), name_of(result.info.level));
  out += labelled("promised", result.info.claim);
  if (!result.info.clauses.empty()) out += labelled("clauses", cited(result.info.clauses, guidance));
  if (!result.info.field_reports.empty()) out += labelled("users met it", cited(result.info.field_reports, guidance));
  if (!result.reason.empty()) out += labelled("reason", result.reason);
  if (asserted_nothing(result)) out += labelled("reason", "the case evaluated not one assertion");
  for (std::size_t i = 0; i < std::min(kShown, result.failures.size()); ++i) {
    const Assertion& failure = result.failures[i];
    out += labelled("looked at", failure.where.empty() ? failure.what : failure.what + "   " + failure.where);
    out += labelled("expected", failure.expected);
    out += labelled("actual", failure.actual);
    if (!failure.believed.empty()) out += labelled("tables then", failure.believed);
  }
  if (result.failures.size() > kShown)
    out += labelled("and", fmt::format("{} more, in results.json", result.failures.size() - kShown));
  if (const auto likely = guidance.likely.find(result.info.id); likely != guidance.likely.end())
    out += labelled("likely cause", likely->second);
  if (!result.evidence.empty()) {
    const std::string prefix = report_dir.empty() || report_dir.back() == '/' ? report_dir : report_dir + "/";
    out += labelled("evidence", prefix + result.evidence + "/");
  }
  if (!result.rerun.empty()) out += labelled("again", result.rerun);
  return out;
}

std::string progress_line(const CaseResult& result) {
  const std::string detail = result.verdict == Verdict::kPass
                                 ? duration_text(result.virtual_s) + " in " + duration_text(result.wall_ms / 1e3)
                                 : result.reason;
  return fmt::format("{} {:<13} {:<44} {:<10} {}", symbol_of(result.verdict), name_of(result.verdict),
                     terminal_text(result.info.id), terminal_text(result.director),
                     terminal_text(detail.substr(0, detail.find('\n'))));
}

std::string differences_text(const Run& run) {
  std::map<std::string, std::map<std::string, Verdict>> by_case;
  for (const CaseResult& result : run.cases) by_case[result.info.id][result.director] = result.verdict;
  std::string out;
  int different = 0;
  for (const auto& [id, verdicts] : by_case) {
    const bool same =
        std::all_of(verdicts.begin(), verdicts.end(),
                    [first = verdicts.begin()->second](const auto& entry) { return entry.second == first; });
    if (same) continue;
    ++different;
    out += fmt::format("  {}:", terminal_text(id));
    for (const auto& [director, verdict] : verdicts)
      out += fmt::format(" {} {}", terminal_text(director), name_of(verdict));
    out += '\n';
  }
  if (different == 0) return "differences between the directors: none\n";
  return fmt::format("differences between the directors: {}\n{}", different, out);
}

std::string summary_text(const Run& run, const std::string& report_dir) {
  const Tallies tallies(run);
  std::vector<std::vector<std::string>> rows = {{"suite"}};
  for (const std::string& director : tallies.directors) rows[0].push_back(terminal_text(director));
  for (const std::string& suite : tallies.suites) {
    std::vector<std::string> row = {terminal_text(suite)};
    for (const std::string& director : tallies.directors) {
      const auto& by_director = tallies.by_suite.at(suite);
      const auto tally = by_director.find(director);
      row.push_back(tally == by_director.end() ? "-" : describe_with_mark(tally->second));
    }
    rows.push_back(std::move(row));
  }
  std::vector<std::string> totals = {"total"};
  std::vector<std::string> words = {""};
  for (const std::string& director : tallies.directors) {
    const auto tally = tallies.by_director.find(director);
    totals.push_back(tally == tallies.by_director.end() ? "-" : describe_with_mark(tally->second));
    words.push_back(overall_word(run, director));
  }
  rows.push_back(std::move(totals));
  if (several_profiles(run)) {
    std::vector<std::string> profiles = {"profile"};
    for (const std::string& director : tallies.directors) profiles.push_back(profile_text(run, director));
    rows.push_back(std::move(profiles));
  }
  if (!is_partial(run)) rows.push_back(std::move(words));

  std::string out;
  // Who asked for one suite that measures wants to read what it measured.
  if (tallies.suites.size() == 1)
    for (const MeasuredTable& table : measured_tables(run)) out += table_text(table) + '\n';
  out += table_text(rows) + '\n' + skipped_text(run);
  if (is_partial(run)) out += partial_text(run);
  if (tallies.directors.size() > 1) out += differences_text(run);
  const double protocol_s = virtual_seconds(run);
  out += fmt::format("{} of protocol time in {}", duration_text(protocol_s), duration_text(run.wall_s));
  if (run.wall_s > 0 && protocol_s > run.wall_s) out += fmt::format(", {:.0f} times faster", protocol_s / run.wall_s);
  out += fmt::format("  ({} lab, {})\n", run.environment.lab, run.environment.kernel);
  if (!report_dir.empty()) {
    const bool slash = report_dir.back() == '/';
    out += fmt::format("report: {}{}index.html\n", report_dir, slash ? "" : "/");
  }
  return out;
}

}  // namespace lvspec
