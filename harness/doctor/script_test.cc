#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/doctor/configuration.h"

namespace lvspec::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(Script, KeepsThePlacesOfServicesServersAndMarks) {
  const Configuration read = read_script(
      "# a comment\n"
      "ipvsadm -A -f 8 -s rr -p 600\n"
      "\n"
      "/sbin/ipvsadm -a -f 8 -r 203.0.113.11 -g -w 2\n"
      "*mangle\n"
      "-A PREROUTING -p tcp --dport 80 -j MARK --set-xmark 0x8/0xffffffff\n"
      "COMMIT\n",
      "lvs.rules");
  ASSERT_THAT(read.services, SizeIs(1));
  EXPECT_EQ(read.services[0].place.str(), "lvs.rules:2");
  EXPECT_THAT(read.services[0].service.persistent_s, ::testing::Optional(600U));
  ASSERT_THAT(read.services[0].servers, SizeIs(1));
  EXPECT_EQ(read.services[0].servers[0].place.str(), "lvs.rules:4");
  ASSERT_THAT(read.marks, SizeIs(1));
  EXPECT_EQ(read.marks[0].place.line, 6);
  EXPECT_THAT(read.refusals, IsEmpty());
}

TEST(Script, RemembersHowThingsWereSaid) {
  const Configuration read = read_script(
      "-A -t 198.51.100.10:80 -M 24 -p\n"
      "-a -t 198.51.100.10:80 -r 203.0.113.11:8080 -g\n"
      "-a -t 198.51.100.10:80 -r 203.0.113.12 -g\n"
      "-A -t [2001:db8::1]:80 -p600\n"
      "-a -t [2001:db8::1]:80 -r [2001:db8::2]:81 -g\n"
      "-a -t [2001:db8::1]:80 -r 2001:db8::3 -g\n",
      "lvs.rules");
  ASSERT_THAT(read.services, SizeIs(2));
  EXPECT_EQ(read.services[0].window_from, WindowFrom::kBareOption);
  EXPECT_EQ(read.services[0].mask_text, "24");
  EXPECT_THAT(read.services[0].servers, ElementsAre(Field(&PlacedServer::typed_port, ::testing::Optional(8080)),
                                                    Field(&PlacedServer::typed_port, std::nullopt)));
  EXPECT_EQ(read.services[1].window_from, WindowFrom::kNumber);
  EXPECT_THAT(read.services[1].servers, ElementsAre(Field(&PlacedServer::typed_port, ::testing::Optional(81)),
                                                    Field(&PlacedServer::typed_port, std::nullopt)));
}

TEST(Script, GoesOnAfterALineThatIsRefused) {
  const Configuration read = read_script(
      "ipvsad -C\n"
      "-A -f 8 -s rr\n"
      "-a -f 8 -r 203.0.113.11 -g -2 -w 2\n"
      "-a -f 9 -r 203.0.113.11 -g\n"
      "-a -f 8 -r 203.0.113.12 -g\n"
      "*mangle\n",
      "lvs.rules");
  EXPECT_THAT(read.services.at(0).servers, SizeIs(1));
  ASSERT_THAT(read.refusals, SizeIs(4));
  EXPECT_EQ(read.refusals[0].place.line, 1);
  EXPECT_THAT(read.refusals[0].text, StartsWith("\"ipvsad\": unknown command"));
  EXPECT_EQ(read.refusals[1].place.line, 3);
  EXPECT_THAT(read.refusals[1].text, StartsWith("\"-2\""));
  EXPECT_EQ(read.refusals[2].place.line, 4);
  EXPECT_THAT(read.refusals[2].text, HasSubstr("Service not defined"));
  EXPECT_EQ(read.refusals[3].place.line, 6);
  EXPECT_THAT(read.refusals[3].text, HasSubstr("the section has no end"));
}

TEST(Script, CarriesOutWhatChangesEarlierLines) {
  const Configuration read = read_script(
      "-A -f 8 -s rr -p 600\n"
      "-a -f 8 -r 203.0.113.11 -g -w 2\n"
      "-a -f 8 -r 203.0.113.12 -g -w 3\n"
      "-e -f 8 -r 203.0.113.11 -i\n"
      "-d -f 8 -r 203.0.113.12\n"
      "-E -f 8 -s wrr\n"
      "-A -f 9\n"
      "-D -f 9\n",
      "lvs.rules");
  ASSERT_THAT(read.services, SizeIs(1));
  EXPECT_EQ(read.services[0].place.line, 6);
  EXPECT_EQ(read.services[0].service.scheduler, "wrr");
  ASSERT_THAT(read.services[0].servers, SizeIs(1));
  EXPECT_EQ(read.services[0].servers[0].server.method, ForwardMethod::kTunnel);
  EXPECT_EQ(read.services[0].servers[0].place.line, 4);
  ASSERT_THAT(read.changes, SizeIs(4));
  EXPECT_EQ(read.changes[0].server_before->weight, 2);
  EXPECT_EQ(read.changes[1].server_before->weight, 3);
  EXPECT_THAT(read.changes[2].before->persistent_s, ::testing::Optional(600U));
  EXPECT_TRUE(read.changes[2].scheduler_typed);
}

}  // namespace
}  // namespace lvspec::doctor
