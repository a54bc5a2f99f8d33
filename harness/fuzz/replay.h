#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/fuzz/program.h"

namespace lvspec::fuzz {

/// A program with what is known of it, as it stands in a file (fixtures/schemas/replay.schema.json).
struct Replay {
  std::string title;   ///< one sentence: what differed
  std::string clause;  ///< clauses that decide it, "VAL-21"; empty: not known
  Program program;
  bool operator==(const Replay&) const = default;
};

inline constexpr int kReplayVersion = 1;

nlohmann::ordered_json to_json(const Step& step);
nlohmann::ordered_json to_json(const Replay& replay);
/// Errors (usage) name the place: "steps[3].ipvsadm: ...".
Result<Step> step_of(const nlohmann::json& value);
Result<Replay> replay_of(const nlohmann::json& value);

/// The text of a file, indented, a step a line.
std::string write_replay(const Replay& replay);
/// @param name  of the file, for errors
Result<Replay> read_replay(const std::string& text, const std::string& name);
Result<Replay> read_replay_file(const std::string& path);

}  // namespace lvspec::fuzz
