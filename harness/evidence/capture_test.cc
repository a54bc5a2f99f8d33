#include "harness/evidence/capture.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/evidence/pcapng_reader.h"

namespace lvspec {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr std::uint16_t kPort = 9;  // discard

/// One namespace with its loopback up: the smallest segment there is, where each frame passes twice, out and in.
class CaptureTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { able_ = new Status(become_able_to_create_namespaces()); }
  static void TearDownTestSuite() { delete able_; }

  void SetUp() override {
    if (!able_->ok()) GTEST_SKIP() << "needs netns: " << able_->error().message;
    Result<NetworkNamespace> segment = NetworkNamespace::create("segment");
    ASSERT_TRUE(segment.ok()) << segment.error().message;
    segment_.push_back(std::move(*segment));
    const Status made = segment_[0].call([&]() -> Status {
      sender_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      if (!sender_.valid()) return system_error("socket(AF_INET)");
      ifreq request = {};
      std::string("lo").copy(request.ifr_name, IFNAMSIZ);
      request.ifr_flags = IFF_UP;
      if (::ioctl(sender_.get(), SIOCSIFFLAGS, &request) != 0) return system_error("ioctl(SIOCSIFFLAGS, lo)");
      if (::ioctl(sender_.get(), SIOCGIFINDEX, &request) != 0) return system_error("ioctl(SIOCGIFINDEX, lo)");
      lo_ = request.ifr_ifindex;
      return {};
    });
    ASSERT_TRUE(made.ok()) << made.error().message;
    std::string pattern = ::testing::TempDir() + "lvspec-capture-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    if (!dir_.empty()) std::filesystem::remove_all(dir_);
  }

  void send(const std::string& text) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(sender_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(text.size()));
  }

  /// The blocks of the file that a link left.
  std::vector<PcapngBlock> blocks_of(const std::string& link) {
    std::ifstream in(dir_ + "/" + link + ".pcapng");
    std::stringstream text;
    text << in.rdbuf();
    std::string error;
    std::vector<PcapngBlock> blocks = read_pcapng(text.str(), &error);
    EXPECT_EQ(error, "");
    return blocks;
  }

  inline static Status* able_ = nullptr;
  std::vector<NetworkNamespace> segment_;
  FileDescriptor sender_;
  int lo_ = 0;
  std::string dir_;
};

bool is_to_us(const PcapngBlock& block) {
  // Ethernet, IPv4 without options, UDP: the destination port is bytes 36 and 37. ICMP answers come by, too.
  if (block.type != 6) return false;
  const std::string frame = block.frame();
  return frame.size() > 42 && frame[23] == IPPROTO_UDP && frame[36] == 0 && frame[37] == kPort;
}

TEST_F(CaptureTest, WritesWhatPassedWithTimeAndDirection) {
  send("before");
  Result<Capture> capture = Capture::start(segment_[0]);
  ASSERT_TRUE(capture.ok()) << capture.error().message;
  send("one");
  send("two " + std::string(300, 'x'));
  const auto paths = capture->write(dir_, {{lo_, "client1"}, {lo_ + 1000, "real1"}});
  ASSERT_TRUE(paths.ok()) << paths.error().message;
  EXPECT_THAT(*paths, ElementsAre(EndsWith("/client1.pcapng"), EndsWith("/real1.pcapng")));

  std::vector<PcapngBlock> frames;
  const std::vector<PcapngBlock> blocks = blocks_of("client1");
  for (const PcapngBlock& block : blocks)
    if (is_to_us(block)) frames.push_back(block);
  ASSERT_EQ(frames.size(), 4u) << "each datagram out and in, the one before the capture not at all";
  EXPECT_EQ(frames[0].frame().substr(42), "one");
  EXPECT_EQ(frames[0].option<std::uint32_t>(2), 1u) << "left the switch: came in at the node";
  EXPECT_EQ(frames[1].option<std::uint32_t>(2), 2u);
  EXPECT_THAT(frames[2].frame().substr(42), ::testing::StartsWith("two xxx"));
  EXPECT_EQ(frames[2].frame().size(), 190u) << "cut";
  EXPECT_EQ(frames[2].at<std::uint32_t>(16), 42 + 304u) << "but its length is known";

  const auto now_ns = std::uint64_t(std::time(nullptr)) * 1'000'000'000;
  EXPECT_NEAR(double(frames[0].time_ns()), double(now_ns), 10e9);
  EXPECT_LE(frames[0].time_ns(), frames[3].time_ns());
  EXPECT_EQ(blocks.back().option<std::uint64_t>(5), 0u) << "dropped";
  EXPECT_EQ(blocks_of("real1").size(), 3u) << "a link that saw nothing";
}

TEST_F(CaptureTest, CountsTheFramesThatFoundNoRoom) {
  Result<Capture> capture = Capture::start(segment_[0]);
  ASSERT_TRUE(capture.ok()) << capture.error().message;
  for (int i = 0; i < 5000; ++i) send(std::to_string(i));
  const auto dropped = capture->dropped();
  ASSERT_TRUE(dropped.ok()) << dropped.error().message;
  EXPECT_GT(*dropped, 5000u * 2 - 4096 - 1);
  ASSERT_TRUE(capture->write(dir_, {{lo_, "client1"}}).ok());
  const std::vector<PcapngBlock> blocks = blocks_of("client1");
  EXPECT_EQ(blocks.size(), 4096u + 3);
  EXPECT_EQ(blocks[2].frame().substr(42), "0") << "the earliest frames stay";
  EXPECT_GE(blocks.back().option<std::uint64_t>(5), *dropped) << "and reading the counter does not lose it";
}

TEST_F(CaptureTest, IsMovedWithoutLosingFrames) {
  Result<Capture> started = Capture::start(segment_[0]);
  ASSERT_TRUE(started.ok()) << started.error().message;
  Capture capture = std::move(*started);
  send("one");
  Capture other = std::move(capture);
  ASSERT_TRUE(other.write(dir_, {{lo_, "client1"}}).ok());
  EXPECT_GE(blocks_of("client1").size(), 5u);
}

TEST_F(CaptureTest, NamesTheFileThatCannotBeWritten) {
  Result<Capture> capture = Capture::start(segment_[0]);
  ASSERT_TRUE(capture.ok()) << capture.error().message;
  const auto paths = capture->write(dir_ + "/missing", {{lo_, "client1"}});
  ASSERT_FALSE(paths.ok());
  EXPECT_THAT(paths.error().message, HasSubstr("/missing/client1.pcapng): ENOENT"));
}

}  // namespace
}  // namespace lvspec
