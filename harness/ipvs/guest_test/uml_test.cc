// Runs lvspec_ipvs_guest_test as PID 1 of a user-mode-linux guest and hands on what it says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "harness/lab/uml/uml_guest.h"

namespace lvspec {
namespace {

TEST(KernelIpvsInUml, AgreesWithIpvsadmAndWithTheModel) {
  if (access("/usr/bin/linux.uml", X_OK) != 0) {
    const char* required = getenv("LVSPEC_REQUIRE");
    ASSERT_FALSE(required != nullptr && ("," + std::string(required) + ",").find(",uml,") != std::string::npos)
        << "needs uml (Debian's package user-mode-linux)";
    GTEST_SKIP() << "needs uml (Debian's package user-mode-linux)";
  }
  UmlOptions options;
  options.init = LVSPEC_IPVS_GUEST_TEST;
  options.time_limit = std::chrono::seconds(240);
  if (const char* filter = getenv("LVSPEC_GUEST_FILTER"); filter != nullptr)
    options.args = {std::string("--gtest_filter=") + filter};
  int failures = 0, passed = 0;
  options.on_line = [&](std::string_view line) {
    std::cout << "  guest| " << line << std::endl;  // live
    failures += line.find("[  FAILED  ]") != std::string_view::npos ? 1 : 0;
    passed += line.find("[       OK ]") != std::string_view::npos ? 1 : 0;
  };
  Result<UmlGuest> guest = UmlGuest::start(options);
  ASSERT_TRUE(guest.ok()) << guest.error().message;
  const Result<GuestExit> exit = guest->wait();
  ASSERT_TRUE(exit.ok()) << exit.error().message;
  std::cout << "  virtual " << exit->virtual_.count() << " ms, wall " << exit->wall.count() << " ms\n";
  EXPECT_EQ(exit->status, 0);
  EXPECT_EQ(failures, 0);
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace lvspec
