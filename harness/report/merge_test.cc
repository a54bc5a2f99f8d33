#include "harness/report/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/report/file.h"
#include "harness/report/json.h"
#include "harness/report/sample_run.h"

namespace lvspec {
namespace {

using ::nlohmann::json;
using ::testing::HasSubstr;

/// A run of six cases on two directors, as lvspec has them: by director, then id.
Run whole_run() {
  auto run = clean_run();
  run.rerun = "ci/lvspec run --director bundled --director ipvs";
  run.directors.push_back({.name = "ipvs", .version = "6.1", .capabilities = {}, .passport = {}});
  run.directors[0].passport = {{"key", "CIP"}, {"passport.window", "not measured: not selected"}};
  const CaseResult like = run.cases[0];
  run.cases.clear();
  for (const char* director : {"bundled", "ipvs"}) {
    for (const char* id : {"a.one", "a.three", "a.two", "b.five", "b.four", "passport.key"}) {
      run.cases.push_back(like);
      run.cases.back().info.id = id;
      run.cases.back().director = director;
    }
  }
  run.selected = 6;
  run.catalogue = 9;
  for (DirectorInfo& director : run.directors) director.selected = 6, director.catalogue = 9;
  return run;
}

/// What `lvspec run --shard` would have made of it.
std::vector<RunFile> split(const Run& whole, int shards) {
  std::vector<RunFile> out;
  for (int shard = 1; shard <= shards; ++shard) {
    auto run = whole;
    run.rerun += " --shard " + std::to_string(shard) + "/" + std::to_string(shards);
    run.shard = shard;
    run.shards = shards;
    run.cases.clear();
    run.selected = 0;
    for (std::size_t i = 0; i < whole.cases.size(); ++i) {
      if (static_cast<int>(i % 6) % shards != shard - 1) continue;
      run.cases.push_back(whole.cases[i]);
      if (i < 6) ++run.selected;
    }
    for (DirectorInfo& director : run.directors) director.selected = run.selected;
    const bool has_passport = !run.cases.empty() && run.cases.back().info.suite() == "passport";
    if (!has_passport) run.directors[0].passport.clear();
    out.push_back({"shard-" + std::to_string(shard) + ".json", run});
  }
  return out;
}

std::string refusal(const std::vector<RunFile>& shards) {
  const auto merged = merge_runs(shards);
  if (merged.ok()) return "none";
  EXPECT_EQ(merged.error().kind, ErrorKind::kUsage);
  return merged.error().message;
}

TEST(Merge, MakesTheRunThatTheShardsArePartsOf) {
  const auto whole = whole_run();
  for (int n = 1; n <= 4; ++n) {
    auto shards = split(whole, n);
    std::reverse(shards.begin(), shards.end());
    const auto merged = merge_runs(shards);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    EXPECT_EQ(json::diff(to_json(whole), to_json(*merged)), json::array()) << n;
  }
}

TEST(Merge, KeepsTheRoundsOfARepeatedRun) {
  auto whole = whole_run();
  const auto once = whole.cases;
  for (CaseResult result : once) {
    result.reason = "second round";
    whole.cases.push_back(result);
  }
  auto shards = split(whole, 3);
  for (RunFile& shard : shards) shard.run.selected = 2;
  const auto merged = merge_runs(shards);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(json::diff(to_json(whole)["cases"], to_json(*merged)["cases"]), json::array());
}

TEST(Merge, TakesFromTheFirstStartToTheLastEnd) {
  auto shards = split(whole_run(), 2);
  shards[0].run.started_at = "2025-11-22T09:30:10Z";
  shards[0].run.wall_s = 30;
  shards[1].run.wall_s = 5;
  const auto merged = merge_runs(shards);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged->started_at, "2025-11-22T09:30:00Z");
  EXPECT_EQ(merged->wall_s, 40);
}

TEST(Merge, AShardWithoutCasesKnowsNoGuestAndIsNoStranger) {
  auto shards = split(whole_run(), 7);
  ASSERT_TRUE(shards[6].run.cases.empty());
  for (int i = 0; i < 6; ++i) shards[static_cast<std::size_t>(i)].run.environment.kernel += ", guest Linux 6.1.176";
  std::swap(shards[0], shards[6]);
  const auto merged = merge_runs(shards);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_THAT(merged->environment.kernel, HasSubstr("guest"));
}

TEST(Merge, APassportPropertyOfAnotherShardIsNotMissing) {
  auto whole = whole_run();
  auto shards = split(whole, 6);
  shards[0].run.cases[0].info.id = "passport.window";
  shards[0].run.cases[1].info.id = "passport.window";
  shards[0].run.directors[0].passport = {{"window", "300 s"}, {"passport.key", "not measured: not selected"}};
  const auto merged = merge_runs(shards);
  ASSERT_TRUE(merged.ok()) << merged.error().message;
  EXPECT_EQ(merged->directors[0].passport, (std::map<std::string, std::string>{{"key", "CIP"}, {"window", "300 s"}}));
}

TEST(Merge, RefusesWhatIsMissingOrThereTwice) {
  const auto shards = split(whole_run(), 4);
  EXPECT_EQ(refusal({shards[0], shards[2]}), "shards 2/4, 4/4 are missing");
  EXPECT_EQ(refusal({shards[0], shards[1], shards[3]}), "shard 3/4 is missing");
  EXPECT_EQ(refusal({shards[0], shards[1], {"copy.json", shards[0].run}, shards[3]}),
            "copy.json: is shard 1/4, and so is shard-1.json");
  const auto other = split(whole_run(), 2);
  EXPECT_THAT(refusal({shards[0], {"half.json", other[1].run}}), HasSubstr("half.json: is shard 2/2, but "));
  EXPECT_EQ(refusal({}), "there is nothing to merge");
}

TEST(Merge, RefusesStrangersByName) {
  const auto stranger = [](auto change) {
    auto shards = split(whole_run(), 2);
    change(shards[1].run);
    return refusal(shards);
  };
  EXPECT_EQ(
      stranger([](auto& run) { run.suite_digest = "beef"; }),
      "shard-2.json: suite_digest is beef, but shard-1.json has sha256:9f2c41d07be6a3f5: these are no shards of "
      "one run");
  EXPECT_THAT(stranger([](auto& run) { run.version = "0.2.0"; }), HasSubstr("shard-2.json: version is 0.2.0"));
  EXPECT_THAT(stranger([](auto& run) { run.environment.kernel = "Linux 4"; }),
              HasSubstr("environment.kernel is Linux 4"));
  EXPECT_THAT(stranger([](auto& run) { run.environment.sysctls.clear(); }), HasSubstr("environment.sysctls is {}"));
  EXPECT_THAT(stranger([](auto& run) { run.rerun += " --fault x"; }),
              HasSubstr("shard-2.json: rerun is ci/lvspec run"));
  EXPECT_THAT(stranger([](auto& run) { run.directors[1].version = "6.12"; }), HasSubstr("directors: ipvs is {"));
  EXPECT_THAT(stranger([](auto& run) { run.directors.pop_back(); }), HasSubstr("directors is [\"bundled\"]"));
  EXPECT_EQ(stranger([](auto& run) { run.environment.cpus = 96; }), "none");
}

TEST(Merge, RefusesFilesThatWereCutOrChanged) {
  auto shards = split(whole_run(), 2);
  shards[1].run.cases.pop_back();
  EXPECT_EQ(refusal(shards), "shard-2.json: cases: 2 of 3 on ipvs are there: the file was cut or changed");
  shards = split(whole_run(), 2);
  shards[1].run.cases[0].info.id = "a.one";
  EXPECT_EQ(refusal(shards), "shard-2.json: cases[0]: a.one is in shard-1.json too");
  shards = split(whole_run(), 2);
  shards[1].run.cases.push_back(shards[1].run.cases[0]);
  shards[1].run.cases.back().director = "nobody";
  EXPECT_EQ(refusal(shards), "shard-2.json: cases: nobody is not among the directors");
}

class MergedEvidence : public ::testing::Test {
 protected:
  MergedEvidence() : shards_(split(whole_run(), 2)) {
    char path[] = "/tmp/lvspec-merge-XXXXXX";
    dir_ = mkdtemp(path);
    for (RunFile& shard : shards_) {
      const std::string folder = dir_ + "/" + std::to_string(shard.run.shard);
      shard.file = folder + "/results.json";
      shard.run.cases[0].evidence = "evidence/" + shard.run.cases[0].info.id + ".bundled";
      std::filesystem::create_directories(folder + "/" + shard.run.cases[0].evidence);
      std::ofstream(folder + "/" + shard.run.cases[0].evidence + "/history.txt") << folder;
    }
  }
  ~MergedEvidence() override { std::filesystem::remove_all(dir_); }

