#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// One case to run on one director.
struct Job {
  CaseInfo info;
  std::string director;
  std::string fault;
  std::size_t place = 0;  ///< of the case in the catalogue
};

/// The command that runs this job again.
/// @param wire  the words that say where, as in PoolOptions
std::string rerun_line(const Job& job, const std::vector<std::string>& wire = {});

/// The result of a job that never came to a verdict, and why.
CaseResult lost_result(const Job& job, const std::string& reason);

struct PoolOptions {
  int workers = 1;
  std::string report_dir;         ///< evidence goes below it; empty: none is kept
  bool verdict_only = false;      ///< end each case at its first failure
  bool keep_evidence = false;     ///< of cases that pass as well
  std::string kernel, modules;    ///< of qemu guests: a vmlinuz or "debian:6.1", its modules; empty: no qemu
  std::string accel = "tcg";      ///< of qemu guests
  std::vector<std::string> wire;  ///< words for workers that live on a wire; empty: worlds are ours
  int wire_clients_fd = -1;       ///< what they share (wire_lab)
  /// Told the kernel of each guest, "Linux 6.1.176"; may be empty.
  std::function<void(const std::string&)> on_kernel;
  /// A case that takes longer hangs; protocol time does not count.
  std::chrono::seconds patience{60};
};

/// Runs jobs in worker processes, each with worlds of its own. A worker that dies or hangs costs the case it was at
/// (HARNESS-ERROR, with its last words) and is replaced.
/// @param done  called for each result as it comes, with the index of its job
/// @return the results in the order of the jobs. Error: workers cannot be started at all.
Result<std::vector<CaseResult>> run_jobs(const std::vector<Job>& jobs, const PoolOptions& options,
                                         const std::function<void(std::size_t, const CaseResult&)>& done);

}  // namespace lvspec
