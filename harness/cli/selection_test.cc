#include "harness/cli/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<CaseInfo> catalogue() {
  const auto row = [](const char* id, Level level) {
    CaseInfo info;
    info.id = id;
    info.level = level;
    return info;
  };
  return {row("pcc.one", Level::kMust), row("pcc.two", Level::kShould), row("ppc.one", Level::kMust),
          row("ppc.two", Level::kInfo)};
}

std::vector<std::string> ids(const Result<std::vector<CaseInfo>>& cases) {
  std::vector<std::string> ids;
  for (const CaseInfo& info : cases.value()) ids.push_back(info.id);
  return ids;
}

TEST(Selection, SuitesGlobsAndLevelsNarrow) {
  EXPECT_THAT(ids(select(catalogue(), {})), ElementsAre("pcc.one", "pcc.two", "ppc.one", "ppc.two"));
  Selection selection;
  selection.suites = {"pcc"};
  EXPECT_THAT(ids(select(catalogue(), selection)), ElementsAre("pcc.one", "pcc.two"));
  selection = {};
  selection.globs = {"*.two"};
  selection.level = "should";
  EXPECT_THAT(ids(select(catalogue(), selection)), ElementsAre("pcc.two"));
}

// A pattern is a question and may find nothing (status 3); a name is a claim and must be right (status 2).
TEST(Selection, APatternMayFindNothingANameMayNot) {
  Selection selection;
  selection.globs = {"nothing*"};
  EXPECT_THAT(ids(select(catalogue(), selection)), IsEmpty());
  selection.globs = {"pcc.onne"};
  EXPECT_THAT(select(catalogue(), selection).error().message, HasSubstr("the nearest are: pcc.one"));
  selection = {};
  selection.suites = {"pc"};
  EXPECT_THAT(select(catalogue(), selection).error().message, HasSubstr("--suite pc: there is no such suite"));
}

TEST(Selection, ShardsPartTheCatalogue) {
  Selection first, second;
  ASSERT_TRUE(read_shard("1/2", &first).ok());
  ASSERT_TRUE(read_shard("2/2", &second).ok());
  EXPECT_THAT(ids(select(catalogue(), first)), ElementsAre("pcc.one", "ppc.one"));
  EXPECT_THAT(ids(select(catalogue(), second)), ElementsAre("pcc.two", "ppc.two"));
  for (const char* wrong : {"", "1", "0/2", "3/2", "1/2x", "a/b"})
    EXPECT_FALSE(read_shard(wrong, &first).ok()) << wrong;
}

TEST(Selection, TheDigestKnowsEachCaseAndLevel) {
  auto changed = catalogue();
  changed[0].level = Level::kShould;
  EXPECT_NE(digest_of(catalogue()), digest_of(changed));
  EXPECT_EQ(digest_of(catalogue()), digest_of(catalogue()));
}

}  // namespace
}  // namespace lvspec
