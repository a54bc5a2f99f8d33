#include "harness/doctor/print.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lvspec::doctor {
namespace {

nlohmann::json clauses_json(const std::vector<std::string_view>& clauses) {
  nlohmann::json all = nlohmann::json::array();
  for (const std::string_view clause : clauses) all.push_back({{"id", clause}, {"gist", gist(clause)}});
  return all;
}

void put_place(const Place& place, nlohmann::json* json) {
  (*json)["file"] = place.file;
  if (place.line > 0) (*json)["line"] = place.line;
}

std::string number_of(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

Counts Report::counts() const {
  Counts counts;
  for (const Finding& one : findings) {
    if (one.trap->severity == Severity::kError) ++counts.errors;
    if (one.trap->severity == Severity::kTrap) ++counts.traps;
    if (one.trap->severity == Severity::kNote) ++counts.notes;
  }
  return counts;
}

Report report_on(const Configuration& configuration) { return {examine(configuration), leans(configuration)}; }

std::string to_text(const Report& report) {
  std::string text;
  for (const Finding& one : report.findings) {
    text += fmt::format("{}: {}: {} [{}]\n", one.place.str(), name_of(one.trap->severity), one.text, one.trap->id);
    if (!one.instead.empty()) text += fmt::format("    instead: {}\n", one.instead);
    for (const std::string_view clause : one.trap->clauses) text += fmt::format("    {}: {}\n", clause, gist(clause));
    text += fmt::format("    shown by: {}{}{}\n", one.trap->case_id,
                        one.trap->field_reports.empty() ? "" : "; met in ", fmt::join(one.trap->field_reports, ", "));
  }
  if (!report.leans.empty()) text += "\nWhat each service leans on:\n";
  for (const Lean& one : report.leans)
    text += fmt::format("{}: {}: {} [{}]\n", one.place.str(), one.service, one.sentence, fmt::join(one.clauses, " "));
  const Counts counts = report.counts();
  text +=
      fmt::format("\n{}: {}, {}, {}\n", number_of(report.leans.size(), "service"), number_of(counts.errors, "error"),
                  number_of(counts.traps, "trap"), number_of(counts.notes, "note"));
  return text;
}

nlohmann::json to_json(const Report& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Finding& one : report.findings) {
    nlohmann::json json = {{"severity", name_of(one.trap->severity)},
                           {"id", one.trap->id},
                           {"text", one.text},
                           {"instead", one.instead},
                           {"clauses", clauses_json(one.trap->clauses)},
                           {"field_reports", one.trap->field_reports},
                           {"case", one.trap->case_id}};
    put_place(one.place, &json);
    findings.push_back(std::move(json));
  }
  nlohmann::json services = nlohmann::json::array();
  for (const Lean& one : report.leans) {
    nlohmann::json json = {{"service", one.service},
                           {"client", one.client},
                           {"window_s", nullptr},
                           {"sentence", one.sentence},
                           {"clauses", clauses_json(one.clauses)}};
    if (one.window_s) json["window_s"] = *one.window_s;
    put_place(one.place, &json);
    services.push_back(std::move(json));
  }
  const Counts counts = report.counts();
  return {{"findings", std::move(findings)},
          {"services", std::move(services)},
          {"errors", counts.errors},
          {"traps", counts.traps},
          {"notes", counts.notes}};
}

std::string list_text() {
  std::string text;
  for (const Trap& one : all_traps())
    text += fmt::format("{:<5}  {:<31}  {:<48}  {}\n", name_of(one.severity), one.id, one.case_id,
                        fmt::join(one.clauses, " "));
  return text;
}

nlohmann::json list_json() {
  nlohmann::json all = nlohmann::json::array();
  for (const Trap& one : all_traps())
    all.push_back({{"id", one.id},
                   {"severity", name_of(one.severity)},
                   {"clauses", clauses_json(one.clauses)},
                   {"field_reports", one.field_reports},
                   {"case", one.case_id}});
  return all;
}

}  // namespace lvspec::doctor
