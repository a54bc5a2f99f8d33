// The bundled director as the harness meets it: obedient, refusing, dead, and hung.

#include "harness/adapters/bundled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>

#include "harness/adapters/site_for_test.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BundledTest : public SiteTest {
 protected:
  BundledTest() : SiteTest({.server_count = 1, .director_place = DirectorPlace::kInline}) {}

  Result<std::unique_ptr<Bundled>> start(const std::string& program = LVSPEC_DIRECTOR,
                                         std::chrono::milliseconds patience = 5s) {
    return Bundled::start(site_, {.program = program, .fault = {}, .patience = patience});
  }

  const VirtualService service_ =
      TcpService("198.51.100.10", 80).scheduler("rr").persistent(300s).server("203.0.113.11", {.weight = 3});
};

TEST_F(BundledTest, WhatIsOrderedIsReadBack) {
  auto director = start();
  ASSERT_TRUE(director.ok()) << director.error().message;
  ASSERT_TRUE((*director)->add_service(service_).ok());
  const auto tables = (*director)->tables();
  ASSERT_TRUE(tables.ok()) << tables.error().message;
  ASSERT_EQ(tables->services.size(), 1U);
  EXPECT_EQ(tables->services[0].service, service_);
}

TEST_F(BundledTest, ARefusedOrderIsTheDirectorsWord) {
  auto director = start();
  ASSERT_TRUE(director.ok());
  ASSERT_TRUE((*director)->add_service(service_).ok());
  const Status again = (*director)->add_service(service_);
  EXPECT_EQ(again.error().kind, ErrorKind::kDirector);
  EXPECT_THAT(again.error().message, HasSubstr("Service already exists"));
}

TEST_F(BundledTest, ASettingThatItDoesNotHaveIsRefusedByName) {
  auto director = start();
  ASSERT_TRUE(director.ok());
  const Status refused = (*director)->set_sysctl("conntrack", 1);
  EXPECT_EQ(refused.error().kind, ErrorKind::kDirector);
  EXPECT_THAT(refused.error().message, HasSubstr("conntrack"));
}

TEST_F(BundledTest, OneThatDiesSaysHow) {
  auto director = start();
  ASSERT_TRUE(director.ok());
  kill((*director)->pid(), SIGKILL);
  const auto tables = (*director)->tables();
  ASSERT_FALSE(tables.ok());
  EXPECT_EQ(tables.error().kind, ErrorKind::kWorld);
  EXPECT_THAT(tables.error().message,
              AllOf(HasSubstr("director bundled"), HasSubstr("dump"), HasSubstr("killed by SIGKILL")));
}

TEST_F(BundledTest, OneThatHangsIsNotWaitedForForEver) {
  auto director = start(LVSPEC_DIRECTOR, 200ms);
  ASSERT_TRUE(director.ok());
  kill((*director)->pid(), SIGSTOP);
  const auto tables = (*director)->tables();
  ASSERT_FALSE(tables.ok());
  EXPECT_THAT(tables.error().message, AllOf(HasSubstr("no answer within 200 ms: it hangs"), HasSubstr("is running")));
}

// As on a machine that others keep busy: always at work, but not often.
TEST_F(BundledTest, OneThatWorksSlowlyIsWaitedFor) {
  const std::string program = ::testing::TempDir() + "slow-director-" + std::to_string(getpid());
  std::ofstream(program) << "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.1; done\n"
                            "echo '{\"ok\":true}' >&3\n";
  ASSERT_EQ(chmod(program.c_str(), 0700), 0);
  const auto director = start(program, 1s);
  unlink(program.c_str());
  EXPECT_TRUE(director.ok()) << director.error().message;
}

TEST_F(BundledTest, OneThatSpinsIsNotWaitedForEither) {
  const std::string program = ::testing::TempDir() + "spinning-director-" + std::to_string(getpid());
  std::ofstream(program) << "#!/bin/sh\nwhile :; do :; done\n";
  ASSERT_EQ(chmod(program.c_str(), 0700), 0);
  const auto director = start(program, 200ms);
  unlink(program.c_str());
  ASSERT_FALSE(director.ok());
  EXPECT_THAT(director.error().message, HasSubstr("it hangs"));
}

TEST_F(BundledTest, OneThatDoesNotStartIsToldWithItsWords) {
  EXPECT_THAT(start("/no/such/director").error().message, HasSubstr("/no/such/director"));
  site_.stack_interface = "nowhere0";
  EXPECT_THAT(start().error().message, AllOf(HasSubstr("nowhere0"), HasSubstr("exited with 1")));
}

}  // namespace
}  // namespace lvspec
