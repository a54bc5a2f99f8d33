// lvspec as its users meet it: exit statuses, words, and what is left behind.

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "harness/cli/program_for_test.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Cli, EveryCommandHasHelpWithAnExample) {
  for (const char* command :
       {"run", "list", "explain", "mutants", "doctor", "fuzz", "diff", "merge", "verify", "adapter-test"}) {
    const Ended ended = lvspec({command, "--help"});
    EXPECT_EQ(ended.how, "exited with 0") << command;
    EXPECT_THAT(ended.text, HasSubstr("--help")) << command;
  }
  EXPECT_THAT(lvspec({"run", "--help"}).text, AllOf(HasSubstr("Examples:"), HasSubstr("Exit status:")));
}

TEST(Cli, WrongWordsAreUsageErrorsThatSayWhatIsRight) {
  EXPECT_EQ(lvspec({}).how, "exited with 2");
  EXPECT_EQ(lvspec({"run", "--bogus"}).how, "exited with 2");
  const Ended director = lvspec({"run", "--director", "keepalvied"});
  EXPECT_EQ(director.how, "exited with 2");
  EXPECT_THAT(director.text, AllOf(HasSubstr("--director keepalvied"), HasSubstr("bundled")));
  const Ended wrong_case = lvspec({"run", "--case", "pcc.same-client-al-ports"});
  EXPECT_EQ(wrong_case.how, "exited with 2");
  EXPECT_THAT(wrong_case.text, HasSubstr("pcc.same-client-all-ports"));
  EXPECT_EQ(lvspec({"run", "--shard", "3/2"}).how, "exited with 2");
  EXPECT_EQ(lvspec({"run", "--fault", "no-such-fault"}).how, "exited with 2");
}

TEST(Cli, AWitnessFileThatCannotBeReadIsNamedWithItsLine) {
  const Scratch scratch;
  const std::string path = scratch.path() + "/witnesses";
  std::ofstream(path) << "# FAULT CASE\nno-persistence\n";
  const Ended ended = lvspec({"mutants", "--witnesses", path});
  EXPECT_EQ(ended.how, "exited with 2");
  EXPECT_THAT(ended.text, HasSubstr(path + ":2: \"no-persistence\": a line is FAULT CASE"));
  EXPECT_EQ(lvspec({"mutants", "--witnesses", "/nowhere"}).how, "exited with 2");
}

TEST(Cli, NothingSelectedIsNeverSuccess) {
  const Ended ended = lvspec({"run", "--case", "nothing*"});
  EXPECT_EQ(ended.how, "exited with 3");
  EXPECT_THAT(ended.text, HasSubstr("no case fits"));
}

std::string adapter(const std::string& script) { return "exec:python3 " LVSPEC_ADAPTERS + script; }

TEST(Cli, AGoodAdapterKeepsTheContract) {
  const Ended ended = lvspec({"adapter-test", adapter("balancer.py")});
  EXPECT_EQ(ended.how, "exited with 0") << ended.text;
  EXPECT_THAT(ended.text, AllOf(HasSubstr("PASS        affinity.window"), HasSubstr("PASS        capability.tables"),
                                HasSubstr("0 failed, 0 undeclared: keeps the contract")));
  EXPECT_EQ(lvspec({"adapter-test", "bundled"}).how, "exited with 2");
}

// Each adapter in bad/ is the good one with one thing wrong, and that thing is named.
TEST(Cli, AWrongAdapterIsCaught) {
  const std::map<std::string, std::pair<std::string, std::string>> wrong = {
      {"prints_garbage", {"contract.idempotence", "configuration reloaded"}},
      {"hangs", {"contract.idempotence", "it hangs"}},
      {"dies", {"contract.idempotence", "out of luck"}},
      {"will_not_start", {"contract.start", "cannot open /etc/balancer.conf"}},
      {"lies_about_tables", {"capability.tables", "persistent 360"}},
      {"lies_about_marks", {"capability.marks", "got no answer"}},
      {"lies_about_affinity", {"capability.affinity", "and then on"}},
      {"unknown_capability", {"contract.hello", "teleport"}},
      {"not_idempotent", {"contract.idempotence", "Service already exists"}},
      {"swallows_unknown_verbs", {"contract.unknown-verb", "says yes"}},
      {"leaves_things_behind", {"contract.clean-up", "process sleep"}},
      {"stays", {"contract.stdin-closes", "runs on"}}};
  for (const auto& [script, finding] : wrong) {
    const Ended ended =
        lvspec({"adapter-test", "--check", finding.first, "--patience", "2000", adapter("bad/" + script + ".py")});
    EXPECT_EQ(ended.how, "exited with 1") << script << "\n" << ended.text;
    EXPECT_THAT(ended.text, ::testing::ContainsRegex("FAIL +" + finding.first + " [^\n]*" + finding.second))
        << script;
  }
}

