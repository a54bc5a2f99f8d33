#include "harness/probe/client.h"

#include <poll.h>

#include <cstdlib>
#include <future>
#include <sstream>

#include "harness/probe/identity.h"
#include "harness/probe/sockets.h"
#include "harness/probe/test_world.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// Before any thread is started, which namespaces of an unprivileged user need.
class Namespaces : public ::testing::Environment {
 public:
  void SetUp() override {
    const Status able = become_able_to_create_namespaces();
    ASSERT_RESULT(able);
  }
};
const auto* const kNamespaces = ::testing::AddGlobalTestEnvironment(new Namespaces);

using Probes = ProbeWorld;

std::string print(const Answer& answer) {
  std::ostringstream text;
  text << answer;
  return text.str();
}

TEST(AnswerPrinter, SaysWhoAnsweredWhom) {
  Answer answer{.outcome = Outcome::kAnswered,
                .server = "real2",
                .client = Endpoint::parse("192.0.2.1:40112").value(),
                .target = Endpoint::parse("198.51.100.10:80").value()};
  EXPECT_EQ(print(answer), "answered by \"real2\", 192.0.2.1:40112 -> 198.51.100.10:80");
  answer.seen_client = Endpoint::parse("203.0.113.1:5000").value();
  EXPECT_THAT(print(answer), HasSubstr(", seen there as 203.0.113.1:5000"));
  answer = {.outcome = Outcome::kRefused, .client = answer.client, .target = answer.target, .detail = "ECONNREFUSED"};
  EXPECT_EQ(print(answer), "refused, 192.0.2.1:40112 -> 198.51.100.10:80: ECONNREFUSED");
}

TEST(Identity, IsReadBackFromAnyText) {
  const Endpoint client = Endpoint::parse("[2001:db8:2::1]:40112").value();
  const Endpoint target = Endpoint::parse("[2001:db8:51::10]:80").value();
  const std::string line = identity_line("real2", client, target);
  EXPECT_EQ(line, "server=real2 client=[2001:db8:2::1]:40112 target=[2001:db8:51::10]:80\n");
  Answer answer;
  EXPECT_TRUE(read_identity("login: " + line + "more", &answer));
  EXPECT_EQ(answer.server, "real2");
  EXPECT_EQ(answer.seen_client, client);
  for (const char* text : {"", "server=real2", "server= client=192.0.2.1:1", "server=x client=nonsense\n"})
    EXPECT_FALSE(read_identity(text, &answer)) << text;
}

TEST_F(Probes, ConnectTellsWhoAnswered) {
  Attempt attempt = to(2, 80);
  attempt.client.port = 40112;
  const auto answer = client().connect(attempt);
  ASSERT_RESULT(answer);
  EXPECT_THAT(*answer, AnsweredBy("real2"));
  EXPECT_EQ(answer->client, attempt.client);
  EXPECT_EQ(answer->seen_client, attempt.client);
  EXPECT_GT(answer->took.count(), 0);
  EXPECT_THAT(answer->detail, IsEmpty());
}

TEST_F(Probes, AnEphemeralPortIsReported) {
  const auto answer = client().connect(to(1, 80));
  ASSERT_RESULT(answer);
  EXPECT_NE(answer->client.port, 0);
  EXPECT_EQ(answer->client, answer->seen_client);
}

TEST_F(Probes, BothFamiliesReachTheSameListeners) {
  const auto tcp = client().connect(to(3, 80, AF_INET6));
  ASSERT_RESULT(tcp);
  EXPECT_THAT(*tcp, AnsweredBy("real3"));
  EXPECT_EQ(tcp->seen_client, tcp->client);
  const auto udp = client().udp(to(3, 53, AF_INET6));
  ASSERT_RESULT(udp);
  EXPECT_THAT(*udp, AnsweredBy("real3"));
  const auto http = client().http(to(3, 443, AF_INET6));
  ASSERT_RESULT(http);
  EXPECT_THAT(*http, AnsweredBy("real3"));
}

