#pragma once

#include <functional>
#include <memory>
#include <string>

#include "harness/base/result.h"
#include "harness/lab/lab.h"
#include "harness/report/model.h"

namespace lvspec::testing {

struct WorkerOptions {
  int cpu = -1;                ///< index among the CPUs we may use; -1: stay unbound
  std::string report_dir;      ///< where evidence goes; empty: none is kept
  bool verdict_only = false;   ///< end each case at its first failure
  bool keep_evidence = false;  ///< of cases that pass as well
  Lab lab;
  /// The director to use for a job.
  std::function<Result<DirectorFactory>(const std::string& director, const std::string& fault)> director;
};

/// Runs cases, one after the other. There is one in a process.
///
/// A worker is bound to one CPU. All packets of its world are then handled there in the order in which they were
/// sent, so that a fence that has arrived has everything before it in front of it, and a run repeats exactly;
/// parallelism is between worlds.
class Worker {
 public:
  explicit Worker(const WorkerOptions& options);
  ~Worker();
  CaseResult run(const CaseInfo& info, const std::string& director, const std::string& fault);

 private:
  class Ear;
  WorkerOptions options_;
  Status able_;
  Ear* ear_;  // GoogleTest's
};

/// A worker that is told what to do over a connected stream socket, a line each: a job is
/// "TEST<tab>DIRECTOR<tab>FAULT", a result is a CaseResult as a line (report/json.h). Ends when the socket does.
/// @return the exit status.
int work_for(int control_fd, const WorkerOptions& options);

}  // namespace lvspec::testing
