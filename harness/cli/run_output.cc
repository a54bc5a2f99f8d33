#include "harness/cli/run_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "harness/report/annotations.h"
#include "harness/report/events.h"
#include "harness/report/tap.h"
#include "harness/report/text.h"

namespace lvspec {
namespace {

/// At once, because somebody reads along.
void print_now(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

}  // namespace

Result<RunOutput> RunOutput::open(OutputFormat format, const std::string& report_dir) {
  if (report_dir.empty()) return RunOutput(format, report_dir, nullptr);
  const std::string path = report_dir + "/results.jsonl";
  std::FILE* events = std::fopen(path.c_str(), "we");
  if (events == nullptr) return system_error(fmt::format("--out {}: open({})", report_dir, path));
  return RunOutput(format, report_dir, events);
}

RunOutput::RunOutput(OutputFormat format, std::string report_dir, std::FILE* events)
    : format_(format), report_dir_(std::move(report_dir)), events_(events), terminal_(isatty(STDERR_FILENO) != 0) {}

RunOutput::RunOutput(RunOutput&& other) noexcept
    : format_(other.format_),
      report_dir_(std::move(other.report_dir_)),
      events_(std::exchange(other.events_, nullptr)),
      total_(other.total_),
      count_(other.count_),
      terminal_(other.terminal_) {}

RunOutput::~RunOutput() {
  if (events_ != nullptr) std::fclose(events_);
}

void RunOutput::begin(const Run& run, std::size_t cases) {
  total_ = cases;
  tell(run_begin_event(run, cases));
  if (format_ == OutputFormat::kTap) print_now(tap_head(cases));
}

void RunOutput::show(const CaseResult& result) {
  ++count_;
  clear_progress();
  tell(case_end_event(count_, result));
  if (format_ == OutputFormat::kTap) print_now(tap_point(count_, result));
  if (format_ == OutputFormat::kGithub) print_now(github_annotations(result));
  fmt::print(stderr, "[{}/{}] {}{}", count_, total_, progress_line(result), terminal_ ? "" : "\n");
  std::fflush(stderr);
}

Status RunOutput::close(const Run& run) {
  clear_progress();
  tell(run_end_event(run));
  if (events_ == nullptr) return {};
  const bool spoilt = std::ferror(events_) != 0;
  if (std::fclose(std::exchange(events_, nullptr)) != 0 || spoilt)
    return system_error(fmt::format("write({}/results.jsonl)", report_dir_));
  return {};
}

void RunOutput::end(const Run& run) const {
  if (format_ == OutputFormat::kText)
    for (const CaseResult& result : run.cases)
      if (result.verdict == Verdict::kFail || result.verdict == Verdict::kXpass ||
          result.verdict == Verdict::kHarnessError)
        fmt::print("{}\n", failure_text(result, run.guidance, report_dir_));
  if (format_ == OutputFormat::kText || format_ == OutputFormat::kGithub)
    fmt::print("{}", summary_text(run, report_dir_));
}

void RunOutput::tell(const std::string& event) {
  if (format_ == OutputFormat::kJsonLines) print_now(event);
  if (events_ == nullptr) return;
  std::fputs(event.c_str(), events_);
  std::fflush(events_);
}

void RunOutput::clear_progress() const {
  if (terminal_ && count_ > 0) fmt::print(stderr, "\r\033[K");
}

}  // namespace lvspec