TEST_F(Probes, AClosedPortRefuses) {
  const auto tcp = client().connect(to(1, 81));
  ASSERT_RESULT(tcp);
  EXPECT_THAT(*tcp, AllOf(Ended(Outcome::kRefused), Field(&Answer::detail, StartsWith("ECONNREFUSED"))));
  const auto udp = client().udp(to(1, 54));
  ASSERT_RESULT(udp);
  EXPECT_THAT(*udp, Ended(Outcome::kRefused));
  const auto http = client().http(to(1, 81));
  ASSERT_RESULT(http);
  EXPECT_THAT(*http, AllOf(Ended(Outcome::kRefused), Field(&Answer::detail, HasSubstr("ECONNREFUSED"))));
}

TEST_F(Probes, ADeadLinkIsSilence) {
  const Status cut = world_->set_link(world_->real_server(1), false);
  ASSERT_RESULT(cut);
  Attempt attempt = to(1, 80);
  attempt.patience = kShortPatience;
  const auto tcp = client().connect(attempt);
  ASSERT_RESULT(tcp);
  EXPECT_THAT(*tcp, AllOf(Ended(Outcome::kSilence), Field(&Answer::detail, "no SYN-ACK within 300 ms")));
  EXPECT_GE(tcp->took, kShortPatience);
  attempt.target.port = 53;
  const auto udp = client().udp(attempt);
  ASSERT_RESULT(udp);
  EXPECT_THAT(*udp, Ended(Outcome::kSilence));
  attempt.target.port = 80;
  const auto http = client().http(attempt);
  ASSERT_RESULT(http);
  EXPECT_THAT(*http, Ended(Outcome::kSilence));
}

TEST_F(Probes, AServerThatNeverAnswersIsSilenceToo) {
  const FileDescriptor frozen = listener(1, kFrozenPort);
  Attempt attempt = to(1, kFrozenPort);
  attempt.patience = kShortPatience;
  const auto answer = client().connect(attempt);
  ASSERT_RESULT(answer);
  EXPECT_THAT(*answer, AllOf(Ended(Outcome::kSilence), Field(&Answer::detail, "no answer within 300 ms")));
}

TEST_F(Probes, AServerThatHangsUpIsAReset) {
  const FileDescriptor rude = listener(1, kFrozenPort);
  for (const bool with_rst : {true, false}) {
    auto answer = std::async(std::launch::async, [&] { return client().connect(to(1, kFrozenPort)); });
    FileDescriptor connection(accept(rude.get(), nullptr, nullptr));
    char question[4];
    ASSERT_EQ(recv(connection.get(), question, sizeof question, MSG_WAITALL), 4);
    if (with_rst) reset_connection(&connection);
    connection.reset();
    const auto result = answer.get();
    ASSERT_RESULT(result);
    EXPECT_THAT(*result, Ended(Outcome::kReset));
    EXPECT_THAT(result->detail, HasSubstr(with_rst ? "ECONNRESET" : "FIN"));
  }
}

TEST_F(Probes, NoRouteIsUnreachable) {
  const Attempt attempt{.client = {cip(1), 0}, .target = Endpoint::parse("10.9.9.9:80").value()};
  const auto answer = client().connect(attempt);
  ASSERT_RESULT(answer);
  EXPECT_THAT(*answer, Ended(Outcome::kUnreachable));
}

