#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

#include "harness/base/result.h"
#include "harness/law/law.h"
#include "harness/report/model.h"

namespace lvspec {

/// The cases that this program was linked with.
using Catalogue = std::vector<CaseInfo>;

/// Exit statuses of design.md.
enum Exit { kConforms = 0, kDeviates = 1, kUsage = 2, kNothing = 3, kHarness = 4, kNoise = 5 };

/// A subcommand: adds its options to the parser, and returns what to do once it was chosen; that returns the exit
/// status.
using Action = std::function<int()>;
Action add_run_command(CLI::App& app, const Catalogue& catalogue, const Law& law);
/// What is said of these cases beside their verdicts.
Guidance guidance_for(const Catalogue& cases, const Law& law);
Action add_list_command(CLI::App& app, const Catalogue& catalogue, const Law& law);
Action add_explain_command(CLI::App& app, const Catalogue& catalogue, const Law& law);
Action add_mutants_command(CLI::App& app, const Catalogue& catalogue);
Action add_doctor_command(CLI::App& app);
Action add_fuzz_command(CLI::App& app);
/// @param law  for the claims in Chinese.
Action add_compare_command(CLI::App& app, const Law& law);
Action add_diff_command(CLI::App& app);
Action add_merge_command(CLI::App& app);
Action add_verify_command(CLI::App& app);
Action add_adapter_test_command(CLI::App& app);
/// What the fuzz command starts, here and in guests; not for people.
Action add_fuzz_player_command(CLI::App& app);

/// "lvspec: ..." on stderr, and the exit status that goes with the kind of error.
int complain(const Error& error);

}  // namespace lvspec
