// lvspec-keeper CMD [FOLDER]: runs an adapter so that nothing of it can stay behind.
//
// The program runs in a process namespace of its own, whose first process is ours: when that ends, by itself or
// because lvspec was killed, the kernel ends everything in there, however it was started. Its mounts are its own too,
// so that namespaces that it names under /run/netns and files in $TMPDIR go with it. What was still there when the
// program had ended is told, a line each, on descriptor 5.

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace {

constexpr int kRequestsFd = 3, kRepliesFd = 4, kReportFd = 5;
constexpr const char* kScratch = "/var/tmp";  // a file system of our own lies there while we run
constexpr int kGraceMs = 300;                 // what is just about to end is not left behind

std::set<std::string> names_in(const char* folder) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    names.insert(entry.path().filename().string());
  return names;
}

void report(const std::string& line) {
  const std::string text = line + "\n";
  (void)!write(kReportFd, text.data(), text.size());
}

std::set<pid_t> children() {
  std::ifstream list("/proc/thread-self/children");
  std::set<pid_t> pids;
  for (pid_t pid = 0; list >> pid;) pids.insert(pid);
  return pids;
}

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name.empty() ? "without a name" : name;
}

[[noreturn]] void become(const char* command, const char* folder) {
  dup2(kRequestsFd, STDIN_FILENO);
  dup2(kRepliesFd, STDOUT_FILENO);
  for (const int fd : {kRequestsFd, kRepliesFd, kReportFd}) close(fd);
  if (folder != nullptr && chdir(folder) != 0) {
    std::fprintf(stderr, "lvspec-keeper: chdir(%s): %s\n", folder, std::strerror(errno));
    _exit(127);
  }
  execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
  std::fprintf(stderr, "lvspec-keeper: /bin/sh: %s\n", std::strerror(errno));
  _exit(127);
}

/// The first process in there: starts the program, reaps whatever ends, tells what is left.
int keep(const char* command, const char* folder, bool own_mounts) {
  bool own_scratch = false;
  if (own_mounts) {
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);  // else it shows who is outside
    mkdir("/run/netns", 0755);
    mount("tmpfs", "/run/netns", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");  // a name in there is a file as well
    own_scratch = mount("tmpfs", kScratch, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
    if (own_scratch) setenv("TMPDIR", kScratch, 1);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const std::set<std::string> namespaces = names_in("/run/netns");
  const pid_t program = fork();
  if (program < 0) return 127;
  if (program == 0) become(command, folder);
  close(kRequestsFd);
  close(kRepliesFd);
  int status = 0;
  for (pid_t ended = 0; ended != program;) {
    int how = 0;
    ended = waitpid(-1, &how, 0);
    if (ended == program) status = how;
    if (ended < 0 && errno != EINTR) break;
  }
  pid_t ended = 1;
  for (int waited = 0; ended >= 0 && waited < kGraceMs; waited += 10) {
    while ((ended = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (ended == 0) usleep(10'000);
  }
  if (ended == 0)
    for (const pid_t pid : children()) report("process " + name_of(pid));
  for (const std::string& name : names_in("/run/netns"))
    if (!namespaces.contains(name)) report("namespace " + name);
  if (own_scratch)
    for (const std::string& name : names_in(kScratch)) report("file " + std::string(kScratch) + "/" + name);
  // Where there is no process namespace, its children are ours by now, and theirs will be.
  for (int round = 0; round < 100; ++round) {
    const std::set<pid_t> left = children();
    if (left.empty()) break;
    for (const pid_t pid : left) kill(pid, SIGKILL);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    usleep(1'000);
  }
  for (const pid_t pid : children())
    std::fprintf(stderr, "lvspec-keeper: process %d, %s, outlives SIGKILL\n", static_cast<int>(pid),
                 name_of(pid).c_str());
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "lvspec-keeper: the program was killed by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
    return 128 + WTERMSIG(status);
  }
  return WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || fcntl(kReportFd, F_GETFD) < 0) {
    std::fprintf(stderr, "lvspec-keeper is what lvspec runs adapters under (exec:CMD); it is not for people.\n");
    return 2;
  }
  const char* folder = argc == 3 ? argv[2] : nullptr;
  if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return keep(argv[1], folder, false);
  int alive[2];
  if (pipe2(alive, O_CLOEXEC) != 0) return 127;
  const pid_t first = fork();
  if (first < 0) {
    std::perror("lvspec-keeper: fork");
    return 127;
  }
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(alive[1]);
    pollfd parent{alive[0], POLLIN, 0};
    if (poll(&parent, 1, 0) != 0) _exit(127);  // it died before the line above
    return keep(argv[1], folder, true);
  }
  for (const int fd : {kRequestsFd, kRepliesFd, kReportFd}) close(fd);
  int status = 0;
  while (waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
