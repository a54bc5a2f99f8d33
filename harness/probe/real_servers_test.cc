#include "harness/probe/real_servers.h"

#include <sstream>

#include "harness/probe/sockets.h"
#include "harness/probe/test_world.h"

namespace lvspec {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Servers = ProbeWorld;

// Sends one request over TCP and returns all that comes until the server closes.
std::string converse(const NetworkNamespace& netns, const Attempt& attempt, const std::string& request) {
  auto socket = netns.call([&]() -> Result<FileDescriptor> {
    LVSPEC_ASSIGN(FileDescriptor made, bound_socket("test", SOCK_STREAM, attempt));
    if (const int error = connect_socket(made, attempt.target); error != 0) return system_error("connect", error);
    return made;
  });
  const auto deadline = ProbeClock::now() + kPatience;
  std::string reply;
  std::size_t sent = 0;
  while (ProbeClock::now() < deadline) {
    if (sent < request.size()) {
      // One byte at a time: the servers must not depend on where a stream is cut.
      if (send(socket->get(), request.data() + sent, 1, MSG_NOSIGNAL) == 1) ++sent;
      continue;
    }
    char buffer[1024];
    const ssize_t size = recv(socket->get(), buffer, sizeof buffer, 0);
    if (size == 0) return reply;
    if (size > 0) reply.append(buffer, static_cast<std::size_t>(size));
    if (size < 0 && errno == EAGAIN) wait_readable(*socket, deadline);
  }
  return reply + "(not closed)";
}

TEST_F(Servers, SpeakLinesHoweverTheyAreCut) {
  Attempt attempt = to(1, 80);
  attempt.client.port = 40001;
  const std::string identity = "server=real1 client=192.0.2.1:40001 target=203.0.113.11:80\n";
  EXPECT_EQ(converse(world_->client().netns, attempt, "WHO\nnonsense\n\nWHO\r\nBYE\n"), identity + identity);
}

TEST_F(Servers, SpeakHttpAndTelnet) {
  const NetworkNamespace& netns = world_->client().netns;
  const std::string get = converse(netns, to(2, 80), "GET / HTTP/1.1\r\nHost: vip\r\n\r\n");
  EXPECT_THAT(get, ::testing::StartsWith("HTTP/1.1 200 OK\r\nServer: real2\r\n"));
  EXPECT_THAT(get, HasSubstr("\r\n\r\nserver=real2 client=192.0.2.1:"));
  const std::string head = converse(netns, to(2, 80), "HEAD / HTTP/1.1\r\nHost: vip\r\n\r\n");
  EXPECT_THAT(head, ::testing::EndsWith("\r\n\r\n"));
  const std::string telnet = converse(netns, to(2, kTelnetPort), "root\nBYE\n");
  EXPECT_THAT(telnet, ::testing::StartsWith("server=real2 "));
  EXPECT_THAT(telnet, ::testing::EndsWith("\nlogin: "));
}

TEST_F(Servers, APortThatIsTakenIsAnErrorThatNamesIt) {
  const FileDescriptor taken = listener(1, 8080);
  const Status added = servers_->add("squatter", real(1), {8081, 8080}, {5353});
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().message, "squatter: bind(tcp [::]:8080): EADDRINUSE (Address already in use)");
  // Nothing of it is left: neither the name nor the port that was free.
  EXPECT_EQ(client().connect(to(1, 8081))->outcome, Outcome::kRefused);
  const Status again = servers_->add("squatter", real(1), {8081}, {5353});
  ASSERT_RESULT(again);
  EXPECT_THAT(*client().connect(to(1, 8081)), AnsweredBy("squatter"));
  const Status twice = servers_->add("squatter", real(2), {8081});
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().kind, ErrorKind::kUsage);
  const Status udp = servers_->add("other", real(1), {}, {5353});
  EXPECT_EQ(udp.error().message, "other: bind(udp [::]:5353): EADDRINUSE (Address already in use)");
}

