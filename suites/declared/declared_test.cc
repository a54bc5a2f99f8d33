// What a director says it can do, put to the test, seen from outside (tables: by asking for them). Declared and not
// working is FAIL; not declared is UNSUPPORTED; working without having been declared is told, and no fault.

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "suites/support.h"

namespace lvspec {
namespace {

constexpr std::uint16_t kPort = 80, kOtherPort = 81;

class Declared : public testing::DirectorTest {
 protected:
  /// Whether a thing works, and in what it does not.
  struct Finding {
    bool works = true;
    std::string how = "works";
  };
  static Finding no(const std::string& why) { return {false, why}; }

  /// Holds the director to its word. A refusal of what it has declared is as good as not working.
  void judge(Bench& bench, const std::string& word, const std::function<Finding()>& attempt) {
    const DirectorIdentity& identity = bench.director().identity();
    if (is_set_up_by_owner())
      throw WorldError(unsupported(identity.name + " is set up by its owner, and takes no orders to try"));
    const bool claimed =
        std::find(identity.capabilities.begin(), identity.capabilities.end(), word) != identity.capabilities.end();
    Finding finding;
    try {
      finding = attempt();
    } catch (const WorldError& error) {
      // The world's own trouble says nothing of the director.
      if (error.error().kind != ErrorKind::kUnsupported && error.error().kind != ErrorKind::kDirector) throw;
      finding = no(error.error().message);
    }
    const std::string text =
        fmt::format("{}declared, {}", claimed ? "" : "not ", finding.works ? "works" : "does not work");
    measured({"declared", {{"capability", word}}, text, {{"how", finding.how}}});
    if (!claimed && !finding.works)
      throw WorldError(unsupported(fmt::format("{} does not claim {}", identity.name, word)));
    if (!claimed) {
      EXPECT_THAT(finding.works, Eq(true));
      measured(fmt::format("undeclared: {} works all the same", word));
      return;
    }
    EXPECT_THAT(finding.how, Eq(std::string("works")));
  }