// An adapter that cannot be talked to costs its own column, and no other.
TEST(Cli, AWrongAdapterHarmsNoOtherColumn) {
  const Scratch scratch;
  const Ended ended =
      lvspec({"run", "--director", adapter("bad/dies.py"), "--director", adapter("bad/unknown_capability.py"),
              "--director", "bundled", "--case", "affinity.same-client-same-server", "--out", scratch.path()});
  EXPECT_EQ(ended.how, "exited with 4") << ended.text;
  const auto results = nlohmann::json::parse(read_file(scratch.path() + "/results.json"));
  std::map<std::string, std::pair<std::string, std::string>> by_director;
  for (const auto& row : results["cases"]) by_director[row["director"]] = {row["verdict"], row["reason"]};
  EXPECT_EQ(by_director["bundled"].first, "PASS");
  EXPECT_EQ(by_director[adapter("bad/dies.py")].first, "HARNESS-ERROR");
  EXPECT_THAT(by_director[adapter("bad/dies.py")].second, HasSubstr("out of luck"));
  EXPECT_THAT(by_director[adapter("bad/unknown_capability.py")].second, HasSubstr("teleport"));
}

TEST(Cli, AReportThatCannotBeWrittenIsSaidBeforeAnythingRuns) {
  const Ended ended = lvspec({"run", "--out", "/proc/nowhere", "--suite", "pcc"});
  EXPECT_EQ(ended.how, "exited with 4");
  EXPECT_THAT(ended.text, AllOf(HasSubstr("--out /proc/nowhere"), Not(HasSubstr("PASS"))));
}

TEST(Cli, ARunWritesItsReport) {
  const Scratch scratch;
  const Ended ended =
      lvspec({"run", "--director", "bundled", "--case", "pcc.same-client-all-ports", "--out", scratch.path()});
  ASSERT_EQ(ended.how, "exited with 0") << ended.text;
  const auto results = nlohmann::json::parse(read_file(scratch.path() + "/results.json"));
  EXPECT_EQ(results["cases"][0]["verdict"], "PASS");
  EXPECT_GT(results["cases"][0]["assertions"], 0);
  for (const char* name : {"junit.xml", "results.tap", "results.jsonl", "summary.md", "index.html"})
    EXPECT_THAT(read_file(scratch.path() + "/" + name), HasSubstr("same-client-all-ports")) << name;
}

// A broken director is a 1, and the text has everything that one needs to go on.
TEST(Cli, AFaultIsFoundAndTold) {
  const Scratch scratch;
  const Ended ended =
      lvspec({"run", "--case", "pcc.same-client-all-ports", "--fault", "no-persistence", "--out", scratch.path()});
  EXPECT_EQ(ended.how, "exited with 1");
  EXPECT_THAT(
      ended.text,
      AllOf(HasSubstr("TPL-06"), HasSubstr("served by"), HasSubstr("real"),
            HasSubstr("ci/lvspec run --director bundled --case pcc.same-client-all-ports --fault no-persistence")));
  const std::string evidence = scratch.path() + "/evidence/pcc.same-client-all-ports.bundled/";
  EXPECT_THAT(read_file(evidence + "history.txt"), HasSubstr("connect: "));
  EXPECT_THAT(read_file(evidence + "tables.txt"), HasSubstr("PersistConn"));
  EXPECT_THAT(read_file(evidence + "director.log"), HasSubstr("add_service"));
  for (const char* link : {"client", "director", "real1", "real2", "real3"})
    EXPECT_GT(std::filesystem::file_size(evidence + link + ".pcapng"), 100U) << link;
}

