#include "harness/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "harness/report/escape.h"
#include "harness/report/html_style.h"
#include "harness/report/tally.h"
#include "harness/report/text.h"

namespace lvspec {
namespace {

/// One row of a suite: a case, and what each director made of it (more than one result each under --repeat).
struct Row {
  const CaseInfo* info = nullptr;
  std::vector<const CaseResult*> results;

  bool needs_attention() const {
    return std::any_of(results.begin(), results.end(), [](const CaseResult* result) {
      return lvspec::needs_attention(result->verdict) || asserted_nothing(*result);
    });
  }
};

std::vector<Row> rows_of(const Run& run, const std::string& suite) {
  std::vector<Row> rows;
  std::map<std::string, std::size_t> at;
  for (const CaseResult& result : run.cases) {
    if (result.info.suite() != suite) continue;
    const auto [found, fresh] = at.emplace(result.info.id, rows.size());
    if (fresh) rows.push_back({&result.info, {}});
    rows[found->second].results.push_back(&result);
  }
  return rows;
}

/// The class that colours a verdict.
std::string_view tone_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
    case Verdict::kXfail:
      return "good";
    case Verdict::kFail:
    case Verdict::kXpass:
      return "bad";
    case Verdict::kHarnessError:
    case Verdict::kInconclusive:
      return "warn";
    case Verdict::kInfo:
      return "note";
    case Verdict::kUnsupported:
    case Verdict::kEnvSkip:
      break;
  }
  return "soft";
}

/// A PASS without an assertion must not look like one.
std::string_view tone_of(const CaseResult& result) {
  return asserted_nothing(result) ? "warn" : tone_of(result.verdict);
}

std::string_view tone_of_run(const Run& run) {
  switch (exit_status(run)) {
    case 0:
      return "good";
    case 1:
      return "bad";
    default:
      return "warn";
  }
}

std::string_view symbol_of_run(const Run& run) {
  switch (exit_status(run)) {
    case 0:
      return symbol_of(Verdict::kPass);
    case 1:
      return symbol_of(Verdict::kFail);
    case 5:
      return symbol_of(Verdict::kInconclusive);
    default:
      return symbol_of(Verdict::kHarnessError);
  }
}

std::string anchor_of(const std::string& case_id) { return "case-" + xml_escape(path_in_url(case_id)); }

/// "<dt>label</dt><dd>html</dd>"; nothing where there is nothing to say.
std::string entry(std::string_view label, const std::string& html) {
  return html.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", label, html);
}

std::string cited_entry(std::string_view label, const std::vector<std::string>& ids, const Guidance& guidance) {
  if (ids.empty()) return "";
  std::string lines = xml_escape(cited(ids, guidance));
  for (auto at = lines.find('\n'); at != std::string::npos; at = lines.find('\n', at)) lines.replace(at, 1, "<br>");
  return entry(label, lines);
}

std::string map_entries(const std::map<std::string, std::string>& items) {
  std::string out;
  for (const auto& [key, value] : items) out += entry(xml_escape(key), xml_escape(value));
  return out;
}

std::string verdict_span(const CaseResult& result) {
  return fmt::format(
      "<span class=\"verdict {}\"><span class=\"sym\">{}</span> {} <span class=\"of\">{}</span></span>",
      tone_of(result), symbol_of(result.verdict), name_of(result.verdict), xml_escape(result.director));
}

std::string failure_list(const Assertion& failure) {
  const auto pre = [](const std::string& text) { return "<pre>" + xml_escape(text) + "</pre>"; };
  return "<dl class=\"failure\">" + entry("looked at", pre(failure.what)) + entry("expected", pre(failure.expected)) +
         entry("actual", pre(failure.actual)) + entry("where", xml_escape(failure.where)) +
         (failure.believed.empty() ? "" : entry("tables then", pre(failure.believed))) + "</dl>\n";
}

std::string evidence_links(const CaseResult& result, const EvidenceFiles& files) {
  if (result.evidence.empty()) return "";
  const auto link = [](const std::string& path, const std::string& text) {
    // "./" keeps a path from being read as an absolute one.
    return fmt::format("<a href=\"./{}\">{}</a>", path_in_url(path), xml_escape(text));
  };
  std::string out = link(result.evidence + "/", result.evidence + "/");
  if (const auto found = files.find(result.evidence); found != files.end())
    for (const std::string& name : found->second) out += " &#183; " + link(result.evidence + "/" + name, name);
  return out;
}

