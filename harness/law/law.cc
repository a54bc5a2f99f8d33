#include "harness/law/law.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace lvspec {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

struct Line {
  int number;
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    lines.push_back({number, text.substr(0, end)});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

/// "TPL-34" at the beginning of a text, or nothing.
std::string_view id_at(std::string_view text) {
  const auto dash = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  if (dash == std::string_view::npos || dash < 2 || text[dash] != '-') return {};
  const auto end = std::min(text.find_first_not_of("0123456789", dash + 1), text.size());
  return end == dash + 1 ? std::string_view() : text.substr(0, end);
}

/// The cells of a row of a table, trimmed; "\|" is no border.
std::vector<std::string> cells_of(std::string_view row) {
  std::vector<std::string> cells;
  std::string cell;
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i] == '|' && row[i - 1] != '\\') {
      cells.emplace_back(trimmed(cell));
      cell.clear();
    } else {
      cell += row[i];
    }
  }
  return cells;
}

/// "- **TPL-34** (MUST) Once the timer ...", or nothing.
std::optional<Clause> clause_in(std::string_view line) {
  constexpr std::string_view kBegin = "- **";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  Clause clause{.id = std::string(id_at(line)), .level = {}, .section = {}, .text = {}};
  if (clause.id.empty() || line.substr(clause.id.size(), 2) != "**") return std::nullopt;
  line = trimmed(line.substr(clause.id.size() + 2));
  if (line.starts_with('(')) {
    const auto end = line.find(')');
    if (end == std::string_view::npos) return std::nullopt;
    clause.level = line.substr(1, line.find_first_of(" ,)") - 1);
    line.remove_prefix(end + 1);
  }
  clause.text = trimmed(line);
  return clause;
}

Status read_clauses(std::string_view text, Law* law) {
  std::set<std::string> known;
  std::string section;
  Clause* open = nullptr;
  for (const auto& [number, line] : lines_of(text)) {
    if (line.starts_with('#')) {
      section = trimmed(line.substr(line.find_first_not_of('#')));
      open = nullptr;
      continue;
    }
    std::optional<Clause> found = clause_in(line);
    if (!found && line.starts_with('|')) {
      const std::vector<std::string> cells = cells_of(line);
      if (!cells.empty() && !cells[0].empty() && id_at(cells[0]) == cells[0]) {
        found = Clause{.id = cells[0], .level = {}, .section = {}, .text = {}};
        for (std::size_t i = 1; i < cells.size(); ++i) found->text += (i == 1 ? "" : "; ") + cells[i];
      }
    }
    if (!found) {
      // What is indented belongs to the clause above; anything else ends it.
      if (open != nullptr && line.starts_with("  ")) {
        open->text += ' ';
        open->text += trimmed(line);
      } else {
        open = nullptr;
      }
      continue;
    }
    if (!known.insert(found->id).second)
      return Error{fmt::format("ipvs-semantics.md:{}: {} is there twice", number, found->id)};
    found->section = section;
    law->clauses.push_back(*std::move(found));
    open = &law->clauses.back();
  }
  return {};
}

Status read_reports(std::string_view text, Law* law) {
  std::set<std::string> known;
  for (const auto& [number, line] : lines_of(text)) {
    if (!line.starts_with("| FR-")) continue;
    const std::vector<std::string> cells = cells_of(line);
    constexpr std::size_t kCells = 7;
    if (cells.size() != kCells)
      return Error{
          fmt::format("field-reports.md:{}: {} cells in this row instead of {}", number, cells.size(), kCells)};
    if (!known.insert(cells[0]).second)
      return Error{fmt::format("field-reports.md:{}: {} is there twice", number, cells[0])};
    law->reports.push_back(
        {.id = cells[0], .reference = cells[1], .kind = cells[2], .symptom = cells[3], .level = cells[5]});
  }
  return {};
}

Status read_uncovered(std::string_view text, Law* law) {
  for (const auto& [number, whole] : lines_of(text)) {
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.starts_with('#')) continue;
    const std::string_view id = id_at(line);
    const std::string_view reason = trimmed(line.substr(id.size()));
    if (id.empty() || reason.empty())
      return Error{fmt::format("uncovered.txt:{}: \"{}\" is no clause with a reason", number, line)};
    if (law->clause(id) == nullptr) return Error{fmt::format("uncovered.txt:{}: there is no clause {}", number, id)};
    if (!law->uncovered.emplace(id, reason).second)
      return Error{fmt::format("uncovered.txt:{}: {} is there twice", number, id)};
  }
  return {};
}

Status read_witnesses(std::string_view text, Law* law) {
  for (const auto& [number, whole] : lines_of(text)) {
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.starts_with('#')) continue;
    const auto space = line.find(' ');
    if (space == std::string_view::npos)
      return Error{fmt::format("witnesses.txt:{}: \"{}\" is no fault with a case", number, line)};
    law->notices[std::string(trimmed(line.substr(space)))].emplace_back(line.substr(0, space));
  }
  return {};
}

/// Lines "NAME text", each name once.
Status read_translations(std::string_view text, std::string_view file, std::map<std::string, std::string>* into) {
  for (const auto& [number, whole] : lines_of(text)) {
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.starts_with('#')) continue;
    const auto space = line.find(' ');
    if (space == std::string_view::npos || !into->emplace(line.substr(0, space), trimmed(line.substr(space))).second)
      return Error{fmt::format("{}:{}: no text, or one that is there twice: {}", file, number, line)};
  }
  return {};
}

template <typename Row>
const Row* find(const std::vector<Row>& rows, std::string_view id) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.id == id; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

const Clause* Law::clause(std::string_view id) const { return find(clauses, id); }
const FieldReport* Law::report(std::string_view id) const { return find(reports, id); }

Result<Law> read_law(std::string_view clauses, std::string_view reports, std::string_view uncovered,
                     std::string_view witnesses, std::string_view claims_zh, std::string_view clauses_zh) {
  Law law;
  LVSPEC_TRY(read_clauses(clauses, &law));
  LVSPEC_TRY(read_reports(reports, &law));
  LVSPEC_TRY(read_uncovered(uncovered, &law));
  LVSPEC_TRY(read_witnesses(witnesses, &law));
  LVSPEC_TRY(read_translations(claims_zh, "claims.zh.txt", &law.claims_zh));
  LVSPEC_TRY(read_translations(clauses_zh, "clauses.zh.txt", &law.clauses_zh));
  for (const auto& [id, translated] : law.clauses_zh)
    if (law.clause(id) == nullptr) return Error{fmt::format("clauses.zh.txt: there is no clause {}", id)};
  return law;
}

std::string gist_of(std::string_view text, std::size_t longest) {
  for (const std::string_view end : {" [", " Src:", " Obs:"}) text = text.substr(0, text.find(end));
  // A full stop ends the sentence where a new one begins, not within "5 s. of" or "ip_vs.c".
  for (auto stop = text.find(". "); stop != std::string_view::npos; stop = text.find(". ", stop + 1)) {
    const char next = stop + 2 < text.size() ? text[stop + 2] : 'A';
    if (next < 'A' || next > 'Z') continue;
    text = text.substr(0, stop + 1);
    break;
  }
  if (text.size() <= longest) return std::string(text);
  const auto cut = text.find_last_of(' ', longest - 4);
  return std::string(text.substr(0, cut == std::string_view::npos ? longest - 4 : cut)) + " ...";
}

}  // namespace lvspec
