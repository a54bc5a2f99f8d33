// What a director knows of FTP data behind NAT before its first packet.

#include <string>
#include <vector>

#include "director/core/ftp.h"
#include "director/core/test_world.h"

namespace lvspec::director {
namespace {

using ::testing::SizeIs;

class FtpHelper : public ::testing::Test {
 protected:
  void SetUp() override {
    RealServerSettings masqueraded;
    masqueraded.method = ForwardMethod::kMasquerade;
    ASSERT_EQ(world.director.add_service(tcp_service(21), scheduled_by("rr")), Outcome::kOk);
    ASSERT_EQ(world.director.add_server(tcp_service(21), real(1, 21), masqueraded), Outcome::kOk);
    world.open(control);
    ASSERT_EQ(world.last().action, Verdict::Action::kForward);
  }

  // A TCP header of 20 bytes and the text.
  std::vector<std::byte> segment(const std::string& text, std::uint32_t sequence) {
    std::vector<std::byte> bytes(20);
    for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(4 + i)] = std::byte(sequence >> (24 - 8 * i) & 0xff);
    bytes[12] = std::byte{0x50};
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
    return bytes;
  }
  Verdict client_says(const std::string& text) {
    said_ = segment(text, 1);
    Packet packet = packet_of(control, kAck);
    packet.payload = said_;
    return world.director.handle(world.now(), packet);
  }
  Verdict server_says(const std::string& text, std::uint32_t sequence = 1000) {
    said_ = segment(text, sequence);
    Packet packet =
        packet_of({.from = rip(1), .to = client(1), .port = control.client_port, .client_port = 21}, kAck);
    packet.payload = said_;
    return world.director.handle_reply(world.now(), packet);
  }
  std::vector<EntryView> data() {
    std::vector<EntryView> all = world.connections();
    std::erase_if(all, [](const EntryView& entry) { return entry.virtual_port == 21; });
    return all;
  }

  World world;
  Flow control{.from = client(1), .port = 21};

 private:
  std::vector<std::byte> said_;
};

TEST_F(FtpHelper, PassiveDataIsKnownWithoutAPort) {
  client_says("PASV\r\n");
  const Verdict verdict = server_says("227 Passive (203,0,113,11,156,64)\r\n");
  ASSERT_NE(verdict.ftp, nullptr);
  EXPECT_EQ(verdict.ftp->text(), "198,51,100,10,156,64");
  EXPECT_EQ(verdict.ftp->at, 13u);
  EXPECT_EQ(verdict.ftp->removed, 19u);
  ASSERT_THAT(data(), SizeIs(1));
  EXPECT_EQ(data()[0].client_port, 0);
  EXPECT_EQ(data()[0].virtual_port, 40000);
  EXPECT_EQ(data()[0].server_port, 40000);
  EXPECT_EQ(data()[0].state, "LISTEN");
  EXPECT_EQ(data()[0].expires_in, 120s);

  const RealServer& server = world.server(tcp_service(21), 1);
  EXPECT_EQ(server.active + server.inactive, 2u);
  EXPECT_EQ(world.send({.from = client(2), .port = 40000, .client_port = 5000}, kSyn), "pass");
  EXPECT_EQ(world.send({.from = client(1), .port = 40000, .client_port = 5000}, kSyn), "r1");
  ASSERT_THAT(data(), SizeIs(1));
  EXPECT_EQ(data()[0].client_port, 5000);
  EXPECT_EQ(data()[0].state, "SYN_RECV");
  EXPECT_EQ(server.active + server.inactive, 2u);
  EXPECT_EQ(world.send({.from = client(1), .port = 40000, .client_port = 5001}, kSyn), "pass");
}

TEST_F(FtpHelper, LaterNumbersAreShifted) {
  client_says("PASV\r\n");
  server_says("227 Passive (203,0,113,11,156,64)\r\n", 1000);  // one byte longer
  const Verdict next = server_says("150 Here it comes\r\n", 1035);
  ASSERT_NE(next.ftp, nullptr);
  EXPECT_FALSE(next.ftp->replaces());
  EXPECT_EQ(next.ftp->shift.towards_receiver(1035), 1036u);
  const Verdict answer = client_says("NOOP\r\n");
  ASSERT_NE(answer.ftp, nullptr);
  EXPECT_EQ(answer.ftp->shift.towards_sender(1036), 1035u);
}

TEST_F(FtpHelper, AnAnswerNobodyAskedForIsLeftAlone) {
  EXPECT_EQ(server_says("227 Passive (203,0,113,11,156,64)\r\n").ftp, nullptr);
  client_says("PASV\r\n");
  EXPECT_NE(server_says("227 Passive (203,0,113,11,156,64)\r\n").ftp, nullptr);
  EXPECT_FALSE(server_says("227 Passive (203,0,113,11,156,64)\r\n").ftp->replaces());
  EXPECT_THAT(data(), SizeIs(1));
}

TEST_F(FtpHelper, ActiveDataIsKnownWhole) {
  EXPECT_EQ(client_says("PORT 192,0,2,1,156,64\r\n").ftp, nullptr);
  ASSERT_THAT(data(), SizeIs(1));
  EXPECT_EQ(data()[0].client_port, 40000);
  EXPECT_EQ(data()[0].virtual_port, 20);
  EXPECT_EQ(data()[0].server_port, 20);
  EXPECT_EQ(data()[0].state, "LISTEN");
  Packet syn = packet_of({.from = rip(1), .to = client(1), .port = 40000, .client_port = 20}, kSyn);
  const Verdict verdict = world.director.handle_reply(world.now(), syn);
  EXPECT_EQ(verdict.action, Verdict::Action::kForward);
  EXPECT_EQ(verdict.virtual_port, 20);
}

// TPL-34, as a template: 60 s more as long as there is data.
TEST_F(FtpHelper, ControlOutlivesItsData) {
  world.director.set_timeouts({.tcp_s = 30, .tcp_fin_s = 0, .udp_s = 0});
  client_says("PASV\r\n");
  server_says("227 (203,0,113,11,156,64)\r\n");  // control: 30 s, data: 120 s
  world.elapse(119s);
  EXPECT_THAT(world.connections(), SizeIs(2));
  world.elapse(2s);  // the data is gone; control lives until 150 s
  EXPECT_THAT(world.connections(), SizeIs(1));
  world.elapse(30s);
  EXPECT_THAT(world.connections(), SizeIs(0));
}

TEST_F(FtpHelper, OnlyNatIsHelped) {
  ASSERT_EQ(world.director.edit_server(tcp_service(21), real(1, 21), {}), Outcome::kOk);
  control.client_port = 0;
  world.open(control);
  client_says("PORT 192,0,2,1,156,64\r\n");
  EXPECT_THAT(data(), SizeIs(0));
}

}  // namespace
}  // namespace lvspec::director
