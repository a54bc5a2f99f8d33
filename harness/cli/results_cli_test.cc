// What becomes of results: the forms that programs read, diff, merge, verify, and files that are not what they were.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/cli/program_for_test.h"
#ifdef LVSPEC_HAS_VALIJSON
#include "harness/base/schema_judge.h"
#endif

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string schema_says(const std::string& schema, const json& value) {
#ifdef LVSPEC_HAS_VALIJSON
  return judge_by_schema(LVSPEC_SCHEMAS + schema, value);
#else
  return value.is_object() && !schema.empty() ? "valid" : "no object";
#endif
}

/// A run of the bundled director; returns how it ended.
std::string run(const std::string& out, std::vector<std::string> more) {
  std::vector<std::string> words = {"run", "--director", "bundled", "--out", out};
  words.insert(words.end(), more.begin(), more.end());
  const Ended ended = lvspec(words);
  return ended.how + (ended.how == "exited with 0" || ended.how == "exited with 1" ? "" : ended.text);
}

json results_of(const std::string& folder) { return json::parse(read_file(folder + "/results.json")); }

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Everything but times.
json without_times(json results) {
  for (const char* key : {"started_at", "wall_s"}) results.erase(key);
  for (json& one : results["cases"]) {
    for (const char* key : {"wall_ms", "virtual_s"}) one.erase(key);
    if (!one.contains("timeline")) continue;
    for (json& moment : one["timeline"])
      for (const char* key : {"at", "left"}) moment.erase(key);
  }
  return results;
}

// What is said while a run goes on: whole lines, each an event of the schema, and the file says the same as the pipe.
TEST(Forms, JsonLinesAreEventsOfTheirSchema) {
  const Scratch scratch;
  const Ended ended = lvspec({"run", "--director", "bundled", "--suite", "ppc", "--fault", "no-persistence",
                              "--format", "jsonl", "--out", scratch.path()});
  EXPECT_EQ(ended.how, "exited with 1");
  std::vector<std::string> piped;
  for (const std::string& line : lines_of(ended.text)) {
    // What is not an event is progress on stderr: nothing else may be between them.
    if (line.starts_with("{")) piped.push_back(line);
    EXPECT_TRUE(line.starts_with("{") || line.starts_with("[")) << line;
  }
  EXPECT_EQ(piped, lines_of(read_file(scratch.path() + "/results.jsonl")));
  const json results = results_of(scratch.path());
  ASSERT_EQ(piped.size(), results["cases"].size() + 2);
  std::map<std::string, json> by_id;
  for (const json& one : results["cases"]) by_id[one["id"]] = one;
  for (std::size_t i = 0; i < piped.size(); ++i) {
    const json event = json::parse(piped[i]);
    EXPECT_EQ(schema_says("event.schema.json", event), "valid") << piped[i];
    EXPECT_EQ(event["event"], i == 0 ? "run-begin" : i + 1 == piped.size() ? "run-end" : "case-end");
    if (event["event"] != "case-end") continue;
    EXPECT_EQ(event["case"], by_id[event["case"]["id"]]);
  }
  EXPECT_EQ(json::parse(piped.back())["summary"], results["summary"]);
}

TEST(Forms, EventsComeWhileTheRunGoesOnAndACutOneHasNoEnd) {
  const Scratch scratch;
  auto child = Child::start({.argv = {LVSPEC_PROGRAM, "run", "--director", "bundled", "--suite", "ppc", "--repeat",
                                      "500", "--out", scratch.path()},
                             .fds = {},
                             .environment = {}});
  ASSERT_TRUE(child.ok());
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  std::string seen;
  while (seen.find("case-end") == std::string::npos && std::chrono::steady_clock::now() < give_up)
    seen = read_file(scratch.path() + "/results.jsonl");
  EXPECT_TRUE(child->running());
  kill(child->pid(), SIGKILL);
  ASSERT_TRUE(child->wait(10s));
  EXPECT_THAT(seen, AllOf(StartsWith("{"), HasSubstr("\"run-begin\""), HasSubstr("\"case-end\"")));
  EXPECT_THAT(read_file(scratch.path() + "/results.jsonl"), Not(HasSubstr("\"run-end\"")));
  EXPECT_FALSE(std::filesystem::exists(scratch.path() + "/results.json"));
}

