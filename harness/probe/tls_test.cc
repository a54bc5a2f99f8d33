#include "harness/probe/tls.h"

#include <sstream>

#include "harness/probe/test_world.h"

namespace lvspec {
namespace {

class Tls : public ProbeWorld, public ::testing::WithParamInterface<TlsReturn> {
 protected:
  void SetUp() override {
    ProbeWorld::SetUp();
    auto servers = TlsServers::create();
    ASSERT_RESULT(servers);
    tls_.emplace(std::move(*servers));
    for (int i = 1; i <= 2; ++i) ASSERT_RESULT(tls_->add(server_name(i), real(i), {8443}));
  }
  TlsClient browser() { return TlsClient::create(*tls_, world_->client().netns, GetParam()).value(); }
  TlsVisit visit(TlsClient& browser, int server, std::uint16_t port = 8443, int family = AF_INET) {
    return browser.visit(cip(1, family), {rip(server, family), port}).value();
  }
  static std::string told(const TlsVisit& visit) {
    std::ostringstream text;
    text << visit;
    return text.str();
  }

  std::optional<TlsServers> tls_;
};

TEST_P(Tls, ASessionIsTakenUpByItsOwnServerAlone) {
  TlsClient browser = this->browser();
  const TlsVisit first = visit(browser, 1);
  ASSERT_THAT(first.answer, AnsweredBy("real1"));
  EXPECT_EQ(first.answer.seen_client, first.answer.client);
  EXPECT_FALSE(first.resumed) << told(first);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(visit(browser, 1).resumed);
  const TlsVisit elsewhere = visit(browser, 2);
  ASSERT_THAT(elsewhere.answer, AnsweredBy("real2"));
  EXPECT_FALSE(elsewhere.resumed) << told(elsewhere);
  EXPECT_TRUE(visit(browser, 2, 8443, AF_INET6).resumed);
  EXPECT_THAT(told(visit(browser, 2)),
              ::testing::EndsWith(GetParam() == TlsReturn::kPsk ? "TLSv1.3, resumed" : "TLSv1.2, resumed"));
}

TEST_P(Tls, AServerThatStartsAnewKnowsNoSessions) {
  TlsClient browser = this->browser();
  ASSERT_THAT(visit(browser, 1).answer, AnsweredBy("real1"));
  ASSERT_RESULT(tls_->restart("real1"));
  EXPECT_FALSE(visit(browser, 1).resumed);
  EXPECT_TRUE(visit(browser, 1).resumed);
}

TEST_P(Tls, WhatIsNoTlsServerIsTold) {
  TlsClient browser = this->browser();
  EXPECT_THAT(visit(browser, 1, 8444).answer, Ended(Outcome::kRefused));
  EXPECT_THAT(visit(browser, 1, kTelnetPort).answer, Ended(Outcome::kReset));
  const FileDescriptor silent = listener(1, 8445);
  EXPECT_THAT(visit(browser, 1, 8445).answer, Ended(Outcome::kSilence));
  EXPECT_THAT(visit(browser, 1).answer, AnsweredBy("real1"));
}

INSTANTIATE_TEST_SUITE_P(Ways, Tls, ::testing::Values(TlsReturn::kSessionId, TlsReturn::kTicket, TlsReturn::kPsk));

}  // namespace
}  // namespace lvspec
