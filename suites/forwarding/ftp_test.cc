// FTP behind NAT: what the control connection says about the data connection.

#include "suites/forwarding/talk.h"
#include "suites/support.h"

namespace lvspec {
namespace {

class ForwardingFtp : public testing::DirectorTest {};

// A control connection to VIP:21 whose server is real1.
struct Session {
  static Session open(Bench& bench, int family) {
    const IpAddress vip = family == AF_INET ? kVip : kVip6;
    Listener at_server(bench.netns("real1"), {bench.rip(1, family), 21});
    Talk client = Talk::connect(bench.netns("client"), {bench.client(1, family).cip(), 0}, {vip, 21});
    return {std::move(client), at_server.accept()};
  }
  std::string ask(const std::string& command) {
    client.say(command + "\r\n");
    return server.hear();
  }
  std::string answer(const std::string& line) {
    server.say(line + "\r\n");
    return client.hear();
  }

  Talk client, server;
};

// 40000 is 156 * 256 + 64. The answer becomes one byte longer: both sides would stop understanding each other if the
// numbers of what follows did not move with it. Source: ip_vs_ftp.c, ip_vs_ftp_out(); ip_vs_conn.c,
// ip_vs_conn_fill_cport().
LVSPEC_CASE(ForwardingFtp, NatFtpPassive,
            {.id = "forwarding.nat-ftp-passive",
             .claim = "Behind NAT an answer to PASV or EPSV is rewritten to the VIP, its data connection is known in "
                      "LISTEN without the client's port, and then with it; the control connection goes on.",
             .clauses = {"FWD-16"},
             .field_reports = {"FR-58"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}}).masquerading()));
  ASSERT_OK(bench.add(TcpService(kVip, 21).scheduler("rr")));
  ASSERT_OK(bench.add(TcpService(kVip6, 21).scheduler("rr")));
  const Endpoint cip{bench.client(1).cip(), 0};

  Session session = Session::open(bench, AF_INET);
  for (const int round : {0, 1, 2}) {
    const auto port = static_cast<std::uint16_t>(40000 + round);
    const std::string text = ",156," + std::to_string(64 + round) + ").";
    EXPECT_THAT(session.ask("PASV"), Eq("PASV\r\n"));
    EXPECT_THAT(session.answer("227 Entering Passive Mode (203,0,113,11" + text),
                Eq("227 Entering Passive Mode (198,51,100,10" + text + "\r\n"));
    EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.client = cip.address,
                                                                      .cport = 0,
                                                                      .vip = kVip,
                                                                      .vport = port,
                                                                      .server = bench.rip(1),
                                                                      .sport = port,
                                                                      .state = "LISTEN",
                                                                      .expires = 120s})));
    Listener at_server(bench.netns("real1"), {bench.rip(1), port});
    Talk data =
        Talk::connect(bench.netns("client"), {cip.address, static_cast<std::uint16_t>(50000 + round)}, {kVip, port});
    at_server.accept().say("a file\n");
    EXPECT_THAT(data.hear(), Eq("a file\n"));
    EXPECT_THAT(
        bench.connections(),
        Contains(ConnectionOf(EntryParts{.cport = static_cast<std::uint16_t>(50000 + round), .vport = port})));
    EXPECT_THAT(bench.connections(), Not(Contains(ConnectionOf(EntryParts{.cport = 0}))));
    EXPECT_THAT(session.answer("226 Transfer complete."), Eq("226 Transfer complete.\r\n"));
    EXPECT_THAT(session.ask("NOOP"), Eq("NOOP\r\n"));
    EXPECT_THAT(session.answer("200 Here I am."), Eq("200 Here I am.\r\n"));
  }
  // Nobody has asked for it: it goes through as it is.
  EXPECT_THAT(session.answer("227 (203,0,113,11,156,64)"), Eq("227 (203,0,113,11,156,64)\r\n"));

  Session six = Session::open(bench, AF_INET6);
  EXPECT_THAT(six.ask("EPSV 2"), Eq("EPSV 2\r\n"));
  EXPECT_THAT(six.answer("229 Entering Extended Passive Mode (|||40000|)"),
              Eq("229 Entering Extended Passive Mode (|||40000|)\r\n"));
  Listener at_server(bench.netns("real1"), {bench.rip(1, AF_INET6), 40000});
  Talk data = Talk::connect(bench.netns("client"), {bench.client(1, AF_INET6).cip(), 0}, {kVip6, 40000});
  at_server.accept().say("a file\n");
  EXPECT_THAT(data.hear(), Eq("a file\n"));
}

