#include "harness/ipvs/genl_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include <cstring>
#include <map>
#include <memory>

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Bytes = std::vector<unsigned>;

struct Free {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};

/// A message without a header of its own: only the attributes that we put into it.
class Message {
 public:
  Message() : message_(nlmsg_alloc()) { nlmsg_put(message_.get(), 0, 0, 0, 0, 0); }
  nl_msg* get() { return message_.get(); }
  nlattr* find(int type) { return nlmsg_find_attr(nlmsg_hdr(message_.get()), 0, type); }
  /// The nest's attributes: number -> bytes as on the wire.
  std::map<int, Bytes> nest(int type) {
    std::map<int, Bytes> found;
    nlattr* outer = find(type);
    nlattr* inner = nullptr;
    int left = 0;
    nla_for_each_nested(inner, outer, left) {
      const auto* begin = static_cast<const std::uint8_t*>(nla_data(inner));
      found[nla_type(inner)] = Bytes(begin, begin + nla_len(inner));
    }
    return found;
  }

 private:
  std::unique_ptr<nl_msg, Free> message_;
};

constexpr int kService = 1, kDest = 2, kDaemon = 3;

Bytes address_bytes(std::initializer_list<unsigned> first) {
  Bytes bytes(first);
  bytes.resize(16);
  return bytes;
}

// The numbers of section 12, written out, so that a wrong header would show as well.
TEST(GenlMessages, AnAddressServiceOnTheWire) {
  Message message;
  genl::put_service(
      message.get(),
      TcpService("198.51.100.10", 80).scheduler("rr").persistent(std::chrono::seconds(300)).mask("255.255.255.0"),
      genl::Detail::kFull);
  const auto nest = message.nest(kService);
  EXPECT_EQ(nest.at(1), (Bytes{2, 0}));                            // AF
  EXPECT_EQ(nest.at(2), (Bytes{6, 0}));                            // PROTOCOL, host order
  EXPECT_EQ(nest.at(3), address_bytes({198, 51, 100, 10}));        // ADDR
  EXPECT_EQ(nest.at(4), (Bytes{0, 80}));                           // PORT, network order
  EXPECT_EQ(nest.count(5), 0U);                                    // FWMARK
  EXPECT_EQ(nest.at(6), (Bytes{'r', 'r', 0}));                     // SCHED_NAME
  EXPECT_EQ(nest.at(7), (Bytes{1, 0, 0, 0, 255, 255, 255, 255}));  // FLAGS, mask
  EXPECT_EQ(nest.at(8), (Bytes{44, 1, 0, 0}));                     // TIMEOUT
  EXPECT_EQ(nest.at(9), (Bytes{255, 255, 255, 0}));                // NETMASK, network order
  EXPECT_EQ(nest.count(11), 0U);                                   // PE_NAME
}

TEST(GenlMessages, AMarkServiceHasNoAddress) {
  Message message;
  genl::put_service(message.get(), MarkService(9, AF_INET6).mask(64).persistent(), genl::Detail::kFull);
  const auto nest = message.nest(kService);
  EXPECT_EQ(nest.at(1), (Bytes{10, 0}));
  EXPECT_EQ(nest.at(5), (Bytes{9, 0, 0, 0}));
  EXPECT_EQ(nest.at(9), (Bytes{64, 0, 0, 0}));  // a prefix length, host order
  for (const int absent : {2, 3, 4}) EXPECT_EQ(nest.count(absent), 0U) << absent;
}

TEST(GenlMessages, AnIdentityIsNothingMore) {
  Message message;
  genl::put_service(message.get(), UdpService("2001:db8:51::10", 53), genl::Detail::kIdentity);
  std::vector<int> types;
  for (const auto& [type, bytes] : message.nest(kService)) types.push_back(type);
  EXPECT_THAT(types, ElementsAre(1, 2, 3, 4));
}

