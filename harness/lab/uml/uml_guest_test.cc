// Guests of this machine's user-mode-linux, with lvspec_uml_probe as their init. Limits in seconds of the host hold
// on a quiet machine; on a busy one they are stretched by the load that each CPU carries.

#include "harness/lab/uml/uml_guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/cleanup.h"
#include "harness/base/file_descriptor.h"

namespace lvspec {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::Ne;
using ::testing::Not;

/// Whether more programs want a CPU than there are: then seconds of the host say nothing about us.
bool crowded() {
  std::ifstream file("/proc/loadavg");  // "0.20 0.18 0.12 1/80 11206": running/all
  double load = 0;
  unsigned running = 0;
  file >> load >> load >> load >> running;
  return running > std::thread::hardware_concurrency();
}

/// Checks that something took no longer than `limit`, unless the machine was crowded; says so in either case.
void expect_within(milliseconds took, milliseconds limit) {
  if (crowded()) {
    std::cout << "  " << took.count() << " ms, not judged: this machine is crowded\n";
  } else {
    EXPECT_LE(took.count(), limit.count());
  }
}

std::set<std::string> names_in(const std::string& dir) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) names.insert(entry.path().filename());
  return names;
}

/// Living processes that have `word` in their command line.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> found;
  for (const std::string& name : names_in("/proc")) {
    std::ifstream file("/proc/" + name + "/cmdline");  // a zombie's is empty
    std::ostringstream text;
    text << file.rdbuf();
    if (std::isdigit(static_cast<unsigned char>(name[0])) && text.str().find(word) != std::string::npos &&
        std::stoi(name) != getpid())
      found.push_back(std::stoi(name));
  }
  return found;
}

struct GuestRun {
  std::vector<json> lines;  // what the probe said
  Result<GuestExit> exit = Error{"did not run"};
};

GuestRun run(std::vector<std::string> args, UmlOptions options = {}) {
  GuestRun run;
  options.init = LVSPEC_UML_PROBE;
  options.args = std::move(args);
  options.on_line = [&run](std::string_view line) {
    if (!line.empty() && line[0] == '{') run.lines.push_back(json::parse(line));
  };
  Result<UmlGuest> guest = UmlGuest::start(std::move(options));
  run.exit = guest.ok() ? guest->wait() : Result<GuestExit>(guest.error());
  if (run.exit.ok())
    std::cout << "  virtual " << static_cast<double>(run.exit->virtual_.count()) / 1e3 << " s, wall "
              << static_cast<double>(run.exit->wall.count()) / 1e3 << " s\n";
  return run;
}

class Uml : public ::testing::Test {
 protected:
  void SetUp() override {
    if (LVSPEC_SANITIZED) GTEST_SKIP() << "a sanitized program finds no room for its shadow memory in a guest";
    if (access("/usr/bin/linux.uml", X_OK) == 0) return;
    const char* required = getenv("LVSPEC_REQUIRE");
    if (required != nullptr && ("," + std::string(required) + ",").find(",uml,") != std::string::npos)
      FAIL() << "needs uml (Debian's package user-mode-linux)";
    GTEST_SKIP() << "needs uml (Debian's package user-mode-linux)";
  }
};

TEST(UmlCommandLine, CarriesArgumentsAndEnvironment) {
  UmlOptions options;
  options.init = "/bin/lvspec";
  options.args = {"run", "two words"};
  options.environment = {{"SUITE", "ppc"}};
  options.writable_dir = "/out";
  const std::vector<std::string> words = uml_command_line(options).value();
  EXPECT_THAT(words, AllOf(Contains("init=/bin/lvspec"), Contains("SUITE=ppc"), Contains("ro")));
  EXPECT_THAT(words, Contains("LVSPEC_GUEST_DIR=/out"));
  EXPECT_THAT(std::vector<std::string>(words.end() - 3, words.end()), ElementsAre("--", "run", "\"two words\""));
}

TEST(UmlCommandLine, RefusesWhatAKernelCommandLineCannotCarry) {
  UmlOptions options;
  options.init = "/bin/lvspec";
  for (const std::vector<std::string>& args : {std::vector<std::string>{"a\"b"},
                                               {""},
                                               {"a\nb"},
                                               std::vector<std::string>(27, "x"),
                                               {std::string(4096, 'x')}}) {
    options.args = args;
    const auto words = uml_command_line(options);
    ASSERT_FALSE(words.ok());
    EXPECT_EQ(words.error().kind, ErrorKind::kUsage);
  }
}

TEST(UmlStart, NamesThePackageWhereThereIsNoKernel) {
  UmlOptions options;
  options.init = "/bin/true";
  options.kernel = "/nowhere/linux.uml";
  EXPECT_THAT(UmlGuest::start(options).error().message,
              AllOf(HasSubstr("/nowhere/linux.uml"), HasSubstr("package user-mode-linux")));
}

