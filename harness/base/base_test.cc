#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "harness/base/cleanup.h"
#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/base/result.h"

namespace lvspec {
namespace {

using ::testing::HasSubstr;

TEST(Result, NamesTheCallAndTheErrno) {
  const Error error = system_error("client1: setns(CLONE_NEWNET)", EPERM);
  EXPECT_EQ(error.message, "client1: setns(CLONE_NEWNET): EPERM (Operation not permitted)");
  EXPECT_EQ(error.in("world").message, "world: client1: setns(CLONE_NEWNET): EPERM (Operation not permitted)");
}

TEST(ResultDeathTest, ReadingTheValueOfAnErrorSaysWhichError) {
  const Result<int> result = Error{"no such thing"};
  EXPECT_DEATH((void)result.value(), HasSubstr("no such thing"));
}

TEST(Result, TryLeavesTheFunctionWithTheFirstError) {
  const auto run = [](bool fail) -> Result<int> {
    LVSPEC_TRY(fail ? Status(Error{"first"}) : Status());
    LVSPEC_ASSIGN(const int three, Result<int>(3));
    return three;
  };
  EXPECT_EQ(run(false).value(), 3);
  EXPECT_EQ(run(true).error().message, "first");
}

TEST(Cleanup, RunsWhenTheScopeEnds) {
  int runs = 0;
  {
    const Cleanup cleanup([&] { ++runs; });
  }
  EXPECT_EQ(runs, 1);
}

TEST(FileDescriptor, ClosesOnceAndMoves) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  FileDescriptor a(ends[0]);
  const FileDescriptor b(ends[1]);
  FileDescriptor moved = std::move(a);
  EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move): that it is empty is the claim
  moved.reset();
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(IpAddress, ReadsAndPrintsBothFamilies) {
  EXPECT_EQ(IpAddress::of("192.0.2.1").str(), "192.0.2.1");
  EXPECT_EQ(IpAddress::of("2001:DB8::0:1").str(), "2001:db8::1");
  EXPECT_THAT(IpAddress::parse("192.0.2").error().message, HasSubstr("\"192.0.2\""));
  EXPECT_EQ(IpAddress::v4(0xc0000201), IpAddress::of("192.0.2.1"));
}

TEST(IpAddress, PlusCarries) {
  EXPECT_EQ(IpAddress::of("192.0.2.255").plus(1).str(), "192.0.3.0");
  EXPECT_EQ(IpAddress::of("2001:db8::ffff").plus(2).str(), "2001:db8::1:1");
}

TEST(Endpoint, RoundTripsThroughSockaddr) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:65535"}) {
    const Endpoint endpoint = Endpoint::parse(text).value();
    sockaddr_storage storage;
    endpoint.to_sockaddr(&storage);
    EXPECT_EQ(Endpoint::from_sockaddr(storage), endpoint);
    EXPECT_EQ(endpoint.str(), text);
  }
  EXPECT_FALSE(Endpoint::parse("192.0.2.1:65536").ok());
  EXPECT_FALSE(Endpoint::parse("192.0.2.1").ok());
}

TEST(Prefix, ContainsComparesOnlyItsBits) {
  const Prefix net = Prefix::of("192.0.2.128/25");
  EXPECT_TRUE(net.contains(IpAddress::of("192.0.2.200")));
  EXPECT_FALSE(net.contains(IpAddress::of("192.0.2.127")));
  EXPECT_FALSE(net.contains(IpAddress::of("2001:db8::1")));
  EXPECT_FALSE(Prefix::parse("192.0.2.0/33").ok());
}

}  // namespace
}  // namespace lvspec
