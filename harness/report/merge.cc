#include "harness/report/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "harness/base/cleanup.h"
#include "harness/report/file.h"
#include "harness/report/json.h"

namespace lvspec {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The command without the part of it that a shard has of its own.
std::string without_shard(const Run& run) {
  std::string line = run.rerun;
  const std::string part = fmt::format(" --shard {}/{}", run.shard, run.shards);
  if (const std::size_t at = line.find(part); at != std::string::npos) line.erase(at, part.size());
  return line;
}

/// What must be equal, name by name. `ran` says whether the run put a case to anybody: only then it knows everything
/// of its environment.
std::map<std::string, json> fingerprint(const Run& run, bool ran) {
  std::map<std::string, json> print = {{"version", run.version},
                                       {"suite_digest", run.suite_digest},
                                       {"rerun", without_shard(run)},
                                       {"catalogue", run.catalogue}};
  json names = json::array();
  for (const DirectorInfo& director : run.directors) {
    names.push_back(director.name);
    json about = to_json(director);
    about.erase("passport");
    about.erase("selected");
    if (ran) print[fmt::format("directors: {}", director.name)] = std::move(about);
  }
  print["directors"] = std::move(names);
  if (!ran) return print;
  const json environment = to_json(run.environment);
  for (const auto& [name, value] : environment.items())
    if (name != "cpus") print["environment." + name] = value;
  return print;
}

std::string shown(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

Status check_alike(const RunFile& first, const RunFile& other) {
  const bool both_ran = !first.run.cases.empty() && !other.run.cases.empty();
  const auto wanted = fingerprint(first.run, both_ran), found = fingerprint(other.run, both_ran);
  for (const auto& [name, value] : wanted) {
    const auto same = found.find(name);
    if (same != found.end() && same->second == value) continue;
    return usage_error(fmt::format("{}: {} is {}, but {} has {}: these are no shards of one run", other.file, name,
                                   same == found.end() ? "not there" : shown(same->second), first.file,
                                   shown(value)));
  }
  return {};
}

/// Each of 1..N once.
Status check_shards(const std::vector<RunFile>& shards) {
  const int of = shards.front().run.shards;
  std::map<int, std::string> files;
  for (const RunFile& shard : shards) {
    if (shard.run.shards != of)
      return usage_error(fmt::format("{}: is shard {}/{}, but {} is one of {}", shard.file, shard.run.shard,
                                     shard.run.shards, shards.front().file, of));
    const auto [place, fresh] = files.emplace(shard.run.shard, shard.file);
    if (!fresh)
      return usage_error(
          fmt::format("{}: is shard {}/{}, and so is {}", shard.file, shard.run.shard, of, place->second));
  }
  std::vector<std::string> missing;
  for (int i = 1; i <= of && missing.size() < 20; ++i)
    if (files.count(i) == 0) missing.push_back(fmt::format("{}/{}", i, of));
  if (!missing.empty())
    return usage_error(fmt::format("shard{} {} {} missing", missing.size() == 1 ? "" : "s", fmt::join(missing, ", "),
                                   missing.size() == 1 ? "is" : "are"));
  return {};
}

/// Every director was asked every selected case, and no other shard asked it too.
Status check_cases(const std::vector<RunFile>& shards) {
  std::map<std::string, const RunFile*> owner;
  for (const RunFile& shard : shards) {
    std::map<std::string, std::set<std::string>> asked;
    for (std::size_t i = 0; i < shard.run.cases.size(); ++i) {
      const CaseResult& result = shard.run.cases[i];
      asked[result.director].insert(result.info.id);
      const auto [place, fresh] = owner.emplace(result.info.id, &shard);
      if (!fresh && place->second != &shard)
        return usage_error(
            fmt::format("{}: cases[{}]: {} is in {} too", shard.file, i, result.info.id, place->second->file));
    }
    for (const DirectorInfo& director : shard.run.directors) {
      // Of its profile, where the run knows of profiles.
      const int selected = director.catalogue != 0 ? director.selected : shard.run.selected;
      if (const std::size_t n = asked[director.name].size(); n != static_cast<std::size_t>(selected))
        return usage_error(fmt::format("{}: cases: {} of {} on {} are there: the file was cut or changed", shard.file,
                                       n, selected, director.name));
    }
    for (const auto& [name, ids] : asked)
      if (std::none_of(shard.run.directors.begin(), shard.run.directors.end(),
                       [&name = name](const DirectorInfo& director) { return director.name == name; }))
        return usage_error(fmt::format("{}: cases: {} is not among the directors", shard.file, name));
  }
  return {};
}

/// Seconds since 1970 of "2026-11-22T09:30:00Z", parts of a second left off; 0 where it is no such time.
double seconds_of(const std::string& text) {
  std::tm parts{};
  return strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr ? 0 : static_cast<double>(timegm(&parts));
}

/// What a passport says of a case that was in another shard.
constexpr const char* kNotSelected = "not measured: not selected";

void add_passports(const Run& shard, Run* whole) {
  for (std::size_t i = 0; i < whole->directors.size(); ++i) {
    for (const auto& [property, value] : shard.directors[i].passport) {
      const bool elsewhere = value == kNotSelected &&
                             std::any_of(whole->cases.begin(), whole->cases.end(),
                                         [&property = property](const auto& one) { return one.info.id == property; });
      if (!elsewhere) whole->directors[i].passport.emplace(property, value);
    }
  }
}

/// The results of all shards in the order in which one run has them.
std::vector<CaseResult> sorted_cases(const std::vector<RunFile>& shards) {
  std::map<std::string, std::size_t> director_place;
  for (const DirectorInfo& director : shards.front().run.directors)
    director_place.emplace(director.name, director_place.size());
  using Place = std::tuple<int, std::size_t, std::string>;
  std::map<Place, const CaseResult*> sorted;
  std::map<std::pair<std::string, std::string>, int> turns;
  for (const RunFile& shard : shards) {
    for (const CaseResult& result : shard.run.cases) {
      const int turn = turns[{result.info.id, result.director}]++;
      sorted[{turn, director_place.at(result.director), result.info.id}] = &result;
    }
  }
  std::vector<CaseResult> cases;
  for (const auto& [place, result] : sorted) cases.push_back(*result);
  return cases;
}

/// "evidence/NAME", and nothing that leads elsewhere.
bool is_evidence_folder(const std::string& path) {
  const fs::path read(path);
  return read.is_relative() && std::distance(read.begin(), read.end()) == 2 && *read.begin() == "evidence" &&
         read.lexically_normal() == read && read.has_filename();
}

Status copy_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::skip_symlinks, error);
  if (error) return system_error(fmt::format("copy({}, {})", from.string(), to.string()), error.value());
  return {};
}

}  // namespace

