#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

constexpr SchedulerFlags kFallback{.first = true}, kPort{.second = true};

// SCH-53, seen on Linux 6.1.176 and reproduced there by an independent program.
TEST(SourceHashing, TheClientsAddressNamesTheServer) {
  SchedulerPool pool("sh", {1, 2, 3});
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r2 r1 r2 r1 r3 r2 r3 r2 r1 r3 r1 r3 r2 r3 r3 r3 r3 r2 r3 r2 r3");
  EXPECT_EQ(pool.picks_for_clients(20, 22), "r2 r1 r2");
}

// SCH-52, SCH-53: the quiescent server keeps one bucket a cycle; the others' clients move.
TEST(SourceHashing, ClientsOfAQuiescentServerAreRefused) {
  SchedulerPool pool("sh", {1, 2, 3});
  pool.edit(2, 0);
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r3 - r3 - r3 r3 r3 r3 r1 r3 r1 r3 r3 r3 r1 r3 r1 r3 - r3 -");
  pool.use("sh", kFallback);  // EDT-07
  EXPECT_EQ(pool.picks_for_clients(20, 40), "r3 r3 r3 r3 r3 r3 r3 r3 r1 r3 r1 r3 r3 r3 r1 r3 r1 r3 r3 r3 r3");
}

// SCH-53: port p of 10.0.0.0 is what 10.0.0.p is without ports.
TEST(SourceHashing, ThePortIsAddedToTheAddress) {
  SchedulerPool pool("sh", {1, 2, 3});
  const auto from_port = [&](std::uint16_t port) {
    return pool.pick(packet_of({.from = Address::v4(0x0a000000), .client_port = port}));
  };
  EXPECT_EQ(from_port(20), from_port(21));
  pool.use("sh", kPort);
  EXPECT_EQ(from_port(20) + from_port(21) + from_port(22) + from_port(24), "r2r1r2r3");
}

// SCH-50: 2001:db8:2a01:db8::n folds to 10.0.0.n.
TEST(SourceHashing, FoldsIpv6Addresses) {
  RealServerKey first{.family = Family::kIpv6};
  first.address.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b};
  SchedulerPool six("sh", {1, 2, 3}, first), four("sh", {1, 2, 3});
  for (std::uint8_t n = 20; n <= 40; ++n) {
    Packet packet = packet_of({.from = client(1)});
    packet.family = Family::kIpv6;
    packet.source.bytes = {0x20, 0x01, 0x0d, 0xb8, 0x2a, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, n};
    EXPECT_EQ(six.pick(packet), four.pick(packet_of({.from = Address::v4(0x0a000000u + n)})));
  }
}

// SCH-53: nobody is usable, or nobody is there.
TEST(SourceHashing, FindsNobody) {
  SchedulerPool pool("sh", {1, 1});
  pool.use("sh", kFallback);
  pool.overload(1, true);
  pool.overload(2, true);
  EXPECT_EQ(pool.picks(1), "-");
  EXPECT_EQ(SchedulerPool("sh", {}).picks(1), "-");
}

}  // namespace
}  // namespace lvspec::director
