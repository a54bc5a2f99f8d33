#include "director/core/statistics.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

// CON-76: rounds at 2 s, 4 s, ...; none is made while run_estimation is 0, and none is made up for later.
TEST(EstimationTimer, FiresEveryTwoSecondsUnlessSwitchedOff) {
  EstimationTimer timer;
  const auto rounds_at = [&](Duration time, bool running) {
    timer.advance(DirectorTime(time), running);
    return timer.rounds();
  };
  EXPECT_EQ(rounds_at(1999ms, true), 0u);
  EXPECT_EQ(rounds_at(2s, true), 1u);
  EXPECT_EQ(rounds_at(3s, true), 1u);
  EXPECT_EQ(rounds_at(9s, true), 4u);
  EXPECT_EQ(rounds_at(11s, false), 4u);
  EXPECT_EQ(rounds_at(12s, true), 5u);
}

// CON-76
TEST(Statistics, ShowTheLastSnapshot) {
  Statistics statistics;
  statistics.count_connection(0);
  statistics.count_packet(0, 60, /*is_reply=*/false);
  statistics.count_packet(0, 40, /*is_reply=*/true);
  EXPECT_EQ(statistics.shown(), Counters{});
  statistics.settle(1);
  EXPECT_EQ(statistics.shown(), (Counters{1, 1, 60, 1, 40}));
  statistics.count_packet(1, 60, /*is_reply=*/false);
  EXPECT_EQ(statistics.shown().in_packets, 1u);
  statistics.count_packet(2, 60, /*is_reply=*/false);  // after the round, so that shows only what was before it
  EXPECT_EQ(statistics.shown().in_packets, 2u);
}

// CON-78, by hand: 10 connections in a round are 5 a second, scaled 5120. Of that a quarter, 1280; then 1280 + 960 =
// 2240; then, nothing being counted, 1680, 1260, ... Shown (x + 511) / 1024: 1, 2, 2, 1. Bytes: 1000 a round are 500
// a second, scaled 16000; 4000, 7000, 5250: (x + 15) / 32 = 125, 219, 164.
TEST(Statistics, RatesFollowByAQuarterARound) {
  Statistics statistics;
  const auto rates_after = [&](std::uint64_t round, int connections) {
    for (int i = 0; i < connections; ++i) {
      statistics.count_connection(round - 1);
      statistics.count_packet(round - 1, 100, /*is_reply=*/false);
    }
    statistics.settle(round);
    return statistics.rates();
  };
  EXPECT_EQ(rates_after(1, 10), (Rates{1, 1, 125, 0, 0}));
  EXPECT_EQ(rates_after(2, 10), (Rates{2, 2, 219, 0, 0}));
  EXPECT_EQ(rates_after(3, 0), (Rates{2, 2, 164, 0, 0}));
  EXPECT_EQ(rates_after(4, 0), (Rates{1, 1, 123, 0, 0}));
  EXPECT_EQ(rates_after(60, 0), Rates{});
}

// CON-76, CON-78: many rounds at once are as many rounds one by one.
TEST(Statistics, CatchUpWithAllRounds) {
  Statistics at_once, one_by_one;
  for (Statistics* statistics : {&at_once, &one_by_one}) {
    for (int i = 0; i < 1000; ++i) statistics->count_packet(0, 1500, /*is_reply=*/false);
  }
  for (std::uint64_t round = 1; round <= 7; ++round) one_by_one.settle(round);
  at_once.settle(7);
  EXPECT_EQ(at_once.rates(), one_by_one.rates());
  EXPECT_GT(at_once.rates().in_bytes, 0u);
}

// CON-77, DST-04: what was counted since the last snapshot appears again.
TEST(Statistics, ZeroIsTheLastSnapshot) {
  Statistics statistics;
  for (int i = 0; i < 100; ++i) statistics.count_connection(0);
  statistics.settle(1);
  EXPECT_GT(statistics.rates().connections, 0u);
  statistics.count_connection(1);
  statistics.zero(1);
  EXPECT_EQ(statistics.shown(), Counters{});
  EXPECT_EQ(statistics.rates(), Rates{});
  statistics.settle(2);
  EXPECT_EQ(statistics.shown().connections, 1u);
}

// DST-04: nobody takes snapshots of what is in the trash, and its rates do not fall.
TEST(Statistics, StandStillWhilePaused) {
  Statistics statistics;
  for (int i = 0; i < 100; ++i) statistics.count_connection(0);
  statistics.settle(1);
  const Rates rates = statistics.rates();
  statistics.count_connection(1);
  statistics.pause(1);
  statistics.settle(50);
  EXPECT_EQ(statistics.shown().connections, 100u);
  EXPECT_EQ(statistics.rates(), rates);
  statistics.resume(50);
  EXPECT_EQ(statistics.shown().connections, 100u);
  statistics.settle(51);
  EXPECT_EQ(statistics.shown().connections, 101u);
}

}  // namespace
}  // namespace lvspec::director
