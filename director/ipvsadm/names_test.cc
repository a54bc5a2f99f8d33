#include "director/ipvsadm/names.h"

#include <gmock/gmock.h>

namespace lvspec::ipvsadm {
namespace {

NamesOf some_names() {
  NamesOf names;
  names.host = [](const IpAddress& address) -> std::optional<std::string> {
    if (address == IpAddress::of("10.0.0.3")) return "real3.a-very-long-domain-name-indeed.example.org";
    if (address == IpAddress::of("fd00::3")) return "real36.a-very-long-domain-name-indeed.example.org";
    return std::nullopt;
  };
  names.port = [](std::uint16_t port, const std::string& protocol) -> std::optional<std::string> {
    return port == 80 && protocol == "tcp" ? std::optional<std::string>("http") : std::nullopt;
  };
  return names;
}

// ADM-12, as the real program prints them.
TEST(Names, CutsIpv4NamesOnly) {
  const NamesOf names = some_names();
  EXPECT_EQ(endpoint_text(IpAddress::of("10.0.0.3"), 80, "tcp", names, 28), "real3.a-very-long-domain-nam");
  EXPECT_EQ(endpoint_text(IpAddress::of("10.0.0.3"), 80, "tcp", names),
            "real3.a-very-long-domain-name-indeed.example.org:http");
  EXPECT_EQ(endpoint_text(IpAddress::of("fd00::3"), 80, "tcp", names, 28),
            "[real36.a-very-long-domain-name-indeed.example.org]:http");
}

TEST(Names, KeepsNumbersThatHaveNone) {
  const NamesOf names = some_names();
  EXPECT_EQ(endpoint_text(IpAddress::of("10.0.0.4"), 80, "udp", names, 28), "10.0.0.4:80");
  EXPECT_EQ(endpoint_text(IpAddress::of("10.0.0.4"), 80, "", names, 28), "10.0.0.4:80");
  EXPECT_EQ(endpoint_text(IpAddress::of("10.0.0.3"), 80, "tcp", {}, 28), "10.0.0.3:80");
  EXPECT_EQ(endpoint_text(IpAddress::of("fd00::3"), 80, "tcp", {}), "[fd00::3]:80");
}

TEST(Names, AsksThisMachine) {
  const NameLookup lookup = system_lookup();
  EXPECT_EQ(lookup.port("http", Protocol::kTcp), 80);
  EXPECT_EQ(lookup.port("domain", Protocol::kUdp), 53);
  EXPECT_EQ(lookup.port("nosuchservice", Protocol::kTcp), std::nullopt);
  EXPECT_EQ(lookup.host("localhost"), IpAddress::of("127.0.0.1"));
  EXPECT_EQ(system_names().port(80, "tcp"), "http");
  EXPECT_EQ(system_names().port(80, "ip"), std::nullopt);
}

}  // namespace
}  // namespace lvspec::ipvsadm
