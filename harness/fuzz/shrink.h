#pragma once

#include <functional>
#include <vector>

#include "harness/fuzz/program.h"

namespace lvspec::fuzz {

/// Whether each of these programs still shows the difference. Many at once, because starting a director costs more
/// than a step.
using Oracle = std::function<Result<std::vector<bool>>(const std::vector<Program>&)>;

/// A program that shows the difference although every single step of it is needed, and as simple in its arguments as
/// simplifications() goes. Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input", 2002.
/// @param program  shows it (the oracle is not asked)
/// @param patience  how many times the oracle may be asked
Result<Program> shrink(Program program, const Oracle& oracle, int patience = 60);

/// The same step said more simply, the boldest way first: none if there is none.
std::vector<Step> simplifications(const Step& step);

}  // namespace lvspec::fuzz
