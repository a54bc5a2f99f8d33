#include "harness/evidence/ladder.h"

#include <gtest/gtest.h>

namespace lvspec {
namespace {

TEST(Ladder, HasALaneForEachNodeAndAnArrowForEachPacket) {
  EXPECT_EQ(
      draw_ladder(
          {"client", "director", "real1"},
          {{1, "client", "director", "SYN"}, {2, "director", "real1", "SYN"}, {3, "real1", "client", "SYN ACK"}}, 10),
      "client      director    real1\n"
      "  |---------->|           |         SYN\n"
      "  |           |---------->|         SYN\n"
      "  |<----------------------|         SYN ACK\n");
}

TEST(Ladder, SaysWhatIsLeftOut) {
  std::vector<Rung> rungs(9, Rung{1, "a", "b", "x"});
  rungs.front().text = "first";
  rungs.back().text = "last";
  const std::string text = draw_ladder({"a", "b"}, rungs, 4);
  EXPECT_NE(text.find("  ... 5 packets ...\n"), std::string::npos);
  EXPECT_NE(text.find("first"), std::string::npos);
  EXPECT_NE(text.find("last"), std::string::npos);
}

TEST(Ladder, NamesTheFileThatIsMissing) {
  std::vector<std::string> nodes;
  const auto rungs = read_rungs("/nowhere", &nodes);
  ASSERT_FALSE(rungs.ok());
  EXPECT_NE(rungs.error().message.find("/nowhere/topology.txt"), std::string::npos);
}

}  // namespace
}  // namespace lvspec