TEST_F(Probes, TheWorldsRefusalIsAnErrorThatNamesTheCall) {
  Attempt attempt = to(1, 80);
  attempt.client.port = 40000;
  const auto holder = client().open(attempt);
  ASSERT_RESULT(holder);
  attempt.target.address = rip(2);
  // Bound to the same port, where SO_REUSEADDR allows it for another target...
  const auto other = client().connect(attempt);
  ASSERT_RESULT(other);
  // ...but not for the same one.
  attempt.target.address = rip(1);
  EXPECT_EQ(client().connect(attempt).error().message,
            "client: connect(" + attempt.target.str() + "): EADDRNOTAVAIL (Cannot assign requested address)");
  attempt.client.address = IpAddress::of("10.9.9.9");
  EXPECT_EQ(client().connect(attempt).error().message,
            "client: bind(10.9.9.9:40000): EADDRNOTAVAIL (Cannot assign requested address)");
  EXPECT_EQ(client().http(attempt).error().message,
            "client: bind(10.9.9.9:40000): EADDRNOTAVAIL (Cannot assign requested address)");
  const auto udp = client().open_udp({.client = {cip(1), 5353}, .target = {rip(1), 53}});
  ASSERT_RESULT(udp);
  EXPECT_EQ(client().udp({.client = {cip(1), 5353}, .target = {rip(2), 53}}).error().message,
            "client: bind(" + cip(1).str() + ":5353): EADDRINUSE (Address already in use)");
}

// What the ends say to finish the connection, without the ACKs.
std::vector<std::string> endings(const std::vector<std::string>& segments) {
  std::vector<std::string> ends;
  for (const std::string& segment : segments) {
    const bool is_end = segment.find("FIN") != std::string::npos || segment.find("RST") != std::string::npos;
    if (is_end) ends.push_back(segment.substr(0, segment.find(" ACK")));
  }
  return ends;
}

TEST_F(Probes, EachCloseHasItsShapeOnTheWire) {
  Capture capture(world_->client().netns);
  struct Case {
    Close close;
    std::vector<std::string> ends;
  };
  const std::vector<Case> cases = {{Close::kClientFirst, {"client FIN", "server FIN"}},
                                   {Close::kServerFirst, {"server FIN", "client FIN"}},
                                   {Close::kReset, {"client RST"}}};
  for (const Case& shape : cases) {
    for (const std::uint16_t port : {std::uint16_t{80}, kTelnetPort}) {
      Attempt attempt = to(1, port);
      attempt.close = shape.close;
      const auto answer = client().connect(attempt);
      ASSERT_RESULT(answer);
      EXPECT_THAT(*answer, AnsweredBy("real1"));
      EXPECT_THAT(answer->detail, IsEmpty());
      EXPECT_EQ(endings(capture.segments(port)), shape.ends);
      // The same by hand, on a connection that was kept open.
      auto connection = client().open(to(1, port));
      ASSERT_RESULT(connection);
      const Status closed = connection->close(shape.close);
      ASSERT_RESULT(closed);
      EXPECT_EQ(endings(capture.segments(port)), shape.ends);
    }
  }
}

TEST_F(Probes, HttpIsClosedByTheServerFirst) {
  Capture capture(world_->client().netns);
  for (int i = 0; i < 20; ++i) {
    ASSERT_RESULT(client().http(to(1, 80)));
    EXPECT_THAT(endings(capture.segments(80)), ElementsAre("server FIN", "client FIN"));
  }
}

// A delayed ACK (40 to 200 ms) would reach the director after the call, and re-arm a timer there.
TEST_F(Probes, AnOpenConnectionOwesNoPackets) {
  Capture capture(world_->client().netns);
  auto connection = client().open(to(1, 80));
  ASSERT_RESULT(connection);
  for (int i = 0; i < 5; ++i) ASSERT_THAT(connection->say_again(), AnsweredBy("real1"));
  EXPECT_THAT(capture.segments(80), Contains("client SYN"));
  wait_readable(capture.socket(), ProbeClock::now() + 250ms);
  EXPECT_THAT(capture.segments(80), Not(Contains(StartsWith("client"))));
}

TEST_F(Probes, TelnetSpeaksFirst) {
  const auto answer = client().connect(to(1, kTelnetPort));
  ASSERT_RESULT(answer);
  EXPECT_THAT(*answer, AnsweredBy("real1"));
  auto connection = client().open(to(2, kTelnetPort));
  ASSERT_RESULT(connection);
  EXPECT_THAT(connection->say_again(), AnsweredBy("real2"));
  EXPECT_THAT(servers_->log(), testing::Each(Field(&Sighting::protocol, "telnet")));
}

