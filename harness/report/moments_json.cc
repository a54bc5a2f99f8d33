#include "harness/report/moments_json.h"

#include <array>
#include <cmath>
#include <utility>

namespace lvspec {
namespace {

constexpr std::array<std::pair<MomentKind, std::string_view>, 9> kNames = {{
    {MomentKind::kWorld, "world"},
    {MomentKind::kAnswer, "answer"},
    {MomentKind::kNoAnswer, "no-answer"},
    {MomentKind::kSent, "sent"},
    {MomentKind::kEdit, "edit"},
    {MomentKind::kStep, "step"},
    {MomentKind::kTemplate, "template"},
    {MomentKind::kNoTemplate, "no-template"},
    {MomentKind::kGap, "gap"},
}};

}  // namespace

std::string_view name_of(MomentKind kind) {
  for (const auto& [known, name] : kNames)
    if (known == kind) return name;
  return "step";
}

std::optional<MomentKind> moment_kind_of(std::string_view name) {
  for (const auto& [kind, known] : kNames)
    if (known == name) return kind;
  return std::nullopt;
}

nlohmann::json to_json(const Moment& moment) {
  nlohmann::json out = {{"at", std::isfinite(moment.at_s) ? moment.at_s : 0}, {"kind", name_of(moment.kind)}};
  if (!moment.who.empty()) out["who"] = moment.who;
  if (!moment.what.empty()) out["what"] = moment.what;
  if (!moment.by.empty()) out["by"] = moment.by;
  if (moment.left_s != 0 && std::isfinite(moment.left_s)) out["left"] = moment.left_s;
  if (moment.times != 1) out["times"] = moment.times;
  return out;
}

}  // namespace lvspec
