#pragma once

#include <string>
#include <vector>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// A run and the file that it was read from.
struct RunFile {
  std::string file;
  Run run;
};

/// The shards of one run as the run that they would have been without --shard, but for times: it begins with the
/// first shard and takes until the end of the last. Cases come by repetition, director and id; the shards of a
/// shuffled run
/// (--seed) too.
/// Error (kUsage): the file, and why it does not belong to the others: another version of lvspec, suite digest,
/// environment, command or director; a shard that is there twice or not at all; a case that two shards have; fewer
/// cases than were selected. The number of CPUs, which decides nothing but times, may differ: the least is taken.
Result<Run> merge_runs(std::vector<RunFile> shards);

/// Copies the evidence that the shards cite from beside their files into `dir`, where a results file that cites it
/// will lie. Whatever fails, no folder of evidence is there in part. Error (kUsage): the file and case whose evidence
/// is not there.
Status gather_evidence(const std::vector<RunFile>& shards, const std::string& dir);

}  // namespace lvspec