  static MarkRule mark(std::uint32_t mark, std::uint16_t port) {
    MarkRule rule;
    rule.destination = Prefix{kVip, 32};
    rule.protocol = Protocol::kTcp;
    rule.destination_ports = {{port, port}};
    rule.mark = mark;
    return rule;
  }
  static bool answered(const Answer& answer) { return answer.outcome == Outcome::kAnswered; }
};

#define LVSPEC_BOTH_PROFILES .profiles = {Profile::kIpvs, Profile::kAffinity}

LVSPEC_CASE(Declared, Marks,
            {.id = "declared.marks",
             .claim = "Who declares marks gathers several ports in one service by a firewall mark.",
             .clauses = {"TPL-07"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(3, {.tcp = {kPort, kOtherPort}})));
  judge(bench, "marks", [&]() -> Finding {
    must(bench.set_marks({mark(8, kPort), mark(8, kOtherPort)}));
    must(bench.add(MarkService(8).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 6; ++client) {
      const Answer one = bench.client(client).connect(kVip, kPort),
                   other = bench.client(client).connect(kVip, kOtherPort);
      if (!answered(one) || !answered(other)) return no("a marked connection is not answered");
      if (one.server != other.server) return no("two ports of one mark are two servers");
      servers.insert(one.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, PortZero,
            {.id = "declared.port0",
             .claim = "Who declares port0 takes every port of an address with one service.",
             .clauses = {"TPL-06"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench,
                       build(BenchPlan().clients(8).real_servers(3, {.tcp = {kPort, kOtherPort, 8080}})));
  judge(bench, "port0", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kAnyPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 6; ++client) {
      std::set<std::string> own;
      for (const std::uint16_t port : {kPort, kOtherPort, std::uint16_t{8080}}) {
        const Answer answer = bench.client(client).connect(kVip, port);
        if (!answered(answer)) return no(fmt::format("port {} is not answered", port));
        own.insert(answer.server);
      }
      if (own.size() != 1) return no("one client's ports are several servers");
      servers.insert(*own.begin());
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

// Neighbours that come with others in between, so that a round robin without a mask parts them.
LVSPEC_CASE(Declared, Mask,
            {.id = "declared.mask",
             .claim = "Who declares mask takes a network of clients for one.",
             .clauses = {"TPL-10"},
             .field_reports = {"FR-38"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(64).real_servers(3)));
  judge(bench, "mask", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s).mask("255.255.255.248")));
    std::map<int, std::set<std::string>> networks;
    std::set<std::string> servers;
    for (int host = 0; host < 4; ++host) {
      for (int network = 1; network <= 5; ++network) {
        const Answer answer = bench.client(network * 8 + host).connect(kVip, kPort);
        if (!answered(answer)) return no("a client is not answered");
        networks[network].insert(answer.server);
        servers.insert(answer.server);
      }
    }
    for (const auto& [network, own] : networks)
      if (own.size() != 1) return no("one network has several servers");
    return servers.size() >= 2 ? Finding{} : no("every network has the same server");
  });
}

/// Direct routing, as a server sees it: the client's own address, and the VIP as its own.
LVSPEC_CASE(Declared, DirectRouting,
            {.id = "declared.dr",
             .claim = "Who declares dr brings the client's own address to the servers, and their answers go past it.",
             .clauses = {"FWD-02"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(2)));
  judge(bench, "dr", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 8; ++client) {
      const Answer answer = bench.client(client).connect(kVip, kPort);
      if (!answered(answer)) return no("a client is not answered");
      if (answer.seen_client.address != bench.client(client).cip())
        return no("the server sees " + answer.seen_client.address.str() + " instead of the client");
      servers.insert(answer.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, Nat,
            {.id = "declared.nat",
             .claim = "Who declares nat reaches servers without the VIP, which see the client's own address.",
             .clauses = {"FWD-03"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(2).masquerading()));
  judge(bench, "nat", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 4; ++client) {
      const Answer answer = bench.client(client).connect(kVip, kPort);
      if (!answered(answer)) return no("a client is not answered");
      if (answer.seen_client.address != bench.client(client).cip())
        return no("the server sees " + answer.seen_client.address.str() + " instead of the client");
      servers.insert(answer.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, Tunnels,
            {.id = "declared.tun",
             .claim = "Who declares tun reaches servers at the end of an IPIP tunnel.",
             .clauses = {"FWD-04"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(8).real_servers(2).tunnelling()));
  judge(bench, "tun", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 4; ++client) {
      const Answer answer = bench.client(client).connect(kVip, kPort);
      if (!answered(answer)) return no("a client is not answered");
      if (answer.seen_client.address != bench.client(client).cip())
        return no("the server sees " + answer.seen_client.address.str() + " instead of the client");
      servers.insert(answer.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, Tables,
            {.id = "declared.tables",
             .claim = "Who declares tables shows which client it keeps at which server.",
             .clauses = {"TPL-12"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(4).real_servers(3)));
  judge(bench, "tables", [&]() -> Finding {
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::map<IpAddress, std::string> served;
    for (int client = 1; client <= 3; ++client)
      served[bench.client(client).cip()] = bench.client(client).connect(kVip, kPort).server;
    const std::vector<Entry> templates = bench.templates();
    for (const auto& [client, server] : served) {
      const bool shown =
          std::any_of(templates.begin(), templates.end(), [&, client = client, server = server](const Entry& entry) {
            return entry.client.address == client && bench.name_of(entry.server.address) == server;
          });
      if (!shown) return no(fmt::format("it does not show that {} is at {}", client.str(), server));
    }
    return {};
  });
}

LVSPEC_CASE(Declared, Udp,
            {.id = "declared.udp",
             .claim = "Who declares udp brings datagrams to servers and their answers back.",
             .clauses = {"TPL-03"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(16).real_servers(3, {.tcp = {kPort}, .udp = {kPort}})));
  judge(bench, "udp", [&]() -> Finding {
    must(bench.add(UdpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 12; ++client) {
      const Answer answer = bench.client(client).udp(kVip, kPort);
      if (!answered(answer)) return no("a datagram is not answered");
      servers.insert(answer.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, Ipv6,
            {.id = "declared.ipv6",
             .claim = "Who declares ipv6 keeps IPv6 clients at their servers.",
             .clauses = {"TPL-03"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(16).real_servers(3)));
  judge(bench, "ipv6", [&]() -> Finding {
    must(bench.add(TcpService(kVip6, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    for (int client = 1; client <= 12; ++client) {
      const Answer one = bench.client(client, AF_INET6).connect(kVip6, kPort);
      const Answer again = bench.client(client, AF_INET6).connect(kVip6, kPort);
      if (!answered(one) || !answered(again)) return no("a client is not answered");
      if (one.server != again.server) return no("a client is not kept");
      servers.insert(one.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(Declared, SourceAffinity,
            {.id = "declared.affinity",
             .claim = "Who declares affinity says what kind, and keeps each client at its server.",
             .clauses = {"TPL-01"},
             .field_reports = {"FR-31"},
             LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(16).real_servers(3)));
  judge(bench, "affinity", [&]() -> Finding {
    if (!bench.director().identity().affinity) return no("it does not say what its key, scope and window are");
    must(bench.add(TcpService(kVip, kPort).scheduler("rr").persistent(300s)));
    std::set<std::string> servers;
    std::map<int, std::string> before;
    for (int client = 1; client <= 12; ++client) before[client] = bench.client(client).connect(kVip, kPort).server;
    for (int client = 1; client <= 12; client += 2) {
      const Answer again = bench.client(client).connect(kVip, kPort);
      if (!answered(again) || again.server != before[client]) return no("a client is not kept");
      servers.insert(again.server);
    }
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

LVSPEC_CASE(
    Declared, EditsKeepClients,
    {.id = "declared.edit-keeps-clients",
     .claim = "Who declares edit-keeps-clients forgets no client when servers are added, weighed and removed.",
     .clauses = {"TPL-52"},
     LVSPEC_BOTH_PROFILES}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().clients(32).real_servers(5)));
  judge(bench, "edit-keeps-clients", [&]() -> Finding {
    VirtualService service = TcpService(kVip, kPort).scheduler("rr").persistent(300s);
    for (int i = 1; i <= 3; ++i)
      service.servers.push_back(with_weight(bench, service.id, fmt::format("real{}", i), 1));
    must(bench.add(service));
    std::map<int, std::string> before;
    std::set<std::string> servers;
    for (int client = 1; client <= 24; ++client) {
      before[client] = bench.client(client).connect(kVip, kPort).server;
      servers.insert(before[client]);
    }
    must(bench.add_server(service.id, with_weight(bench, service.id, "real4", 1)));
    must(bench.add_server(service.id, with_weight(bench, service.id, "real5", 1)));
    must(bench.edit_server(service.id, with_weight(bench, service.id, "real4", 3)));
    must(bench.remove_server(service.id, {bench.rip_of("real5"), kPort}));
    for (int client = 1; client <= 24; client += 2)
      if (bench.client(client).connect(kVip, kPort).server != before[client]) return no("a client moved");
    for (int client = 2; client <= 24; client += 2)
      if (bench.client(client).connect(kVip, kPort).server != before[client]) return no("a client moved");
    return servers.size() >= 2 ? Finding{} : no("every client has the same server");
  });
}

}  // namespace
}  // namespace lvspec