// A kernel that behaves otherwise is noticed too: here a sysctl is changed behind the case's back.
TEST(Cli, AKernelThatBehavesOtherwiseIsFound) {
  if (access("/usr/bin/linux.uml", X_OK) != 0) {
    const char* required = getenv("LVSPEC_REQUIRE");
    ASSERT_TRUE(required == nullptr || std::string(required).find("uml") == std::string::npos) << "needs uml";
    GTEST_SKIP() << "needs uml (Debian's package user-mode-linux)";
  }
  const std::vector<std::string> run = {"run", "--director", "ipvs", "--case", "ppc.weight-zero-keeps-clients"};
  EXPECT_EQ(lvspec(run).how, "exited with 0");
  std::vector<std::string> sabotaged = run;
  sabotaged.insert(sabotaged.end(), {"--fault", "sysctl:expire_quiescent_template=1"});
  const Ended ended = lvspec(sabotaged);
  EXPECT_EQ(ended.how, "exited with 1");
  EXPECT_THAT(ended.text, AllOf(HasSubstr("VAL-03"), HasSubstr("served by")));
}

/// The lines of a passport, each with its property.
std::set<std::string> passport(const std::string& director, const std::string& fault = "") {
  const Scratch scratch;
  std::vector<std::string> words = {"run", "--suite", "passport", "--director", director, "--out", scratch.path()};
  if (!fault.empty()) words.insert(words.end(), {"--fault", fault});
  const Ended ended = lvspec(words);
  EXPECT_EQ(ended.how, "exited with 0") << ended.text;
  std::set<std::string> lines;
  const auto read =
      nlohmann::json::parse(read_file(scratch.path() + "/passport." + director + ".json"), nullptr, false);
  EXPECT_TRUE(read.is_object());
  if (!read.is_object()) return lines;
  const auto results = nlohmann::json::parse(read_file(scratch.path() + "/results.json"), nullptr, false);
  EXPECT_EQ(results["directors"][0]["passport"], read);
  for (const auto& [property, value] : read.items()) lines.insert(property + ": " + value.get<std::string>());
  return lines;
}

TEST(Passport, IsTheSameForTheBundledDirectorAndTheKernel) {
  auto bundled = passport("bundled"), ipvs = passport("ipvs");
  EXPECT_GE(bundled.size(), 35U);
  // The kernel has settings that the bundled director has not, and one that goes by the machine's memory.
  const auto is_setting = [](const std::string& line) { return line.starts_with("setting: "); };
  for (const std::string& line : bundled) {
    if (!is_setting(line) || line.starts_with("setting: net.ipv4.vs.sync_qlen_max: ")) continue;
    EXPECT_EQ(ipvs.count(line), 1U) << line;
  }
  std::erase_if(bundled, is_setting);
  std::erase_if(ipvs, is_setting);
  EXPECT_EQ(bundled, ipvs);
}

TEST(Passport, TellsFaultyDirectorsApart) {
  const auto good = passport("bundled");
  for (const auto& [fault, line] : std::map<std::string, std::string>{
           {"window-renewed-by-packets", "window renewed by packets of a connection: yes"},
           {"pcc-key-includes-port", "key of port 0: port: in the key"},
           {"mask-ignored", "mask 255.255.255.252: neighbour in the network: on its own"},
           {"template-never-expires", "window: -p 300: kept to 380 s"},
           {"no-extension", "floor: -p 10, FIN: gone from 60 s"},
           {"weight-zero-unpins", "policy: server at weight 0: moved"},
           {"clear-drops-templates", "survives: clear and reload: moved"}}) {
    const auto bad = passport("bundled", fault);
    EXPECT_THAT(bad, ::testing::Contains(line)) << fault;
    EXPECT_EQ(good.count(line), 0U) << fault;
  }
}

TEST(Cli, ListSpeaksJson) {
  const auto rows = nlohmann::json::parse(lvspec({"list", "--json"}).text);
  EXPECT_GE(rows.size(), 30U);
  for (const auto& row : rows) {
    EXPECT_FALSE(row["claim"].get<std::string>().empty()) << row;
    EXPECT_FALSE(row["clauses"].empty()) << row;
  }
}

