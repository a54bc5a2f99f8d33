#include <gmock/gmock.h>

#include "harness/ruleset/read.h"

namespace lvspec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The lines carried out in turn, and the error of the last one.
struct Outcome {
  Ruleset ruleset;
  std::string error;
};

Outcome after(const std::vector<std::string>& lines) {
  Outcome outcome;
  for (const std::string& line : lines) {
    EXPECT_EQ(outcome.error, "") << "before: " << line;
    const Result<Command> command = parse_ipvsadm_line(line);
    EXPECT_TRUE(command.ok()) << line;
    if (!command.ok()) continue;
    const Status applied = apply_command(*command, &outcome.ruleset);
    if (!applied.ok()) outcome.error = applied.error().message;
  }
  return outcome;
}

const char* const kWeb = "-A -t 198.51.100.10:80 -s rr -p 100 -M 255.255.255.0";
const char* const kFirst = "-a -t 198.51.100.10:80 -r 203.0.113.12 -m -w 5 -x 9";
const char* const kSecond = "-a -t 198.51.100.10:80 -r 203.0.113.11 -m";

// DST-05: the order decides what rr picks first.
TEST(ApplyCommand, KeepsServersInTheOrderOfAdding) {
  const Outcome outcome = after({kWeb, kFirst, kSecond});
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.ruleset.services.at(0).str(),
            "TCP  198.51.100.10:80 rr persistent 100 mask 255.255.255.0\n"
            "  -> 203.0.113.12:80 Masq weight 5 upper 9\n"
            "  -> 203.0.113.11:80 Masq weight 1");
}

// EDT-01.
TEST(ApplyCommand, EditReplacesTheServiceAndKeepsTheServers) {
  const Outcome outcome = after({kWeb, kFirst, "-E -t 198.51.100.10:80 -p 600"});
  EXPECT_EQ(outcome.ruleset.services.at(0).str(),
            "TCP  198.51.100.10:80 wlc persistent 600\n  -> 203.0.113.12:80 Masq weight 5 upper 9");
}

// DST-06, DST-07.
TEST(ApplyCommand, EditReplacesTheServerInItsPlace) {
  const Outcome outcome = after(
      {"-A -f 8", "-a -f 8 -r 203.0.113.11 -m -w 5 -x 9", "-a -f 8 -r 203.0.113.12", "-e -f 8 -r 203.0.113.11 -w 3"});
  EXPECT_EQ(outcome.ruleset.services.at(0).str(),
            "FWM  8 wlc\n  -> 203.0.113.11:0 Route weight 3\n  -> 203.0.113.12:0 Route weight 1");
}

TEST(ApplyCommand, DeletesAndClears) {
  EXPECT_THAT(after({kWeb, kFirst, kSecond, "-d -t 198.51.100.10:80 -r 203.0.113.12"}).ruleset.services.at(0).servers,
              ElementsAre(testing::Field(&RealServer::address, IpAddress::of("203.0.113.11"))));
  EXPECT_THAT(after({kWeb, "-A -f 8", "-D -t 198.51.100.10:80"}).ruleset.services,
              ElementsAre(testing::Field(&VirtualService::id, ServiceId::of_mark(8))));
  EXPECT_EQ(after({kWeb, kFirst, "-C"}).ruleset, Ruleset());
}

TEST(ApplyCommand, RefusesAsTheKernelDoes) {
  // ADM-50
  EXPECT_EQ(after({kWeb, kWeb}).error,
            "\"TCP 198.51.100.10:80\": Service already exists; change it with -E, or delete it with -D");
  // ADM-51
  EXPECT_EQ(after({"-E -f 8"}).error, "\"FWM 8\": No such service; add it with -A first");
  EXPECT_EQ(after({"-D -f 8"}).error, "\"FWM 8\": No such service; add it with -A first");
  // ADM-53
  EXPECT_EQ(after({"-a -f 8 -r 203.0.113.11"}).error, "\"FWM 8\": Service not defined; add it with -A first");
  EXPECT_EQ(after({kFirst}).error, "\"TCP 198.51.100.10:80\": Service not defined; add it with -A first");
  // ADM-54, DST-09: another method does not make another server.
  EXPECT_EQ(
      after({kWeb, kFirst, "-a -t 198.51.100.10:80 -r 203.0.113.12 -g"}).error,
      "\"203.0.113.12:80\": Destination already exists; TCP 198.51.100.10:80 has it already; change it with -e");
  // ADM-55
  EXPECT_EQ(after({kWeb, kFirst, "-e -t 198.51.100.10:80 -r 203.0.113.11"}).error,
            "\"203.0.113.11:80\": No such destination; TCP 198.51.100.10:80 has 203.0.113.12:80");
  EXPECT_EQ(after({kWeb, "-d -t 198.51.100.10:80 -r 203.0.113.11"}).error,
            "\"203.0.113.11:80\": No such destination; TCP 198.51.100.10:80 has no servers");
  // ADM-56
  EXPECT_EQ(
      after({"-A -f 8 -s wlcc"}).error,
      "\"wlcc\": Scheduler or persistence engine not found; did you mean wlc? schedulers of Linux 6.1: rr wrr lc "
      "wlc lblc lblcr dh sh sed nq fo ovf mh twos none");
  EXPECT_EQ(after({"-A -f 8 -p --pe http"}).error,
            "\"http\": Scheduler or persistence engine not found; persistence engines of Linux 6.1: sip");
  // ADM-57, DST-11
  EXPECT_EQ(
      after({"-A -f 8", "-a -f 8 -r 224.0.0.1"}).error,
      "\"224.0.0.1\": Invalid operation.  Possibly wrong module version, address not unicast, ...; a real server "
      "has a unicast address");
  EXPECT_THAT(after({"-A -f 8 -6", "-a -f 8 -6 -r ff02::1"}).error, HasSubstr("address not unicast"));
  // ADM-58: so -y without -x is refused.
  EXPECT_EQ(
      after({"-A -f 8", "-a -f 8 -r 203.0.113.11 -y 3"}).error,
      "\"203.0.113.11:0\": Numerical result out of range; the lower threshold, -y 3, has to be at most the upper "
      "one, -x 0");
}

// FWM-07.
TEST(ApplyCommand, TellsWhenTheOtherFamilyHasTheMark) {
  EXPECT_EQ(after({"-A -f 8 -6", "-a -f 8 -r 203.0.113.11"}).error,
            "\"FWM 8\": Service not defined; there is FWM 8 IPv6: write -6 after -f");
  EXPECT_EQ(after({"-A -f 8", "-D -f 8 -6"}).error,
            "\"FWM 8 IPv6\": No such service; there is FWM 8: leave out -6 after -f");
}

TEST(ApplyCommand, LeavesTheRulesetAsItWasWhenRefused) {
  const Outcome before = after({kWeb, kFirst});
  for (const char* line : {"-E -t 198.51.100.10:80 -s nope", "-a -t 198.51.100.10:80 -r 203.0.113.12",
                           "-e -t 198.51.100.10:80 -r 203.0.113.12 -y 2", "-D -f 8"})
    EXPECT_EQ(after({kWeb, kFirst, line}).ruleset, before.ruleset) << line;
}

}  // namespace
}  // namespace lvspec