TEST_F(Uml, NamesThePreloadThatIsMissing) {
  UmlOptions options;
  options.init = "/bin/true";
  options.preload = "/nowhere/clock.so";
  EXPECT_THAT(UmlGuest::start(options).error().message, HasSubstr("/nowhere/clock.so"));
}

TEST_F(Uml, NamesTheMemoryThatThisMachineHasNoRoomFor) {
  UmlOptions options;
  options.init = "/bin/true";
  options.memory_mib = 1 << 30;
  EXPECT_THAT(UmlGuest::start(options).error().message, AllOf(HasSubstr("no room"), HasSubstr("/dev/shm has")));
}

TEST_F(Uml, AnHourOfSleepIsAnHourForTheGuestAndNothingForUs) {
  const GuestRun guest = run({"sleep", "3600"});
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.lines.at(0).at("slept_s").get<double>(), AllOf(Ge(3600), Lt(3600.2)));
  EXPECT_THAT(guest.exit->virtual_, Ge(seconds(3600)));
  expect_within(guest.exit->wall, seconds(5));
}

// The negative control: without the preload a sleep takes as long as it says.
TEST_F(Uml, WithoutThePreloadTheGuestSleepsInOurTime) {
  UmlOptions options;
  options.virtual_time = false;
  const GuestRun guest = run({"sleep", "2"}, options);
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.exit->wall, Ge(seconds(2)));
}

TEST_F(Uml, AnIdleDayPasses) {
  UmlOptions options;
  options.time_limit = seconds(600);
  const GuestRun guest = run({"idle", "86400"}, options);
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.lines.at(0).at("slept_s").get<double>(), AllOf(Ge(86400), Lt(86400.5)));
  expect_within(guest.exit->wall, seconds(40));
}

TEST_F(Uml, AnswersItsFirstProbeWithinHalfASecond) {
  milliseconds best = seconds(1000);
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    UmlOptions options;
    options.init = LVSPEC_UML_PROBE;
    options.args = {"first-probe"};
    options.on_line = [&](std::string_view line) {
      if (line.find("answered_s") == std::string_view::npos) return;
      best = std::min(best, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start));
    };
    Result<UmlGuest> guest = UmlGuest::start(options);
    ASSERT_TRUE(guest.ok()) << guest.error().message;
    ASSERT_TRUE(guest->wait().ok()) << guest->log();
  }
  std::cout << "  exec to first answered probe: " << best.count() << " ms\n";
  expect_within(best, milliseconds(500));
}

// Clauses PERS and TIM of spec/ipvs-semantics.md, here to see that the guest's kernel and clock are fit to judge
// them.
TEST_F(Uml, ATemplateLivesThreeHundredSeconds) {
  const GuestRun guest = run({"template"});
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  ASSERT_EQ(guest.lines.size(), 5U) << guest.lines.at(0);
  EXPECT_EQ(guest.lines[0].at("templates"), 0);
  EXPECT_EQ(guest.lines[1].at("templates"), 1);
  EXPECT_EQ(guest.lines[1].at("left_s"), 299);
  EXPECT_EQ(guest.lines[2].at("templates"), 1);
  EXPECT_EQ(guest.lines[2].at("left_s"), 9);
  EXPECT_EQ(guest.lines[3].at("templates"), 0);
  EXPECT_NE(guest.lines[4].at("first"), guest.lines[4].at("after_expiry"));  // rr goes on
  EXPECT_EQ(guest.lines[4].at("again"), guest.lines[4].at("after_expiry"));  // and sticks anew
  expect_within(guest.exit->wall, seconds(5));
}

// Also on a crowded machine: what others do to us must not show in the guest's time.
TEST_F(Uml, RepeatsItself) {
  const std::vector<json> first = run({"template"}).lines;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run({"template"}).lines, first);
}

TEST_F(Uml, HasWhatTheHarnessNeeds) {
  const GuestRun guest = run({"capabilities"});
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_THAT(guest.lines, Not(IsEmpty()));
  for (const json& line : guest.lines) EXPECT_TRUE(line.at("works")) << line;
}

TEST_F(Uml, HandsOnTheStatusOfItsBody) {
  const GuestRun guest = run({"exit", "3"});
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  EXPECT_EQ(guest.exit->status, 3);
}

TEST_F(Uml, WritesIntoItsOneDirectoryAndNowhereElse) {
  char dir[] = "/tmp/lvspec-uml-XXXXXX";
  ASSERT_NE(mkdtemp(dir), nullptr);
  const Cleanup remove([&dir] { std::filesystem::remove_all(dir); });
  UmlOptions options;
  options.writable_dir = dir;
  options.log = std::string(dir) + "/guest.log";
  const GuestRun guest = run({"write", std::string(dir) + "/result", "evidence"}, options);
  ASSERT_TRUE(guest.exit.ok()) << guest.exit.error().message;
  std::string word;
  EXPECT_TRUE(std::ifstream(std::string(dir) + "/result") >> word);
  EXPECT_EQ(word, "evidence");
  std::ostringstream log;
  log << std::ifstream(options.log).rdbuf();
  EXPECT_THAT(log.str(), HasSubstr("System halted"));
}