TEST(Cli, ListKnowsTheClausesAndTheirCases) {
  const Ended ended = lvspec({"list", "--clauses", "--json"});
  ASSERT_EQ(ended.how, "exited with 0");
  for (const auto& clause : nlohmann::json::parse(ended.text)) {
    if (clause["id"] != "TPL-34") continue;
    EXPECT_THAT(clause["cases"].dump(), HasSubstr("expiry.sixty-second-trap"));
    EXPECT_EQ(clause["level"], "MUST");
    return;
  }
  ADD_FAILURE() << "TPL-34 is not there";
}

TEST(Cli, ExplainShowsLawStepsAndPackets) {
  const Ended ended = lvspec({"explain", "pcc.same-client-all-ports"});
  EXPECT_EQ(ended.how, "exited with 0");
  EXPECT_THAT(ended.text,
              AllOf(HasSubstr("TPL-06 (MUST; "), HasSubstr("FR-45 ("), HasSubstr("connect: answered by \"real"),
                    HasSubstr("  |---------->|"), HasSubstr("> 198.51.100.10:443 SYN\n"), HasSubstr("  PASS")));
  EXPECT_THAT(ended.text,
              AllOf(HasSubstr("\n  clients 192.0.2.1 .. 192.0.2.2\n"), HasSubstr("\n  director 203.0.113.1\n"),
                    HasSubstr("+-- TCP  198.51.100.10:0 rr persistent 300\n"),
                    HasSubstr("+-- direct routing --> real1 203.0.113.11:0\n"),
                    HasSubstr("+-- direct routing --> real3 203.0.113.13:0\n")));
  EXPECT_THAT(
      lvspec({"explain", "pcc.same-client-all-ports", "--lang", "zh"}).text,
      AllOf(HasSubstr("\n规则\n"), HasSubstr("\n    0 端口 (PCC) 模板涵盖一个 VIP 上一种协议的所有端口"),
            HasSubstr("\n  调度器 203.0.113.1\n"), HasSubstr("+-- 直接路由 (DR) --> real1 203.0.113.11:0\n")));
  EXPECT_EQ(lvspec({"explain", "pcc.*"}).how, "exited with 2");
  EXPECT_EQ(lvspec({"explain", "pcc.same"}).how, "exited with 2");
}

// A public test of the same, three datagrams a client, prints what it found and exits as if all were well.
TEST(Cli, ADirectorThatIgnoresPersistenceEndsNonZero) {
  EXPECT_EQ(lvspec({"run", "--director", "bundled", "--case", "ppc.udp-sticks"}).how, "exited with 0");
  EXPECT_EQ(lvspec({"run", "--director", "bundled", "--case", "ppc.udp-sticks", "--fault", "no-persistence"}).how,
            "exited with 1");
}

TEST(Cli, ShardsCoverEverythingOnce) {
  std::multiset<std::string> seen;
  for (const char* shard : {"1/2", "2/2"}) {
    const Scratch scratch;
    ASSERT_EQ(
        lvspec({"run", "--director", "bundled", "--suite", "pcc", "--shard", shard, "--out", scratch.path()}).how,
        "exited with 0");
    const auto results = nlohmann::json::parse(read_file(scratch.path() + "/results.json"));
    for (const auto& row : results["cases"]) seen.insert(row["id"].get<std::string>());
  }
  const auto rows = nlohmann::json::parse(lvspec({"list", "--json"}).text);
  for (const auto& row : rows)
    EXPECT_EQ(seen.count(row["id"].get<std::string>()), row["suite"] == "pcc" ? 1U : 0U) << row["id"];
}

TEST(Cli, DoctorSaysThatThisMachineCan) {
  const Ended ended = lvspec({"doctor"});
  EXPECT_EQ(ended.how, "exited with 0") << ended.text;
  EXPECT_THAT(ended.text, HasSubstr("ok      bench"));
}

TEST(Cli, DoctorReadsAConfiguration) {
  const std::string configs = LVSPEC_CONFIGS "/";
  const Ended notes = lvspec({"doctor", configs + "notes-mark.rules"});
  EXPECT_EQ(notes.how, "exited with 2");
  EXPECT_THAT(notes.text,
              AllOf(HasSubstr("notes-mark.rules:8: trap: "), HasSubstr("notes-mark.rules:9: error: \"-2\"")));
  EXPECT_EQ(lvspec({"doctor", configs + "sound.save"}).how, "exited with 0");
  const Ended groups = lvspec({"doctor", configs + "groups.conf"});
  EXPECT_THAT(groups.text, HasSubstr("groups.d/web.conf:5: trap: "));
  const Ended tutorial = lvspec({"doctor", "--json", configs + "keepalived.conf"});
  EXPECT_EQ(tutorial.how, "exited with 1");
  const auto json = nlohmann::json::parse(tutorial.text);
  EXPECT_GE(json["traps"], 4);
  EXPECT_EQ(json["services"][0]["line"], 20);
}