TEST(Forms, TapAndGithubTellOfEachFailure) {
  const std::vector<std::string> words = {"run",     "--case",         "pcc.same-client-all-ports",
                                          "--fault", "no-persistence", "--format"};
  const auto with = [&](const char* format) {
    auto all = words;
    all.emplace_back(format);
    return lvspec(all);
  };
  const Ended tap = with("tap");
  EXPECT_EQ(tap.how, "exited with 1");
  EXPECT_THAT(tap.text, AllOf(HasSubstr("TAP version 14\n1..1\n"),
                              HasSubstr("not ok 1 - pcc.same-client-all-ports on bundled\n  ---\n"),
                              Not(HasSubstr("promised: a"))));
  const Ended github = with("github");
  EXPECT_EQ(github.how, "exited with 1");
  EXPECT_THAT(github.text, AllOf(HasSubstr("::error file=suites/pcc/"), HasSubstr(",line="),
                                 HasSubstr(",title=pcc.same-client-all-ports on bundled%3A FAIL::")));
  const Ended wrong = with("xml");
  EXPECT_EQ(wrong.how, "exited with 2");
  EXPECT_THAT(wrong.text, HasSubstr("--format"));
}

TEST(Forms, EachDirectorHasItsConformanceDocument) {
  const Scratch scratch;
  EXPECT_EQ(run(scratch.path(), {"--case", "ppc.*"}), "exited with 0");
  const json report = json::parse(read_file(scratch.path() + "/conformance.bundled.json"));
  EXPECT_EQ(schema_says("conformance.schema.json", report), "valid");
  EXPECT_FALSE(report.contains("result"));
  EXPECT_EQ(report["profiles"][0]["name"], "ppc");
  EXPECT_GT(report["profiles"][0]["must"]["statistics"]["Passed"], 0);
  EXPECT_EQ(report["provenance"]["command"], "ci/lvspec run --director bundled --case 'ppc.*'");
  EXPECT_THAT(read_file(scratch.path() + "/SHA256SUMS"),
              HasSubstr(report["provenance"]["resultsSha256"].get<std::string>() + "  results.json\n"));
}

// The line that reproduces a run says all that was said.
TEST(Forms, TheRerunLineHasEveryOption) {
  const Scratch scratch;
  EXPECT_EQ(run(scratch.path(), {"--case", "ppc.same-client-same-server", "--lab", "host", "--repeat", "2"}),
            "exited with 0");
  EXPECT_EQ(results_of(scratch.path())["rerun"],
            "ci/lvspec run --director bundled --case 'ppc.same-client-same-server' --lab host --repeat 2");
}

// A mutant against a clean run: exactly the cases that it breaks.
TEST(Diff, NamesExactlyTheCasesThatAMutantBreaks) {
  const Scratch clean, broken;
  const std::vector<std::string> cases = {"--suite", "ppc", "--suite", "pcc", "--suite", "fwmark"};
  EXPECT_EQ(run(clean.path(), cases), "exited with 0");
  for (const auto& [fault, witness] :  // of suites/witnesses.txt
       std::map<std::string, std::string>{{"pcc-key-includes-port", "pcc.addresses-are-apart"},
                                          {"mask-ignored", "fwmark.mask-groups-clients"},
                                          {"mark-template-per-port", "fwmark.families-are-apart"}}) {
    auto words = cases;
    words.insert(words.end(), {"--fault", fault});
    EXPECT_EQ(run(broken.path(), words), "exited with 1");
    std::set<std::string> failed;
    const json results = results_of(broken.path());
    for (const json& one : results["cases"])
      if (one["verdict"] == "FAIL") failed.insert(one["id"]);
    ASSERT_THAT(failed, Contains(witness)) << fault;
    const Ended ended = lvspec({"diff", clean.path(), broken.path() + "/results.json", "--format", "json"});
    EXPECT_EQ(ended.how, "exited with 1");
    const json diff = json::parse(ended.text);
    EXPECT_EQ(schema_says("diff.schema.json", diff), "valid");
    std::set<std::string> named;
    for (const json& one : diff["regressions"]) named.insert(one["id"]);
    EXPECT_EQ(named, failed) << fault;
    EXPECT_THAT(diff["fixes"], IsEmpty());
    EXPECT_THAT(diff["added"], IsEmpty());
    EXPECT_THAT(diff["gone"], IsEmpty());
    const Ended text = lvspec({"diff", clean.path(), broken.path()});
    for (const std::string& id : failed) EXPECT_THAT(text.text, HasSubstr("  " + id + " on bundled (")) << fault;
    // The other way round they are fixes, and no reason for a 1.
    const Ended back = lvspec({"diff", broken.path(), clean.path(), "--format", "md"});
    EXPECT_EQ(back.how, "exited with 0");
    EXPECT_THAT(back.text, HasSubstr("## Fixes"));
  }
  EXPECT_EQ(lvspec({"diff", clean.path(), clean.path()}).how, "exited with 0");
}

