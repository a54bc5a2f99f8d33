#include "harness/cli/pool.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <optional>

#include "harness/cli/directors.h"
#include "harness/process/child.h"
#include "harness/report/json.h"

namespace lvspec {
namespace {

using std::chrono::steady_clock;

constexpr int kControlFd = 3, kWireClientsFd = 4;

/// A worker process and the job it is at.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> start(int index, const PoolOptions& options) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error("socketpair(worker)");
    FileDescriptor ours(ends[0]);
    const FileDescriptor theirs(ends[1]);
    ChildCommand command;
    command.argv = {program_folder() + "/lvspec", "worker", "--cpu", std::to_string(index)};
    if (!options.report_dir.empty()) command.argv.insert(command.argv.end(), {"--out", options.report_dir});
    if (options.verdict_only) command.argv.push_back("--verdict-only");
    if (options.keep_evidence) command.argv.push_back("--keep-evidence");
    command.fds = {{theirs.get(), kControlFd}};
    if (!options.wire.empty()) {
      command.argv.push_back("--wire");
      command.argv.insert(command.argv.end(), options.wire.begin(), options.wire.end());
      command.fds.emplace_back(options.wire_clients_fd, kWireClientsFd);
    }
    LVSPEC_ASSIGN(Child child, Child::start(command));
    return std::unique_ptr<Worker>(new Worker(index, std::move(child), std::move(ours)));
  }

  int index() const { return index_; }
  int fd() const { return socket_.get(); }
  std::optional<std::size_t> job() const { return job_; }
  steady_clock::time_point since() const { return since_; }

  void give(std::size_t index, const Job& job) {
    job_ = index;
    since_ = steady_clock::now();
    const std::string line = fmt::format("{}\t{}\t{}\n", job.info.test, job.director, job.fault);
    // A worker that is gone is noticed when its answer is waited for.
    (void)!send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  }

  /// @return a whole line, if there is one now; `gone` if there will be none.
  std::optional<std::string> hear(bool* gone) {
    char chunk[65536];
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (count > 0) text_.append(chunk, static_cast<std::size_t>(count));
    *gone = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
    const auto end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    job_.reset();
    return line;
  }

  /// Ends it, and says how it ended and what it said last.
  std::string obituary() {
    child_.wait(std::chrono::milliseconds(200));
    const bool hung = child_.running();
    const std::string how = child_.stop();
    std::string words = child_.output();
    if (words.size() > 600) words = "..." + words.substr(words.size() - 600);
    return fmt::format("the worker process {}{}", hung ? "hung and was ended" : how,
                       words.empty() ? "" : "; its last words: " + words);
  }

 private:
  Worker(int index, Child child, FileDescriptor socket)
      : index_(index), child_(std::move(child)), socket_(std::move(socket)) {}

  int index_;
  Child child_;
  FileDescriptor socket_;
  std::optional<std::size_t> job_;
  steady_clock::time_point since_;
  std::string text_;
};

class Pool {
 public:
  Pool(const std::vector<Job>& jobs, const PoolOptions& options,
       const std::function<void(std::size_t, const CaseResult&)>& done)
      : jobs_(jobs), options_(options), done_(done), results_(jobs.size()) {}

  Result<std::vector<CaseResult>> run() {
    const int wanted = std::min<int>(options_.workers, static_cast<int>(jobs_.size()));
    for (int i = 0; i < wanted; ++i) LVSPEC_TRY(hire(i));
    while (finished_ < jobs_.size()) {
      std::vector<pollfd> fds;
      for (const auto& worker : workers_) fds.push_back({worker->fd(), POLLIN, 0});
      poll(fds.data(), fds.size(), 100);
      for (std::size_t i = 0; i < workers_.size(); ++i) LVSPEC_TRY(attend(i, fds[i].revents != 0));
    }
    return std::move(results_);
  }

 private:
  Status hire(int index) {
    LVSPEC_ASSIGN(auto worker, Worker::start(index, options_));
    if (next_ < jobs_.size()) {
      worker->give(next_, jobs_[next_]);
      ++next_;
    }
    workers_.push_back(std::move(worker));
    return {};
  }

  Status attend(std::size_t at, bool readable) {
    Worker& worker = *workers_[at];
    if (!worker.job()) return {};
    const std::size_t job = *worker.job();
    if (readable) {
      bool gone = false;
      if (const auto line = worker.hear(&gone)) {
        const Result<CaseResult> result = from_line(*line);
        finish(job, result.ok() ? *result : lost(job, result.error().message));
        if (next_ < jobs_.size()) {
          worker.give(next_, jobs_[next_]);
          ++next_;
        }
        return {};
      }
      if (!gone) return {};
      finish(job, lost(job, worker.obituary()));
    } else if (steady_clock::now() - worker.since() > options_.patience) {
      finish(job, lost(job, fmt::format("no result within {} s: {}", options_.patience.count(), worker.obituary())));
    } else {
      return {};
    }
    const int index = worker.index();
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(at));
    if (next_ < jobs_.size()) LVSPEC_TRY(hire(index));
    return {};
  }

  CaseResult lost(std::size_t job, const std::string& reason) const { return lost_result(jobs_[job], reason); }

  void finish(std::size_t job, CaseResult result) {
    result.rerun = rerun_line(jobs_[job], options_.wire);
    results_[job] = std::move(result);
    ++finished_;
    done_(job, results_[job]);
  }

  const std::vector<Job>& jobs_;
  const PoolOptions& options_;
  const std::function<void(std::size_t, const CaseResult&)>& done_;
  std::vector<CaseResult> results_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t next_ = 0, finished_ = 0;
};

}  // namespace

std::string rerun_line(const Job& job, const std::vector<std::string>& wire) {
  std::string line = fmt::format("ci/lvspec run --director {} --case {}", quoted(job.director), job.info.id);
  if (!job.fault.empty()) line += " --fault " + job.fault;
  if (!wire.empty()) line += fmt::format(" --lab wire {}", fmt::join(wire, " "));
  return line;
}

CaseResult lost_result(const Job& job, const std::string& reason) {
  CaseResult result;
  result.info = job.info;
  result.director = job.director;
  result.verdict = Verdict::kHarnessError;
  result.reason = reason;
  return result;
}

Result<std::vector<CaseResult>> run_jobs(const std::vector<Job>& jobs, const PoolOptions& options,
                                         const std::function<void(std::size_t, const CaseResult&)>& done) {
  return Pool(jobs, options, done).run();
}

}  // namespace lvspec
