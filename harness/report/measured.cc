#include "harness/report/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/report/escape.h"
#include "harness/report/tally.h"

namespace lvspec {
namespace {

constexpr std::string_view kPassport = "passport";

MeasuredTable& table_of(const Measurement& measurement, const std::vector<std::string>& directors,
                        std::vector<MeasuredTable>* tables) {
  for (MeasuredTable& table : *tables)
    if (table.name == measurement.table) return table;
  MeasuredTable fresh{.name = measurement.table, .heads = {}, .directors = directors, .rows = {}};
  for (const auto& [name, value] : measurement.at) fresh.heads.push_back(name);
  tables->push_back(std::move(fresh));
  return tables->back();
}

MeasuredRow& row_of(const Measurement& measurement, const std::string& case_id, MeasuredTable* table) {
  std::vector<std::string> at;
  for (const auto& [name, value] : measurement.at) at.push_back(value);
  at.resize(table->heads.size());
  for (MeasuredRow& row : table->rows)
    if (row.at == at && row.case_id == case_id) return row;
  table->rows.push_back({std::move(at), std::vector<MeasuredCell>(table->directors.size()), case_id});
  return table->rows.back();
}

/// "60+ 119+ 142-": seconds after the start, and whether the client was still remembered.
std::string curve_svg(const std::string& points) {
  struct Point {
    double at;
    bool kept;
  };
  std::vector<Point> curve;
  std::istringstream words(points);
  for (std::string word; words >> word;) curve.push_back({std::atof(word.c_str()), word.back() == '+'});
  if (curve.empty() || curve.back().at <= 0) return "";
  constexpr int kWidth = 220, kHigh = 6, kLow = 24;
  std::string path, dots;
  for (const Point& point : curve) {
    const double x = 4 + (kWidth - 8) * point.at / curve.back().at;
    const int y = point.kept ? kHigh : kLow;
    path += fmt::format("{}{:.1f} {}", path.empty() ? "M" : " L", x, y);
    dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{}\" r=\"2.5\"/>", x, y);
  }
  return fmt::format(
      "<br><svg width=\"{}\" height=\"30\" role=\"img\" aria-label=\"{}\"><path d=\"{}\" fill=\"none\" "
      "stroke=\"currentColor\"/>{}</svg>",
      kWidth, xml_escape(points), path, dots);
}

}  // namespace

bool MeasuredRow::differs() const {
  const MeasuredCell* first = nullptr;
  for (const MeasuredCell& cell : cells) {
    if (cell.measurement == nullptr) continue;
    if (first != nullptr && cell.text() != first->text()) return true;
    first = &cell;
  }
  return false;
}

std::vector<MeasuredTable> measured_tables(const Run& run) {
  const std::vector<std::string> directors = Tallies(run).directors;
  std::vector<MeasuredTable> tables;
  for (const CaseResult& result : run.cases) {
    const auto column = std::find(directors.begin(), directors.end(), result.director) - directors.begin();
    for (const Measurement& measurement : result.measurements) {
      MeasuredTable& table = table_of(measurement, directors, &tables);
      MeasuredRow& row = row_of(measurement, result.info.id, &table);
      row.cells.at(static_cast<std::size_t>(column)) = {&measurement, &result};
    }
  }
  return tables;
}

std::map<std::string, std::string> settings_of(const DirectorInfo& director) {
  constexpr std::string_view kSetting = "setting: ";
  std::map<std::string, std::string> settings;
  for (const auto& [property, value] : director.passport)
    if (property.starts_with(kSetting)) settings[property.substr(kSetting.size())] = value;
  return settings;
}

void fill_passports(const std::vector<CaseInfo>& catalogue, Run* run) {
  const bool asked = std::any_of(run->cases.begin(), run->cases.end(),
                                 [](const CaseResult& result) { return result.info.suite() == kPassport; });
  if (!asked) return;
  for (DirectorInfo& director : run->directors) {
    for (const CaseInfo& info : catalogue) {
      if (info.suite() != kPassport) continue;
      std::string why = "not selected";
      for (const CaseResult& result : run->cases) {
        if (result.info.id != info.id || result.director != director.name) continue;
        for (const Measurement& measurement : result.measurements)
          if (measurement.table == kPassport && !measurement.at.empty())
            director.passport[measurement.at.front().second] = measurement.value;
        why = result.verdict == Verdict::kInfo ? "" : fmt::format("{}: {}", name_of(result.verdict), result.reason);
      }
      if (!why.empty()) director.passport[info.id] = "not measured: " + why;
    }
  }
}

std::string passport_text(const DirectorInfo& director) {
  return nlohmann::json(director.passport).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string table_text(const MeasuredTable& table) {
  std::vector<std::vector<std::string>> lines = {table.heads};
  lines[0].insert(lines[0].end(), table.directors.begin(), table.directors.end());
  for (const MeasuredRow& row : table.rows) {
    lines.push_back(row.at);
    for (const MeasuredCell& cell : row.cells) lines.back().push_back(terminal_text(cell.text()));
  }
  std::vector<std::size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string out = table.name + "\n";
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) text += fmt::format("  {:<{}}", line[i], widths[i]);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

std::string table_markdown(const MeasuredTable& table) {
  std::string out = "|", rule = "|";
  for (const auto* names : {&table.heads, &table.directors}) {
    for (const std::string& name : *names) {
      out += fmt::format(" {} |", markdown_escape(name));
      rule += " --- |";
    }
  }
  out += " case |\n" + rule + " --- |\n";
  for (const MeasuredRow& row : table.rows) {
    out += "|";
    for (const std::string& value : row.at) out += fmt::format(" {} |", markdown_escape(value));
    for (const MeasuredCell& cell : row.cells) out += fmt::format(" {} |", markdown_escape(cell.text()));
    out += fmt::format(" {} |\n", markdown_escape(row.case_id));
  }
  return out;
}

std::string table_html(const MeasuredTable& table, std::string (*link_of)(const std::string& case_id)) {
  std::string heads, rows;
  for (const std::string& name : table.heads) heads += fmt::format("<th>{}</th>", xml_escape(name));
  for (const std::string& name : table.directors) heads += fmt::format("<th>{}</th>", xml_escape(name));
  for (const MeasuredRow& row : table.rows) {
    rows += row.differs() ? "<tr class=\"differs\">" : "<tr>";
    for (const std::string& value : row.at) rows += fmt::format("<td>{}</td>", xml_escape(value));
    for (const MeasuredCell& cell : row.cells) {
      rows += fmt::format("<td><a href=\"#{}\">{}</a>", link_of(row.case_id), xml_escape(cell.text()));
      if (cell.by != nullptr && !cell.by->evidence.empty())
        rows += fmt::format(" <a href=\"./{}/\">evidence</a>", path_in_url(cell.by->evidence));
      if (cell.measurement != nullptr)
        if (const auto points = cell.measurement->parts.find("points"); points != cell.measurement->parts.end())
          rows += curve_svg(points->second);
      rows += "</td>";
    }
    rows += "</tr>\n";
  }
  return fmt::format(
      "<section>\n<h2 id=\"table-{}\">Measured: {}</h2>\n<div class=\"card\"><table class=\"measured\">\n"
      "<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n</section>\n",
      xml_escape(path_in_url(table.name)), xml_escape(table.name), heads, rows);
}

}  // namespace lvspec
