// lvspec doctor --live, on the tables of a real kernel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/doctor/examine.h"
#include "harness/doctor/live/live.h"
#include "harness/ipvs/genl_ipvs.h"
#include "harness/netlink/rtnetlink.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

TEST(DoctorLive, ReadsTheKernelsTables) {
  auto netns = NetworkNamespace::create("doctor");
  ASSERT_TRUE(netns.ok()) << netns.error().message;
  // Without any route table the kernel takes no address for unicast (DST-11).
  auto routes = RtBatch::open(*netns);
  ASSERT_TRUE(routes.ok()) << routes.error().message;
  routes->change_link(1, {.up = true});
  ASSERT_TRUE(routes->commit().ok());
  auto ipvs = IpvsSocket::open(*netns);
  ASSERT_TRUE(ipvs.ok()) << ipvs.error().message;
  const VirtualService web = TcpService("198.51.100.10", 80).scheduler("rr").persistent(60s).mask("0.0.0.24");
  ASSERT_TRUE(ipvs->add_service(web).ok());
  ASSERT_TRUE(ipvs->add_service(MarkService(8).scheduler("rr")).ok());
  for (const auto& [host, weight] : {std::pair("203.0.113.11", 2), std::pair("203.0.113.12", 0)})
    ASSERT_TRUE(ipvs->add_server(web.id, {.address = IpAddress::of(host), .port = 80, .weight = weight}).ok());

  const auto live = doctor::read_live(*netns);
  ASSERT_TRUE(live.ok()) << live.error().message;
  EXPECT_EQ(live->tcp_fin_s, 120U);
  EXPECT_EQ(live->udp_s, 300U);
  ASSERT_THAT(live->services, SizeIs(2));
  const doctor::PlacedService* placed = live->find(web.id);
  ASSERT_NE(placed, nullptr);
  ASSERT_THAT(placed->servers, SizeIs(2));
  EXPECT_EQ(placed->servers[0].server.str(), "203.0.113.11:80 Route weight 2");

  std::set<std::string> found;
  for (const doctor::Finding& one : doctor::examine(*live)) {
    found.insert(std::string(one.trap->id));
    EXPECT_EQ(one.place.str(), "live");
  }
  EXPECT_THAT(found, IsSupersetOf({"mask-without-dots", "short-window", "weight-zero-is-no-drain",
                                   "mark-without-persistence"}));
}

}  // namespace
}  // namespace lvspec
