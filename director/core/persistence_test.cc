#include "director/core/persistence.h"

#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

struct PersistentService : VirtualService {
  explicit PersistentService(const ServiceKey& of) {
    key = of;
    settings = persistent(300);
  }
};

ConnKey expected(Protocol protocol, Address virtual_address, std::uint16_t virtual_port) {
  return {.protocol = protocol,
          .is_template = true,
          .virtual_port = virtual_port,
          .client = client(1),
          .virtual_address = virtual_address};
}

Packet to_port(std::uint16_t port, Protocol protocol = Protocol::kTcp) {
  return packet_of({.from = client(1), .port = port, .client_port = 40000, .protocol = protocol});
}

// TPL-04, row by row; TPL-14 for the server's port.
TEST(TemplateKey, FollowsTheTable) {
  const TemplateKey ppc = template_key(PersistentService(tcp_service(80)), to_port(80));
  EXPECT_EQ(ppc.key, expected(Protocol::kTcp, vip(), 80));
  EXPECT_TRUE(ppc.has_server_port);

  for (const std::uint16_t port : {21, 20, 2121}) {
    const TemplateKey ftp = template_key(PersistentService(tcp_service(21)), to_port(port));
    EXPECT_EQ(ftp.key, expected(Protocol::kTcp, vip(), 0)) << port;
    EXPECT_FALSE(ftp.has_server_port);
  }

  const TemplateKey pcc = template_key(PersistentService(udp_service(0)), to_port(53, Protocol::kUdp));
  EXPECT_EQ(pcc.key, expected(Protocol::kUdp, vip(), 0));
  EXPECT_FALSE(pcc.has_server_port);

  const TemplateKey mark = template_key(PersistentService(mark_service(8)), to_port(80));
  EXPECT_EQ(mark.key, expected(Protocol::kNone, Address::v4(0x00000008), 0));  // 0.0.0.8, TPL-13
  EXPECT_FALSE(mark.has_server_port);
}

// TPL-15: a packet to port 0 takes the first row, and for a mark keeps its protocol and address.
TEST(TemplateKey, PacketToPortZeroIsPpc) {
  EXPECT_EQ(template_key(PersistentService(tcp_service(0)), to_port(0)).key, expected(Protocol::kTcp, vip(), 0));
  EXPECT_TRUE(template_key(PersistentService(tcp_service(0)), to_port(0)).has_server_port);
  EXPECT_EQ(template_key(PersistentService(mark_service(8)), to_port(0)).key, expected(Protocol::kTcp, vip(), 0));
}

// TPL-08
TEST(TemplateKey, FtpAndPortZeroShare) {
  EXPECT_EQ(template_key(PersistentService(tcp_service(21)), to_port(2121)).key,
            template_key(PersistentService(tcp_service(0)), to_port(80)).key);
}

// TPL-10
TEST(TemplateKey, AnyIpv4MaskIsApplied) {
  PersistentService service(tcp_service(80));
  const auto masked = [&](std::uint32_t mask, std::uint32_t from) {
    service.settings.netmask = AddressMask::v4(mask);
    return template_key(service, packet_of({.from = Address::v4(from)})).key.client.v4_host_order();
  };
  EXPECT_EQ(masked(0xffffff00, 0xc0000237), 0xc0000200u);
  EXPECT_EQ(masked(0xff00ff00, 0xc0fe0237), 0xc0000200u);
  EXPECT_EQ(masked(0x00000000, 0xc0000237), 0u);
}

// TPL-11, TPL-13
TEST(TemplateKey, Ipv6KeepsAPrefixAndPutsTheMarkFirst) {
  PersistentService service({.family = Family::kIpv6, .fwmark = 9});
  service.settings.netmask = AddressMask::prefix(124);
  Packet packet = to_port(80);
  packet.family = Family::kIpv6;
  packet.source = {};
  packet.source.bytes[0] = 0xfd;
  packet.source.bytes[15] = 0x17;
  const ConnKey key = template_key(service, packet).key;
  EXPECT_EQ(key.client.bytes[0], 0xfd);
  EXPECT_EQ(key.client.bytes[15], 0x10);
  EXPECT_EQ(key.virtual_address.bytes[3], 9);  // [0:9::]
}

// TPL-09: only a packet to the service's own port gets the server's.
TEST(PersistentServerPort, IsTheServersOnlyOnTheServicesOwnPort) {
  RealServer server;
  server.key = real(1, 8080);
  EXPECT_EQ(persistent_server_port(PersistentService(tcp_service(80)), server, to_port(80)), 8080);
  EXPECT_EQ(persistent_server_port(PersistentService(tcp_service(0)), server, to_port(80)), 80);
  EXPECT_EQ(persistent_server_port(PersistentService(mark_service(8)), server, to_port(80)), 80);
  server.key.port = 0;
  EXPECT_EQ(persistent_server_port(PersistentService(tcp_service(80)), server, to_port(80)), 80);
}

}  // namespace
}  // namespace lvspec::director
