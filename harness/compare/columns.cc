#include "harness/compare/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "harness/report/file.h"

namespace lvspec {
namespace {

/// "--fault X" of the line that made the run: two columns of one program may differ in nothing else.
std::string fault_of(const Run& run) {
  const auto at = run.rerun.find(" --fault ");
  if (at == std::string::npos) return "";
  const std::string rest = run.rerun.substr(at + 9);
  return rest.substr(0, rest.find(' '));
}

std::string folder_name(const std::string& file) {
  const std::filesystem::path path(file);
  const auto folder = path.filename() == "results.json" ? path.parent_path() : path;
  const std::string name = folder.stem().string();
  return name.empty() ? file : name;
}

/// Makes labels of directors that are called alike differ, by the first of these that all of them differ in.
void tell_apart(const std::vector<Column*>& alike) {
  using Trait = std::string (*)(const Column&);
  constexpr Trait kTraits[] = {
      [](const Column& column) { return std::string(name_of(column.director->profile)); },
      [](const Column& column) { return column.director->version; },
      [](const Column& column) { return column.director->kernel; },
      [](const Column& column) { return column.director->lab; },
      [](const Column& column) { return fault_of(column.source->run); },
      [](const Column& column) { return folder_name(column.source->file); },
      [](const Column& column) { return column.source->file; },
  };
  for (const Trait trait : kTraits) {
    std::set<std::string> values;
    for (const Column* column : alike) values.insert(trait(*column));
    if (values.size() != alike.size()) continue;
    for (Column* column : alike)
      if (const std::string value = trait(*column); !value.empty()) column->label += " (" + value + ")";
    return;
  }
  for (std::size_t i = 0; i < alike.size(); ++i) alike[i]->label += fmt::format(" (no. {})", i + 1);
}

std::size_t gravity(Verdict verdict) {
  // The order of reports, but what was not asked is better than nothing only.
  const auto at = std::find(kAllVerdicts.begin(), kAllVerdicts.end(), verdict);
  return verdict == Verdict::kPass ? kAllVerdicts.size() : static_cast<std::size_t>(at - kAllVerdicts.begin());
}

}  // namespace

Result<std::vector<Source>> read_sources(const std::vector<std::string>& files) {
  std::vector<Source> sources;
  for (const std::string& file : files) {
    LVSPEC_ASSIGN(Run run, read_run_file(file));
    if (!sources.empty() && run.suite_digest != sources.front().run.suite_digest)
      return usage_error(fmt::format(
          "{}: suite_digest: \"{}\" is not \"{}\", that of {}: the two were asked by different catalogues, "
          "so their verdicts cannot stand side by side; run both by one lvspec",
          file, run.suite_digest, sources.front().run.suite_digest, sources.front().file));
    sources.push_back({file, std::move(run)});
  }
  return sources;
}

Result<std::vector<Column>> columns_of(const std::vector<Source>& sources) {
  std::vector<Column> columns;
  for (const Source& source : sources) {
    if (source.run.directors.empty())
      return usage_error(fmt::format("{}: directors: is empty, there is nothing to compare", source.file));
    for (const DirectorInfo& director : source.run.directors) columns.push_back({director.name, &source, &director});
  }
  std::map<std::string, std::vector<Column*>> by_name;
  for (Column& column : columns) by_name[column.director->name].push_back(&column);
  for (const auto& [name, alike] : by_name)
    if (alike.size() > 1) tell_apart(alike);
  return columns;
}

Run together(const std::vector<Column>& columns) {
  Run all = columns.front().source->run;
  all.directors.clear();
  all.cases.clear();
  for (const Column& column : columns) {
    const Run& run = column.source->run;
    all.directors.push_back(*column.director);
    all.directors.back().name = column.label;
    all.guidance.words.insert(run.guidance.words.begin(), run.guidance.words.end());
    all.guidance.likely.insert(run.guidance.likely.begin(), run.guidance.likely.end());
    std::map<std::string, std::size_t> places;
    for (const CaseResult& result : run.cases) {
      if (result.director != column.director->name) continue;
      const auto [place, fresh] = places.emplace(result.info.id, all.cases.size());
      if (fresh) {
        all.cases.push_back(result);
      } else if (gravity(result.verdict) < gravity(all.cases[place->second].verdict)) {
        all.cases[place->second] = result;
      }
      all.cases[place->second].director = column.label;
    }
  }
  return all;
}

}  // namespace lvspec