TEST_F(Probes, AnOpenConnectionKeepsItsServerAndFeelsItsDeath) {
  Attempt attempt = to(2, 80);
  attempt.client.port = 40112;
  auto connection = client().open(attempt);
  ASSERT_RESULT(connection);
  EXPECT_THAT(connection->answer(), AnsweredBy("real2"));
  const Answer again = connection->say_again();
  EXPECT_THAT(again, AnsweredBy("real2"));
  EXPECT_EQ(again.client, attempt.client);
  EXPECT_EQ(again.seen_client, attempt.client);

  Connection moved = std::move(*connection);
  EXPECT_THAT(moved.say_again(), AnsweredBy("real2"));
  const Status stopped = servers_->stop("real2");
  ASSERT_RESULT(stopped);
  EXPECT_THAT(moved.say_again(), Ended(Outcome::kReset));
}

TEST_F(Probes, AnOpenConnectionOverADeadLinkIsSilent) {
  Attempt attempt = to(2, 80);
  attempt.patience = kShortPatience;
  auto connection = client().open(attempt);
  ASSERT_RESULT(connection);
  const Status cut = world_->set_link(world_->real_server(2), false);
  ASSERT_RESULT(cut);
  EXPECT_THAT(connection->say_again(), Ended(Outcome::kSilence));
  const Status closed = connection->close();
  ASSERT_FALSE(closed.ok());
  EXPECT_THAT(closed.error().message, AllOf(StartsWith("client: close("), HasSubstr("no FIN from the server")));
}

TEST_F(Probes, AHalfClosedConnectionIsStillAnswered) {
  Capture capture(world_->client().netns);
  auto connection = client().open(to(1, 80));
  ASSERT_RESULT(connection);
  EXPECT_THAT(connection->half_close(), AnsweredBy("real1"));
  EXPECT_THAT(endings(capture.segments(80)), ElementsAre("client FIN"));
  EXPECT_THAT(connection->say_again(), Ended(Outcome::kReset));
  const Status closed = connection->close();
  EXPECT_TRUE(closed.ok());
}

TEST_F(Probes, OpenFailsWithTheAnswerItGot) {
  const auto connection = client().open(to(1, 81));
  ASSERT_FALSE(connection.ok());
  EXPECT_THAT(connection.error().message,
              AllOf(StartsWith("client: open: refused, 192.0.2.1:"), HasSubstr("ECONNREFUSED (Connection refused)")));
}

TEST_F(Probes, UdpKeepsItsPortAndSeesServersComeAndGo) {
  const Endpoint source{cip(3), 5353};
  auto socket = client().open_udp({.client = source, .target = {rip(1), 53}});
  ASSERT_RESULT(socket);
  for (int i = 0; i < 3; ++i) {
    const Answer answer = socket->ask();
    EXPECT_THAT(answer, AnsweredBy("real1"));
    EXPECT_EQ(answer.seen_client, source);
  }
  const Status stopped = servers_->stop("real1");
  ASSERT_RESULT(stopped);
  EXPECT_THAT(socket->ask(), Ended(Outcome::kRefused));
  const Status restarted = servers_->restart("real1");
  ASSERT_RESULT(restarted);
  EXPECT_THAT(socket->ask(), AnsweredBy("real1"));
}

