// Our ipvsadm, with the bundled director behind it, against the real one with the kernel's IPVS behind it: the same
// command lines, the same bytes.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "harness/ipvs/genl_ipvs.h"
#include "harness/process/child.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;

struct Told {
  std::string out, err;
  int status = 0;
  bool operator==(const Told&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Told& told) {
  return stream << "stdout:\n" << told.out << "stderr:\n" << told.err << "status: " << told.status << "\n";
}

std::string contents(int fd) {
  std::string text(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), 0);
  EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

/// Runs a line of shell in a namespace, with `path` before the usual places and `input` on stdin.
Told shell(const NetworkNamespace& netns, const std::string& path, const std::string& line,
           const std::string& input = "") {
  const FileDescriptor in(memfd_create("in", MFD_CLOEXEC)), out(memfd_create("out", MFD_CLOEXEC)),
      err(memfd_create("err", MFD_CLOEXEC));
  EXPECT_EQ(pwrite(in.get(), input.data(), input.size(), 0), static_cast<ssize_t>(input.size()));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const auto& [from, to] : {std::pair{in.get(), 0}, {out.get(), 1}, {err.get(), 2}})
    posix_spawn_file_actions_adddup2(&actions, from, to);
  std::string search = "PATH=" + path + ":/sbin:/usr/sbin:/bin:/usr/bin";
  char* environment[] = {search.data(), nullptr};
  std::vector<std::string> words = {"sh", "-c", line};
  std::string program = "/bin/sh";
  if (line.find_first_of("'\"\\|;&$<>*?#") == std::string::npos) {  // a guest starts a shell in 20 ms: only if needed
    std::istringstream stream(line);
    words.assign(std::istream_iterator<std::string>(stream), {});
    program = path + "/" + words.front();
    if (access(program.c_str(), X_OK) != 0) program = "/usr/sbin/" + words.front();
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto told = netns.call([&]() -> Result<Told> {
    pid_t pid = 0;  // posix_spawn does not copy our page tables, which takes a guest long; it stays in this namespace
    if (const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environment); error != 0)
      return system_error("posix_spawn(" + program + ")", error);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return system_error("waitpid");
    return Told{contents(out.get()), contents(err.get()), WIFEXITED(status) ? WEXITSTATUS(status) : -1};
  });
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_TRUE(told.ok()) << told.error().message;
  return told.ok() ? *told : Told{};
}

/// Command lines that need something that not every director can do carry its name.
struct CommandLine {
  std::string text, needs;
};

std::vector<CommandLine> command_lines() {
  std::vector<CommandLine> lines;
  std::ifstream file(LVSPEC_IPVSADM_FIXTURES "/command_lines.txt");
  std::string needs;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("@")) needs = line.starts_with("@needs ") ? line.substr(7) : "";
    if (!line.empty() && line[0] != '#' && line[0] != '@') lines.push_back({line, needs});
  }
  return lines;
}

std::string sorted_lines(const std::string& text) {
  std::istringstream stream(text);
  std::multiset<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.insert(line + "\n");
  std::string sorted;
  for (const std::string& line : lines) sorted += line;
  return sorted;
}

