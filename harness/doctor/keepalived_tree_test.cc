#include "harness/doctor/keepalived_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace lvspec::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<Statement> read(const std::string& text, const TreeOptions& options = {}) {
  auto statements = read_keepalived_tree(text, "k.conf", options);
  if (!statements.ok()) ADD_FAILURE() << statements.error().message;
  return statements.ok() ? *statements : std::vector<Statement>{};
}

std::string error(const std::string& text, const TreeOptions& options = {}) {
  const auto statements = read_keepalived_tree(text, "k.conf", options);
  return statements.ok() ? "no error" : statements.error().message;
}

TEST(KeepalivedTree, HasWordsAndBlocks) {
  const auto top = read(
      "global_defs { # a comment\n"
      "  router_id \"LVS one\" ! another\n"
      "}\n"
      "virtual_server 198.51.100.10 80\n"
      "{\n"
      "  real_server 203.0.113.11 80 { weight 2 }\n"
      "  alpha\n"
      "}\n");
  ASSERT_THAT(top, SizeIs(2));
  EXPECT_THAT(top[0].block->at(0).words, ElementsAre("router_id", "LVS one"));
  EXPECT_THAT(top[1].words, ElementsAre("virtual_server", "198.51.100.10", "80"));
  EXPECT_EQ(top[1].place.str(), "k.conf:4");
  ASSERT_THAT(*top[1].block, SizeIs(2));
  EXPECT_EQ(top[1].block->at(0).place.line, 6);
  EXPECT_THAT(top[1].block->at(0).block->at(0).words, ElementsAre("weight", "2"));
  EXPECT_THAT(top[1].block->at(1).words, ElementsAre("alpha"));
}

TEST(KeepalivedTree, PutsDefinitionsIn) {
  const auto top = read(
      "$NET=203.0.113\n"
      "$HOST=${NET}.11\n"
      "real_server ${HOST} 80\n"
      "$NET=192.0.2\n"
      "real_server $HOST 80\n"
      "path ${UNKNOWN}/x $UNKNOWN\n");
  ASSERT_THAT(top, SizeIs(3));
  EXPECT_THAT(top[0].words, ElementsAre("real_server", "203.0.113.11", "80"));
  EXPECT_THAT(top[1].words, ElementsAre("real_server", "192.0.2.11", "80"));
  EXPECT_THAT(top[2].words, ElementsAre("path", "${UNKNOWN}/x", "$UNKNOWN"));
}

TEST(KeepalivedTree, ChoosesConditionalLines) {
  const std::string text = "@main priority 1\n@^main priority 2\n@backup priority 3\n";
  const auto top = read(text, {.config_id = "main"});
  ASSERT_THAT(top, SizeIs(1));
  EXPECT_THAT(top[0].words, ElementsAre("priority", "1"));
  EXPECT_THAT(read(text, {.config_id = "third"}), SizeIs(1));
  EXPECT_THAT(error(text), AllOf(StartsWith("k.conf:1: \"@main\""), HasSubstr("--config-id")));
}

TEST(KeepalivedTree, ErrorsHaveTheirPlace) {
  EXPECT_THAT(error("a {\n b {\n }\n"), AllOf(StartsWith("k.conf:1: \"a\""), HasSubstr("no end")));
  EXPECT_THAT(error("a\n}\n"), AllOf(StartsWith("k.conf:2: \"}\""), HasSubstr("no block to end")));
  EXPECT_THAT(error("\n{\n"), StartsWith("k.conf:2: \"{\""));
  EXPECT_THAT(error("a { }\n{\n"), StartsWith("k.conf:2: \"{\""));
  EXPECT_THAT(error("x \"abc\n"), AllOf(StartsWith("k.conf:1: "), HasSubstr("quote")));
  EXPECT_THAT(error(std::string("x \0y\n", 5)), AllOf(StartsWith("k.conf:1: "), HasSubstr("control character")));
  EXPECT_THAT(error("~SEQ(A, 1, 3) x\n"), AllOf(StartsWith("k.conf:1: "), HasSubstr("sequences")));
  EXPECT_THAT(error("$A= \\\n x\n"), AllOf(StartsWith("k.conf:1: \"$A\""), HasSubstr("several lines")));
  EXPECT_THAT(error("$A=${B}x\n$B=${A}y\nz ${A}\n"), AllOf(StartsWith("k.conf:3: "), HasSubstr("never ends")));
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "a {\n";
  EXPECT_THAT(error(deep), AllOf(StartsWith("k.conf:33: "), HasSubstr("nested")));
  EXPECT_THAT(error("include x\n"), AllOf(StartsWith("k.conf:1: \"x\""), HasSubstr("not followed")));
}

TEST(KeepalivedTree, FollowsIncludeLines) {
  const TreeOptions options{
      .config_id = {},
      .open = [](const std::string& pattern, const std::string& from) -> Result<std::vector<SourceFile>> {
        EXPECT_EQ(from, "k.conf");
        return std::vector<SourceFile>{{pattern, "\nb 1\n"}, {"z", "c {"}};
      }};
  const auto top = read("a\ninclude d\n}\ne\n", options);
  ASSERT_THAT(top, SizeIs(4));
  EXPECT_EQ(top[1].place.str(), "d:2");
  EXPECT_EQ(top[2].place.str(), "z:1");
  EXPECT_EQ(top[3].place.str(), "k.conf:4");
}

TEST(KeepalivedTree, AFileThatIncludesItselfEnds) {
  const TreeOptions options{.config_id = {},
                            .open = [](const std::string&, const std::string&) -> Result<std::vector<SourceFile>> {
                              return std::vector<SourceFile>{{"loop", "include loop\n"}};
                            }};
  EXPECT_THAT(error("include loop\n", options), AllOf(StartsWith("loop:1: "), HasSubstr("nested")));
}

TEST(KeepalivedTree, OpensFilesBesideTheOneThatNamesThem) {
  char name[] = "/tmp/lvspec-include-XXXXXX";
  const std::filesystem::path folder = mkdtemp(name);
  std::ofstream(folder / "a.conf") << "a\n";
  std::ofstream(folder / "b.conf") << "b\n";
  const std::string from = folder / "keepalived.conf";
  const auto both = open_included("*.conf", from);
  ASSERT_TRUE(both.ok());
  ASSERT_THAT(*both, SizeIs(2));
  EXPECT_EQ(both->at(1).name, folder / "b.conf");
  EXPECT_EQ(both->at(1).text, "b\n");
  EXPECT_THAT(*open_included("*.none", from), IsEmpty());
  EXPECT_FALSE(open_included("none.conf", from).ok());
  const auto missing = read_keepalived_tree("\ninclude none.conf\n", from, {.config_id = {}, .open = open_included});
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, StartsWith(from + ":2: \"none.conf\""));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lvspec::doctor
