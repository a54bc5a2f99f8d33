#include "director/core/scheduler_pool.h"
#include "director/core/siphash.h"

namespace lvspec::director {
namespace {

constexpr SchedulerFlags kFallback{.first = true}, kPort{.second = true};
const RealServerKey kFirst{.address = Address::v4(0x0a000003),
                           .port = 80};  // where a server stands is its address and port

// SCH-63, seen on Linux 6.1.176 and reproduced there by an independent program.
TEST(Maglev, TheClientsAddressNamesTheSlot) {
  SchedulerPool pool("mh", {1, 2, 3}, kFirst);
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r1 r2 r3 r3 r2 r3 r2 r3 r2 r3 r1 r1 r3 r2 r3 r3 r2 r3 r2 r1 r3");
}

// SCH-62, SCH-63, DST-13: quiescing r2 moves nobody else's clients.
TEST(Maglev, AQuiescentServerKeepsItsSlots) {
  SchedulerPool pool("mh", {1, 2, 3}, kFirst);
  pool.edit(2, 0);
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r1 - r3 r3 - r3 - r3 - r3 r1 r1 r3 - r3 r3 - r3 - r1 r3");
  pool.use("mh", kFallback);  // EDT-07
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r1 r3 r3 r3 r1 r3 r1 r3 r1 r3 r1 r1 r3 r3 r3 r3 r3 r3 r3 r1 r3");
}

// DST-13: the last weight that was not zero; a server that begins with 0 has none.
TEST(Maglev, AServerAddedWithWeightZeroHasNoSlots) {
  SchedulerPool pool("mh", {1, 0, 3}, kFirst);
  EXPECT_EQ(pool.picks_for_clients(20, 40).find('-'), std::string::npos);
  pool.edit(2, 2);
  EXPECT_EQ(pool.picks_for_clients(20, 23), "r1 r2 r3 r3");
  pool.edit(2, 0);
  EXPECT_EQ(pool.picks_for_clients(20, 23), "r1 - r3 r3");
  SchedulerPool idle("mh", {0, 0});
  idle.use("mh", kFallback);
  EXPECT_EQ(idle.picks(1), "-");
  EXPECT_EQ(SchedulerPool("mh", {}).picks(1), "-");
}

// SCH-60: the port is added to the address.
TEST(Maglev, ThePortIsAddedToTheAddress) {
  SchedulerPool pool("mh", {1, 2, 3}, kFirst);
  const auto from_port = [&](std::uint16_t port) {
    return pool.pick(packet_of({.from = Address::v4(0x0a000000), .client_port = port}));
  };
  EXPECT_EQ(from_port(20), from_port(21));
  pool.use("mh", kPort);
  EXPECT_EQ(from_port(20) + from_port(21) + from_port(22) + from_port(23), "r1r2r3r3");
}

// SCH-61: servers whose weights have the same ratio have the same slots.
TEST(Maglev, OnlyTheRatioOfWeightsCounts) {
  SchedulerPool small("mh", {1, 2, 3}), large("mh", {100, 200, 300});
  EXPECT_EQ(small.picks_for_clients(20, 60), large.picks_for_clients(20, 60));
}

}  // namespace
}  // namespace lvspec::director