TEST(Diff, SaysWhatItCannotCompare) {
  const Scratch one, other;
  EXPECT_EQ(run(one.path(), {"--case", "ppc.same-client-same-server"}), "exited with 0");
  EXPECT_EQ(run(other.path(), {"--case", "pcc.same-client-all-ports"}), "exited with 0");
  const Ended apart = lvspec({"diff", one.path(), other.path()});
  EXPECT_EQ(apart.how, "exited with 3");
  EXPECT_THAT(apart.text, HasSubstr("nothing was compared"));
  const Ended nowhere = lvspec({"diff", one.path(), "/nowhere.json"});
  EXPECT_EQ(nowhere.how, "exited with 2");
  EXPECT_THAT(nowhere.text, HasSubstr("/nowhere.json: ENOENT"));
}

/// Runs all shards into folders 1, 2, ... of `out`, and returns these.
std::vector<std::string> run_shards(const std::string& out, int shards, const std::vector<std::string>& cases,
                                    const std::string& how) {
  std::vector<std::string> folders;
  for (int shard = 1; shard <= shards; ++shard) {
    folders.push_back(out + "/" + std::to_string(shard));
    auto words = cases;
    words.insert(words.end(), {"--shard", std::to_string(shard) + "/" + std::to_string(shards)});
    EXPECT_EQ(run(folders.back(), words), how);
  }
  return folders;
}

Ended merge(const std::vector<std::string>& inputs, const std::string& out) {
  std::vector<std::string> words = {"merge"};
  words.insert(words.end(), inputs.begin(), inputs.end());
  words.insert(words.end(), {"--out", out});
  return lvspec(words);
}

TEST(Merge, OfShardsEqualsAnUnshardedRun) {
  const Scratch scratch;
  const std::string whole = scratch.path() + "/whole", merged = scratch.path() + "/merged";
  std::vector<std::string> cases = {"--suite", "ppc", "--suite", "fwmark", "--suite", "passport"};
  if (access("/usr/bin/linux.uml", X_OK) == 0) cases.insert(cases.end(), {"--director", "ipvs"});
  EXPECT_EQ(run(whole, cases), "exited with 0");
  const auto shards = run_shards(scratch.path(), 3, cases, "exited with 0");
  const Ended ended = merge({shards[2], shards[0] + "/results.json", shards[1]}, merged);
  ASSERT_EQ(ended.how, "exited with 0") << ended.text;
  EXPECT_EQ(json::diff(without_times(results_of(whole)), without_times(results_of(merged))), json::array());
  EXPECT_EQ(read_file(merged + "/passport.bundled.json"), read_file(whole + "/passport.bundled.json"));
  EXPECT_EQ(lvspec({"verify", merged}).how, "exited with 0");
  EXPECT_EQ(lvspec({"diff", whole, merged}).how, "exited with 0");
#ifdef LVSPEC_HAS_VALIJSON
  EXPECT_EQ(schema_says("results.schema.json", results_of(merged)), "valid");
#endif
}

TEST(Merge, EvidenceIsWhereTheMergedFileSays) {
  const Scratch scratch;
  const std::vector<std::string> cases = {"--case", "ppc.*", "--fault", "no-persistence"};
  const auto shards = run_shards(scratch.path(), 2, cases, "exited with 1");
  const std::string file = scratch.path() + "/all/whole.json";
  ASSERT_EQ(merge(shards, file).how, "exited with 0");
  int cited = 0;
  const json merged = json::parse(read_file(file));
  for (const json& one : merged["cases"]) {
    const std::string folder = one["evidence"];
    if (folder.empty()) continue;
    ++cited;
    EXPECT_THAT(read_file(scratch.path() + "/all/" + folder + "/history.txt"), HasSubstr("answered by")) << folder;
  }
  EXPECT_GT(cited, 1);
}

