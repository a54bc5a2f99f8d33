#include "harness/doctor/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "harness/doctor/keepalived.h"

namespace lvspec::doctor {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;

std::string fixture(const std::string& name) {
  const char* fixtures = std::getenv("LVSPEC_FIXTURES");
  std::ifstream file(std::string(fixtures == nullptr ? "fixtures" : fixtures) + "/configs/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Report report_on_script(const std::string& text) { return report_on(read_script(text, "lvs.rules")); }

std::vector<std::string> ids(const Report& report) {
  std::vector<std::string> all;
  for (const Finding& one : report.findings) all.push_back(std::string(one.trap->id));
  return all;
}

TEST(Print, PutsThePlaceFirstLikeACompiler) {
  const std::string text = to_text(report_on_script("-A -f 8 -s rr\n-a -f 8 -r 203.0.113.11 -g\n"));
  EXPECT_EQ(text,
            "lvs.rules:1: trap: FWM 8 is not persistent: its ports share one pool of servers, but a client's next "
            "connection, on the same port or another, may go to another server [mark-without-persistence]\n"
            "    instead: ipvsadm -E -f 8 -s rr -p 600\n"
            "    FWM-03: a mark service without -p schedules each connection by itself\n"
            "    shown by: fwmark.without-persistence-pools-only; met in FR-55, FR-59\n"
            "\n"
            "What each service leans on:\n"
            "lvs.rules:1: FWM 8: no client is remembered; rr chooses for each new connection, which then stays "
            "[SVC-02 FWM-03]\n"
            "\n"
            "1 service: 0 errors, 1 trap, 0 notes\n");
}

TEST(Print, GivesMachinesTheSame) {
  const auto json = to_json(report_on_script("-A -t 198.51.100.10:80 -s rr -p\nbogus\n"));
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["findings"][0]["file"], "lvs.rules");
  EXPECT_EQ(json["findings"][0]["line"], 1);
  EXPECT_EQ(json["findings"].back()["id"], "unknown-command");
  EXPECT_EQ(json["services"][0]["window_s"], 360);
  EXPECT_EQ(json["services"][0]["client"], "one IPv4 address, on TCP port 80 of 198.51.100.10");
  for (const auto& finding : json["findings"])
    for (const char* member : {"severity", "text", "instead", "clauses", "field_reports", "case"})
      EXPECT_TRUE(finding.contains(member)) << member;
  Configuration live{.source = Source::kLive};
  live.services.push_back({MarkService(8).get(), {"live", 0}});
  EXPECT_FALSE(to_json(report_on(live))["services"][0].contains("line"));
  EXPECT_TRUE(to_json(report_on(live))["services"][0]["window_s"].is_null());
}

TEST(Print, SaysWhoTheClientIs) {
  const auto client = [](const std::string& line) { return report_on_script(line).leans.at(0).client; };
  EXPECT_EQ(client("-A -t 198.51.100.10:0 -p 600 -M 255.255.255.0"),
            "one IPv4 /24, on all TCP ports of 198.51.100.10");
  EXPECT_EQ(client("-A -f 8 -p 600 -M 0.0.0.0"), "everybody, on all ports, protocols and addresses of mark 8");
  EXPECT_EQ(client("-A -f 8 -6 -p 600 -M 64"), "one IPv6 /64, on all ports, protocols and addresses of mark 8");
  EXPECT_EQ(client("-A -t 198.51.100.10:21 -p 600"),
            "one IPv4 address, on ports 20, 21 and from 1024 on of 198.51.100.10");
  EXPECT_EQ(client("-A -u 198.51.100.10:5060 -p 600 --pe sip"),
            "one IPv4 address and one Call-ID, on UDP port 5060 of 198.51.100.10");
  EXPECT_EQ(client("-A -t 198.51.100.10:80 -p 600 -M 0.0.0.1"),
            "all addresses that agree in the bits of 0.0.0.1, on TCP port 80 of 198.51.100.10");
  EXPECT_EQ(client("-A -t 198.51.100.10:80 -s sh"), "one IPv4 address");
  EXPECT_EQ(client("-A -t 198.51.100.10:80 -s rr"), "nobody");
}

TEST(Print, EveryClauseThatAServiceLeansOnHasAGist) {
  for (const char* line :
       {"-A -t 198.51.100.10:0 -p", "-A -t 198.51.100.10:21 -p", "-A -f 8 -p", "-A -f 8",
        "-A -t 198.51.100.10:80 -s mh", "-A -t [2001:db8::1]:80 -p", "-A -u 198.51.100.10:53 -o -p",
        "-A -u 198.51.100.10:53 -o", "-A -u 198.51.100.10:53 --pe sip -p", "-A -t 198.51.100.10:80 -s sh"})
    EXPECT_FALSE(to_json(report_on_script(line))["services"][0]["clauses"].empty()) << line;
}

TEST(Fixtures, TheNotesGiveMoreThanFourFindings) {
  const Report report = report_on(read_script(fixture("notes-mark.rules"), "notes-mark.rules"));
  EXPECT_THAT(ids(report), IsSupersetOf({"unknown-command", "unknown-option", "mark-without-persistence",
                                         "default-window", "weights-ignored", "mark-zero"}));
  EXPECT_EQ(report.counts().errors, 2U);
}

TEST(Fixtures, ASoundConfigurationHasNoTrap) {
  const Report report = report_on(read_script(fixture("sound.save"), "sound.save"));
  EXPECT_EQ(report.counts().traps + report.counts().errors, 0U) << to_text(report);
  EXPECT_THAT(report.leans.at(0).sentence, HasSubstr("begins a window of 600 s"));
}

TEST(Fixtures, WhatIpvsadmSaved) {
  EXPECT_THAT(ids(report_on(read_script(fixture("web.save"), "web.save"))),
              IsSupersetOf({"mask-without-dots", "short-window", "weight-zero-is-no-drain", "ports-apart"}));
}

TEST(Fixtures, TheTutorialsKeepalived) {
  const auto read = read_keepalived(fixture("keepalived.conf"), "keepalived.conf");
  ASSERT_TRUE(read.ok());
  const Report report = report_on(*read);
  EXPECT_THAT(ids(report), IsSupersetOf({"fail-over-forgets-clients", "short-window", "inhibit-pins-clients",
                                         "server-port-replaced", "weights-ignored", "threshold-counts-closed",
                                         "sorry-server-keeps-clients"}));
  EXPECT_EQ(report.counts().errors, 0U);
  EXPECT_THAT(to_text(report), HasSubstr("\nkeepalived.conf:24: trap: "));
}

}  // namespace
}  // namespace lvspec::doctor
