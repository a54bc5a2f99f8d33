// Programs behind exec:CMD as the harness meets them: obedient, wrong, dead, and hung; and what their keeper does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>

#include "harness/adapters/exec/contract.h"
#include "harness/adapters/exec/exec_director.h"
#include "harness/adapters/site_for_test.h"
#ifdef LVSPEC_HAS_VALIJSON
#include "harness/base/schema_judge.h"
#endif

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kAdapters = LVSPEC_ADAPTERS;

ExecOptions options_for(const std::string& script, std::chrono::milliseconds patience = 5s) {
  return {.command = "python3 " + kAdapters + script, .keeper = LVSPEC_KEEPER, .folder = "/", .patience = patience};
}

class ExecTest : public SiteTest {
 protected:
  ExecTest() : SiteTest({.server_count = 1}) {}

  Result<std::unique_ptr<ExecDirector>> start(const std::string& script, std::chrono::milliseconds patience = 5s) {
    return ExecDirector::start(site_, options_for(script, patience));
  }

  Error error_of_add(const std::string& script, std::chrono::milliseconds patience = 5s) {
    auto director = start(script, patience);
    if (!director.ok()) return director.error().in("start");
    const Status status = (*director)->add_service(service_);
    return status.ok() ? Error{"(none)"} : status.error();
  }

  const VirtualService service_ =
      TcpService("198.51.100.10", 80).scheduler("rr").persistent(300s).server("203.0.113.11", {.weight = 3});
};

TEST_F(ExecTest, WhatIsOrderedIsReadBack) {
  auto director = start("balancer.py");
  ASSERT_TRUE(director.ok()) << director.error().message;
  EXPECT_EQ((*director)->identity().affinity, Affinity());
  const Status added = (*director)->add_service(service_);
  ASSERT_TRUE(added.ok()) << added.error().message;
  const auto tables = (*director)->tables();
  ASSERT_TRUE(tables.ok()) << tables.error().message;
  ASSERT_EQ(tables->services.size(), 1U);
  EXPECT_EQ(tables->services[0].service, service_);
  EXPECT_TRUE((*director)->advance(300s).ok());
}

TEST_F(ExecTest, WhatIsNotClaimedIsUnsupportedInASentence) {
  auto director = start("balancer.py");
  ASSERT_TRUE(director.ok()) << director.error().message;
  const Status marks = (*director)->add_service(MarkService(8).scheduler("rr"));
  EXPECT_EQ(marks.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(marks.error().message, "balancer.py does not claim firewall marks");
  EXPECT_EQ((*director)->add_service(TcpService("198.51.100.10", 81).scheduler("sh")).error().message,
            "balancer.py does not claim scheduler sh");
}

TEST_F(ExecTest, ASecondServiceOfOneNameIsRefused) {
  auto director = start("balancer.py");
  ASSERT_TRUE(director.ok()) << director.error().message;
  ASSERT_TRUE((*director)->add_service(service_).ok());
  const Status again = (*director)->add_service(service_);
  EXPECT_EQ(again.error().kind, ErrorKind::kDirector);
  EXPECT_THAT(again.error().message, HasSubstr("already exists"));
}

TEST_F(ExecTest, GarbageIsShown) {
  EXPECT_THAT(error_of_add("bad/prints_garbage.py").message,
              AllOf(HasSubstr("apply: answered \"configuration reloaded\", which is not the contract")));
}

TEST_F(ExecTest, OneThatHangsIsNotWaitedForForEver) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of_add("bad/hangs.py", 1500ms).message,
              AllOf(HasSubstr("no answer within 1500 ms: it hangs"), HasSubstr("is running")));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
}

TEST_F(ExecTest, OneThatDiesSaysHowAndItsLastWords) {
  const Error error = error_of_add("bad/dies.py");
  EXPECT_EQ(error.kind, ErrorKind::kWorld);
  EXPECT_THAT(error.message, AllOf(HasSubstr("exited with 7"), HasSubstr("out of luck")));
}

TEST_F(ExecTest, OneThatDoesNotStartIsToldWithItsLog) {
  EXPECT_THAT(error_of_add("bad/will_not_start.py").message,
              AllOf(HasSubstr("start: it will not start"), HasSubstr("cannot open /etc/balancer.conf")));
  EXPECT_THAT(error_of_add("no_such_adapter.py").message, HasSubstr("no_such_adapter.py"));
}

TEST_F(ExecTest, ACapabilityThatNobodyKnowsIsNamedWithItsPlace) {
  EXPECT_THAT(exec_identity(options_for("bad/unknown_capability.py")).error().message,
              AllOf(HasSubstr("/capabilities/7"), HasSubstr("teleport")));
}

