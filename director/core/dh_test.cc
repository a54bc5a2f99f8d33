#include "director/core/scheduler_pool.h"

namespace lvspec::director {
namespace {

Packet to(const Address& address) { return packet_of({.from = client(1), .to = address}); }

// SCH-51: buckets 0, 1, 2, ... are r3, r2, r1, r3, ... The buckets of the addresses are worked out by
// hand: 10.0.0.100 is 0x0a000064, times 0x61c88647 modulo 2^32 0xf85473bc, top byte 248; .101 gives 0x5a1cfa03, 90;
// .102 0xbbe5804a, 187.
TEST(DestinationHashing, TheAddressAskedForNamesTheServer) {
  SchedulerPool pool("dh", {1, 5, 1});  // weights play no role
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pool.pick(to(Address::v4(0x0a000064))), "r1");  // 248 = 3 * 82 + 2
    EXPECT_EQ(pool.pick(to(Address::v4(0x0a000065))), "r3");  // 90 = 3 * 30
    EXPECT_EQ(pool.pick(to(Address::v4(0x0a000066))), "r2");  // 187 = 3 * 62 + 1
  }
}

// SCH-51: an edit does not deal anew, but is seen; removing and adding do.
TEST(DestinationHashing, AQuiescentServersAddressesAreRefused) {
  SchedulerPool pool("dh", {1, 1, 1});
  const Packet packet = to(Address::v4(0x0a000064));
  pool.edit(1, 0);
  EXPECT_EQ(pool.pick(packet), "-");
  pool.edit(1, 1);
  pool.overload(1, true);
  EXPECT_EQ(pool.pick(packet), "-");
  pool.remove(1);
  EXPECT_EQ(pool.pick(packet), "r3");  // r3, r2 by turns
  pool.add(1);
  EXPECT_EQ(pool.pick(packet), "r2");  // r1, r3, r2 by turns
  for (const int n : {1, 2, 3}) pool.remove(n);
  EXPECT_EQ(pool.pick(packet), "-");
}

}  // namespace
}  // namespace lvspec::director
