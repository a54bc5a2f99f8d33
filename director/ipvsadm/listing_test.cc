#include "director/ipvsadm/listing.h"

#include <gmock/gmock.h>

namespace lvspec::ipvsadm {
namespace {

namespace protocol = director::protocol;
using testing::ElementsAre;

protocol::ServerRow server_row(const std::string& address, std::uint16_t port, const std::string& method = "route",
                               std::int32_t weight = 1) {
  protocol::ServerRow row;
  row.id = {address, port};
  row.settings.method = method;
  row.settings.weight = weight;
  return row;
}

protocol::ServiceRow tcp_row(const std::string& address, std::uint16_t port, const std::string& scheduler = "rr") {
  protocol::ServiceRow row;
  const bool v6 = address.find(':') != std::string::npos;
  row.id = {v6 ? "ipv6" : "ipv4", "tcp", address, port, 0};
  row.settings.scheduler = scheduler;
  row.settings.netmask = v6 ? "128" : "255.255.255.255";
  return row;
}

protocol::ServiceRow mark_row(std::uint32_t mark, const std::string& family = "ipv4") {
  protocol::ServiceRow row;
  row.id = {family, "", "", 0, mark};
  row.settings.scheduler = "rr";
  row.settings.netmask = family == "ipv6" ? "128" : "255.255.255.255";
  return row;
}

std::string rows(const std::vector<protocol::ServiceRow>& services, const ListTables& how = {},
                 const NamesOf& names = {}) {
  const std::string text = list_services(services, std::nullopt, how, names);
  return text.substr(text.find('\n', text.find('\n') + 1) + 1);  // without the titles
}

// ADM-01, ADM-02, with the bytes of the clause.
TEST(Listing, HasIpvsadmsColumns) {
  protocol::ServiceRow service = tcp_row("10.0.0.100", 80);
  service.settings.persistent = true;
  service.settings.timeout_s = 200;
  service.settings.netmask = "255.255.255.0";
  service.servers = {server_row("10.0.0.3", 80)};
  service.servers[0].inactive = 8;
  EXPECT_EQ(list_services({service}, protocol::Info{}, {}, {}),
            "IP Virtual Server version 1.2.1 (size=4096)\n"
            "Prot LocalAddress:Port Scheduler Flags\n"
            "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
            "TCP  10.0.0.100:80 rr persistent 200 mask 255.255.255.0\n"
            "  -> 10.0.0.3:80                  Route   1      0          8         \n");
}

TEST(Listing, HasTheFlagsOfAService) {
  protocol::ServiceRow service = tcp_row("2001:db8:51::10", 443, "sh");
  service.settings.flags = {1, 2, 3};
  service.settings.persistent = true;
  service.settings.timeout_s = 5;
  service.settings.netmask = "64";
  service.settings.engine = "sip";
  service.settings.one_packet = true;
  EXPECT_EQ(rows({service}), "TCP  [2001:db8:51::10]:443 sh (sh-fallback,sh-port) persistent 5 mask 64 pe sip ops\n");
  service.settings.persistent = false;
  EXPECT_EQ(rows({service}), "TCP  [2001:db8:51::10]:443 sh (sh-fallback,sh-port) ops\n");
}

// ADM-03, FWM-02.
TEST(Listing, ShowsMarksWithTheirSign) {
  EXPECT_EQ(rows({mark_row(8), mark_row(9, "ipv6"), mark_row(0xffffffff)}),
            "FWM  8 rr\nFWM  9 IPv6 rr\nFWM  -1 rr\n");
}

// ADM-05, ADM-06, ADM-11: the bytes are the real program's.
TEST(Listing, HasOtherColumnsOnDemand) {
  protocol::ServiceRow service = tcp_row("10.0.0.100", 99);
  service.servers = {server_row("10.0.0.1", 99, "tunnel"), server_row("10.0.0.2", 99, "tunnel"),
                     server_row("10.0.0.3", 99, "tunnel"), server_row("127.0.0.1", 99, "masq", 100000)};
  service.servers[1].settings.tunnel = "gue";
  service.servers[1].settings.tunnel_port = 6080;
  service.servers[1].settings.tunnel_checksum = "remcsum";
  service.servers[2].settings.tunnel = "gre";
  service.servers[3].settings.upper_threshold = 30;
  service.servers[3].settings.lower_threshold = 10;
  service.servers[3].persistent = 7;
  EXPECT_EQ(list_services({service}, std::nullopt, {.tunnels = true}, {}),
            "Prot LocalAddress:Port Scheduler Flags\n"
            "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
            "TCP  10.0.0.100:99 rr\n"
            "  -> 10.0.0.1:99                  Tunnel  ipip          1      0          0         \n"
            "  -> 10.0.0.2:99                  Tunnel  gue:6080:r+c  1      0          0         \n"
            "  -> 10.0.0.3:99                  Tunnel  gre:-c        1      0          0         \n"
            "  -> 127.0.0.1:99                 Masq    n/a           100000 0          0         \n");
  service.servers.erase(service.servers.begin(), service.servers.begin() + 3);
  EXPECT_EQ(list_services({service}, std::nullopt, {.tunnels = true, .persistent_connections = true}, {}),
            "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n"
            "  -> RemoteAddress:Port\n"
            "TCP  10.0.0.100:99 rr\n"
            "  -> 127.0.0.1:99                 100000    7           0          0         \n");
  EXPECT_EQ(list_services({service}, std::nullopt, {.thresholds = true, .persistent_connections = true}, {}),
            "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n"
            "  -> RemoteAddress:Port\n"
            "TCP  10.0.0.100:99 rr\n"
            "  -> 127.0.0.1:99                 30         10         0          0         \n");
}

// ADM-07.
TEST(Listing, CountsAndRates) {
  protocol::ServiceRow service = tcp_row("10.0.0.100", 80);
  service.servers = {server_row("10.0.0.3", 80)};
  service.stats = {1, 22, 333, 123'456'789, 5'000'000'000};
  service.servers[0].rates = {123'456'789, 2, 3, 123'456'789, 5};
  EXPECT_EQ(list_services({service}, std::nullopt, {.stats = true, .rates = true}, {}),
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
            "  -> RemoteAddress:Port\n"
            "TCP  10.0.0.100:80                       1       22      333  123456K    5000M\n"
            "  -> 10.0.0.3:80                         0        0        0        0        0\n");
  EXPECT_EQ(list_services({service}, std::nullopt, {.rates = true}, {}),
            "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n"
            "  -> RemoteAddress:Port\n"
            "TCP  10.0.0.100:80                       0        0        0        0        0\n"
            "  -> 10.0.0.3:80                  123456789        2        3  123456K        5\n");
}

TEST(Listing, ScalesLargeNumbers) {
  EXPECT_EQ(large_number(99'999'999, false), " 99999999");
  EXPECT_EQ(large_number(100'000'000, false), "  100000K");
  EXPECT_EQ(large_number(999'999'999, false), "  999999K");
  EXPECT_EQ(large_number(1'000'000'000, false), "    1000M");
  EXPECT_EQ(large_number(99'999'999'999, false), "   99999M");
  EXPECT_EQ(large_number(100'000'000'000, false), "     100G");
  EXPECT_EQ(large_number(99'999'999'999'999, false), "   99999G");
  EXPECT_EQ(large_number(100'000'000'000'000, false), "     100T");
  EXPECT_EQ(large_number(7, true), "        7");
  EXPECT_EQ(large_number(99'999'999, true), " 99999999");
  EXPECT_EQ(large_number(123'456'789, true), " 123456789");
}

std::vector<std::string> order_of(const std::vector<protocol::ServiceRow>& services) {
  std::vector<std::string> order;
  for (const protocol::ServiceRow& row : services)
    order.push_back(row.id.fwmark != 0 ? std::to_string(row.id.fwmark) : row.id.protocol + " " + row.id.address);
  return order;
}

// ADM-04, as the real program orders them.
TEST(Listing, SortsBySignedDifferences) {
  std::vector<protocol::ServiceRow> services = {mark_row(8),
                                                mark_row(0xfffffffa),
                                                tcp_row("::1", 80),
                                                tcp_row("10.0.0.3", 80),
                                                tcp_row("fd00::1", 80),
                                                tcp_row("203.0.113.1", 80),
                                                tcp_row("2001:db8::1", 80),
                                                tcp_row("192.0.2.1", 80)};
  services.push_back(tcp_row("10.0.0.3", 79));
  services.back().id.protocol = "udp";
  services[3].servers = {server_row("10.0.0.100", 80), server_row("192.0.2.1", 99), server_row("192.0.2.1", 80),
                         server_row("203.0.113.1", 80)};
  sort_services(&services);
  EXPECT_THAT(order_of(services), ElementsAre("4294967290", "tcp 192.0.2.1", "tcp 203.0.113.1", "tcp 10.0.0.3",
                                              "udp 10.0.0.3", "tcp fd00::1", "tcp ::1", "tcp 2001:db8::1", "8"));
  std::vector<std::string> servers;
  for (const auto& row : services[3].servers) servers.push_back(row.id.address + " " + std::to_string(row.id.port));
  EXPECT_THAT(servers, ElementsAre("192.0.2.1 80", "192.0.2.1 99", "203.0.113.1 80", "10.0.0.100 80"));
}

TEST(Listing, SortsWhatHasNoOrderWithoutHarm) {
  std::vector<protocol::ServiceRow> services;
  for (std::uint32_t i = 1; i < 200; ++i) services.push_back(mark_row(i * 0x9e3779b9));
  sort_services(&services);
  EXPECT_EQ(services.size(), 199U);
}

// ADM-08.
TEST(Listing, ListsConnections) {
  using nlohmann::json;
  const auto entry_row = [](const char* text) {
    json row = json(protocol::EntryRow());
    row.update(json::parse(text));
    return row.get<protocol::EntryRow>();
  };
  const auto entry = entry_row(R"({"protocol":"tcp","client":"192.0.2.1","client_port":40001,"state":"ESTABLISHED",
      "virtual_address":"198.51.100.10","virtual_port":80,"server":"203.0.113.11","server_port":80,
      "expires_in_ns":899999999999})");
  const auto of_mark = entry_row(R"({"protocol":"ip","client":"192.0.2.1","virtual_address":"0.0.0.8","state":"NONE",
      "server":"203.0.113.11","is_template":true,"expires_in_ns":7000000000000})");
  const auto call = entry_row(R"({"protocol":"udp","client":"2001:db8:2::1","state":"UDP",
      "virtual_address":"2001:db8:51::10","virtual_port":5060,"server":"2001:db8:113::b","server_port":5060,
      "engine":"sip","engine_data":"a84b4c76e66710"})");
  EXPECT_EQ(list_entries({entry, of_mark}, false, {}),
            "IPVS connection entries\n"
            "pro expire state       source             virtual            destination\n"
            "TCP 14:59  ESTABLISHED 192.0.2.1:40001    198.51.100.10:80   203.0.113.11:80\n"
            "IP  116:40 NONE        192.0.2.1:0        0.0.0.8:0          203.0.113.11:0\n");
  EXPECT_EQ(
      list_entries({entry, call}, true, {}),
      "IPVS connection entries\n"
      "pro expire state       source             virtual            destination        pe name          pe_data\n"
      "TCP 14:59  ESTABLISHED 192.0.2.1:40001    198.51.100.10:80   203.0.113.11:80\n"
      "UDP 00:00  UDP         [2001:db8:2::1]:0  [2001:db8:51::10]:5060 [2001:db8:113::b]:5060 sip                "
      "a84b4c76e66710\n");
}

// ADM-09, ADM-10.
TEST(Listing, ListsTimeoutsAndDaemons) {
  EXPECT_EQ(list_timeouts({900, 120, 300}), "Timeout (tcp tcpfin udp): 900 120 300\n");
  protocol::Daemon master, backup;
  master.sync_id = 7;
  master.max_length = 1472;
  backup.role = "backup";
  EXPECT_EQ(list_daemons({backup, master}),
            "master sync daemon (mcast=eth0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n"
            "backup sync daemon (mcast=eth0, syncid=0, maxlen=0, group=224.0.0.81, port=8848, ttl=1)\n");
  EXPECT_EQ(list_daemons({}), "");
}

// ADM-13, with the sample lines of the clause.
TEST(Listing, SavesServices) {
  protocol::ServiceRow web = tcp_row("10.0.0.100", 80);
  web.settings.persistent = true;
  web.settings.timeout_s = 200;
  web.settings.netmask = "255.255.255.0";
  web.servers = {server_row("10.0.0.3", 80), server_row("10.0.0.4", 80, "tunnel"),
                 server_row("10.0.0.5", 80, "tunnel", 2)};
  web.servers[2].settings.tunnel = "gue";
  web.servers[2].settings.tunnel_port = 6080;
  protocol::ServiceRow dns = tcp_row("10.0.0.100", 53);
  dns.id.protocol = "udp";
  dns.settings.persistent = true;
  dns.settings.timeout_s = 60;
  dns.settings.one_packet = true;
  protocol::ServiceRow hash = tcp_row("10.0.0.100", 99, "sh");
  hash.settings.persistent = true;
  hash.settings.timeout_s = 5;
  hash.settings.flags = {1, 2};
  protocol::ServiceRow six = mark_row(0xffffffff, "ipv6");
  six.servers = {server_row("2001:db8:113::b", 0, "masq")};
  EXPECT_EQ(save_services({web, dns, hash, six}, {}),
            "-A -t 10.0.0.100:80 -s rr -p 200 -M 255.255.255.0\n"
            "-a -t 10.0.0.100:80 -r 10.0.0.3:80 -g -w 1\n"
            "-a -t 10.0.0.100:80 -r 10.0.0.4:80 -i -w 1 --tun-type ipip\n"
            "-a -t 10.0.0.100:80 -r 10.0.0.5:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-nocsum\n"
            "-A -u 10.0.0.100:53 -s rr -p 60 -o\n"
            "-A -t 10.0.0.100:99 -s sh -p 5 -b sh-fallback,sh-port\n"
            "-A -f -1 -6 -s rr\n"
            "-a -f -1 -6 -r [2001:db8:113::b]:0 -m -w 1\n");
}

TEST(Listing, RefusesWhatIsNoDump) {
  EXPECT_FALSE(snapshot_of(nlohmann::json::parse("[]")).ok());
  const auto wrong = snapshot_of(nlohmann::json::parse(R"({"ok":true,"info":{},"tables":3})"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message, testing::HasSubstr("the director's dump: "));
}

}  // namespace
}  // namespace lvspec::ipvsadm
