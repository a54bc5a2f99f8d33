#include "director/io/neighbours.h"

#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

using namespace std::chrono_literals;

class NeighboursTest : public ::testing::Test {
 protected:
  NeighboursTest() {
    neighbours.ask = [this](const FamilyAddress&) { ++asked; };
    neighbours.give_up = [this](WaitingPacket&, DirectorTime) { ++given_up; };
  }
  void wait(DirectorTime now) { neighbours.wait(who, now, {}); }
  std::size_t answer(DirectorTime now) {
    return neighbours.learn({who.family, who.address, {2, 0, 0, 0, 0, 11}}, now).size();
  }
  DirectorTime at(Duration time) { return DirectorTime(time); }

  Neighbours neighbours;
  FamilyAddress who{Family::kIpv4, v4(203, 0, 113, 11)};
  int asked = 0, given_up = 0;
};

TEST_F(NeighboursTest, AnAnswerReleasesWhatWaits) {
  EXPECT_EQ(neighbours.find(who, at(0s)), nullptr);
  wait(at(0s));
  wait(at(0s));
  EXPECT_EQ(answer(at(1ms)), 2u);
  ASSERT_NE(neighbours.find(who, at(1ms)), nullptr);
  EXPECT_EQ((*neighbours.find(who, at(1ms)))[5], 11);
  EXPECT_FALSE(neighbours.next_deadline().has_value());
}

// FWD-08: three tries, a second apart; then the next packet begins anew.
TEST_F(NeighboursTest, SilenceIsGivenUpAfterThreeTries) {
  wait(at(0s));
  EXPECT_EQ(neighbours.next_deadline(), at(1s));
  neighbours.expire(at(999ms));
  EXPECT_EQ(asked, 1);
  neighbours.expire(at(1s));
  neighbours.expire(at(2s));
  EXPECT_EQ(asked, 3);
  neighbours.expire(at(2999ms));
  EXPECT_EQ(given_up, 0);
  neighbours.expire(at(3s));
  EXPECT_EQ(given_up, 1);
  wait(at(3s));
  EXPECT_EQ(asked, 4);
}

TEST_F(NeighboursTest, OneLongStepIsAsGoodAsMany) {
  wait(at(0s));
  neighbours.expire(at(3600s));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(given_up, 1);
}

TEST_F(NeighboursTest, AnOldAnswerIsAskedForAgainAndBelievedMeanwhile) {
  wait(at(0s));
  answer(at(0s));
  EXPECT_NE(neighbours.find(who, at(29s)), nullptr);
  EXPECT_EQ(asked, 1);
  EXPECT_NE(neighbours.find(who, at(31s)), nullptr);
  EXPECT_EQ(asked, 2);
  EXPECT_NE(neighbours.find(who, at(31s)), nullptr);
  EXPECT_EQ(asked, 2) << "once";
  neighbours.expire(at(600s));
  EXPECT_NE(neighbours.find(who, at(600s)), nullptr) << "a step of time is not silence";
  for (int i = 601; i < 606; ++i) neighbours.expire(at(std::chrono::seconds(i)));
  EXPECT_EQ(neighbours.find(who, at(606s)), nullptr);
  EXPECT_EQ(given_up, 0) << "nothing waited";
}

TEST_F(NeighboursTest, IsBounded) {
  for (std::size_t i = 0; i < 2 * Neighbours::kMostWaiting; ++i) wait(at(0s));
  EXPECT_EQ(answer(at(0s)), Neighbours::kMostWaiting);
  for (std::uint32_t i = 0; i < Neighbours::kMost + 10; ++i) {
    neighbours.wait({Family::kIpv4, Address::v4(0x0a000000 + i)}, at(0s), {});
  }
  EXPECT_EQ(given_up, 11) << "one more was known before";
}

TEST_F(NeighboursTest, OldNeighboursMakeRoom) {
  for (std::uint32_t i = 0; i < Neighbours::kMost; ++i) {
    const FamilyAddress one{Family::kIpv4, Address::v4(0x0a000000 + i)};
    neighbours.wait(one, at(0s), {});
    neighbours.learn({one.family, one.address, {}}, at(0s));
  }
  wait(at(29s));
  EXPECT_EQ(given_up, 1);
  wait(at(30s));
  EXPECT_EQ(given_up, 1);
  EXPECT_EQ(answer(at(30s)), 1u);
}

TEST_F(NeighboursTest, StrangersAreNotRemembered) {
  EXPECT_EQ(answer(at(0s)), 0u);
  EXPECT_EQ(neighbours.find(who, at(0s)), nullptr);
}

}  // namespace
}  // namespace lvspec::director
