#include "harness/evidence/world_picture.h"

#include <gmock/gmock.h>

namespace lvspec {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

WorldPicture picture() {
  return {.clients = {"192.0.2.1 .. 192.0.2.3"},
          .vips = {"198.51.100.10"},
          .director = "203.0.113.1",
          .standby = "",
          .marks = {},
          .services = {{"TCP 198.51.100.10:80 rr persistent 300",
                        {{"real1", "203.0.113.11:80", "Route", 1}, {"real2", "203.0.113.12:80", "Route", 2}}}}};
}

TEST(WorldPicture, ShowsWhoStandsWhereAndWhichWayPacketsGo) {
  EXPECT_EQ(draw_world(picture()),
            "clients 192.0.2.1 .. 192.0.2.3\n"
            "  |\n"
            "  |  to VIP 198.51.100.10\n"
            "  v\n"
            "director 203.0.113.1\n"
            "  |\n"
            "  +-- TCP 198.51.100.10:80 rr persistent 300\n"
            "        +-- direct routing --> real1 203.0.113.11:80\n"
            "        +-- direct routing --> real2 203.0.113.12:80, weight 2\n"
            "\n"
            "answers: direct routing: from the real server straight to the client\n");
}

TEST(WorldPicture, HasChineseWords) {
  EXPECT_EQ(draw_world(picture(), DrawingWords::kChinese),
            "客户端 192.0.2.1 .. 192.0.2.3\n"
            "  |\n"
            "  |  发往虚拟地址 (VIP) 198.51.100.10\n"
            "  v\n"
            "调度器 203.0.113.1\n"
            "  |\n"
            "  +-- TCP 198.51.100.10:80 rr persistent 300\n"
            "        +-- 直接路由 (DR) --> real1 203.0.113.11:80\n"
            "        +-- 直接路由 (DR) --> real2 203.0.113.12:80, 权重 2\n"
            "\n"
            "应答：直接路由 (DR): 由真实服务器直接发给客户端\n");
}

TEST(WorldPicture, ShowsMarksTheStandbySeveralServicesAndTheWayBackOfEachMethod) {
  WorldPicture world = picture();
  world.standby = "203.0.113.2";
  world.marks = {"-p tcp --dport 80 -> mark 8"};
  world.services.push_back({"FWM 8 rr persistent 300",
                            {{"real1", "203.0.113.11:0", "Masq", 1},
                             {"director", "127.0.0.1:0", "Masq", 1},
                             {"real2", "203.0.113.12:0", "Tunnel gre", 1}}});
  world.services.push_back({"UDP 198.51.100.10:53 rr", {}});
  const std::string drawn = draw_world(world);
  EXPECT_THAT(drawn,
              AllOf(HasSubstr("director 203.0.113.1    standby 203.0.113.2\n"),
                    HasSubstr("  |  firewall marks:\n  |    -p tcp --dport 80 -> mark 8\n"),
                    HasSubstr("  |     +-- NAT --> the director itself 127.0.0.1:0\n"),
                    HasSubstr("  |     +-- tunnel gre --> real2 203.0.113.12:0\n"),
                    HasSubstr("        +-- (no real server)\n"), HasSubstr("answers: NAT: back through the director"),
                    HasSubstr("answers: direct routing: from the real server straight to the client\n")));
  EXPECT_THAT(
      draw_world({.clients = {}, .vips = {}, .director = "203.0.113.1", .standby = "", .marks = {}, .services = {}}),
      AllOf(HasSubstr("(no virtual service)"), Not(HasSubstr("answers"))));
}

TEST(WorldPicture, ComesBackFromItsJson) {
  WorldPicture world = picture();
  world.standby = "203.0.113.2";
  world.marks = {"mark"};
  const auto read = read_world_picture(to_json_text(world));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(draw_world(*read), draw_world(world));
  EXPECT_THAT(read_world_picture("{}").error().message, HasSubstr("clients"));
  EXPECT_FALSE(read_world_picture("clients").ok());
}

}  // namespace
}  // namespace lvspec