Result<Run> merge_runs(std::vector<RunFile> shards) {
  if (shards.empty()) return usage_error("there is nothing to merge");
  std::stable_sort(shards.begin(), shards.end(),
                   [](const RunFile& a, const RunFile& b) { return a.run.shard < b.run.shard; });
  // Against one that ran something, if any did: it knows all of its environment.
  const auto known =
      std::find_if(shards.begin(), shards.end(), [](const RunFile& s) { return !s.run.cases.empty(); });
  const RunFile& first = known == shards.end() ? shards.front() : *known;
  for (const RunFile& shard : shards) LVSPEC_TRY(check_alike(first, shard));
  LVSPEC_TRY(check_shards(shards));
  LVSPEC_TRY(check_cases(shards));

  Run whole = first.run;
  whole.rerun = without_shard(first.run);
  whole.shard = whole.shards = 1;
  whole.selected = 0;
  whole.guidance = {};
  whole.cases = sorted_cases(shards);
  for (DirectorInfo& director : whole.directors) {
    director.passport.clear();
    director.selected = 0;
  }
  for (const RunFile& shard : shards) {
    whole.selected += shard.run.selected;
    whole.guidance.words.insert(shard.run.guidance.words.begin(), shard.run.guidance.words.end());
    whole.guidance.likely.insert(shard.run.guidance.likely.begin(), shard.run.guidance.likely.end());
    whole.started_at = std::min(whole.started_at, shard.run.started_at);
    whole.environment.cpus = std::min(whole.environment.cpus, shard.run.environment.cpus);
    for (std::size_t i = 0; i < whole.directors.size(); ++i)
      whole.directors[i].selected += shard.run.directors[i].selected;
    add_passports(shard.run, &whole);
  }
  whole.wall_s = 0;
  for (const RunFile& shard : shards)
    whole.wall_s =
        std::max(whole.wall_s, seconds_of(shard.run.started_at) - seconds_of(whole.started_at) + shard.run.wall_s);
  return whole;
}

Status gather_evidence(const std::vector<RunFile>& shards, const std::string& dir) {
  std::map<std::string, fs::path> sources;
  for (const RunFile& shard : shards) {
    for (std::size_t i = 0; i < shard.run.cases.size(); ++i) {
      const std::string& folder = shard.run.cases[i].evidence;
      if (folder.empty()) continue;
      const fs::path source = fs::path(folder_of(shard.file)) / folder;
      std::error_code error;
      if (!is_evidence_folder(folder) || !fs::is_directory(source, error))
        return usage_error(fmt::format("{}: cases[{}].evidence: {} is not there", shard.file, i, source.string()));
      sources[folder] = source;
    }
  }
  if (sources.empty()) return {};
  std::error_code error;
  const fs::path waiting = fs::path(dir) / fmt::format(".evidence.{}", ::getpid());
  const Cleanup remove([&] {
    std::error_code ignored;
    fs::remove_all(waiting, ignored);
  });
  fs::create_directories(waiting, error);
  if (error) return system_error("mkdir(" + waiting.string() + ")", error.value());
  std::vector<std::string> copied;
  for (const auto& [folder, source] : sources) {
    if (fs::equivalent(source, fs::path(dir) / folder, error)) continue;  // it lies there already
    LVSPEC_TRY(copy_folder(source, waiting / fs::path(folder).filename()));
    copied.push_back(folder);
  }
  fs::create_directories(fs::path(dir) / "evidence", error);
  if (error) return system_error("mkdir(" + dir + "/evidence)", error.value());
  for (const std::string& folder : copied) {
    const fs::path target = fs::path(dir) / folder;
    fs::remove_all(target, error);
    fs::rename(waiting / target.filename(), target, error);
    if (error) return system_error("rename(" + target.string() + ")", error.value());
  }
  return {};
}

}  // namespace lvspec