std::string result_block(const CaseResult& result, const EvidenceFiles& files) {
  std::string out = fmt::format(
      "<div class=\"result {}\">\n<p>{} <b>{}</b> <span class=\"soft\">{}</span></p>\n", tone_of(result),
      verdict_span(result), xml_escape(result.director),
      fmt::format("{} assertion{}, {} of protocol time in {}", result.assertions, result.assertions == 1 ? "" : "s",
                  duration_text(result.virtual_s), duration_text(result.wall_ms / 1e3)));
  if (!result.reason.empty()) out += fmt::format("<p>{}</p>\n", xml_escape(result.reason));
  if (asserted_nothing(result)) out += "<p>The case evaluated not one assertion, so it says nothing.</p>\n";
  for (const Assertion& failure : result.failures) out += failure_list(failure);
  const std::string again =
      result.rerun.empty() ? "" : fmt::format("<code class=\"again\">{}</code>", xml_escape(result.rerun));
  const std::string entries = entry("evidence", evidence_links(result, files)) + entry("again", again);
  if (!entries.empty()) out += "<dl>" + entries + "</dl>\n";
  return out + "</div>\n";
}

std::string case_row(const Row& row, const std::vector<std::string>& directors, const EvidenceFiles& files,
                     const Guidance& guidance) {
  std::string cells;
  for (const std::string& director : directors) {
    std::string spans;
    for (const CaseResult* result : row.results)
      if (result->director == director) spans += verdict_span(*result) + " ";
    cells += fmt::format("<span>{}</span>\n", spans);
  }
  std::string blocks;
  for (const CaseResult* result : row.results) blocks += result_block(*result, files);
  // The anchor is inside, because browsers open a <details> on the way to what it hides.
  return fmt::format(
      "<details class=\"case\"{}>\n"
      "<summary class=\"grid\"><span class=\"id\">{}</span> <span class=\"soft\">{}</span>\n{}</summary>\n"
      "<div class=\"body\" id=\"{}\">\n<p>{}</p>\n<dl>{}{}{}</dl>\n{}</div>\n</details>\n",
      row.needs_attention() ? " open" : "", xml_escape(row.info->id), name_of(row.info->level), cells,
      anchor_of(row.info->id), xml_escape(row.info->claim), cited_entry("clauses", row.info->clauses, guidance),
      cited_entry("users met it", row.info->field_reports, guidance), entry("test", xml_escape(row.info->test)),
      blocks);
}

std::string suite_section(const Run& run, const std::string& suite, const Tallies& tallies,
                          const EvidenceFiles& files) {
  std::string heads, rows;
  for (const std::string& director : tallies.directors) heads += fmt::format("<span>{}</span>", xml_escape(director));
  for (const Row& row : rows_of(run, suite)) rows += case_row(row, tallies.directors, files, run.guidance);
  return fmt::format(
      "<section>\n<h2>{}</h2>\n<div class=\"card\">\n"
      "<div class=\"grid head\"><span>case</span> <span>level</span> {}</div>\n{}</div>\n</section>\n",
      xml_escape(suite), heads, rows);
}

std::string director_card(const Run& run, const std::string& name, const Tallies& tallies) {
  std::string out = fmt::format("<div class=\"card\">\n<h3>{}", xml_escape(name));
  const auto info = std::find_if(run.directors.begin(), run.directors.end(),
                                 [&](const DirectorInfo& director) { return director.name == name; });
  if (info != run.directors.end()) out += fmt::format(" <span class=\"soft\">{}</span>", xml_escape(info->version));
  out += "</h3>\n";
  if (!is_partial(run)) out += fmt::format("<p>{}</p>\n", overall_word(run, name));
  out += "<ul>\n";
  if (const auto found = tallies.by_director.find(name); found != tallies.by_director.end()) {
    const Tally& tally = found->second;
    for (const Level level : kAllLevels) {
      const int held = tally.held(level), asked = tally.asked(level);
      if (asked == 0) continue;
      const Verdict verdict = tally.worst(level);
      out += fmt::format("<li><span class=\"sym {}\">{}</span> {} <b>{}</b> of {}</li>\n", tone_of(verdict),
                         symbol_of(verdict), name_of(level), held, asked);
    }
    for (const Verdict verdict :
         {Verdict::kHarnessError, Verdict::kInconclusive, Verdict::kUnsupported, Verdict::kEnvSkip})
      if (const int n = tally.of(verdict); n > 0)
        out += fmt::format("<li><span class=\"sym {}\">{}</span> {} <b>{}</b></li>\n", tone_of(verdict),
                           symbol_of(verdict), name_of(verdict), n);
  }
  out += "</ul>\n";
  if (info != run.directors.end() && !info->passport.empty()) out += "<dl>" + map_entries(info->passport) + "</dl>\n";
  return out + "</div>\n";
}

