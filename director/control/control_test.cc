#include "director/control/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "director/control/protocol.h"
#include "director/control/translate.h"

namespace lvspec::director {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ControlTest : public ::testing::Test {
 protected:
  json ask(const json& request) { return json::parse(control_.answer(7, request.dump())); }
  static json web() {
    return protocol::ServiceId{
        .family = "ipv4", .protocol = "tcp", .address = "198.51.100.10", .port = 80, .fwmark = 0};
  }
  static json persistent(std::uint32_t timeout_s) {
    return protocol::ServiceSettings{.scheduler = "rr",
                                     .persistent = true,
                                     .timeout_s = timeout_s,
                                     .netmask = "255.255.255.0",
                                     .one_packet = false};
  }

  Director director_;
  Clock clock_{true};
  Control control_{director_, clock_};
};

TEST_F(ControlTest, WhatIsSetIsReadBack) {
  ASSERT_EQ(ask({{"verb", "add_service"}, {"service", web()}, {"settings", persistent(300)}}), json({{"ok", true}}));
  ASSERT_EQ(
      ask({{"verb", "add_server"},
           {"service", web()},
           {"server", protocol::ServerId{"203.0.113.11", 80}},
           {"settings",
            protocol::ServerSettings{.method = "route", .weight = 5, .upper_threshold = 0, .lower_threshold = 0}}}),
      json({{"ok", true}}));
  const auto tables = ask({{"verb", "dump"}})["tables"].get<protocol::Tables>();
  ASSERT_EQ(tables.services.size(), 1U);
  EXPECT_EQ(json(tables.services[0].id), web());
  EXPECT_EQ(json(tables.services[0].settings), persistent(300));
  ASSERT_EQ(tables.services[0].servers.size(), 1U);
  EXPECT_EQ(tables.services[0].servers[0].settings.weight, 5);
}

// CON-76..78: rows show the last snapshot and its rates; "zero" is for one service or for all.
TEST_F(ControlTest, RowsShowStatisticsUntilTheyAreZeroed) {
  json other = web();
  other["port"] = 81;
  for (const json& service : {web(), other}) {
    ask({{"verb", "add_service"}, {"service", service}, {"settings", persistent(300)}});
    ask({{"verb", "add_server"},
         {"service", service},
         {"server", protocol::ServerId{"203.0.113.11", 80}},
         {"settings", protocol::ServerSettings{}}});
    Packet packet;
    packet.protocol = Protocol::kTcp;
    packet.source = Address::v4(0xc0000201);
    packet.destination = Address::v4(0xc633640a);
    packet.source_port = 40000;
    packet.destination_port = service["port"];
    packet.tcp.syn = true;
    packet.length = 600;
    director_.handle(clock_.now(), packet);
  }
  const auto rows = [&] { return ask({{"verb", "dump"}})["tables"].get<protocol::Tables>().services; };
  EXPECT_EQ(rows()[0].stats.connections, 0U);
  ask({{"verb", "advance"}, {"ns", 2'000'000'000}});
  for (const protocol::Counters& stats : {rows()[0].stats, rows()[1].stats, rows()[1].servers[0].stats}) {
    EXPECT_EQ(json(stats), json(protocol::Counters{1, 1, 0, 600, 0}));
  }
  EXPECT_EQ(rows()[0].rates.in_bytes, 75U);  // a quarter of 300 a second
  EXPECT_EQ(rows()[0].servers[0].rates.in_bytes, 75U);

  EXPECT_EQ(ask({{"verb", "zero"}, {"service", web()}}), json({{"ok", true}}));
  EXPECT_EQ(rows()[0].stats.connections, 0U);
  EXPECT_EQ(rows()[0].servers[0].rates.in_bytes, 0U);
  EXPECT_EQ(rows()[1].stats.connections, 1U);
  EXPECT_EQ(ask({{"verb", "zero"}}), json({{"ok", true}}));
  EXPECT_EQ(rows()[1].stats.connections, 0U);
  other["port"] = 82;
  EXPECT_EQ(ask({{"verb", "zero"}, {"service", other}})["error"], "No such service");
}

// NLK-06
TEST_F(ControlTest, TimeoutsTooLongForAKernelAreRefused) {
  EXPECT_EQ(ask({{"verb", "set_timeouts"}, {"timeouts", protocol::Timeouts{21474837, 0, 0}}})["code"], "invalid");
}

TEST_F(ControlTest, RefusesInTheWordsOfIpvsadm) {
  const json add = {{"verb", "add_service"}, {"service", web()}, {"settings", persistent(300)}};
  ask(add);
  EXPECT_EQ(ask(add)["error"], "Service already exists");
  EXPECT_EQ(ask({{"verb", "remove_server"},
                 {"service", web()},
                 {"server", protocol::ServerId{"203.0.113.11", 80}}})["error"],
            "No such destination");
}

TEST_F(ControlTest, ABadRequestNamesTheField) {
  EXPECT_THAT(json::parse(control_.answer(7, "{"))["error"].get<std::string>(), HasSubstr("not a JSON object"));
  EXPECT_THAT(ask({{"verb", "dance"}})["error"].get<std::string>(), HasSubstr("\"dance\" is unknown"));
  EXPECT_EQ(ask({{"verb", "advance"}})["error"], "ns: missing");
  EXPECT_THAT(ask({{"verb", "advance"}, {"ns", -1}})["error"].get<std::string>(), HasSubstr("does not go back"));
  json service = web();
  service["address"] = "198.51.100";
  EXPECT_THAT(ask({{"verb", "remove_service"}, {"service", service}})["error"].get<std::string>(),
              HasSubstr("service address \"198.51.100\""));
}

// Any client may send a Call-ID that is no UTF-8; the director must be able to say so and live.
TEST_F(ControlTest, BytesThatAreNoTextAreSaidAndUnderstood) {
  std::string every;
  for (int byte = 1; byte < 256; ++byte) every += static_cast<char>(byte);
  const std::string said = protocol::text_of_bytes(every);
  EXPECT_EQ(protocol::bytes_of_text(json::parse(json(said).dump()).get<std::string>()), every);
  EXPECT_EQ(protocol::text_of_bytes("a@b"), "a@b");

  json service = web();
  service["protocol"] = "udp";
  json settings = persistent(300);
  settings["engine"] = "sip";
  ask({{"verb", "add_service"}, {"service", service}, {"settings", settings}});
  ask({{"verb", "add_server"},
       {"service", service},
       {"server", protocol::ServerId{"203.0.113.11", 80}},
       {"settings", protocol::ServerSettings{}}});
  const std::string message = "INVITE sip:x SIP/2.0\r\ni: \xe4\xf6\r\n";
  Packet packet;
  packet.protocol = Protocol::kUdp;
  packet.destination = to_core(service.get<protocol::ServiceId>()).address;
  packet.source_port = 40000;
  packet.destination_port = 80;
  packet.payload = std::as_bytes(std::span(message));
  EXPECT_EQ(director_.handle(clock_.now(), packet).action, Verdict::Action::kForward);
  const auto tables = ask({{"verb", "dump"}})["tables"].get<protocol::Tables>();
  ASSERT_EQ(tables.entries.size(), 2U);
  const auto& tmpl = tables.entries[tables.entries[0].is_template ? 0 : 1];
  EXPECT_EQ(tmpl.engine, "sip");
  EXPECT_EQ(protocol::bytes_of_text(tmpl.engine_data), "\xe4\xf6");
}

TEST_F(ControlTest, SysctlsOutOfRangeAreInvalid) {
  const auto set = [&](const char* name, int value) {
    return ask({{"verb", "set_sysctls"}, {"sysctls", {{name, value}}}})["code"];
  };
  EXPECT_EQ(set("drop_entry", 4), "invalid");
  EXPECT_EQ(set("sync_version", 2), "invalid");
  EXPECT_TRUE(set("drop_entry", 3).is_null());
  EXPECT_EQ(ask({{"verb", "dump"}})["sysctls"]["drop_entry"], 3);
}

TEST_F(ControlTest, AManualClockMovesOnlyWhenAdvanced) {
  const auto before = clock_.now();
  EXPECT_EQ(clock_.now(), before);
  EXPECT_EQ(ask({{"verb", "advance"}, {"ns", 1'000'000'000}})["now_ns"], 1'000'000'000);
  EXPECT_EQ(clock_.now() - before, std::chrono::seconds(1));
}

// A fence may be seen before or after somebody waits for it; either way there is one reply.
TEST_F(ControlTest, AFenceIsAnsweredOnce) {
  EXPECT_THAT(control_.answer(7, R"({"verb":"await_fence","token":1})"), IsEmpty());
  const auto replies = control_.on_fence(1);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].first, 7);
  EXPECT_THAT(control_.on_fence(2), IsEmpty());
  EXPECT_EQ(ask({{"verb", "await_fence"}, {"token", 2}}), json({{"ok", true}}));
}

TEST_F(ControlTest, WhatIsNotUtf8IsAnErrorLikeAnyOther) {
  const json reply = json::parse(control_.answer(7, "{\"v\xea\":1}"));
  EXPECT_EQ(reply["ok"], false);
  EXPECT_EQ(reply["code"], "bad-request");
}

TEST_F(ControlTest, AFractionIsNoNumber) {
  const json reply = ask({{"verb", "advance"}, {"ns", 3e63}});
  EXPECT_EQ(reply["code"], "bad-request");
  EXPECT_THAT(reply["error"].get<std::string>(), ::testing::HasSubstr("3e+63"));
}

TEST_F(ControlTest, DeepNestingIsAnErrorLikeAnyOther) {
  const std::string deep(200'000, '[');
  const json reply = json::parse(control_.answer(7, deep + std::string(deep.size(), ']')));
  EXPECT_EQ(reply["code"], "bad-request");
}

TEST_F(ControlTest, StopStops) {
  EXPECT_FALSE(control_.stopped());
  ask({{"verb", "stop"}});
  EXPECT_TRUE(control_.stopped());
}

}  // namespace
}  // namespace lvspec::director
