#pragma once

// A place for a director, for tests of adapters.

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "harness/adapters/director_under_test.h"
#include "harness/netns/namespace.h"
#include "harness/topology/world.h"

namespace lvspec {

/// A world of its own for each test, and the director's node in it, without a director.
class SiteTest : public ::testing::Test {
 protected:
  explicit SiteTest(Topology topology) : topology_(std::move(topology)) {}

  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }

  void SetUp() override {
    auto world = World::build(topology_);
    ASSERT_TRUE(world.ok()) << world.error().message;
    world_.emplace(std::move(*world));
    site_.netns = &world_->director().netns;
    if (topology_.director_place == DirectorPlace::kInline) site_.stack_interface = world_->stack_port().name;
    site_.addresses = {topology_.director(), topology_.vips[0]};
  }

  const Topology topology_;
  std::optional<World> world_;
  DirectorSite site_;
};

}  // namespace lvspec