TEST_F(Probes, HttpHonoursTheSourcePortAndIgnoresTheEnvironment) {
  ASSERT_EQ(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
  Attempt attempt = to(1, 80);
  attempt.client = {cip(2), 41000};
  const auto answer = client().http(attempt, "/index.html");
  unsetenv("http_proxy");
  ASSERT_RESULT(answer);
  EXPECT_THAT(*answer, AnsweredBy("real1"));
  EXPECT_EQ(answer->client, attempt.client);
  EXPECT_EQ(answer->seen_client, attempt.client);
  EXPECT_EQ(answer->detail, "HTTP/1.1 200 OK");
}

TEST_F(Probes, AReplyFromAStrangerIsAnsweredByNobody) {
  const FileDescriptor stranger = listener(1, 8080);
  auto answer = std::async(std::launch::async, [&] { return client().http(to(1, 8080)); });
  FileDescriptor connection(accept(stranger.get(), nullptr, nullptr));
  char request[4096];
  ASSERT_GT(recv(connection.get(), request, sizeof request, 0), 0);
  const std::string reply = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nsorry";
  ASSERT_EQ(send(connection.get(), reply.data(), reply.size(), 0), static_cast<ssize_t>(reply.size()));
  connection.reset();
  const auto result = answer.get();
  ASSERT_RESULT(result);
  EXPECT_THAT(*result, AnsweredBy(""));
  EXPECT_EQ(result->detail, "HTTP/1.1 503 Service Unavailable");
}

TEST_F(Probes, ManyAtOnceAnswerInTheOrderOfTheAttempts) {
  std::vector<Attempt> attempts;
  for (int i = 0; i < 500; ++i) {
    attempts.push_back(to(1 + i % 3, i % 10 == 9 ? 81 : 80));
    attempts.back().client.address = cip(1 + i % 200);
    attempts.back().close = static_cast<Close>(i % 3);
  }
  const auto check = [&](const Result<std::vector<Answer>>& answers) {
    ASSERT_RESULT(answers);
    ASSERT_EQ(answers->size(), attempts.size());
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      const Answer& answer = (*answers)[i];
      EXPECT_EQ(answer.client.address, attempts[i].client.address);
      EXPECT_EQ(answer.target, attempts[i].target);
      if (i % 10 == 9) {
        EXPECT_THAT(answer, Ended(Outcome::kRefused));
      } else {
        EXPECT_THAT(answer, AnsweredBy(server_name(static_cast<int>(1 + i % 3))));
        EXPECT_EQ(answer.client, answer.seen_client);
      }
    }
  };
  check(client().http_all(attempts));
  for (std::size_t i = 0; i < attempts.size(); i += 5) attempts[i].target.port = kTelnetPort;
  check(client().connect_all(attempts));
  check(client().connect_all(attempts, 1));
  check(client().connect_all(attempts, 1000));
  EXPECT_THAT(client().connect_all({}).value(), IsEmpty());
  EXPECT_THAT(client().http_all({}).value(), IsEmpty());
}

TEST_F(Probes, SilentOnesAmongManyDoNotHoldUpTheRest) {
  const FileDescriptor frozen = listener(1, kFrozenPort);
  std::vector<Attempt> attempts(40, to(1, 80));
  for (std::size_t i = 0; i < attempts.size(); i += 4) {
    attempts[i].target.port = kFrozenPort;
    attempts[i].patience = kShortPatience;
  }
  const auto start = ProbeClock::now();
  const auto answers = client().connect_all(attempts);
  EXPECT_LT(since(start), 5 * kShortPatience);  // the ten waited together
  ASSERT_RESULT(answers);
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    if (i % 4 == 0) {
      EXPECT_THAT((*answers)[i], Ended(Outcome::kSilence));
    } else {
      EXPECT_THAT((*answers)[i], AnsweredBy("real1"));
    }
  }
}

TEST_F(Probes, TheFirstRefusalOfTheWorldEndsAll) {
  std::vector<Attempt> attempts(10, to(1, 80));
  attempts[5].client.address = IpAddress::of("10.9.9.9");
  const std::string refusal = "client: bind(10.9.9.9:0): EADDRNOTAVAIL (Cannot assign requested address)";
  EXPECT_EQ(client().connect_all(attempts, 2).error().message, refusal);
  EXPECT_EQ(client().http_all(attempts, "/", 2).error().message, refusal);
}

}  // namespace
}  // namespace lvspec
