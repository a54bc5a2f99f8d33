#include "director/ipvsadm/connection.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

namespace lvspec::ipvsadm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A director that says one thing, whatever it is asked, and goes.
class OneAnswer {
 public:
  OneAnswer(const std::string& name, std::string answer) {
    listener_ = FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const FileDescriptor peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[4096];
      EXPECT_GT(read(peer.get(), request, sizeof request), 0);
      EXPECT_EQ(send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
      if (!answer.empty()) return;
      EXPECT_EQ(read(peer.get(), request, sizeof request), 0);  // silent until the asker goes
    });
  }
  ~OneAnswer() { thread_.join(); }

 private:
  FileDescriptor listener_;
  std::thread thread_;
};

std::string asked(const std::string& answer, std::chrono::milliseconds patience = 10s) {
  const std::string name = "lvspec-connection-test-" + std::to_string(getpid());
  const OneAnswer director(name, answer);
  auto connection = Connection::open("@" + name, patience);
  if (!connection.ok()) return connection.error().message;
  const auto reply = connection->ask({{"verb", "hello"}});
  return reply.ok() ? reply->dump() : reply.error().message;
}

TEST(Connection, HandsOnWhatTheDirectorSays) {
  EXPECT_EQ(asked("{\"ok\":true,\"name\":\"x\"}\n"), R"({"name":"x","ok":true})");
  EXPECT_EQ(asked("{\"ok\":false}\n"), R"({"ok":false})");
}

TEST(Connection, SaysWhatTheDirectorDidInstead) {
  EXPECT_THAT(asked("garbage\n"), HasSubstr("its answer is not the control protocol"));
  EXPECT_THAT(asked("[1]\n"), HasSubstr("its answer is not the control protocol"));
  EXPECT_THAT(asked("{\"ok\":\"yes\"}\n"), HasSubstr("its answer is not the control protocol"));
  EXPECT_THAT(asked("{\"ok\":tr"), HasSubstr("it has closed the connection"));
  EXPECT_THAT(asked("", 50ms), HasSubstr("no answer within 50 ms"));
}

TEST(Connection, SaysThatNoDirectorListens) {
  EXPECT_EQ(Connection::open("@lvspec-nobody-here").error().message, "no director listens on @lvspec-nobody-here");
  EXPECT_EQ(Connection::open("/nonexistent/control").error().message, "no director listens on /nonexistent/control");
  EXPECT_THAT(Connection::open("").error().message, HasSubstr("a path of 1 to"));
  EXPECT_THAT(Connection::open(std::string(200, 'x')).error().message, HasSubstr("a path of 1 to"));
}

}  // namespace
}  // namespace lvspec::ipvsadm
