#include "director/io/routes.h"

#include <gmock/gmock.h>

#include "director/io/test_packets.h"

namespace lvspec::director {
namespace {

using std::chrono::seconds;

constexpr std::uint32_t kWire = 1500;
constexpr DirectorTime kStart{};

FamilyAddress vip4() { return {Family::kIpv4, vip_of(Family::kIpv4)}; }
FamilyAddress vip6() { return {Family::kIpv6, vip_of(Family::kIpv6)}; }
FamilyAddress rip4() { return {Family::kIpv4, rip_of(Family::kIpv4)}; }
FamilyAddress rip6() { return {Family::kIpv6, rip_of(Family::kIpv6)}; }
FamilyAddress four(int a, int b, int c, int d) { return {Family::kIpv4, v4(a, b, c, d)}; }

TEST(Routes, WithoutAKernelEverybodyIsOnTheWire) {
  Routes routes({vip4(), vip6()}, kWire);
  EXPECT_EQ(routes.fd(), -1);
  for (const FamilyAddress& to : {rip4(), rip6()}) {
    const Route route = routes.to(to, kStart);
    EXPECT_EQ(route.kind, Route::Kind::kUnicast);
    EXPECT_EQ(route.next_hop, to.address);
    EXPECT_EQ(route.source, vip_of(to.family));
    EXPECT_EQ(route.mtu, kWire);
  }
  for (const FamilyAddress& own : {vip4(), vip6(), four(127, 0, 0, 1)})
    EXPECT_EQ(routes.to(own, kStart).kind, Route::Kind::kLocal);
  for (const FamilyAddress& other : {four(224, 0, 0, 18), four(255, 255, 255, 255), four(0, 0, 0, 0)})
    EXPECT_EQ(routes.to(other, kStart).kind, Route::Kind::kOther);
}

TEST(Routes, APathMtuIsLearnedAndForgotten) {
  Routes routes({vip4()}, kWire);
  EXPECT_EQ(routes.learn_mtu(rip4(), 1400, kStart), kWire) << "the first complaint is told with what was known";
  EXPECT_EQ(routes.to(rip4(), kStart).mtu, 1400u);
  EXPECT_EQ(routes.to(four(203, 0, 113, 12), kStart).mtu, kWire) << "another path";
  EXPECT_EQ(routes.to(rip4(), kStart + seconds(599)).mtu, 1400u);
  EXPECT_EQ(routes.to(rip4(), kStart + seconds(600)).mtu, kWire);
}

TEST(Routes, APathMtuOnlyShrinks) {
  Routes routes({vip4()}, kWire);
  routes.learn_mtu(rip4(), 1400, kStart);
  routes.learn_mtu(rip4(), 1450, kStart + seconds(300));
  EXPECT_EQ(routes.to(rip4(), kStart + seconds(300)).mtu, 1400u);
  EXPECT_EQ(routes.to(rip4(), kStart + seconds(600)).mtu, kWire) << "and what was no news renews nothing";
  routes.learn_mtu(rip4(), 9000, kStart + seconds(600));
  EXPECT_EQ(routes.to(rip4(), kStart + seconds(600)).mtu, kWire);
}

TEST(Routes, TheSecondComplaintIsToldAsItIs) {
  Routes routes({vip4()}, kWire);
  routes.learn_mtu(rip4(), 1400, kStart);
  EXPECT_EQ(routes.learn_mtu(rip4(), 1300, kStart), 1300u);
}

// Nobody can make us send crumbs (min_pmtu; RFC 8200, 5).
TEST(Routes, APathMtuHasALeast) {
  Routes routes({vip4()}, kWire);
  routes.learn_mtu(rip4(), 0, kStart);
  EXPECT_EQ(routes.to(rip4(), kStart).mtu, Routes::kLeastMtu4);
  routes.learn_mtu(rip6(), 68, kStart);
  EXPECT_EQ(routes.to(rip6(), kStart).mtu, 1280u);
  Routes narrow({vip4()}, 400);
  narrow.learn_mtu(rip4(), 100, kStart);
  EXPECT_EQ(narrow.to(rip4(), kStart).mtu, 400u) << "no more than the wire takes";
}

// Anybody may send to us from anywhere.
TEST(Routes, ManyDestinationsAreNoTrouble) {
  Routes routes({vip4()}, kWire);
  for (std::uint32_t n = 0; n <= Routes::kMostRemembered; ++n)
    EXPECT_EQ(routes.to({Family::kIpv4, Address::v4(0x0a000000 + n)}, kStart).kind, Route::Kind::kUnicast);
}

// This machine's own kernel: loopback is there wherever there is one.
TEST(Routes, AsksTheKernel) {
  Routes routes({}, kWire);
  routes.ask_kernel();
  EXPECT_GE(routes.fd(), 0);
  const Route loopback = routes.to(four(127, 0, 0, 1), kStart);
  EXPECT_EQ(loopback.kind, Route::Kind::kLocal);
  EXPECT_EQ(loopback.mtu, kWire);
  routes.refresh();
  EXPECT_EQ(routes.to(four(127, 0, 0, 2), kStart).kind, Route::Kind::kLocal);
}

}  // namespace
}  // namespace lvspec::director
