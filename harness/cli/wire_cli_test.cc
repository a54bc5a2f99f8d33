// --lab wire on appliances that fixtures/scripts/appliance.sh puts between two interfaces: who sets them up is not
// lvspec.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "harness/cli/program_for_test.h"

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

struct Judged {
  Ended run;
  std::map<std::string, std::string> verdicts, reasons;
  nlohmann::json results;
};

/// lvspec run on the machine of that script.
Judged judge(const std::string& kind, const std::vector<std::string>& arguments) {
  const Scratch scratch;
  std::vector<std::string> argv = {"unshare",        "-Urnm",
                                   LVSPEC_APPLIANCE, kind,
                                   LVSPEC_PROGRAM,   "run",
                                   "--lab",          "wire",
                                   "--director",     "box",
                                   "--client-if",    "eth1",
                                   "--vip",          "198.51.100.10",
                                   "--clients",      "192.0.2.0/24",
                                   "--server-if",    "eth2",
                                   "--servers",      "203.0.113.11/24,203.0.113.12,203.0.113.13,203.0.113.14",
                                   "--window",       "4",
                                   "--out",          scratch.path()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Judged judged;
  auto child = Child::start({.argv = std::move(argv), .fds = {}, .environment = {}});
  if (!child.ok()) {
    judged.run.how = child.error().message;
    return judged;
  }
  child->wait(std::chrono::seconds(120));
  judged.run = {child->stop(), child->output()};
  judged.results = nlohmann::json::parse(read_file(scratch.path() + "/results.json"), nullptr, false);
  if (!judged.results.is_object()) return judged;
  for (const auto& row : judged.results["cases"]) {
    judged.verdicts[row["id"]] = row["verdict"];
    judged.reasons[row["id"]] = row["reason"];
  }
  return judged;
}

#define LVSPEC_NEEDS_MACHINE(judged) \
  if ((judged).run.how == "exited with 77") GTEST_SKIP() << (judged).run.text

// The bundled director as an appliance: what needs no long window, for IPVS keeps a client for a minute more while
// one of its connections is there.
TEST(WireLab, JudgesADirectorThatSomebodyElseHasSetUp) {
  const Judged judged =
      judge("dr", {"--direct-routing", "--case", "affinity.same-*", "--case", "affinity.source-*", "--case",
                   "affinity.many-*", "--case", "affinity.window-kept-*", "--case", "affinity.clients-are-spread",
                   "--case", "affinity.removed-*", "--case", "affinity.scope-*"});
  LVSPEC_NEEDS_MACHINE(judged);
  ASSERT_EQ(judged.run.how, "exited with 0") << judged.run.text;
  EXPECT_THAT(judged.verdicts, AllOf(Contains(Pair("affinity.same-client-same-server", "PASS")),
                                     Contains(Pair("affinity.source-port-as-declared", "PASS")),
                                     Contains(Pair("affinity.many-at-once", "PASS")),
                                     Contains(Pair("affinity.window-kept-to-its-end", "PASS")),
                                     Contains(Pair("affinity.clients-are-spread", "PASS"))))
      << judged.run.text;
  // What would be an order to it, and what its owner has not set up, is not judged.
  EXPECT_EQ(judged.verdicts.at("affinity.removed-server-lets-go"), "UNSUPPORTED");
  EXPECT_THAT(judged.reasons.at("affinity.removed-server-lets-go"), HasSubstr("set up by its owner"));
  EXPECT_THAT(judged.reasons.at("affinity.scope-as-declared"), HasSubstr("198.51.100.10:81"));
  const auto& director = judged.results["directors"][0];
  EXPECT_EQ(director["name"], "box");
  EXPECT_EQ(director["lab"], "wire");
  EXPECT_EQ(director["profile"], "affinity");
}

// A proxy between two networks; its window runs on the wall clock.
TEST(WireLab, JudgesAProxyByItsOwnersWords) {
  const std::vector<std::string> routed = {"--client-gateway", "192.0.2.254", "--server-gateway", "203.0.113.254"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), routed.begin(), routed.end());
    return more;
  };
  const Judged judged = judge("proxy", with({"--suite", "affinity"}));
  LVSPEC_NEEDS_MACHINE(judged);
  for (const char* passes :
       {"affinity.same-client-same-server", "affinity.window-kept-to-its-end", "affinity.window-ends-as-declared",
        "affinity.renewal-by-connection-as-declared", "affinity.renewal-by-packets-as-declared", "affinity.http",
        "affinity.clients-are-spread"})
    EXPECT_THAT(judged.verdicts, Contains(Pair(passes, "PASS"))) << judged.reasons.at(passes);

  // One that looks after its servers is given the time to find them.
  setenv("CHECK", "check inter 300ms", 1);
  const Judged checking =
      judge("proxy", with({"--case", "affinity.same-*", "--case", "affinity.http", "--settle", "20"}));
  unsetenv("CHECK");
  EXPECT_EQ(checking.run.how, "exited with 0") << checking.run.text;
  const Judged never =
      judge("proxy", with({"--case", "affinity.same-*", "--settle", "1", "--servers", "203.0.113.19"}));
  EXPECT_THAT(never.reasons.at("affinity.same-client-same-server"), HasSubstr("--settle 1: by then"));

  // An owner who says what is not so, and an appliance that keeps nobody, are caught.
  const Judged wrong = judge("proxy", with({"--case", "affinity.window-ends-*", "--declare", "window=for-ever"}));
  EXPECT_EQ(wrong.run.how, "exited with 1") << wrong.run.text;
  const Judged fickle = judge("fickle", with({"--case", "affinity.same-*"}));
  EXPECT_EQ(fickle.run.how, "exited with 1") << fickle.run.text;
  EXPECT_THAT(fickle.verdicts, Contains(Pair("affinity.same-client-same-server", "FAIL")));
}

