#pragma once

#include <functional>
#include <string>

#include "harness/base/result.h"
#include "harness/lab/lab.h"

namespace lvspec::testing {

struct WorkerOptions {
  int control_fd = 3;         ///< a connected stream socket: jobs in, results out, a line each
  int cpu = -1;               ///< index among the CPUs we may use; -1: stay unbound
  std::string report_dir;     ///< where evidence goes; empty: none is kept
  bool verdict_only = false;  ///< end each case at its first failure
  Lab lab;
  /// The director to use for a job.
  std::function<Result<DirectorFactory>(const std::string& director, const std::string& fault)> director;
};

/// Runs cases one after the other until the control socket ends. A job is "TEST<tab>DIRECTOR<tab>FAULT", the result a
/// CaseResult as a line (report/json.h).
///
/// A worker is bound to one CPU. All packets of its world are then handled there in the order in which they were
/// sent, so that a fence that has arrived has everything before it in front of it, and a run repeats exactly;
/// parallelism is between worlds. @return the exit status.
int work(const WorkerOptions& options);

}  // namespace lvspec::testing
