#include "harness/netns/namespace.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;
constexpr char kCannotDropRoot[] = "cannot drop root";

class Namespaces : public ::testing::Environment {
 public:
  void SetUp() override {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }
};
const auto* const kNamespaces = ::testing::AddGlobalTestEnvironment(new Namespaces);

std::vector<std::string> interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* const list = if_nameindex();
  for (const struct if_nameindex* i = list; i != nullptr && i->if_index != 0; ++i) names.emplace_back(i->if_name);
  if (list != nullptr) if_freenameindex(list);
  return names;
}

ino_t inode(int fd) {
  struct stat info {};
  EXPECT_EQ(fstat(fd, &info), 0);
  return info.st_ino;
}

ino_t own_inode() {
  const auto own = NetworkNamespace::current("own");
  return own.ok() ? inode(own->fd()) : 0;
}

/// Runs `function` in a child of ours and returns what it says.
std::string in_child(const std::function<std::string()>& function) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = function();
    if (write(ends[1], text.data(), text.size()) < 0) _exit(1);
    _exit(0);  // not exit(): the tests' own end belongs to the parent
  }
  close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return said;
}

/// Drops root, and with it all capabilities, for good.
bool become_nobody() {
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0)
    return false;
  return prctl(PR_SET_DUMPABLE, 1) == 0;  // as exec would: else /proc/self still belongs to root
}

TEST(NetworkNamespace, CreateMakesAnEmptyOneAndLeavesTheCallerWhereItWas) {
  const ino_t before = own_inode();
  const std::vector<std::string> interfaces_before = interfaces();
  const auto made = NetworkNamespace::create("client");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->name(), "client");
  EXPECT_NE(inode(made->fd()), before);
  EXPECT_EQ(own_inode(), before);
  EXPECT_EQ(interfaces(), interfaces_before);
}

TEST(NetworkNamespace, CallRunsInsideAndComesBack) {
  const ino_t before = own_inode();
  const auto made = NetworkNamespace::create("client");
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto inside = made->call([]() -> Result<ino_t> { return own_inode(); });
  ASSERT_TRUE(inside.ok());
  EXPECT_EQ(*inside, inode(made->fd()));
  EXPECT_EQ(own_inode(), before);
  const auto names = made->call([]() -> Result<std::vector<std::string>> { return interfaces(); });
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names, ElementsAre("lo"));
}

TEST(NetworkNamespace, CallComesBackFromAnError) {
  const ino_t before = own_inode();
  const auto made = NetworkNamespace::create("client");
  ASSERT_TRUE(made.ok());
  const Status status = made->call([]() -> Status { return Error{"client: no"}; });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "client: no");
  EXPECT_EQ(own_inode(), before);
}

TEST(NetworkNamespace, CallComesBackFromAnException) {
  const ino_t before = own_inode();
  const auto made = NetworkNamespace::create("client");
  ASSERT_TRUE(made.ok());
  EXPECT_THROW((void)made->call([]() -> Status { throw 1; }), int);
  EXPECT_EQ(own_inode(), before);
}

TEST(NetworkNamespace, CallsNest) {
  const auto outer = NetworkNamespace::create("outer");
  const auto inner = NetworkNamespace::create("inner");
  ASSERT_TRUE(outer.ok() && inner.ok());
  const Status status = outer->call([&]() -> Status {
    LVSPEC_TRY(inner->call([&]() -> Status {
      EXPECT_EQ(own_inode(), inode(inner->fd()));
      return {};
    }));
    EXPECT_EQ(own_inode(), inode(outer->fd()));
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST(NetworkNamespace, EachThreadIsInItsOwn) {
  const auto made = NetworkNamespace::create("client");
  ASSERT_TRUE(made.ok());
  const ino_t home = own_inode();
  ino_t seen = 0;
  const Status status = made->call([&seen]() -> Status {
    std::thread([&seen] { seen = own_inode(); }).join();  // a new thread inherits the place of its maker
    return {};
  });
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(seen, inode(made->fd()));
  std::thread([&made] {
    (void)made->call([&made]() -> Status {
      EXPECT_EQ(own_inode(), inode(made->fd()));
      return {};
    });
  }).join();
  EXPECT_EQ(own_inode(), home);
}

TEST(NetworkNamespace, EnteringSomethingElseNamesTheNodeAndTheCall) {
  auto made = NetworkNamespace::create("client1");
  ASSERT_TRUE(made.ok());
  ASSERT_GE(dup2(STDIN_FILENO, made->fd()), 0);  // not a namespace any more
  const Status status = made->call([]() -> Status { return {}; });
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("client1: setns(netns/client1, CLONE_NEWNET): EINVAL"));
}

TEST(BecomeAble, IsHarmlessASecondTime) {
  const ino_t before = own_inode();
  EXPECT_TRUE(become_able_to_create_namespaces().ok());
  EXPECT_EQ(own_inode(), before);
}

TEST(BecomeAble, UsesAUserNamespaceWithoutPrivileges) {
  const std::string said = in_child([]() -> std::string {
    if (!become_nobody()) return kCannotDropRoot;
    const Status able = become_able_to_create_namespaces();
    if (!able.ok()) return able.error().message;
    const auto made = NetworkNamespace::create("client");
    if (!made.ok()) return made.error().message;
    const Status inside = made->call([]() -> Status { return {}; });
    return inside.ok() ? "able" : inside.error().message;
  });
  if (said == kCannotDropRoot) GTEST_SKIP() << "needs root outside of any user namespace, to drop it";
  if (said.find("In a user namespace of its own: unshare(") != std::string::npos)
    GTEST_SKIP() << "needs unprivileged user namespaces: " << said;
  EXPECT_EQ(said, "able");
}

TEST(BecomeAble, SaysWhatBothWaysMetAndWhatToDo) {
  const std::string said = in_child([]() -> std::string {
    if (!become_nobody()) return kCannotDropRoot;
    std::thread([] { pause(); }).detach();  // the kernel refuses CLONE_NEWUSER to a process with two threads
    const Status able = become_able_to_create_namespaces();
    return able.ok() ? "able" : able.error().message;
  });
  if (said == kCannotDropRoot) GTEST_SKIP() << "needs root outside of any user namespace, to drop it";
  EXPECT_THAT(said, AllOf(HasSubstr("As it is (uid 65534): it has no CAP_SYS_ADMIN and CAP_NET_ADMIN"),
                          HasSubstr("In a user namespace of its own: unshare(CLONE_NEWUSER): EINVAL"),
                          HasSubstr("Run it as root"), HasSubstr("kernel.unprivileged_userns_clone=1"),
                          HasSubstr("kernel.apparmor_restrict_unprivileged_userns"), HasSubstr("--cap-add")));
}

}  // namespace
}  // namespace lvspec