/// Complaint about the loopback of a fresh network namespace, which is down.
std::string wire_on_down_interface() {
  auto child = Child::start(
      {.argv = {"unshare", "-Urn", LVSPEC_PROGRAM, "run", "--lab", "wire", "--client-if", "lo", "--server-if", "lo",
                "--vip", "198.51.100.10", "--clients", "192.0.2.0/24", "--servers", "203.0.113.11,203.0.113.12"},
       .fds = {},
       .environment = {}});
  if (!child.ok()) return child.error().message;
  child->wait(std::chrono::seconds(20));
  EXPECT_EQ(child->stop(), "exited with 2");
  return child->output();
}

TEST(WireLab, SaysWhichOptionIsWrong) {
  const std::vector<std::string> good = {"run",
                                         "--lab",
                                         "wire",
                                         "--client-if",
                                         "lo",
                                         "--server-if",
                                         "lo",
                                         "--vip",
                                         "198.51.100.10",
                                         "--clients",
                                         "192.0.2.0/24",
                                         "--servers",
                                         "203.0.113.11,203.0.113.12"};
  const auto complaint = [&](const std::string& option, const std::string& value) {
    std::vector<std::string> arguments = good;
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
      if (arguments[i] == option) {
        arguments[i + 1] = value;
        const Ended ended = lvspec(arguments);
        EXPECT_EQ(ended.how, "exited with 2") << ended.text;
        return ended.text;
      }
    arguments.insert(arguments.end(), {option, value});
    const Ended ended = lvspec(arguments);
    EXPECT_EQ(ended.how, "exited with 2") << ended.text;
    return ended.text;
  };
  EXPECT_THAT(complaint("--client-if", "no-such0"), HasSubstr("--client-if no-such0"));
  EXPECT_THAT(complaint("--vip", "198.51.100.10:0"), HasSubstr("--vip 198.51.100.10:0: the port"));
  EXPECT_THAT(complaint("--vip", "2001:db8::1"), HasSubstr("--vip"));
  EXPECT_THAT(complaint("--clients", "192.0.2.0/30"), HasSubstr("--clients 192.0.2.0/30"));
  EXPECT_THAT(complaint("--servers", "203.0.113.11"), HasSubstr("at least two"));
  EXPECT_THAT(complaint("--servers", "203.0.113.11,203.0.113.11"), HasSubstr("203.0.113.11 is there twice"));
  EXPECT_THAT(complaint("--declare", "key=cookie"), HasSubstr("key=source-address"));
  EXPECT_THAT(complaint("--director", "bundled"), HasSubstr("names somebody's appliance"));
  EXPECT_THAT(complaint("--profile", "ipvs"), HasSubstr("judged from outside"));
  EXPECT_THAT(wire_on_down_interface(), HasSubstr("--client-if lo: it is down; ip link set lo up"));
  EXPECT_THAT(lvspec({"run", "--lab", "wire"}).text, HasSubstr("--client-if is missing"));
  EXPECT_THAT(lvspec({"run", "--vip", "198.51.100.10"}).text, HasSubstr("--vip: goes with --lab wire"));
}

}  // namespace
}  // namespace lvspec
