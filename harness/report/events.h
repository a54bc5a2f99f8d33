#pragma once

#include <string>

#include "harness/report/model.h"

namespace lvspec {

/// The events of a run, each one line of JSON with its newline; fixtures/schemas/event.schema.json describes them.
/// A reader that has seen run-begin and no run-end knows that the run was cut off.

/// What is asked of whom, where.
/// @param cases  how many case-end events there will be: cases, times directors, times repetitions.
std::string run_begin_event(const Run& run, std::size_t cases);

/// One case on one director, in the order in which they end.
/// @param number  from 1.
std::string case_end_event(std::size_t number, const CaseResult& result);

/// What came of it: the summary of results.json, and the environment, of which a guest's kernel is known only now.
std::string run_end_event(const Run& run);

}  // namespace lvspec
