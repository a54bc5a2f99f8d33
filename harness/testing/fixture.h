#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "harness/lab/bench.h"
#include "harness/lab/lab.h"
#include "harness/testing/case.h"
#include "harness/testing/expect.h"
#include "harness/testing/matchers.h"

namespace lvspec::testing {

/// What the cases of this process run on; set once, by whoever runs them.
struct Ground {
  Lab lab;
  DirectorFactory director;
  std::string report_dir;      ///< evidence goes below it; empty: no evidence is kept
  bool keep_evidence = false;  ///< of cases that pass as well
};
Ground& ground();

/// The fixture of every suite.
class DirectorTest : public ::testing::Test {
 protected:
  /// Builds the bench with the director under test. Which director that is, a case does not know.
  Result<Bench> build(const BenchPlan& plan);

  /// What is not for a case to choose where somebody else has set the director up.
  const Terms& terms() const { return ground().lab.terms; }
  bool is_set_up_by_owner() const { return ground().lab.place != nullptr; }

  /// For cases that measure: the value, in words.
  void measured(const std::string& value) { Recorder::current().measured(value); }
  void measured(Measurement cell) { Recorder::current().measured(std::move(cell)); }

  void SetUp() override { Recorder::current().belief = nullptr; }
};

/// Evidence folder of the case that runs now, the protocol time it took and what happened; read by the worker.
struct LastBench {
  std::string evidence;
  std::chrono::nanoseconds elapsed{0};
  Timeline timeline{};
};
LastBench& last_bench();

}  // namespace lvspec::testing
