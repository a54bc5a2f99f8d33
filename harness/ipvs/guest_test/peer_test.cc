// The real kernel programmed by us and read by ipvsadm, and the reverse.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "harness/ipvs/genl_ipvs.h"
#include "harness/ipvs/kernel_clock.h"
#include "harness/ipvs/proc_tables.h"
#include "harness/ruleset/read.h"
#include "harness/ruleset/write.h"
#include "harness/topology/world.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string said(const Status& status) { return status.ok() ? "ok" : status.error().message; }

struct Told {
  std::string text;  // stdout and stderr
  int status = 0;
};

class Peer : public ::testing::Test {
 protected:
  void SetUp() override {
    Topology topology;
    topology.server_count = 1;
    auto world = World::build(topology);
    ASSERT_TRUE(world.ok()) << world.error().message;
    world_.emplace(*std::move(world));
    auto ipvs = IpvsSocket::open(netns());
    ASSERT_TRUE(ipvs.ok()) << ipvs.error().message;
    ipvs_.emplace(*std::move(ipvs));
  }

  const NetworkNamespace& netns() { return world_->director().netns; }

  /// A command line of ipvsadm, in the director's namespace.
  Told ipvsadm(const std::string& arguments) {
    const auto told = netns().call([&]() -> Result<Told> {
      FILE* pipe = popen(("/sbin/ipvsadm " + arguments + " 2>&1").c_str(), "r");  // forks in this thread's namespace
      if (pipe == nullptr) return system_error("popen(ipvsadm)");
      Told told;
      char chunk[4096];
      for (std::size_t count = 0; (count = fread(chunk, 1, sizeof chunk, pipe)) > 0;) told.text.append(chunk, count);
      told.status = WEXITSTATUS(pclose(pipe));
      return told;
    });
    EXPECT_TRUE(told.ok());
    return told.ok() ? *told : Told{};
  }

  Status program(const VirtualService& service) {
    LVSPEC_TRY(ipvs_->add_service(service));
    for (const RealServer& server : service.servers) LVSPEC_TRY(ipvs_->add_server(service.id, server));
    return {};
  }

  /// Everything that the kernel has, services and servers each in ipvsadm's order (ADM-04).
  Ruleset kernel() {
    Ruleset all;
    const auto services = ipvs_->services();
    EXPECT_TRUE(services.ok());
    for (const IpvsService& said : services.value()) {
      all.services.push_back(said.service);
      const auto servers = ipvs_->servers(said.service.id);
      EXPECT_TRUE(servers.ok());
      for (const IpvsServer& server : servers.value()) all.services.back().servers.push_back(server.server);
    }
    return sorted(all);
  }

  static Ruleset sorted(Ruleset ruleset) {
    const auto key = [](const VirtualService& service) {
      const ServiceId& id = service.id;
      return std::tuple(static_cast<std::int32_t>(id.fwmark), id.family, protocol_number(id.protocol), id.address,
                        id.port);
    };
    std::sort(ruleset.services.begin(), ruleset.services.end(),
              [&](const VirtualService& a, const VirtualService& b) { return key(a) < key(b); });
    for (VirtualService& service : ruleset.services)
      std::sort(service.servers.begin(), service.servers.end(),
                [](const RealServer& a, const RealServer& b) { return a.endpoint() < b.endpoint(); });
    return ruleset;
  }

  std::optional<World> world_;
  std::optional<IpvsSocket> ipvs_;
};