class IpvsadmPeer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Names that both resolve; the guest's root is read-only, a mount over the file is not in its way.
    ASSERT_EQ(mount(LVSPEC_IPVSADM_FIXTURES "/hosts", "/etc/hosts", nullptr, MS_BIND, nullptr), 0) << errno;
  }

  void SetUp() override {
    kernel_ = build(DirectorPlace::kStack);
    bundled_ = build(DirectorPlace::kInline);
    ASSERT_TRUE(kernel_ && bundled_);
    start_director();
  }

  static std::optional<World> build(DirectorPlace place) {
    Topology topology;
    topology.server_count = 2;
    topology.director_place = place;
    auto world = World::build(topology);
    EXPECT_TRUE(world.ok()) << world.error().message;
    return world.ok() ? std::optional<World>(*std::move(world)) : std::nullopt;
  }

  void start_director() {
    const auto child = bundled_->director().netns.call([&]() -> Result<Child> {
      const Topology& topology = bundled_->topology();
      std::vector<std::string> words = {LVSPEC_DIRECTOR, "--stack", bundled_->stack_port().name};
      std::vector<IpAddress> own = {topology.director(), topology.director(AF_INET6)};
      own.insert(own.end(), topology.vips.begin(), topology.vips.end());
      for (const IpAddress& address : own) words.insert(words.end(), {"--address", address.str()});
      return Child::start({.argv = std::move(words), .fds = {}, .environment = {}});
    });
    ASSERT_TRUE(child.ok()) << child.error().message;
    director_.emplace(std::move(const_cast<Result<Child>&>(child)).value());
    for (int looks = 0; ours("ipvsadm -L --timeout").status != 0; ++looks) {
      ASSERT_TRUE(director_->running() && looks < 200) << director_->status_text() << director_->output();
      usleep(10'000);
    }
  }

  Told real(const std::string& line, const std::string& input = "") {
    return shell(kernel_->director().netns, "/sbin", line, input);
  }
  Told ours(const std::string& line, const std::string& input = "") {
    return shell(bundled_->director().netns, LVSPEC_AS_IPVSADM, line, input);
  }
  void expect_equal(const std::string& line, const std::string& input = "") {
    EXPECT_EQ(ours(line, input), real(line, input)) << "  of: " << line;
  }

  std::set<std::string> capabilities() {
    const auto hello = Child::start({.argv = {LVSPEC_DIRECTOR, "--describe"}, .fds = {}, .environment = {}});
    EXPECT_TRUE(hello.ok());
    Child& child = const_cast<Child&>(*hello);
    child.wait(10s);
    return nlohmann::json::parse(child.output()).at("capabilities").get<std::set<std::string>>();
  }

  /// One datagram or SYN from a port that we choose, so that both lists of connections are the same.
  static void send_from(World& world, int type, std::uint16_t from, const Endpoint& to) {
    const Status sent = world.client().netns.call([&]() -> Status {
      const FileDescriptor socket(::socket(to.address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (!socket.valid()) return system_error("socket");
      sockaddr_storage address{};
      socklen_t length = Endpoint{world.topology().client(1, to.address.family()), from}.to_sockaddr(&address);
      if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) return system_error("bind");
      length = to.to_sockaddr(&address);
      if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 && errno != EINPROGRESS)
        return system_error("connect " + to.str());
      if (type == SOCK_DGRAM && send(socket.get(), "x", 1, 0) != 1) return system_error("send " + to.str());
      return {};
    });
    EXPECT_TRUE(sent.ok()) << sent.error().message;
  }

  std::optional<World> kernel_, bundled_;
  std::optional<Child> director_;
};

TEST_F(IpvsadmPeer, AnswersEveryLineAsTheRealOneDoes) {
  const std::set<std::string> can = capabilities();
  const std::vector<CommandLine> lines = command_lines();
  std::map<std::string, int> left_out;
  int compared = 0;
  for (const auto& [line, needs] : lines) {
    if (!needs.empty() && !can.contains(needs)) {
      ++left_out[needs];
      continue;
    }
    expect_equal(line);
    ++compared;
  }
  std::cout << "  " << compared << " command lines compared\n";
  for (const auto& [needs, count] : left_out) std::cout << "  " << count << " need \"" << needs << "\"\n";
  EXPECT_GE(compared, 350);
  EXPECT_EQ(ours("ipvsadm -L -n").out, real("ipvsadm -L -n").out);
}

TEST_F(IpvsadmPeer, HelpHasTheSameSynopsisAndOptions) {
  expect_equal("ipvsadm -h | sed -n '2,15p'");
  expect_equal("ipvsadm --help | grep -c '^Usage:$'");
  expect_equal("ipvsadm -v | cut -c 1-14");
  const auto options = [](const std::string& help) {
    std::set<std::string> words;
    std::istringstream stream(help);
    for (std::string word; stream >> word;)
      if (word.starts_with("-")) words.insert(word);
    return words;
  };
  const auto mine = options(ours("ipvsadm -h").out), theirs = options(real("ipvsadm -h").out);
  EXPECT_TRUE(std::includes(mine.begin(), mine.end(), theirs.begin(), theirs.end()))
      << ::testing::PrintToString(mine);
}

