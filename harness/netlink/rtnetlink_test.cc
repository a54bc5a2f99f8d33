#include "harness/netlink/rtnetlink.h"

#include <gmock/gmock.h>
#include <linux/neighbour.h>
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int kLo = 1;
constexpr int kEth0 = 2;
constexpr int kSwitch = 3;
constexpr int kPort = 10;
constexpr MacAddress kMac = {2, 0, 0xcb, 0, 0x71, 1};
constexpr MacAddress kPortMac = {2, 0, 0xcb, 0, 0x72, 1};

class RtBatchTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }

  /// "ok", or the error's text.
  static std::string commit(RtBatch& batch) {
    const Status status = batch.commit();
    return status.ok() ? "ok" : status.error().message;
  }

  static std::string sysctl(const NetworkNamespace& netns, const std::string& path) {
    const auto value = netns.call([&path]() -> Result<std::string> {
      std::string text;
      std::getline(std::ifstream("/proc/sys/net/" + path) >> std::ws, text);
      return text;
    });
    return value.ok() ? *value : value.error().message;
  }

  void add_pair() {
    batch_.add_veth({.name = "p-real2", .ifindex = kPort, .mac = kPortMac},
                    {.name = "eth0", .ifindex = kEth0, .mac = kMac}, real2_);
  }

  bool port_works() {
    const auto ports = batch_.bridge_ports();
    EXPECT_TRUE(ports.ok() && ports->size() == 1);
    return ports.ok() && ports->front().ifindex == kPort && ports->front().forwarding && ports->front().operational;
  }

  bool far_end_works() {
    const auto links = real2_batch_.links();
    EXPECT_TRUE(links.ok());
    return std::any_of(links->begin(), links->end(),
                       [](const LinkState& link) { return link.ifindex == kEth0 && link.operational; });
  }

  NetworkNamespace segment_ = NetworkNamespace::create("segment").value();
  NetworkNamespace real2_ = NetworkNamespace::create("real2").value();
  RtBatch batch_ = RtBatch::open(segment_).value();
  RtBatch real2_batch_ = RtBatch::open(real2_).value();
};

TEST_F(RtBatchTest, VethHasItsPeerInTheOtherNamespace) {
  add_pair();
  ASSERT_EQ(commit(batch_), "ok");
  const auto far_end = real2_.call([]() -> Result<int> { return static_cast<int>(if_nametoindex("eth0")); });
  const auto near_end = segment_.call([]() -> Result<int> { return static_cast<int>(if_nametoindex("p-real2")); });
  EXPECT_EQ(far_end.value(), kEth0);
  EXPECT_EQ(near_end.value(), kPort);
}

TEST_F(RtBatchTest, RefusalNamesNodeRequestAndReason) {
  add_pair();
  ASSERT_EQ(commit(batch_), "ok");
  add_pair();
  EXPECT_EQ(commit(batch_), "segment: RTM_NEWLINK veth p-real2 <-> real2/eth0: EEXIST (File exists)");
}

TEST_F(RtBatchTest, RefusalQuotesTheKernel) {
  batch_.change_link(kLo, {.up = true});
  batch_.add_route({.to = Prefix::of("198.51.100.0/24"), .ifindex = kLo, .source = IpAddress::of("192.0.2.1")});
  EXPECT_THAT(commit(batch_), StartsWith("segment: RTM_NEWROUTE 198.51.100.0/24 on ifindex 1 src 192.0.2.1: EINVAL "
                                         "(Invalid argument): Invalid prefsrc address"));
}

TEST_F(RtBatchTest, FirstOfTwoRefusalsIsNamedAndTheOthersAreCarriedOut) {
  batch_.change_link(77, {.up = true});
  batch_.add_address(kLo, IpAddress::of("192.0.2.1"), 32);
  batch_.change_link(78, {.up = true});
  batch_.add_address(kLo, IpAddress::of("192.0.2.2"), 32);
  EXPECT_EQ(commit(batch_), "segment: RTM_SETLINK ifindex 77: ENODEV (No such device)");
  EXPECT_EQ(batch_.size(), 0U);
  batch_.add_address(kLo, IpAddress::of("192.0.2.2"), 32);
  EXPECT_THAT(commit(batch_), HasSubstr("RTM_NEWADDR 192.0.2.2/32 on ifindex 1: EEXIST"));
}

TEST_F(RtBatchTest, EmptyCommitIsNothing) { EXPECT_EQ(commit(batch_), "ok"); }