TEST_F(Servers, StopAndRestart) {
  auto open = client().open(to(1, 80));
  ASSERT_RESULT(open);
  const Status stopped = servers_->stop("real1");
  ASSERT_RESULT(stopped);
  EXPECT_THAT(open->say_again(), Ended(Outcome::kReset));
  EXPECT_THAT(*client().connect(to(1, 80)), Ended(Outcome::kRefused));
  EXPECT_THAT(*client().udp(to(1, 53)), Ended(Outcome::kRefused));
  EXPECT_THAT(*client().connect(to(2, 80)), AnsweredBy("real2"));
  EXPECT_TRUE(servers_->stop("real1").ok());
  for (int i = 0; i < 2; ++i) {  // the second time it is alive already
    const Status restarted = servers_->restart("real1");
    ASSERT_RESULT(restarted);
    EXPECT_THAT(*client().connect(to(1, 80)), AnsweredBy("real1"));
    EXPECT_THAT(*client().udp(to(1, 53)), AnsweredBy("real1"));
  }
  EXPECT_THAT(servers_->stop("real9").error().message, HasSubstr("real9"));
}

TEST_F(Servers, AClosedPortLeavesTheOthersAndOpenConnections) {
  auto open = client().open(to(1, 80));
  ASSERT_RESULT(open);
  const Status closed = servers_->close_port("real1", 80);
  ASSERT_RESULT(closed);
  EXPECT_THAT(*client().connect(to(1, 80)), Ended(Outcome::kRefused));
  EXPECT_THAT(*client().connect(to(1, 443)), AnsweredBy("real1"));
  EXPECT_THAT(open->say_again(), AnsweredBy("real1"));
  EXPECT_THAT(servers_->close_port("real1", 80).error().message, "real1: port 80 is not open");
  const Status restarted = servers_->restart("real1");
  ASSERT_RESULT(restarted);
  EXPECT_THAT(*client().connect(to(1, 80)), AnsweredBy("real1"));
  EXPECT_THAT(open->say_again(), AnsweredBy("real1"));
}

TEST_F(Servers, LogWhatEachSaw) {
  EXPECT_THAT(servers_->log(), IsEmpty());
  const auto tcp = client().connect(to(1, 80));
  const auto udp = client().udp(to(2, 53));
  const auto http = client().http(to(3, 443));
  const auto log = servers_->log();
  ASSERT_THAT(log, SizeIs(3));
  const char* const protocols[] = {"tcp", "udp", "http"};
  const Answer* const answers[] = {&*tcp, &*udp, &*http};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(log[i].server, answers[i]->server);
    EXPECT_EQ(log[i].client, answers[i]->client);
    EXPECT_EQ(log[i].target, answers[i]->target);
    EXPECT_EQ(log[i].protocol, protocols[i]);
  }
  std::ostringstream text;
  text << log[1];
  EXPECT_EQ(text.str(), "real2 saw " + udp->client.str() + " -> 203.0.113.12:53 by udp");
}

// In direct routing the VIP is on the server's lo, and the client hears a reply from nowhere else.
TEST_F(Servers, UdpIsAnsweredFromTheAddressItWasSentTo) {
  for (const int family : {AF_INET, AF_INET6}) {
    const Endpoint vip{world_->topology().vips[family == AF_INET ? 0 : 1], 53};
    ASSERT_EQ(vip.address.family(), family);
    const Attempt attempt{.client = {cip(1, family), 5353}, .target = vip};
    const auto socket = world_->client().netns.call([&]() -> Result<FileDescriptor> {
      LVSPEC_ASSIGN(FileDescriptor made, bound_socket("test", SOCK_DGRAM, attempt));
      if (const int error = connect_socket(made, vip); error != 0) return system_error("connect", error);
      return made;
    });
    ASSERT_RESULT(socket);
    auto raw = RawProbe::open(world_->client().netns);
    ASSERT_RESULT(raw);
    // As a director would pass it on: addressed to the VIP, real2's MAC.
    const Status sent = raw->send_datagram({.source = attempt.client, .target = vip, .payload = "WHO\n"},
                                           world_->real_server(2).port.mac);
    ASSERT_RESULT(sent);
    // The socket is connected to the VIP: it takes from no other address.
    ASSERT_TRUE(wait_readable(*socket, ProbeClock::now() + kPatience));
    char reply[256];
    const ssize_t size = recv(socket->get(), reply, sizeof reply, 0);
    ASSERT_GT(size, 0) << errno_text(errno);
    EXPECT_EQ(std::string(reply, static_cast<std::size_t>(size)),
              "server=real2 client=" + attempt.client.str() + " target=" + vip.str() + "\n");
  }
}

}  // namespace
}  // namespace lvspec
