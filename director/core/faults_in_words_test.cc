// Some faults in plain words: what a client sees of each.

#include "director/core/faults.h"
#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

const ServiceKey kWeb = tcp_service(80);

class WithFault : public testing::Test {
 protected:
  void TearDown() override { set_fault(Fault::kNoFault); }
  World world;
};

TEST_F(WithFault, NoPersistenceRotatesAClient) {
  set_fault(Fault::kNoPersistence);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_TRUE(world.templates().empty());
}

TEST_F(WithFault, PccKeyWithPortSplitsPorts) {
  set_fault(Fault::kPccKeyIncludesPort);
  world.serve(tcp_service(0), persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r3");
  EXPECT_EQ(world.visit({.from = client(1), .port = 443}), "r2");
  EXPECT_EQ(world.visit({.from = client(1), .port = 80}), "r3");
}

TEST_F(WithFault, NoExtensionLosesAnActiveClient) {
  set_fault(Fault::kNoExtension);
  world.serve(kWeb, persistent(100), {1, 1, 1});
  Flow held{.from = client(1)};
  EXPECT_EQ(world.open(held), "r3");
  world.elapse(100s);
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.send(held, kAck), "r3");
}

TEST_F(WithFault, ExtensionByTheFullTimeout) {
  set_fault(Fault::kExtensionFullTimeout);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  world.open({.from = client(1)});
  world.elapse(300s);
  EXPECT_EQ(world.template_expires_in(), 300);
}

TEST_F(WithFault, ExtensionNotStoredGivesTheWholeWindowBack) {
  set_fault(Fault::kExtensionNotStored);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  world.open({.from = client(1)});
  world.elapse(300s);
  EXPECT_EQ(world.template_expires_in(), 60);
  world.open({.from = client(1)});
  EXPECT_EQ(world.template_expires_in(), 300);
}

TEST_F(WithFault, KeyedByPositionFollowsTheSlot) {
  set_fault(Fault::kKeyedByPosition);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  world.director.add_server(kWeb, real(4), {});
  EXPECT_EQ(world.visit({.from = client(1)}), "r4");
}

TEST_F(WithFault, NotPinnedAgainBounces) {
  set_fault(Fault::kNotPinnedAgain);
  world.serve(kWeb, persistent(300), {1, 1, 1});
  EXPECT_EQ(world.visit({.from = client(1)}), "r3");
  world.director.remove_server(world.now(), kWeb, real(3));
  EXPECT_EQ(world.visit({.from = client(1)}), "r2");
  EXPECT_EQ(world.visit({.from = client(1)}), "r1");
}

}  // namespace
}  // namespace lvspec::director
