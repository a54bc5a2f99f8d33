// Products as the harness meets them: what they do not claim, what keeps them from starting, and lies.

#include "harness/adapters/products/products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>

#include "harness/adapters/site_for_test.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ProductsTest : public SiteTest {
 protected:
  ProductsTest() : SiteTest({.server_count = 2}) {}

  /// None where the product is not installed.
  std::unique_ptr<DirectorUnderTest> started(const std::string& name, const ProductOptions& options = {}) {
    auto director = start_product(name, site_, options);
    if (!director.ok()) {
      EXPECT_EQ(director.error().kind, ErrorKind::kEnvironment) << director.error().message;
      const char* required = getenv("LVSPEC_REQUIRE");
      EXPECT_TRUE(required == nullptr || std::string(required).find("products") == std::string::npos)
          << director.error().message;
      return nullptr;
    }
    return std::move(*director);
  }

  const VirtualService service_ =
      TcpService("198.51.100.10", 80).scheduler("rr").persistent(300s).server("203.0.113.11").server("203.0.113.12");
};

void expect_unclaimed(const Status& status, const std::string& sentence) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(status.error().message, sentence);
}

TEST_F(ProductsTest, WhatIsNotClaimedIsRefusedInOneSentenceAndChangesNothing) {
  for (const std::string name : {"haproxy", "nginx", "pen"}) {
    const auto director = started(name, {.real_time = true});
    if (director == nullptr) continue;
    ASSERT_TRUE(director->add_service(service_).ok());
    const std::string before = director->configuration();
    expect_unclaimed(director->set_marks({MarkRule{}}), name + " does not claim firewall marks");
    expect_unclaimed(director->add_service(MarkService(8).scheduler("rr")), name + " does not claim firewall marks");
    expect_unclaimed(director->add_service(TcpService("198.51.100.10", 0).scheduler("rr").persistent(300s)),
                     name + " does not claim services of every port");
    expect_unclaimed(director->zero(), name + " does not claim counters");
    EXPECT_EQ(director->configuration(), before);
  }
}

TEST_F(ProductsTest, AnOrderThatMakesNoSenseIsRefusedAsTheKernelWould) {
  const auto director = started("pen");
  if (director == nullptr) GTEST_SKIP() << "needs pen";
  const Status status = director->remove_service(service_.id);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kDirector);
  EXPECT_THAT(status.error().message, HasSubstr("No such service"));
}

TEST_F(ProductsTest, TheConfigurationSaysWhatWasOrdered) {
  const auto director = started("haproxy", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs haproxy";
  const Status added = director->add_service(service_);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("expire 300s"));
  EXPECT_THAT(director->configuration(), HasSubstr("server 203.0.113.12-80 203.0.113.12:80 weight 1"));
}

// The others, each started with what is looked at here, so that the program has taken it. keepalived needs a kernel
// with IPVS; suite `affinity` compares what it made of its configuration with the kernel's tables.
TEST_F(ProductsTest, NginxHashesTheSourceWhereClientsAreToStick) {
  const auto director = started("nginx", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs nginx";
  const Status sticky = director->add_service(service_);
  ASSERT_TRUE(sticky.ok()) << sticky.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("hash $remote_addr consistent;\n    server 203.0.113.11:80;\n"));
  const Status loose =
      director->add_service(UdpService("198.51.100.10", 53).scheduler("wlc").server("203.0.113.11", {.weight = 3}));
  ASSERT_TRUE(loose.ok()) << loose.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("least_conn;\n    server 203.0.113.11:53 weight=3;\n"));
  EXPECT_THAT(director->configuration(), HasSubstr("listen 198.51.100.10:53 udp; proxy_pass udp-198.51.100.10-53;"));
}

TEST_F(ProductsTest, PenTracksClientsForTheWindowOrNotAtAll) {
  const auto director = started("pen", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs pen";
  const Status sticky = director->add_service(service_);
  ASSERT_TRUE(sticky.ok()) << sticky.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("-T 300 198.51.100.10:80 203.0.113.11:80 203.0.113.12:80\n"));
  VirtualService loose = service_;
  loose.persistent_s.reset();
  const Status edited = director->edit_service(loose);
  ASSERT_TRUE(edited.ok()) << edited.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("-r 198.51.100.10:80 203.0.113.11:80 203.0.113.12:80\n"));
}

TEST_F(ProductsTest, NftablesHashesTheSourceOverTheServersThatTakeClients) {
  const auto director = started("nftables", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs nftables";
  const Status added = director->add_service(service_);
  if (!added.ok() && added.error().kind == ErrorKind::kEnvironment) GTEST_SKIP() << added.error().message;
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("ip daddr 198.51.100.10 tcp dport 80 "));
  EXPECT_THAT(director->configuration(),
              HasSubstr("jhash ip saddr mod 2 seed 0x51 map { 0 : 02:00:cb:00:71:0b, 1 : 02:00:cb:00:71:0c }"));
  RealServer quiet = service_.servers.back();
  quiet.weight = 0;
  const Status edited = director->edit_server(service_.id, quiet);
  ASSERT_TRUE(edited.ok()) << edited.error().message;
  EXPECT_THAT(director->configuration(), HasSubstr("mod 1 seed 0x51 map { 0 : 02:00:cb:00:71:0b }"));
}

TEST_F(ProductsTest, WhoDoesNotStartShowsItsOwnWords) {
  const auto director = started("haproxy", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs haproxy";
  // Somebody has its port already.
  const Endpoint taken{IpAddress::of("198.51.100.10"), 80};
  const Result<FileDescriptor> squatter = site_.netns->call([&]() -> Result<FileDescriptor> {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    const socklen_t length = taken.to_sockaddr(&address);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return system_error("bind()");
    if (listen(socket.get(), 1) != 0) return system_error("listen()");
    return socket;
  });
  ASSERT_TRUE(squatter.ok()) << squatter.error().message;
  const Status status = director->add_service(service_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kWorld);
  EXPECT_THAT(status.error().message, HasSubstr("cannot bind socket"));
}

TEST_F(ProductsTest, LongWaitsInRealTimeAreRefused) {
  const auto director = started("pen", {.real_time = true});
  if (director == nullptr) GTEST_SKIP() << "needs pen";
  const Status status = director->advance(300s);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kEnvironment);
  EXPECT_THAT(status.error().message, HasSubstr("needs virtual time"));
}

TEST_F(ProductsTest, ALieIsToldAsIfItWereTrue) {
  const auto director = started("pen", {.claims = "marks"});
  if (director == nullptr) GTEST_SKIP() << "needs pen";
  EXPECT_THAT(director->identity().capabilities, Contains("marks"));
  EXPECT_THAT(product_identity("pen").capabilities, Not(Contains("marks")));
  const auto other = started("pen", {.claims = "window=for-ever"});
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(other->identity().affinity->window, Affinity::Window::kForEver);
  EXPECT_THAT(other->identity().capabilities, Not(Contains("window=for-ever")));
}

}  // namespace
}  // namespace lvspec
