#include "harness/process/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>

namespace lvspec {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Child, KeepsWhatItWrites) {
  auto child = Child::start({.argv = {"sh", "-c", "echo one; echo two >&2; exit 3"}, .fds = {}, .environment = {}});
  ASSERT_TRUE(child.ok()) << child.error().message;
  EXPECT_TRUE(child->wait(5s));
  EXPECT_EQ(child->output(), "one\ntwo\n");
  EXPECT_EQ(child->status_text(), "exited with 3");
}

TEST(Child, SaysWhichProgramIsMissing) {
  EXPECT_THAT(Child::start({.argv = {"no-such-program"}, .fds = {}, .environment = {}}).error().message,
              HasSubstr("no-such-program: not found in PATH"));
  EXPECT_THAT(Child::start({.argv = {"/no/such"}, .fds = {}, .environment = {}}).error().message,
              HasSubstr("exec /no/such: No such file"));
}

TEST(Child, HandsOverDescriptorsAndEnvironment) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const FileDescriptor ours(ends[0]);
  FileDescriptor theirs(ends[1]);
  auto child = Child::start(
      {.argv = {"sh", "-c", "echo $GREETING >&3"}, .fds = {{theirs.get(), 3}}, .environment = {"GREETING=hello"}});
  ASSERT_TRUE(child.ok());
  theirs.reset();
  char text[16] = {};
  EXPECT_EQ(read(ours.get(), text, sizeof text), 6);
  EXPECT_STREQ(text, "hello\n");
}

TEST(Child, OneThatIgnoresSigtermIsKilled) {
  auto child = Child::start({.argv = {"sh", "-c", "trap '' TERM; echo ready; while :; do read x; done </dev/zero"},
                             .fds = {},
                             .environment = {}});
  ASSERT_TRUE(child.ok());
  while (child->output().empty()) ASSERT_TRUE(child->running());
  EXPECT_EQ(child->stop(50ms), "killed by SIGKILL");
}

// A SIGKILL of the harness must not leave the director behind.
TEST(Child, DiesWithItsParentEvenOnSigkill) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    auto child = Child::start({.argv = {"sleep", "600"}, .fds = {}, .environment = {}});
    const pid_t pid = child.ok() ? child->pid() : -1;
    (void)!write(ends[1], &pid, sizeof pid);
    pause();
  }
  pid_t grandchild = -1;
  ASSERT_EQ(read(ends[0], &grandchild, sizeof grandchild), static_cast<ssize_t>(sizeof grandchild));
  ASSERT_GT(grandchild, 0);
  kill(parent, SIGKILL);
  ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
  const auto give_up = std::chrono::steady_clock::now() + 5s;
  const auto state = [&] {
    char path[64], text[256] = {};
    snprintf(path, sizeof path, "/proc/%d/stat", grandchild);
    std::FILE* file = std::fopen(path, "r");
    if (file == nullptr) return 'X';
    (void)!std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    const char* after = strrchr(text, ')');
    return after == nullptr ? 'X' : after[2];
  };
  char last = '?';
  while ((last = state()) != 'X' && last != 'Z') ASSERT_LT(std::chrono::steady_clock::now(), give_up) << last;
}

}  // namespace
}  // namespace lvspec
