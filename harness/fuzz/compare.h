#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/fuzz/program.h"
#include "harness/fuzz/record.h"

namespace lvspec::fuzz {

/// What the clauses leave open, or the kernel to chance: in one place, with the reason. Everything else must be
/// equal, second by second and line by line.
struct Latitude {
  std::string_view clause, what, reason;
};
inline constexpr Latitude kLatitudes[] = {
    {"CON-04", "the order of entries", "by a hash with a seed that is random for each load of the module"},
    {"NLK-05", "the order of services", "by hash; ipvsadm sorts them"},
    {"FWD-04", "the source port of GUE", "a hash with a seed that is random for each boot"},
};

/// Where two directors part.
struct Difference {
  enum class Kind { kOutcome, kServices, kEntries, kCounts };
  Kind kind = Kind::kOutcome;
  std::size_t step = 0;
  std::vector<std::string> first, second;  ///< the lines that only the one has, or all of an outcome
};

std::string_view name_of(Difference::Kind kind);

enum class Statistics { kCompared, kLeftOut };

/// @return the first difference of two records of one program, as far as both have come; nothing of a step that is
///         blurred in either.
std::optional<Difference> first_difference(const Record& first, const Record& second,
                                           Statistics statistics = Statistics::kCompared);

/// The difference for people: the step and both answers, by the directors' names.
std::string text_of(const Difference& difference, const Program& program, const std::string& first_name,
                    const std::string& second_name);

}  // namespace lvspec::fuzz