// The server sees the client's own address, so that is what it may be told. Source: ip_vs_ftp.c, ip_vs_ftp_in().
LVSPEC_CASE(ForwardingFtp, NatFtpActive,
            {.id = "forwarding.nat-ftp-active",
             .claim = "Behind NAT what PORT or EPRT says stays as it is, its data connection is known in LISTEN, and "
                      "reaches the client from VIP:20.",
             .clauses = {"FWD-16"},
             .field_reports = {"FR-58"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}}).masquerading()));
  for (const int family : {AF_INET, AF_INET6}) {
    const IpAddress vip = family == AF_INET ? kVip : kVip6;
    ASSERT_OK(bench.add(TcpService(vip, 21).scheduler("rr").server(bench.rip(1, family), bench.server_options())));
    const IpAddress cip = bench.client(1, family).cip();
    const std::string command = family == AF_INET ? "PORT 192,0,2,1,156,64" : "EPRT |2|" + cip.str() + "|40000|";

    Session session = Session::open(bench, family);
    Listener at_client(bench.netns("client"), {cip, 40000});
    EXPECT_THAT(session.ask(command), Eq(command + "\r\n"));
    EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.client = cip,
                                                                      .cport = 40000,
                                                                      .vip = vip,
                                                                      .vport = 20,
                                                                      .server = bench.rip(1, family),
                                                                      .sport = 20,
                                                                      .state = "LISTEN",
                                                                      .expires = 120s})));
    EXPECT_THAT(session.answer("200 PORT command successful."), Eq("200 PORT command successful.\r\n"));
    Talk from_server = Talk::connect(bench.netns("real1"), {bench.rip(1, family), 20}, {cip, 40000});
    Talk at_home = at_client.accept();
    EXPECT_THAT(at_home.peer().str(), Eq(Endpoint{vip, 20}.str()));
    from_server.say("a file\n");
    EXPECT_THAT(at_home.hear(), Eq("a file\n"));
    EXPECT_THAT(session.answer("226 Transfer complete."), Eq("226 Transfer complete.\r\n"));
  }
}

// Source: ip_vs_conn.c, ip_vs_conn_expire(), `expire_later`.
LVSPEC_CASE(ForwardingFtp, NatFtpControlOutlivesItsData,
            {.id = "forwarding.nat-ftp-control-outlives-its-data",
             .claim = "An idle FTP control connection behind NAT is kept, a minute at a time, until its data "
                      "connection is gone.",
             .clauses = {"FWD-16", "TPL-34"}}) {
  ASSERT_OK_AND_ASSIGN(Bench bench, build(BenchPlan().real_servers(1, {.tcp = {}}).masquerading()));
  ASSERT_OK(bench.add(TcpService(kVip, 21).scheduler("rr")));
  ASSERT_OK(bench.set_timeouts(30, 0, 0));
  Session session = Session::open(bench, AF_INET);
  session.ask("PASV");
  session.answer("227 Entering Passive Mode (203,0,113,11,156,64).");
  bench.elapse(100s);  // 30 s and 60 s are over; the data's 120 s are not
  EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.vport = 21})));
  EXPECT_THAT(bench.connections(), Contains(ConnectionOf(EntryParts{.vport = 40000})));
  bench.elapse(100s);
  EXPECT_THAT(bench.connections(), IsEmpty());
}

}  // namespace
}  // namespace lvspec