TEST(Merge, RefusesWhatAreNoShardsOfOneRunAndWritesNothing) {
  const Scratch scratch;
  const std::vector<std::string> cases = {"--case", "ppc.m*"};
  const auto shards = run_shards(scratch.path(), 3, cases, "exited with 0");
  const std::string out = scratch.path() + "/out/all.json";
  const auto refused = [&](const std::vector<std::string>& inputs) {
    const Ended ended = merge(inputs, out);
    EXPECT_EQ(ended.how, "exited with 2") << ended.text;
    EXPECT_FALSE(std::filesystem::exists(scratch.path() + "/out"));
    return ended.text;
  };
  EXPECT_THAT(refused({shards[0], shards[2]}), HasSubstr("shard 2/3 is missing"));
  EXPECT_THAT(refused({shards[0], shards[1], shards[1], shards[2]}), HasSubstr("is shard 2/3, and so is "));
  // Copies, of which nobody has digests, with one thing changed.
  const auto changed = [&](auto change) {
    json results = results_of(shards[1]);
    change(results);
    std::ofstream(scratch.path() + "/two.json") << results.dump();
    return refused({shards[0], scratch.path() + "/two.json", shards[2]});
  };
  EXPECT_THAT(changed([](json& results) { results["suite_digest"] = "0"; }),
              HasSubstr("two.json: suite_digest is 0"));
  EXPECT_THAT(changed([](json& results) { results["schema_version"] = 7; }),
              HasSubstr("two.json: schema_version: 7; this lvspec reads 1"));
  EXPECT_THAT(changed([](json& results) { results["environment"]["kernel"] = "Linux 2.4"; }),
              HasSubstr("two.json: environment.kernel is Linux 2.4"));
  EXPECT_THAT(changed([](json& results) { results["cases"].erase(0); }), HasSubstr("the file was cut or changed"));
  EXPECT_THAT(changed([](json& results) { results["cases"][0]["evidence"] = "evidence/x"; }),
              HasSubstr("two.json: cases[0].evidence: "));
}

TEST(Results, ThatWereCutOrTamperedWithAreRefusedWithThePlace) {
  const Scratch scratch;
  EXPECT_EQ(run(scratch.path(), {"--case", "ppc.same-client-same-server"}), "exited with 0");
  const std::string good = read_file(scratch.path() + "/results.json"), cut = scratch.path() + "/cut.json";
  std::ofstream(cut) << good.substr(0, good.size() / 2);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"diff", cut, cut}, {"merge", cut, "--out", scratch.path() + "/new.json"}}) {
    const Ended ended = lvspec(words);
    EXPECT_EQ(ended.how, "exited with 2");
    EXPECT_THAT(ended.text, AllOf(HasSubstr(cut + ": not JSON: "), HasSubstr("line ")));
  }
  EXPECT_FALSE(std::filesystem::exists(scratch.path() + "/new.json"));
  std::ofstream(scratch.path() + "/results.json") << good << " ";
  const Ended tampered = lvspec({"diff", scratch.path(), scratch.path()});
  EXPECT_EQ(tampered.how, "exited with 2");
  EXPECT_THAT(tampered.text, HasSubstr("results.json: is not as it was written"));
}

TEST(Verify, FindsAFlippedByteAMissingAndAnExtraFile) {
  const Scratch scratch;
  EXPECT_EQ(run(scratch.path(), {"--case", "pcc.same-client-all-ports", "--fault", "no-persistence"}),
            "exited with 1");
  EXPECT_EQ(lvspec({"verify", scratch.path()}).how, "exited with 0");
  const std::string evidence = scratch.path() + "/evidence/pcc.same-client-all-ports.bundled/";
  std::string capture = read_file(evidence + "client.pcapng");
  capture[capture.size() / 2] ^= 1;
  std::ofstream(evidence + "client.pcapng") << capture;
  std::filesystem::remove(evidence + "tables.txt");
  std::ofstream(evidence + "planted.txt") << "x";
  const Ended ended = lvspec({"verify", scratch.path()});
  EXPECT_EQ(ended.how, "exited with 1");
  EXPECT_THAT(lines_of(ended.text),
              ElementsAre("changed: " + evidence + "client.pcapng", "missing: " + evidence + "tables.txt",
                          "extra: " + evidence + "planted.txt"));
  // The next run in this folder begins anew; what is not ours stays.
  EXPECT_EQ(run(scratch.path(), {"--case", "pcc.same-client-all-ports"}), "exited with 0");
  EXPECT_THAT(lines_of(lvspec({"verify", scratch.path()}).text), ElementsAre("extra: " + evidence + "planted.txt"));
  std::filesystem::remove(scratch.path() + "/SHA256SUMS");
  EXPECT_EQ(lvspec({"verify", scratch.path()}).how, "exited with 2");
}

}  // namespace
}  // namespace lvspec