TEST(Cli, DoctorSaysWhatItCannotRead) {
  EXPECT_EQ(lvspec({"doctor", "/nonexistent/lvs.rules"}).how, "exited with 2");
  EXPECT_THAT(lvspec({"doctor", "/nonexistent/lvs.rules"}).text, HasSubstr("/nonexistent/lvs.rules: ENOENT"));
  EXPECT_EQ(lvspec({"doctor", "--live", "x"}).how, "exited with 2");
  EXPECT_EQ(lvspec({"doctor", "--json"}).how, "exited with 2");
  Scratch scratch;
  std::ofstream(scratch.path() + "/k.conf") << "virtual_server 198.51.100.10 80 {\n";
  const Ended open_block = lvspec({"doctor", scratch.path() + "/k.conf"});
  EXPECT_EQ(open_block.how, "exited with 2");
  EXPECT_THAT(open_block.text, HasSubstr("/k.conf:1: \"virtual_server\": the block has no end"));
}

TEST(Cli, EveryFindingIsShownByACaseOfOneOfItsClauses) {
  std::map<std::string, std::set<std::string>> clauses_of;
  for (const auto& row : nlohmann::json::parse(lvspec({"list", "--json"}).text))
    clauses_of[row["id"]] = row["clauses"].get<std::set<std::string>>();
  const auto findings = nlohmann::json::parse(lvspec({"doctor", "--list", "--json"}).text);
  EXPECT_GE(findings.size(), 20U);
  for (const auto& finding : findings) {
    const auto& shown = clauses_of[finding["case"]];
    bool one_of_them = false;
    for (const auto& clause : finding["clauses"]) one_of_them |= shown.count(clause["id"]) > 0;
    EXPECT_TRUE(one_of_them) << finding.dump();
  }
}

/// What a killed run could leave: processes of ours, network namespaces, links, files.
struct Traces {
  std::set<std::string> processes, temporary, shared;
  std::set<std::string> links;

  bool operator==(const Traces&) const = default;
};

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

Traces traces() {
  Traces traces;
  for (const std::string& name : names_in("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/" + name + "/exe", error);
    // Programs of this build only: somebody else may be running theirs.
    if (!error && program.parent_path() == std::filesystem::path(LVSPEC_PROGRAM).parent_path() &&
        program.filename().string().starts_with("lvspec") && program.filename() != "lvspec_cli_test")
      traces.processes.insert(name + " " + program.filename().string());
  }
  traces.temporary = names_in("/tmp");
  traces.shared = names_in("/dev/shm");
  traces.links = names_in("/sys/class/net");
  return traces;
}

// SIGKILL at any moment: the workers and directors go with their parents, their worlds with them.
TEST(Cli, AKilledRunLeavesNothing) {
  const Scratch scratch;
  const Traces before = traces();
  std::mt19937 random(20261122);
  for (int round = 0; round < 8; ++round) {
    auto child = Child::start({.argv = {LVSPEC_PROGRAM, "run", "--director", round % 4 == 3 ? "ipvs" : "bundled",
                                        "--suite", "pcc", "--repeat", "50", "--out", scratch.path()},
                               .fds = {},
                               .environment = {}});
    ASSERT_TRUE(child.ok());
    child->wait(std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 400)(random)));
    kill(child->pid(), round % 2 == 0 ? SIGKILL : SIGINT);
    ASSERT_TRUE(child->wait(10s));
    const auto give_up = std::chrono::steady_clock::now() + 5s;
    Traces after = traces();
    while (!(after == before) && std::chrono::steady_clock::now() < give_up) after = traces();
    EXPECT_EQ(after.processes, before.processes);
    EXPECT_EQ(after.temporary, before.temporary);
    EXPECT_EQ(after.shared, before.shared);
    EXPECT_EQ(after.links, before.links);
  }
}

}  // namespace
}  // namespace lvspec