Ruleset everything() {
  Ruleset all;
  all.services = {
      TcpService("198.51.100.10", 80)
          .scheduler("rr")
          .persistent(300s)
          .server("203.0.113.11")
          .server("203.0.113.12", {.weight = 0}),
      TcpService("198.51.100.10", 0).scheduler("wlc").persistent().mask("255.255.255.0").server("203.0.113.11"),
      TcpService("198.51.100.10", 99)
          .scheduler("sh")
          .persistent(5s)
          .flags({"sh-fallback", "sh-port"})
          .server("203.0.113.13"),
      UdpService("198.51.100.10", 53).scheduler("wrr").one_packet().server("203.0.113.11", {.weight = 65535}),
      SctpService("198.51.100.10", 7).scheduler("lc"),
      MarkService(8)
          .scheduler("rr")
          .persistent(100s)
          .mask("0.0.0.0")
          .server("203.0.113.11", {.port = 0})
          .server("203.0.113.12", {.port = 8080, .method = ForwardMethod::kMasquerade}),
      MarkService(9, AF_INET6).scheduler("rr").persistent(77s).mask(64).server("2001:db8:113::b", {.port = 0}),
      TcpService("2001:db8:51::10", 443).scheduler("mh").flags({"mh-port"}).server("2001:db8:113::b"),
      UdpService("198.51.100.10", 54)
          .scheduler("sed")
          .server("203.0.113.11", {.method = ForwardMethod::kTunnel})
          .server("203.0.113.12",
                  {.method = ForwardMethod::kTunnel, .tunnel = {TunnelType::kGue, 6080, TunnelChecksum::kNone}})
          .server("203.0.113.13",
                  {.method = ForwardMethod::kTunnel, .tunnel = {TunnelType::kGre, 0, TunnelChecksum::kFull}}),
  };
  return all;
}

TEST_F(Peer, IpvsadmSavesWhatWeProgram) {
  const Ruleset all = everything();
  for (const VirtualService& service : all.services) ASSERT_EQ(said(program(service)), "ok");
  const Told saved = ipvsadm("-S -n");
  EXPECT_EQ(saved.text, write_ipvsadm(sorted(all)));
  const auto read = read_ruleset(saved.text, "ipvsadm -S -n");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, sorted(all));
  EXPECT_EQ(kernel(), sorted(all));
}

TEST_F(Peer, WeReadWhatIpvsadmPrograms) {
  const std::string lines = write_ipvsadm(everything());
  const Told restored = ipvsadm("-R <<'END'\n" + lines + "END\n");
  ASSERT_EQ(restored.text, "");
  EXPECT_EQ(kernel(), sorted(everything()));
}