TEST_F(Uml, ACrashOfItsInitIsAPanicWithTheKernelsWords) {
  const GuestRun guest = run({"abort"});
  ASSERT_FALSE(guest.exit.ok());
  EXPECT_THAT(guest.exit.error().message, HasSubstr("Kernel panic - not syncing: Attempted to kill init!"));
}

TEST_F(Uml, AGuestOutOfMemorySaysSo) {
  UmlOptions options;
  options.memory_mib = 48;
  const GuestRun guest = run({"eat"}, options);
  ASSERT_FALSE(guest.exit.ok());
  EXPECT_THAT(guest.exit.error().message, HasSubstr("memory"));
}

/// As a hardened container does it: ptrace answers EPERM, to the calling thread and to what it starts from now on.
void forbid_ptrace() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(rules), rules};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0) << std::strerror(errno);
}

TEST_F(Uml, SaysSoWherePtraceIsForbidden) {
  std::string message;
  std::thread hardened([&] {
    forbid_ptrace();
    const GuestRun guest = run({"status", "0"});
    message = guest.exit.ok() ? "it ran" : guest.exit.error().message;
  });
  hardened.join();
  EXPECT_THAT(message, HasSubstr("user-mode-linux needs ptrace, which this machine or container forbids"));
}

/// Those that are still there after 5 s: a guest's processes die by a signal of their parent's death, which takes a
/// moment to reach them.
auto processes_left_of(const std::string& marker) {
  auto left = processes_with(marker);
  for (int looks = 0; looks < 100 && !left.empty(); ++looks) {
    usleep(50000);
    left = processes_with(marker);
  }
  return left;
}

TEST_F(Uml, AHangingGuestIsKilledWhenItsTimeIsOver) {
  UmlOptions options;
  options.time_limit = seconds(3);
  const GuestRun guest = run({"spin", "hang-marker"}, options);
  ASSERT_FALSE(guest.exit.ok());
  EXPECT_THAT(guest.exit.error().message, HasSubstr("had not powered off"));
  EXPECT_THAT(processes_left_of("hang-marker"), IsEmpty());
}

/// Starts a guest from a process of its own and kills that process when the guest is at work.
TEST_F(Uml, NothingIsLeftWhenWeAreKilled) {
  const std::string marker = "orphan-marker-" + std::to_string(getpid());
  const std::set<std::string> shm = names_in("/dev/shm");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  const pid_t parent = fork();
  if (parent == 0) {
    UmlOptions options;
    options.init = LVSPEC_UML_PROBE;
    options.args = {"spin", marker};
    options.on_line = [&writer](std::string_view) { (void)!write(writer.get(), "x", 1); };
    Result<UmlGuest> guest = UmlGuest::start(options);
    if (guest.ok()) (void)guest->wait();
    _exit(0);
  }
  writer.reset();
  char at_work = 0;
  EXPECT_EQ(read(reader.get(), &at_work, 1), 1);
  EXPECT_THAT(processes_with(marker).size(), Ge(2U));  // the kernel, and init as it sees it
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_THAT(processes_left_of(marker), IsEmpty());
  EXPECT_EQ(names_in("/dev/shm"), shm);
}

TEST_F(Uml, NothingIsLeftBehindOrdinarily) {
  const std::string home = getenv("HOME") != nullptr ? getenv("HOME") : "/root";
  const std::set<std::string> shm = names_in("/dev/shm"), at_home = names_in(home), tmp = names_in("/tmp");
  ASSERT_TRUE(run({"first-probe"}).exit.ok());
  EXPECT_EQ(names_in("/dev/shm"), shm);
  EXPECT_EQ(names_in(home), at_home);
  for (const std::string& name : names_in("/tmp"))  // others work there too
    EXPECT_TRUE(tmp.count(name) == 1 || name.find("vm_file") == std::string::npos) << name;
}

// The guest's root is the user who started it, to the host; to its own kernel it is root.
TEST_F(Uml, WorksForAnOrdinaryUser) {
  constexpr uid_t kNobody = 65534;
  if (getuid() != 0) GTEST_SKIP() << "needs root, to become somebody else; as this user all other tests have run";
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(9);
    if (access(LVSPEC_UML_PROBE, X_OK) != 0) _exit(7);
    const GuestRun guest = run({"template"});
    if (!guest.exit.ok()) std::cout << guest.exit.error().message << "\n";
    std::cout.flush();
    _exit(guest.exit.ok() && guest.lines.size() == 5 && guest.lines[3].at("templates") == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 7) GTEST_SKIP() << "an ordinary user may not read the build folder";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace lvspec
