#pragma once

#include <cstdio>
#include <string>

#include "harness/base/result.h"
#include "harness/report/model.h"

namespace lvspec {

/// What a run prints to standard output: for people (text), or for the program behind the pipe.
enum class OutputFormat { kText, kTap, kJsonLines, kGithub };

/// Where a run tells of itself while it goes on: standard output in one of the formats, results.jsonl in the folder
/// of the report, progress on stderr (one line that changes on a terminal, plain lines elsewhere).
class RunOutput {
 public:
  /// @param report_dir  empty where no report is wanted.
  /// Error: results.jsonl cannot be written.
  static Result<RunOutput> open(OutputFormat format, const std::string& report_dir);
  RunOutput(RunOutput&& other) noexcept;
  RunOutput& operator=(RunOutput&&) = delete;
  ~RunOutput();

  void begin(const Run& run, std::size_t cases);
  void show(const CaseResult& result);
  /// After the last case. Error: results.jsonl could not be written whole.
  Status close(const Run& run);
  /// The end of standard output, after the report was written.
  void end(const Run& run) const;

 private:
  RunOutput(OutputFormat format, std::string report_dir, std::FILE* events);
  void tell(const std::string& event);
  void clear_progress() const;

  OutputFormat format_;
  std::string report_dir_;
  std::FILE* events_;
  std::size_t total_ = 0, count_ = 0;
  bool terminal_;
};

}  // namespace lvspec