TEST_F(Peer, ServersComeInListOrderAndThresholdsToo) {
  VirtualService service = TcpService("198.51.100.10", 80)
                               .scheduler("rr")
                               .server("203.0.113.11", {.upper = 100, .lower = 10})
                               .server("203.0.113.12")
                               .server("203.0.113.13");
  ASSERT_EQ(said(program(service)), "ok");
  const auto servers = ipvs_->servers(service.id);
  ASSERT_EQ(servers->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(servers->at(i).server, service.servers.at(2 - i));  // DST-05
  EXPECT_THAT(ipvsadm("-L -n --thresholds").text, HasSubstr("203.0.113.11:80              100        10"));
}

TEST_F(Peer, EditsKeepWhatTheyMust) {
  VirtualService service =
      TcpService("198.51.100.10", 80).scheduler("rr").persistent(300s).server("203.0.113.11").server("203.0.113.12");
  ASSERT_EQ(said(program(service)), "ok");
  service.scheduler = "wrr";
  service.persistent_s.reset();
  ASSERT_EQ(said(ipvs_->edit_service(service)), "ok");
  service.servers[0].weight = 7;
  ASSERT_EQ(said(ipvs_->edit_server(service.id, service.servers[0])), "ok");
  EXPECT_THAT(ipvsadm("-S -n").text,
              "-A -t 198.51.100.10:80 -s wrr\n-a -t 198.51.100.10:80 -r 203.0.113.11:80 -g -w 7\n-a -t "
              "198.51.100.10:80 -r 203.0.113.12:80 -g -w 1\n");
  ASSERT_EQ(said(ipvs_->remove_server(service.id, service.servers[1].endpoint())), "ok");
  EXPECT_EQ(ipvs_->servers(service.id)->size(), 1U);
  EXPECT_EQ(ipvs_->service(service.id)->service.scheduler, "wrr");
  ASSERT_EQ(said(ipvs_->remove_service(service.id)), "ok");
  EXPECT_EQ(ipvsadm("-S -n").text, "");
}

// ADM-50..58: our words are those of the real program.
TEST_F(Peer, RefusalsHaveIpvsadmsWords) {
  const VirtualService there = TcpService("198.51.100.10", 80).scheduler("rr").server("203.0.113.11");
  const VirtualService absent = TcpService("198.51.100.10", 81).scheduler("rr");
  const VirtualService bad_scheduler = TcpService("198.51.100.10", 82).scheduler("bogus");
  const VirtualService bad_engine = TcpService("198.51.100.10", 82).scheduler("rr").persistent().pe("bogus");
  RealServer twelve = TcpService("198.51.100.10", 80).server("203.0.113.12").get().servers[0];
  RealServer zero = twelve, upside_down = twelve;
  zero.address = IpAddress::of("224.0.0.1");
  upside_down.lower = 5;
  ASSERT_EQ(said(program(there)), "ok");
  const struct {
    const char* arguments;
    Status ours;
    const char* words;
  } refusals[] = {
      {"-A -t 198.51.100.10:80 -s rr", ipvs_->add_service(there), "Service already exists"},
      {"-E -t 198.51.100.10:81 -s rr", ipvs_->edit_service(absent), "No such service"},
      {"-D -t 198.51.100.10:81", ipvs_->remove_service(absent.id), "No such service"},
      {"-Z -t 198.51.100.10:81", ipvs_->zero(absent.id), "No such service"},
      {"-A -t 198.51.100.10:82 -s bogus", ipvs_->add_service(bad_scheduler),
       "Scheduler or persistence engine not found"},
      {"-A -t 198.51.100.10:82 -s rr -p --pe bogus", ipvs_->add_service(bad_engine),
       "Scheduler or persistence engine not found"},
      {"-a -t 198.51.100.10:81 -r 203.0.113.12", ipvs_->add_server(absent.id, twelve), "Service not defined"},
      {"-a -t 198.51.100.10:80 -r 203.0.113.11", ipvs_->add_server(there.id, there.servers[0]),
       "Destination already exists"},
      {"-e -t 198.51.100.10:80 -r 203.0.113.12", ipvs_->edit_server(there.id, twelve), "No such destination"},
      {"-d -t 198.51.100.10:80 -r 203.0.113.12", ipvs_->remove_server(there.id, twelve.endpoint()),
       "No such destination"},
      {"-a -t 198.51.100.10:80 -r 224.0.0.1", ipvs_->add_server(there.id, zero),
       "Invalid operation.  Possibly wrong module version, address not unicast, ..."},
      {"-a -t 198.51.100.10:80 -r 203.0.113.12 -y 5", ipvs_->add_server(there.id, upside_down),
       "Numerical result out of range"},
      {"--stop-daemon master", ipvs_->stop_daemon(SyncRole::kMaster), "No daemon is running"},
      {"--start-daemon master --mcast-interface nix0", ipvs_->start_daemon({.interface = "nix0"}), "No such device"},
  };
  for (const auto& [arguments, ours, words] : refusals) {
    EXPECT_THAT(ipvsadm(arguments).text, HasSubstr(words)) << arguments;
    ASSERT_FALSE(ours.ok()) << arguments;
    EXPECT_THAT(ours.error().message, HasSubstr(words)) << arguments;
    EXPECT_EQ(ours.error().kind, ErrorKind::kDirector) << arguments;
  }
  EXPECT_THAT(said(refusals[7].ours),
              StartsWith("new server TCP 198.51.100.10:80 203.0.113.11:80: Destination already exists"));
}

// The kernel swallows the answer to a stop that comes before the daemon ever ran; nobody may hang for that.
TEST_F(Peer, ADaemonStoppedAtOnceIsStopped) {
  for (const SyncRole role : {SyncRole::kMaster, SyncRole::kBackup}) {
    ASSERT_EQ(said(ipvs_->start_daemon({.role = role})), "ok");
    ASSERT_EQ(said(ipvs_->stop_daemon(role)), "ok");
    EXPECT_THAT(ipvs_->daemons().value(), IsEmpty());
  }
}

TEST_F(Peer, UnknownServicesHaveNoServersAndNoError) {  // NLK-03
  EXPECT_THAT(ipvs_->servers(ServiceId::of_mark(77)).value(), IsEmpty());
  EXPECT_THAT(said(Status(ipvs_->service(ServiceId::of_mark(77)).error())), HasSubstr("No such service"));
}

TEST_F(Peer, Timeouts) {
  EXPECT_EQ(*ipvs_->timeouts(), (IpvsTimeouts{900, 120, 300}));
  ASSERT_EQ(said(ipvs_->set_timeouts({0, 60, 30})), "ok");
  EXPECT_EQ(ipvsadm("-L --timeout").text, "Timeout (tcp tcpfin udp): 900 60 30\n");
  ipvsadm("--set 1000 0 0");
  EXPECT_EQ(*ipvs_->timeouts(), (IpvsTimeouts{1000, 60, 30}));
}

TEST_F(Peer, SyncDaemons) {
  EXPECT_THAT(ipvs_->daemons().value(), IsEmpty());
  SyncDaemon master{.role = SyncRole::kMaster, .sync_id = 7};
  ASSERT_EQ(said(ipvs_->start_daemon(master)), "ok");
  EXPECT_EQ(ipvsadm("-L --daemon").text,
            "master sync daemon (mcast=eth0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n");
  EXPECT_THAT(said(ipvs_->start_daemon(master)), HasSubstr("Daemon has already run"));
  EXPECT_THAT(ipvsadm("--start-daemon backup --mcast-interface eth0 --syncid 9 --mcast-group 224.0.0.82 --mcast-port "
                      "8850 --mcast-ttl 3")
                  .text,
              "");
  const auto both = ipvs_->daemons();
  ASSERT_EQ(both->size(), 2U);
  EXPECT_EQ(both->at(0), (SyncDaemon{SyncRole::kMaster, "eth0", 7, 1472, IpAddress::of("224.0.0.81"), 8848, 1}));
  EXPECT_EQ(both->at(1),
            (SyncDaemon{SyncRole::kBackup, "eth0", 9, both->at(1).max_length, IpAddress::of("224.0.0.82"), 8850, 3}));
  ASSERT_EQ(said(ipvs_->stop_daemon(SyncRole::kMaster)), "ok");
  ASSERT_EQ(said(ipvs_->stop_daemon(SyncRole::kBackup)), "ok");
  EXPECT_THAT(ipvs_->daemons().value(), IsEmpty());
  EXPECT_TRUE(read_connections(netns(), ConnectionFile::kSync).ok());
}

TEST_F(Peer, InfoZeroAndFlush) {
  const auto info = ipvs_->info();
  ASSERT_TRUE(info.ok());
  EXPECT_THAT(ipvsadm("-L -n").text, StartsWith("IP Virtual Server version " + info->version +
                                                " (size=" + std::to_string(info->connection_table) + ")"));
  ASSERT_EQ(said(program(everything().services[0])), "ok");
  EXPECT_EQ(said(ipvs_->zero()), "ok");
  EXPECT_EQ(said(ipvs_->zero(everything().services[0].id)), "ok");
  EXPECT_EQ(said(ipvs_->flush()), "ok");
  EXPECT_THAT(ipvs_->services().value(), IsEmpty());
}

// NLK-07, and with it ADM-15: /proc/net/ip_vs shows persistence in ticks, which confirms what the clock says of HZ.
TEST_F(Peer, TheClockKnowsHz) {
  ASSERT_EQ(said(program(TcpService("198.51.100.10", 80).scheduler("rr").persistent(7s))), "ok");
  const auto text = netns().call([] { return read_proc_file("/proc/thread-self/net/ip_vs"); });
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr("persistent " + std::to_string(7 * kernel_hz()) + " FFFFFFFF"));
}

TEST_F(Peer, APersistenceOfNothingIsTakenByTheKernel) {
  EXPECT_EQ(said(program(TcpService("198.51.100.10", 80).scheduler("rr").persistent(0s))), "ok");
  EXPECT_THAT(said(program(TcpService("198.51.100.10", 0).scheduler("rr"))), "ok");
}

}  // namespace
}  // namespace lvspec