TEST(GenlMessages, AServerOnTheWire) {
  Message message;
  RealServer server;
  server.address = IpAddress::of("203.0.113.11");
  server.port = 8080;
  server.weight = 3;
  server.upper = 1000;
  server.lower = 700;
  genl::put_server(message.get(), server, genl::Detail::kFull);
  const auto nest = message.nest(kDest);
  EXPECT_EQ(nest.at(1), address_bytes({203, 0, 113, 11}));
  EXPECT_EQ(nest.at(2), (Bytes{0x1f, 0x90}));
  EXPECT_EQ(nest.at(3), (Bytes{3, 0, 0, 0}));  // direct route
  EXPECT_EQ(nest.at(4), (Bytes{3, 0, 0, 0}));
  EXPECT_EQ(nest.at(5), (Bytes{0xe8, 3, 0, 0}));
  EXPECT_EQ(nest.at(6), (Bytes{0xbc, 2, 0, 0}));
  EXPECT_EQ(nest.at(11), (Bytes{2, 0}));
  EXPECT_EQ(nest.count(13), 0U);  // a tunnel's
}

TEST(GenlMessages, ADaemonOnTheWire) {
  Message message;
  SyncDaemon daemon;
  daemon.role = SyncRole::kBackup;
  daemon.sync_id = 7;
  daemon.group = IpAddress::of("224.0.0.82");
  daemon.port = 8849;
  genl::put_daemon(message.get(), daemon, genl::Detail::kFull);
  const auto nest = message.nest(kDaemon);
  EXPECT_EQ(nest.at(1), (Bytes{2, 0, 0, 0}));
  EXPECT_EQ(nest.at(2), (Bytes{'e', 't', 'h', '0', 0}));
  EXPECT_EQ(nest.at(3), (Bytes{7, 0, 0, 0}));
  EXPECT_EQ(nest.count(4), 0U);
  EXPECT_EQ(nest.at(5), (Bytes{224, 0, 0, 82}));
  EXPECT_EQ(nest.at(7), (Bytes{0x91, 0x22}));  // host order
  EXPECT_EQ(nest.count(8), 0U);
}

TEST(GenlMessages, WhatIsPutIsRead) {
  for (const VirtualService& service :
       {VirtualService(TcpService("198.51.100.10", 0)
                           .scheduler("sh")
                           .persistent()
                           .mask("255.255.0.0")
                           .flags({"sh-fallback", "sh-port"})),
        VirtualService(UdpService("2001:db8:51::10", 53).scheduler("mh").one_packet().flags({"mh-port", "flag-3"})),
        VirtualService(SctpService("198.51.100.10", 99).scheduler("lc").flags({"flag-1"})),
        VirtualService(MarkService(0x80000001).pe("sip")),
        VirtualService(MarkService(3, AF_INET6).persistent().mask(120))}) {
    Message message;
    genl::put_service(message.get(), service, genl::Detail::kFull);
    const auto read = genl::read_service(message.find(kService));
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->service, service);
  }
  RealServer server;
  server.address = IpAddress::of("2001:db8:113::b");
  server.method = ForwardMethod::kTunnel;
  server.tunnel = {TunnelType::kGue, 6080, TunnelChecksum::kRemote};
  Message message;
  genl::put_server(message.get(), server, genl::Detail::kFull);
  EXPECT_EQ(genl::read_server(message.find(kDest), AF_INET)->server, server);

  SyncDaemon daemon;
  daemon.group = IpAddress::of("ff02::81");
  daemon.max_length = 1400;
  daemon.ttl = 3;
  Message other;
  genl::put_daemon(other.get(), daemon, genl::Detail::kFull);
  EXPECT_EQ(*genl::read_daemon(other.find(kDaemon)), daemon);
}

TEST(GenlMessages, RefusesWhatLacksTheRequired) {
  Message message;
  nlattr* nest = nla_nest_start(message.get(), kService);
  nla_put_u16(message.get(), 1, AF_INET);
  nla_nest_end(message.get(), nest);
  EXPECT_THAT(genl::read_service(message.find(kService)).error().message, HasSubstr("without family or scheduler"));
  EXPECT_THAT(genl::read_server(message.find(kService), AF_INET).error().message,
              HasSubstr("without address or port"));
}

TEST(GenlMessages, SchedulerFlagsHaveTheNamesOfTheirScheduler) {
  EXPECT_THAT(genl::sched_flag_names(0x38, "sh"), ElementsAre("sh-fallback", "sh-port", "flag-3"));
  EXPECT_THAT(genl::sched_flag_names(0x18, "rr"), ElementsAre("flag-1", "flag-2"));
  EXPECT_THAT(genl::sched_flag_names(0x7, "sh"), IsEmpty());
  EXPECT_EQ(genl::sched_flag_bits({"mh-fallback", "flag-2", "flag-3"}), 0x38U);
}

}  // namespace
}  // namespace lvspec