  std::vector<RunFile> shards_;
  std::string dir_;
};

TEST_F(MergedEvidence, IsWhereTheMergedFileSaysItIs) {
  const std::string out = dir_ + "/out";
  ASSERT_TRUE(gather_evidence(shards_, out).ok());
  EXPECT_EQ(read_text_file(out + "/evidence/a.one.bundled/history.txt").value(), dir_ + "/1");
  EXPECT_EQ(read_text_file(out + "/evidence/a.three.bundled/history.txt").value(), dir_ + "/2");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(out), {}), 1);
  // Once more over it, and into the folder of a shard.
  ASSERT_TRUE(gather_evidence(shards_, out).ok());
  ASSERT_TRUE(gather_evidence(shards_, dir_ + "/1").ok());
  EXPECT_EQ(read_text_file(dir_ + "/1/evidence/a.one.bundled/history.txt").value(), dir_ + "/1");
  EXPECT_EQ(read_text_file(dir_ + "/1/evidence/a.three.bundled/history.txt").value(), dir_ + "/2");
}

TEST_F(MergedEvidence, ThatIsNotThereIsNamedAndNothingIsCopied) {
  std::filesystem::remove_all(dir_ + "/2/evidence");
  const Status status = gather_evidence(shards_, dir_ + "/out");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            dir_ + "/2/results.json: cases[0].evidence: " + dir_ + "/2/evidence/a.three.bundled is not there");
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/out"));
}

TEST_F(MergedEvidence, NoPathLeadsOutOfTheReport) {
  for (const char* path : {"/etc", "evidence/..", "evidence", "../1/evidence", "evidence/a/b", "evidence/"}) {
    shards_[0].run.cases[0].evidence = path;
    EXPECT_FALSE(gather_evidence(shards_, dir_ + "/out").ok()) << path;
  }
}

}  // namespace
}  // namespace lvspec