// What one saves the other restores, and saves again in the same bytes (ADM-13, ADM-14).
TEST_F(IpvsadmPeer, WhatOneSavesTheOtherRestores) {
  const std::string rules =
      "-A -t 198.51.100.10:80 -s rr -p 300 -M 255.255.255.0\n"
      "-a -t 198.51.100.10:80 -r 203.0.113.12 -g -w 2\n"
      "-a -t 198.51.100.10:80 -r 203.0.113.11 -g -w 1\n"
      "-A -u 198.51.100.10:53 -s wrr -o\n"
      "-a -u 198.51.100.10:53 -r 203.0.113.11 -w 0\n"
      "-A -f 8 -s lc -p 60\n"
      "-a -f 8 -r 203.0.113.12\n"
      "-A -f 9 -6 -s wlc -p 60 -M 64\n"
      "-a -f 9 -6 -r 2001:db8:113::b\n"
      "-A -t [2001:db8:51::10]:0 -s rr -p\n"
      "-a -t [2001:db8:51::10]:0 -r [2001:db8:113::c]:0\n";
  ASSERT_EQ(real("ipvsadm -R", rules), Told{});
  const std::string saved = real("ipvsadm -S -n").out;
  ASSERT_EQ(std::count(saved.begin(), saved.end(), '\n'), 11);
  EXPECT_EQ(ours("ipvsadm-restore", "# saved by the real one\n" + saved), Told{});
  EXPECT_EQ(ours("ipvsadm-save -n").out, saved);
  ASSERT_EQ(real("ipvsadm -C"), Told{});
  EXPECT_EQ(real("ipvsadm-restore", ours("ipvsadm -S -n").out), Told{});
  expect_equal("ipvsadm-save -n");
  expect_equal("ipvsadm -L -n --nosort -t 198.51.100.10:80");  // and so the schedulers meet them in the same order
}

TEST_F(IpvsadmPeer, ListsTheSameConnections) {
  for (const char* line : {
           "ipvsadm -A -t 198.51.100.10:80 -s rr -p 300",
           "ipvsadm -a -t 198.51.100.10:80 -r 203.0.113.11",
           "ipvsadm -A -u 198.51.100.10:0 -s rr -p 7000",
           "ipvsadm -a -u 198.51.100.10:0 -r 203.0.113.12",
           "ipvsadm -A -t [2001:db8:51::10]:443 -s rr",
           "ipvsadm -a -t [2001:db8:51::10]:443 -r [2001:db8:113::b]:443",
       })
    expect_equal(line);
  for (World* world : {&*kernel_, &*bundled_}) {
    send_from(*world, SOCK_STREAM, 40001, {IpAddress::of("198.51.100.10"), 80});
    send_from(*world, SOCK_DGRAM, 40002, {IpAddress::of("198.51.100.10"), 53});
    send_from(*world, SOCK_STREAM, 40003, {IpAddress::of("2001:db8:51::10"), 443});
  }
  // To the middle of a second, where a tick of the kernel's timer more or less does not show. (The guest's time.)
  usleep(500'000);
  for (const char* line : {"ipvsadm -L -n -c", "ipvsadm -L -c", "ipvsadm -L -n -c --persistent-conn"}) {
    const Told mine = ours(line), theirs = real(line);
    EXPECT_EQ(sorted_lines(mine.out), sorted_lines(theirs.out)) << line;  // the kernel's order is that of its hash
    EXPECT_EQ(std::count(mine.out.begin(), mine.out.end(), '\n'), 7) << mine.out;
  }
  for (const char* line : {"ipvsadm -L -n", "ipvsadm -L -n --persistent-conn", "ipvsadm -L --thresholds"})
    expect_equal(line);
}

TEST_F(IpvsadmPeer, SaysThatNoDirectorListens) {
  director_.reset();
  const Told told = ours("ipvsadm -L -n");
  EXPECT_EQ(told.status, 2);
  EXPECT_EQ(told.out, "");
  EXPECT_THAT(told.err,
              ::testing::StartsWith("Can't initialize ipvs: no director listens on @lvspec-director\nAre you "
                                    "sure that lvspec-director runs"));
}

}  // namespace
}  // namespace lvspec
