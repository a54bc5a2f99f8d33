#include "director/core/engine_data.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lvspec::director {
namespace {

TEST(EngineData, StoresATextOnce) {
  EngineData data;
  const EngineData::Hold first = data.hold("a1@example.net"), second = data.hold("a1@example.net");
  const EngineData::Hold other = data.hold("a2@example.net");
  EXPECT_NE(first.id(), EngineData::kNone);
  EXPECT_EQ(first.id(), second.id());
  EXPECT_NE(first.id(), other.id());
  EXPECT_EQ(data.text(first.id()), "a1@example.net");
  EXPECT_EQ(data.text(EngineData::kNone), "");
}

TEST(EngineData, KeepsATextAsLongAsItHasAUser) {
  EngineData data;
  EngineData::Id id = EngineData::kNone;
  {
    const EngineData::Hold hold = data.hold("kept");
    id = hold.id();
    data.retain(id);
  }
  EXPECT_EQ(data.hold("kept").id(), id);
  data.release(id);
  const EngineData::Hold fresh = data.hold("in its place");  // the freed slot is taken again
  EXPECT_EQ(fresh.id(), id);
  EXPECT_EQ(data.text(id), "in its place");
}

TEST(EngineData, GrowsAndFindsEverythingAgain) {
  EngineData data;
  std::vector<EngineData::Hold> holds;
  const auto text = [](int i) { return std::string(1 + static_cast<std::size_t>(i) % 255, 'x') + std::to_string(i); };
  for (int i = 0; i < 1000; ++i) holds.push_back(data.hold(text(i).substr(0, EngineData::kLongest - 5) + "#"));
  for (int i = 0; i < 1000; ++i) {
    const std::string wanted = text(i).substr(0, EngineData::kLongest - 5) + "#";
    EXPECT_EQ(data.hold(wanted).id(), holds[static_cast<std::size_t>(i)].id()) << i;
    EXPECT_EQ(data.text(holds[static_cast<std::size_t>(i)].id()), wanted);
  }
}

TEST(EngineDataDeathTest, RefusesTextsOfNoLengthAndOfTooMuch) {
  EngineData data;
  const EngineData::Hold longest = data.hold(std::string(255, 'x'));
  EXPECT_EQ(data.text(longest.id()).size(), 255u);
  EXPECT_DEATH(data.hold(""), "engine data of 0 bytes");
  EXPECT_DEATH(data.hold(std::string(256, 'x')), "engine data of 256 bytes");
}

}  // namespace
}  // namespace lvspec::director