/// The short way to what is wrong, above the tables.
std::string look_section(const Run& run) {
  std::string items;
  for (const CaseResult& result : run.cases) {
    if (!needs_attention(result.verdict) && !asserted_nothing(result)) continue;
    std::string what = result.reason;
    if (!result.failures.empty()) {
      const Assertion& first = result.failures.front();
      what = fmt::format("expected {}, actual {}", first.expected, first.actual);
    }
    items += fmt::format("<li>{} <a href=\"#{}\">{}</a> on {}<br><span class=\"soft\">{}</span></li>\n",
                         verdict_span(result), anchor_of(result.info.id), xml_escape(result.info.id),
                         xml_escape(result.director), xml_escape(what));
  }
  if (items.empty()) return "";
  return "<section>\n<h2>To look at</h2>\n<div class=\"card look\"><ul>\n" + items + "</ul></div>\n</section>\n";
}

std::string environment_section(const Run& run) {
  const Environment& environment = run.environment;
  return "<section>\n<h2>Where this was run</h2>\n<dl>" + entry("lab", xml_escape(environment.lab)) +
         entry("clock", xml_escape(environment.clock)) +
         entry("kernel", xml_escape(environment.kernel + " " + environment.machine)) +
         entry("processors", std::to_string(environment.cpus)) +
         entry("privilege", environment.root ? "root, real or in a user namespace of its own" : "none") +
         map_entries(environment.sysctls) + entry("lvspec", xml_escape(run.version)) +
         entry("suite digest", "<code>" + xml_escape(run.suite_digest) + "</code>") + "</dl>\n</section>\n";
}

std::string legend() {
  std::string out = "<footer><p>";
  for (const Verdict verdict : kAllVerdicts)
    out += fmt::format("<span class=\"verdict {}\"><span class=\"sym\">{}</span> {}</span> ", tone_of(verdict),
                       symbol_of(verdict), name_of(verdict));
  return out +
         "</p>\n<p>The same in other forms: <a href=\"./results.json\">results.json</a>, "
         "<a href=\"./junit.xml\">junit.xml</a>, <a href=\"./summary.md\">summary.md</a>.</p></footer>\n";
}

}  // namespace

std::string to_html(const Run& run, const EvidenceFiles& files) {
  const Tallies tallies(run);
  std::string cards, suites;
  for (const std::string& director : tallies.directors) cards += director_card(run, director, tallies);
  for (const std::string& suite : tallies.suites) suites += suite_section(run, suite, tallies, files);
  const double protocol_s = virtual_seconds(run);
  const std::string again =
      run.rerun.empty() ? "" : fmt::format("<p>again: <code class=\"again\">{}</code></p>\n", xml_escape(run.rerun));
  const std::string word = xml_escape(overall_word(run));
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<title>lvspec: {}</title>\n<style>{}:root {{ --directors: {}; }}\n</style>\n</head>\n<body>\n<main>\n",
             word, kHtmlStyle, std::max<std::size_t>(1, tallies.directors.size())) +
         fmt::format(
             "<header>\n<h1 class=\"{}\"><span class=\"sym\">{}</span> {}</h1>\n"
             "<p class=\"soft\">lvspec {}: {} of {} cases; {} of protocol time in {}; {} lab; {}; "
             "{}</p>\n{}</header>\n",
             tone_of_run(run), symbol_of_run(run), word, xml_escape(run.version), run.selected, run.catalogue,
             duration_text(protocol_s), duration_text(run.wall_s), xml_escape(run.environment.lab),
             xml_escape(run.environment.kernel), xml_escape(run.started_at), again) +
         "<div class=\"cards\">\n" + cards + "</div>\n" + look_section(run) + suites + environment_section(run) +
         legend() + "</main>\n</body>\n</html>\n";
}

}  // namespace lvspec