// A thousand addresses are more than one sendto; the refused one is in the last of them.
TEST_F(RtBatchTest, LongBatchesAreSplit) {
  const IpAddress base = IpAddress::of("192.0.2.0");
  for (int i = 0; i < 2000; ++i) batch_.add_address(kLo, base.plus(static_cast<std::uint64_t>(i)), 32);
  EXPECT_EQ(commit(batch_), "ok");
  for (int i = 2000; i < 4000; ++i) batch_.add_address(kLo, base.plus(static_cast<std::uint64_t>(i)), 32);
  batch_.add_address(kLo, base.plus(5), 32);
  EXPECT_THAT(commit(batch_), StartsWith("segment: RTM_NEWADDR 192.0.2.5/32 on ifindex 1: EEXIST (File exists)"));
}

TEST_F(RtBatchTest, LinkChangeCarriesSysctls) {
  add_pair();
  ASSERT_EQ(commit(batch_), "ok");
  real2_batch_.change_link(
      kEth0, {.no_ipv6_link_local = true,
              .ipv4 = {.accept_local = 1, .arp_announce = 2, .arp_ignore = 1, .forwarding = 0, .rp_filter = 2}});
  ASSERT_EQ(commit(real2_batch_), "ok");
  EXPECT_EQ(sysctl(real2_, "ipv4/conf/eth0/accept_local"), "1");
  EXPECT_EQ(sysctl(real2_, "ipv4/conf/eth0/arp_announce"), "2");
  EXPECT_EQ(sysctl(real2_, "ipv4/conf/eth0/arp_ignore"), "1");
  EXPECT_EQ(sysctl(real2_, "ipv4/conf/eth0/forwarding"), "0");
  EXPECT_EQ(sysctl(real2_, "ipv4/conf/eth0/rp_filter"), "2");
  EXPECT_EQ(sysctl(real2_, "ipv6/conf/eth0/addr_gen_mode"), "1");
}

TEST_F(RtBatchTest, BridgePortsForwardOnceBothEndsAreUp) {
  batch_.add_bridge({.name = "switch", .ifindex = kSwitch, .mac = {2, 0, 0xcb, 0, 0x72, 0}});
  batch_.add_veth({.name = "p-real2", .ifindex = kPort, .mac = kPortMac},
                  {.name = "eth0", .ifindex = kEth0, .mac = kMac}, real2_, kSwitch);
  batch_.change_link(kSwitch, {.up = true});
  batch_.change_link(kPort, {.up = true});
  ASSERT_EQ(commit(batch_), "ok");
  ASSERT_FALSE(port_works()) << "the far end is still down";

  real2_batch_.change_link(kEth0, {.up = true});
  ASSERT_EQ(commit(real2_batch_), "ok");
  // 500 ms: half of what linkwatch takes over a link that it believes to have no peer; see add_veth().
  const auto deadline = std::chrono::steady_clock::now() + 500ms;
  while (!(port_works() && far_end_works()) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(100us);
  EXPECT_TRUE(port_works());
  EXPECT_TRUE(far_end_works());
}

TEST_F(RtBatchTest, NeighboursAreWhatWasAdded) {
  add_pair();
  batch_.change_link(kPort, {.up = true});
  batch_.add_neighbour(kPort, IpAddress::of("203.0.113.12"), kMac);
  batch_.add_neighbour(kPort, IpAddress::of("2001:db8:113::c"), kMac);
  ASSERT_EQ(commit(batch_), "ok");
  const auto known = batch_.neighbours();
  ASSERT_TRUE(known.ok()) << known.error().message;
  ASSERT_THAT(*known, SizeIs(2));
  for (const Neighbour& neighbour : *known) {
    EXPECT_EQ(neighbour.ifindex, kPort);
    EXPECT_EQ(neighbour.mac, kMac);
    EXPECT_EQ(neighbour.state, NUD_PERMANENT);
  }
  EXPECT_THAT(real2_batch_.neighbours().value(), IsEmpty());
  batch_.forget_neighbour(kPort, IpAddress::of("2001:db8:113::c"));
  ASSERT_EQ(commit(batch_), "ok");
  EXPECT_THAT(batch_.neighbours().value(), SizeIs(1));
}

TEST_F(RtBatchTest, EqualIndexesAtBothEndsOfALinkAreABug) {
  EXPECT_DEATH(batch_.add_veth({.name = "p", .ifindex = kEth0, .mac = kPortMac},
                               {.name = "eth0", .ifindex = kEth0, .mac = kMac}, real2_),
               "here.ifindex != there.ifindex");
}

}  // namespace
}  // namespace lvspec
