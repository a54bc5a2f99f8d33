#include "director/core/locality_cache.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

constexpr DirectorTime kBirth{};

Address address(std::uint32_t n) { return Address::v4(0x0a000000u + n); }

void fill(LocalityCache<int>& cache, std::uint32_t from, std::uint32_t to, DirectorTime now) {
  for (std::uint32_t n = from; n < to; ++n) cache.insert(Family::kIpv4, address(n), now, 1);
}

// SCH-73: as many as one and a half times 16384, and no more.
TEST(LocalityCache, HasALimit) {
  LocalityCache<int> cache(kBirth);
  fill(cache, 0, 30000, kBirth);
  EXPECT_EQ(cache.size(), 24576u);
  EXPECT_NE(cache.find(Family::kIpv4, address(24575), kBirth), nullptr);
  EXPECT_EQ(cache.find(Family::kIpv4, address(24576), kBirth), nullptr);
}

// SCH-73: above 16384 a check drops what was idle for six minutes, chain by chain until four thirds of the excess are
// gone; what was used since stays.
TEST(LocalityCache, AboveTheLimitIdleEntriesMakeRoom) {
  LocalityCache<int> cache(kBirth);
  fill(cache, 0, 16384 + 300, kBirth);
  cache.expire(kBirth + 359s, 24h);
  EXPECT_EQ(cache.size(), 16684u);
  EXPECT_NE(cache.find(Family::kIpv4, address(7), kBirth + 359s), nullptr);
  cache.expire(kBirth + 360s, 24h);
  EXPECT_LE(cache.size(), 16284u);
  EXPECT_GT(cache.size(), 16284u - 20);  // a chain has about sixteen
  EXPECT_NE(cache.find(Family::kIpv4, address(7), kBirth + 360s), nullptr);
}

// SCH-73: the 30th check looks at all.
TEST(LocalityCache, EveryHalfHourForgetsWhatNobodyUses) {
  LocalityCache<int> cache(kBirth);
  fill(cache, 0, 10, kBirth);
  fill(cache, 10, 15, kBirth + 801s);
  cache.expire(kBirth + 1799s, 1000s);
  EXPECT_EQ(cache.size(), 15u);
  cache.expire(kBirth + 1800s, 1000s);
  EXPECT_EQ(cache.size(), 5u);
  cache.expire(kBirth + 1800s + 30 * 60s, 1000s);
  EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace lvspec::director
