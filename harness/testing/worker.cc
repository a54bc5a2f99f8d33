#include "harness/testing/worker.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "harness/netns/namespace.h"
#include "harness/report/json.h"
#include "harness/testing/case.h"
#include "harness/testing/fixture.h"
#include "harness/testing/recorder.h"

namespace lvspec::testing {

/// Hears what GoogleTest would have printed.
class Worker::Ear : public ::testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const ::testing::TestPartResult& part) override {
    if (!part.failed()) return;
    failed_ = true;
    if (text_.empty()) text_ = part.message();
  }
  void reset() {
    failed_ = false;
    text_.clear();
  }
  bool failed() const { return failed_; }
  const std::string& text() const { return text_; }

 private:
  bool failed_ = false;
  std::string text_;
};

namespace {

void bind_to_cpu(int index) {
  cpu_set_t allowed;
  if (index < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpus[static_cast<std::size_t>(index) % cpus.size()], &one);
  sched_setaffinity(0, sizeof one, &one);
}

bool send_line(int fd, const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  return true;
}

class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}
  std::optional<std::string> next() {
    for (;;) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return line;
      }
      char chunk[4096];
      const ssize_t count = recv(fd_, chunk, sizeof chunk, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return std::nullopt;
      text_.append(chunk, static_cast<std::size_t>(count));
    }
  }

 private:
  int fd_;
  std::string text_;
};

std::vector<std::string> split_by_tab(const std::string& line) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == '\t') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

Worker::Worker(const WorkerOptions& options) : options_(options), ear_(new Ear) {
  bind_to_cpu(options.cpu);
  able_ = become_able_to_create_namespaces();
  ground().lab = options.lab;
  ground().report_dir = options.report_dir;
  ground().keep_evidence = options.keep_evidence;
  Recorder::current().stop_at_first_failure = options.verdict_only;

  int argc = 1;
  std::string name = "lvspec";
  char* argv[] = {name.data(), nullptr};
  ::testing::InitGoogleTest(&argc, argv);
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(ear_);
}

Worker::~Worker() { delete ::testing::UnitTest::GetInstance()->listeners().Release(ear_); }

CaseResult Worker::run(const CaseInfo& info, const std::string& director, const std::string& fault) {
  CaseResult result;
  result.info = info;
  result.director = director;
  const Result<DirectorFactory> factory =
      able_.ok() ? options_.director(director, fault) : Result<DirectorFactory>(able_.error());
  if (!factory.ok()) {
    result.verdict = Verdict::kHarnessError;
    result.reason = factory.error().message;
    return result;
  }
  ground().director = *factory;
  Recorder::current().start();
  last_bench() = {};
  ear_->reset();
  GTEST_FLAG_SET(filter, info.test);
  const auto start = std::chrono::steady_clock::now();
  // What failed is heard by the ear; the status adds nothing to it.
  [[maybe_unused]] const int status = RUN_ALL_TESTS();
  result.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  result.virtual_s = std::chrono::duration<double>(last_bench().elapsed).count();
  result.evidence = last_bench().evidence;
  result.timeline = last_bench().timeline.moments();
  Recorder::current().conclude(ear_->failed(), ear_->text(), &result);
  return result;
}

int work_for(int control_fd, const WorkerOptions& options) {
  Worker worker(options);
  LineReader jobs(control_fd);
  while (const auto job = jobs.next()) {
    const std::vector<std::string> parts = split_by_tab(*job);
    const auto row = std::find_if(catalogue().begin(), catalogue().end(),
                                  [&](const CaseInfo& info) { return info.test == parts.at(0); });
    LVSPEC_CHECK(row != catalogue().end() && parts.size() == 3);
    if (!send_line(control_fd, to_line(worker.run(*row, parts[1], parts[2])))) break;
  }
  return 0;
}

}  // namespace lvspec::testing
