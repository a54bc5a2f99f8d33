#include "harness/cli/selection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <set>

namespace lvspec {
namespace {

bool fits(const CaseInfo& info, const Selection& selection) {
  const auto any = [](const std::vector<std::string>& list, const auto& test) {
    return list.empty() || std::any_of(list.begin(), list.end(), test);
  };
  if (!any(selection.suites, [&](const std::string& suite) { return suite == info.suite(); })) return false;
  if (!any(selection.globs, [&](const std::string& glob) { return fnmatch(glob.c_str(), info.id.c_str(), 0) == 0; }))
    return false;
  if (selection.level == "must") return info.level == Level::kMust;
  if (selection.level == "should") return info.level != Level::kInfo;
  return true;
}

std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// Those most like `name`: that share its start or are a few letters away, three at most.
std::vector<std::string> nearest(const std::string& name, std::vector<std::string> all) {
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return distance(name, a) < distance(name, b); });
  if (all.size() > 3) all.resize(3);
  return all;
}

}  // namespace

Status read_shard(const std::string& text, Selection* selection) {
  const char* end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, selection->shard);
  bool good = first == std::errc() && slash != end && *slash == '/';
  if (good) {
    const auto [rest, second] = std::from_chars(slash + 1, end, selection->shards);
    good = second == std::errc() && rest == end;
  }
  if (!good || selection->shard < 1 || selection->shard > selection->shards)
    return usage_error(fmt::format("--shard {}: wants I/N with 1 <= I <= N, for example 1/2", text));
  return {};
}

Result<std::vector<CaseInfo>> select(const std::vector<CaseInfo>& catalogue, const Selection& selection) {
  std::set<std::string> suites;
  std::vector<std::string> ids;
  for (const CaseInfo& info : catalogue) {
    suites.insert(info.suite());
    ids.push_back(info.id);
  }
  for (const std::string& suite : selection.suites)
    if (suites.count(suite) == 0)
      return usage_error(
          fmt::format("--suite {}: there is no such suite; there are: {}", suite, fmt::join(suites, ", ")));
  for (const std::string& glob : selection.globs)
    if (glob.find_first_of("*?[") == std::string::npos && std::find(ids.begin(), ids.end(), glob) == ids.end())
      return usage_error(fmt::format("--case {}: there is no such case; the nearest are: {} (lvspec list shows all)",
                                     glob, fmt::join(nearest(glob, ids), ", ")));

  std::vector<CaseInfo> selected;
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    const bool in_shard = static_cast<int>(i % static_cast<std::size_t>(selection.shards)) == selection.shard - 1;
    if (in_shard && fits(catalogue[i], selection)) selected.push_back(catalogue[i]);
  }
  if (selection.seed != 0) {
    std::mt19937_64 random(selection.seed);
    std::shuffle(selected.begin(), selected.end(), random);
  }
  return selected;
}

std::string digest_of(const std::vector<CaseInfo>& catalogue) {
  // FNV-1a: it tells catalogues apart, it does not protect them.
  std::uint64_t digest = 0xcbf29ce484222325;
  const auto add = [&](std::string_view text) {
    for (const char c : text) digest = (digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    digest = (digest ^ 0xff) * 0x100000001b3;
  };
  for (const CaseInfo& info : catalogue) {
    add(info.id);
    add(name_of(info.level));
    for (const std::string& clause : info.clauses) add(clause);
  }
  return fmt::format("{:016x}", digest);
}

}  // namespace lvspec