// The keeper tells what is left, and ends it.
TEST_F(ExecTest, WhatIsLeftBehindIsToldAndGone) {
  auto session = ExecSession::start(options_for("bad/leaves_things_behind.py"), site_.netns);
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE((*session)->order({{"verb", "hello"}, {"lvspec_adapter", 1}}).ok());
  ASSERT_TRUE((*session)->order({{"verb", "start"}, {"site", json::object()}}).ok());
  const auto end = (*session)->close(5s);
  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_THAT(end->left, ::testing::Contains("process sleep"));
  EXPECT_THAT(end->left, ::testing::Contains("namespace balancer"));
  EXPECT_NE(access("/run/netns/balancer", F_OK), 0);
  EXPECT_THAT(end->left, ::testing::Contains(HasSubstr("balancer.pid")));
}

TEST_F(ExecTest, OneThatStaysWhenItsStdinClosesIsEnded) {
  auto session = ExecSession::start(options_for("bad/stays.py"), site_.netns);
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE((*session)->order({{"verb", "hello"}, {"lvspec_adapter", 1}}).ok());
  const auto end = (*session)->close(300ms);
  ASSERT_FALSE(end.ok());
  EXPECT_THAT(end.error().message, HasSubstr("runs on 300 ms after its stdin was closed"));
}

// Tables from outside: whatever is wrong in them is an error with its place, never our end.
TEST(ExecTables, WrongOnesAreNamedWithTheirPlace) {
  const auto error = [](const char* text) { return exec::tables_in(json::parse(text)).error().message; };
  EXPECT_THAT(error(R"({"tables":3})"), HasSubstr("/tables"));
  EXPECT_THAT(error(R"({"tables":{"services":[{"id":{"address":"here","port":80}}]}})"),
              HasSubstr("/tables/services/0/id/address: \"here\" is not an IP address"));
  EXPECT_THAT(error(R"({"tables":{"services":[{"id":{"address":"192.0.2.1","port":"many"}}]}})"),
              HasSubstr("/tables/services/0"));
  EXPECT_THAT(error(R"({"tables":{"services":[{"id":{"family":"ipv6","address":"::1"},
                        "settings":{"netmask":"wide"}}]}})"),
              HasSubstr("/tables/services/0"));
  EXPECT_THAT(
      error(R"({"tables":{"entries":[{"client":"192.0.2.1","virtual_address":"198.51.100.10","server":""}]}})"),
      HasSubstr("/tables/entries/0/server"));
  EXPECT_THAT(error(R"({"tables":{"services":[7]}})"), HasSubstr("/tables/services/0"));
}

#ifdef LVSPEC_HAS_VALIJSON
TEST(ExecSchema, HoldsForWhatIsSaid) {
  const auto judge = [](const json& value) { return judge_by_schema(LVSPEC_SCHEMA, value); };
  Ruleset ruleset;
  ruleset.services = {TcpService("198.51.100.10", 80).scheduler("rr").persistent(300s).server("203.0.113.11"),
                      MarkService(8).scheduler("sh")};
  ruleset.marks.resize(1);
  EXPECT_EQ(judge({{"verb", "hello"}, {"lvspec_adapter", 1}}), "valid");
  EXPECT_EQ(judge({{"verb", "apply"}, {"ruleset", exec::say(ruleset)}}), "valid");
  EXPECT_EQ(judge({{"ok", true},
                   {"lvspec_adapter", 1},
                   {"name", "lb"},
                   {"version", "1"},
                   {"capabilities", exec::capability_words()},
                   {"affinity", exec::say(Affinity())}}),
            "valid");
  EXPECT_EQ(judge({{"ok", false}, {"code", "refused"}, {"error", "no"}}), "valid");
  EXPECT_NE(judge({{"ok", false}}), "valid");
  EXPECT_NE(judge({{"verb", "sing"}}), "valid");
  EXPECT_NE(judge({{"ok", true}, {"capabilities", {"teleport"}}}), "valid");
}

TEST(ExecSchema, HoldsForWhatTheExampleSays) {
  auto session = ExecSession::start(options_for("balancer.py"), nullptr);
  ASSERT_TRUE(session.ok());
  for (const json& request : {json{{"verb", "hello"}, {"lvspec_adapter", 1}}, json{{"verb", "dump"}},
                              json{{"verb", "sing"}}, json{{"verb", "stop"}}}) {
    const auto reply = (*session)->exchange(request);
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_EQ(judge_by_schema(LVSPEC_SCHEMA, *reply), "valid") << reply->dump();
  }
}
#endif

}  // namespace
}  // namespace lvspec
