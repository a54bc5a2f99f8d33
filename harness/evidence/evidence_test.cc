#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "harness/evidence/case_file.h"
#include "harness/evidence/history.h"
#include "harness/evidence/pcapng.h"
#include "harness/evidence/pcapng_reader.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Pcapng, HasAnInterfaceThenItsFramesThenItsStatistics) {
  const std::uint8_t bytes[] = {2, 0, 0xcb, 0, 0x71, 1, 9};  // seven: needs padding
  PcapngWriter writer("client1", "a comment", 190);
  writer.add({.time_ns = 1'700'000'000'123'456'789,
              .direction = CapturedFrame::Direction::kOutbound,
              .original_length = 1514,
              .bytes = bytes});
  writer.add({.time_ns = 1'700'000'001'000'000'000,
              .direction = CapturedFrame::Direction::kUnknown,
              .original_length = 7,
              .bytes = bytes});
  std::string error;
  const auto blocks = read_pcapng(std::move(writer).finish(2, 5), &error);
  ASSERT_EQ(error, "");
  ASSERT_EQ(blocks.size(), 5u);

  EXPECT_EQ(blocks[0].at<std::uint32_t>(0), 0x1A2B3C4Du);
  EXPECT_EQ(blocks[0].at<std::uint16_t>(4), 1);
  EXPECT_EQ(blocks[0].options.at(1), "a comment");

  EXPECT_EQ(blocks[1].type, 1u);
  EXPECT_EQ(blocks[1].at<std::uint16_t>(0), 1) << "Ethernet";
  EXPECT_EQ(blocks[1].at<std::uint32_t>(4), 190u);
  EXPECT_EQ(blocks[1].options.at(2), "client1");
  EXPECT_EQ(blocks[1].option<std::uint8_t>(9), 9) << "nanoseconds";

  EXPECT_EQ(blocks[2].type, 6u);
  EXPECT_EQ(blocks[2].time_ns(), 1'700'000'000'123'456'789u);
  EXPECT_EQ(blocks[2].frame(), std::string(reinterpret_cast<const char*>(bytes), sizeof bytes));
  EXPECT_EQ(blocks[2].at<std::uint32_t>(16), 1514u);
  EXPECT_EQ(blocks[2].option<std::uint32_t>(2), 2u) << "outbound";
  EXPECT_THAT(blocks[3].options, IsEmpty());

  EXPECT_EQ(blocks[4].type, 5u);
  EXPECT_EQ(blocks[4].option<std::uint64_t>(4), 2u);
  EXPECT_EQ(blocks[4].option<std::uint64_t>(5), 5u);
  EXPECT_THAT(blocks[4].options.at(1), HasSubstr("no room"));
}

TEST(Pcapng, OfALinkThatSawNothingIsStillAFile) {
  std::string error;
  const auto blocks = read_pcapng(PcapngWriter("real3", "", 190).finish(0, 0), &error);
  EXPECT_EQ(error, "");
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks[2].option<std::uint64_t>(5), 0u);
  EXPECT_EQ(blocks[2].options.count(1), 0u);
}

TEST(History, StampsEachLineWithTheTimeOfTheProtocol) {
  History history;
  history.add(0s, "client1 connect 198.51.100.10:80 -> answered by real1");
  history.add(300s, "client1 connect 198.51.100.10:80 -> answered by real2");
  EXPECT_EQ(history.text(),
            "     0.000 s  client1 connect 198.51.100.10:80 -> answered by real1\n"
            "   300.000 s  client1 connect 198.51.100.10:80 -> answered by real2\n");
  history.clear();
  EXPECT_EQ(history.text(), "");
}

TEST(History, KeepsTheBeginningAndTheEnd) {
  History history(4);
  for (int i = 1; i <= 7; ++i) history.add(std::chrono::seconds(i), "event " + std::to_string(i));
  EXPECT_EQ(history.text(),
            "     1.000 s  event 1\n     2.000 s  event 2\n"
            "             ... 3 lines left out ...\n"
            "     6.000 s  event 6\n     7.000 s  event 7\n");
}

TEST(SafeFileName, CannotLeaveTheFolder) {
  EXPECT_EQ(safe_file_name("pcc.same-client-all-ports.bundled"), "pcc.same-client-all-ports.bundled");
  EXPECT_EQ(safe_file_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(safe_file_name(".."), "unnamed");
  EXPECT_EQ(safe_file_name(""), "unnamed");
  EXPECT_EQ(safe_file_name("exec:./my balancer"), "my-balancer");
  EXPECT_EQ(safe_file_name(std::string(500, 'x')).size(), 120u);
}

class CaseFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "lvspec-evidence-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string dir_;
};

TEST_F(CaseFileTest, LeavesNothingWhereNothingWasPutIn) {
  const CaseFile file(dir_, "pcc.all-ports", "bundled");
  EXPECT_FALSE(file.exists());
  EXPECT_THAT(file.files(), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

TEST_F(CaseFileTest, MakesItsFolderWithTheFirstFile) {
  CaseFile file(dir_, "pcc.all-ports", "bundled");
  ASSERT_TRUE(file.add_text("tables.txt", "TCP 192.0.2.1:0\n").ok());
  ASSERT_TRUE(file.add_json("environment.json", {{"kernel", "\xff"}}).ok());
  ASSERT_TRUE(file.add_text("tables.txt", "new\n").ok());
  EXPECT_EQ(file.relative(), "evidence/pcc.all-ports.bundled");
  EXPECT_THAT(file.files(), ElementsAre("environment.json", "tables.txt"));
  EXPECT_EQ(content_of(dir_ + "/evidence/pcc.all-ports.bundled/tables.txt"), "new\n");
  EXPECT_THAT(content_of(dir_ + "/evidence/pcc.all-ports.bundled/environment.json"), HasSubstr("\uFFFD"));
}

TEST_F(CaseFileTest, KeepsDirectorsWithPathsInTheirNamesApart) {
  EXPECT_EQ(CaseFile(dir_, "pcc.all-ports", "exec:/opt/lb/run").relative(),
            "evidence/pcc.all-ports.exec--opt-lb-run");
}

TEST_F(CaseFileTest, NamesTheFolderThatCannotBeMade) {
  std::ofstream(dir_ + "/evidence") << "x";
  const Status status = CaseFile(dir_, "pcc.all-ports", "bundled").add_text("x", "y");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, MatchesRegex("mkdir\\(.*/evidence/pcc.all-ports.bundled\\): ENOTDIR .*"));
}

}  // namespace
}  // namespace lvspec
