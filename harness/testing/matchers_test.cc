#include "harness/testing/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Every matcher is shown failing: one that cannot fail proves nothing in a case.
namespace lvspec::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Matches;
using ::testing::Ne;
using ::testing::Not;

Answer answer(Outcome outcome, const std::string& server = "") {
  Answer answer;
  answer.outcome = outcome;
  answer.server = server;
  return answer;
}

Entry web_template() {
  Entry entry;
  entry.protocol = "TCP";
  entry.client = {IpAddress::of("192.0.2.1"), 0};
  entry.target = {IpAddress::of("198.51.100.10"), 80};
  entry.server = {IpAddress::of("203.0.113.12"), 80};
  entry.is_template = true;
  entry.state = "NONE";
  entry.expires_in = 299'500ms;
  return entry;
}

TEST(Matchers, OutcomesAreToldApart) {
  EXPECT_THAT(answer(Outcome::kAnswered, "real1"), Answered());
  EXPECT_THAT(answer(Outcome::kRefused), Not(Answered()));
  EXPECT_THAT(answer(Outcome::kRefused), Refused());
  EXPECT_THAT(answer(Outcome::kSilence), Not(Refused()));
  EXPECT_THAT(answer(Outcome::kSilence), Unanswered());
  EXPECT_THAT(answer(Outcome::kReset), Reset());
  EXPECT_THAT(answer(Outcome::kRefused), Not(Reset()));
  EXPECT_THAT(answer(Outcome::kHalfOpen, "real1"), HalfOpen());
  EXPECT_THAT(answer(Outcome::kSilence), Not(HalfOpen()));
}

TEST(Matchers, ServedByNeedsAnAnswerAndTheName) {
  EXPECT_THAT(answer(Outcome::kAnswered, "real2"), ServedBy("real2"));
  EXPECT_THAT(answer(Outcome::kAnswered, "real3"), Not(ServedBy("real2")));
  EXPECT_THAT(answer(Outcome::kAnswered, "real3"), ServedBy(Ne("real2")));
  EXPECT_THAT(answer(Outcome::kRefused, "real2"), Not(ServedBy("real2")));
  EXPECT_THAT(answer(Outcome::kRefused), Not(ServedBy(Ne("real2")))) << "nobody is not another server";
}

TEST(Matchers, SpreadCountsServersThatAnswered) {
  const std::vector<Answer> one = {answer(Outcome::kAnswered, "real1"), answer(Outcome::kAnswered, "real1")};
  const std::vector<Answer> two = {answer(Outcome::kAnswered, "real1"), answer(Outcome::kAnswered, "real2")};
  const std::vector<Answer> refused = {answer(Outcome::kAnswered, "real1"), answer(Outcome::kRefused, "real2")};
  EXPECT_THAT(one, Not(SpreadOverAtLeast(2)));
  EXPECT_THAT(two, SpreadOverAtLeast(2));
  EXPECT_THAT(refused, Not(SpreadOverAtLeast(2)));
}

TEST(Matchers, TemplateOfComparesOnlyWhatIsNamed) {
  EXPECT_THAT(web_template(), TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.1")}));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.2")})));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.vport = 0})));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.state = "ASSURED"})));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.server = IpAddress::of("203.0.113.11")})));
  EXPECT_THAT(web_template(), Not(ConnectionOf(EntryParts{})));
  EXPECT_THAT(web_template(), TemplateOf(EntryParts{.engine_data = ""}));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.engine_data = "a@example.net"})));
  Entry connection = web_template();
  connection.is_template = false;
  EXPECT_THAT(connection, ConnectionOf(EntryParts{.cport = 0}));
  EXPECT_THAT(connection, Not(TemplateOf(EntryParts{})));
}

TEST(Matchers, ExpiryIsWithinASecondAndNeverLate) {
  EXPECT_THAT(web_template(), TemplateOf(EntryParts{.expires = 300s}));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.expires = 301s})));
  EXPECT_THAT(web_template(), Not(TemplateOf(EntryParts{.expires = 299s})));
}

TEST(Matchers, OrdersAreObeyedOrRefusedInWords) {
  const Status refused = director_error("add_service: Service already exists");
  EXPECT_THAT(Status(), Obeyed());
  EXPECT_THAT(refused, Not(Obeyed()));
  EXPECT_THAT(refused, RefusedSaying(HasSubstr("already exists")));
  EXPECT_THAT(refused, Not(RefusedSaying(HasSubstr("No such"))));
  EXPECT_THAT(Status(), Not(RefusedSaying(HasSubstr(""))));
}

TEST(Matchers, SayInWordsWhatTheyWant) {
  std::ostringstream text;
  const ::testing::Matcher<const Entry&> matcher =
      TemplateOf(EntryParts{.client = IpAddress::of("192.0.2.1"), .vport = 0});
  matcher.DescribeTo(&text);
  EXPECT_EQ(text.str(), "is a template of client 192.0.2.1, virtual port 0");
  EXPECT_EQ(::testing::PrintToString(web_template()),
            "TCP 04:59 NONE 192.0.2.1:0 -> 198.51.100.10:80 203.0.113.12:80 (template)");
}

}  // namespace
}  // namespace lvspec::testing
