#include "harness/topology/world.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/netlink/rtnetlink.h"

namespace lvspec {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

/// Long enough for a busy machine to answer, short of the second after which TCP asks again.
constexpr milliseconds kPatience = 800ms;
/// How long we listen for what must not come.
constexpr milliseconds kSilence = 150ms;
constexpr MacAddress kDirectorMac = {2, 0, 0xcb, 0, 0x71, 1};

const IpAddress kVip = IpAddress::of("198.51.100.10");
const IpAddress kVip6 = IpAddress::of("2001:db8:51::10");

std::string text(const Status& status) { return status.ok() ? "ok" : status.error().message; }

std::vector<std::string> interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* const list = if_nameindex();
  for (const struct if_nameindex* i = list; i != nullptr && i->if_index != 0; ++i) names.emplace_back(i->if_name);
  if (list != nullptr) if_freenameindex(list);
  return names;
}

FileDescriptor listener(const NetworkNamespace& netns, const Endpoint& at) {
  auto socket = netns.call([&at]() -> Result<FileDescriptor> {
    FileDescriptor fd(::socket(at.address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address;
    const socklen_t size = at.to_sockaddr(&address);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return system_error("bind " + at.str());
    if (listen(fd.get(), 8) != 0) return system_error("listen " + at.str());
    return fd;
  });
  EXPECT_TRUE(socket.ok()) << socket.error().message;
  return socket.ok() ? std::move(*socket) : FileDescriptor();
}

/// "connected", "silence", or the name of the errno.
std::string connect(const NetworkNamespace& netns, const Endpoint& to, std::optional<IpAddress> from = std::nullopt,
                    milliseconds patience = kPatience) {
  const auto outcome = netns.call([&]() -> Result<std::string> {
    const FileDescriptor fd(::socket(to.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_storage address;
    if (from.has_value()) {
      const Endpoint source{*from, 0};
      const socklen_t size = source.to_sockaddr(&address);
      if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
        return system_error("bind " + source.str());
    }
    const socklen_t size = to.to_sockaddr(&address);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)
      return errno_text(errno);
    pollfd waiting{fd.get(), POLLOUT, 0};
    if (poll(&waiting, 1, static_cast<int>(patience.count())) == 0) return std::string("silence");
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    return error == 0 ? "connected" : errno_text(error);
  });
  return outcome.ok() ? *outcome : outcome.error().message;
}

FileDescriptor packet_socket(const NetworkNamespace& netns, int ifindex, std::uint16_t protocol, bool vnet_header) {
  auto socket = netns.call([&]() -> Result<FileDescriptor> {
    FileDescriptor fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (vnet_header) setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on);
    setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = ifindex;
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return system_error("bind packet");
    return fd;
  });
  EXPECT_TRUE(socket.ok()) << socket.error().message;
  return socket.ok() ? std::move(*socket) : FileDescriptor();
}

/// The MACs that have said in ARP that they have `address`, as seen by a packet socket until it was silent for a
/// while.
std::set<MacAddress> arp_answers(int socket, const IpAddress& address) {
  std::set<MacAddress> answers;
  std::array<std::uint8_t, 2048> frame;
  pollfd waiting{socket, POLLIN, 0};
  while (poll(&waiting, 1, static_cast<int>(kSilence.count())) > 0) {
    constexpr ssize_t kArpFrame = 42;
    constexpr std::uint8_t kReply = 2;
    if (recv(socket, frame.data(), frame.size(), 0) < kArpFrame) continue;
    MacAddress mac;
    std::copy_n(frame.begin() + 22, mac.size(), mac.begin());
    if (frame[21] == kReply && std::memcmp(frame.data() + 28, address.bytes(), 4) == 0) answers.insert(mac);
  }
  return answers;
}

/// What the node believes about `address`.
std::optional<MacAddress> learned(const NetworkNamespace& netns, const IpAddress& address) {
  auto batch = RtBatch::open(netns);
  const auto known = batch.ok() ? batch->neighbours() : Result<std::vector<Neighbour>>(batch.error());
  EXPECT_TRUE(known.ok());
  for (const Neighbour& neighbour : *known)
    if (neighbour.address == address && neighbour.mac != MacAddress{}) return neighbour.mac;
  return std::nullopt;
}

/// The least that can stand in for an inline director: it carries every frame between wire and stack.
class Pump {
 public:
  explicit Pump(World& world)
      : wire_(packet_socket(world.director().netns, world.director().port.ifindex, ETH_P_ALL, true)),
        stack_(packet_socket(world.director().netns, world.stack_port().ifindex, ETH_P_ALL, true)),
        thread_([this] { run(); }) {}
  ~Pump() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run() {
    constexpr std::size_t kVirtioNetHeader = 10;  // linux/virtio_net.h, which is not C++
    std::array<char, 65536 + kVirtioNetHeader> frame;
    while (!stop_) {
      std::array<pollfd, 2> waiting{{{wire_.get(), POLLIN, 0}, {stack_.get(), POLLIN, 0}}};
      if (poll(waiting.data(), waiting.size(), 10) <= 0) continue;
      for (const auto& [from, to] : {std::pair{wire_.get(), stack_.get()}, std::pair{stack_.get(), wire_.get()}})
        for (ssize_t got; (got = read(from, frame.data(), frame.size())) > 0;)
          if (write(to, frame.data(), static_cast<std::size_t>(got)) < 0) break;
    }
  }

  FileDescriptor wire_;
  FileDescriptor stack_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class WorldTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }

  static World build(const Topology& topology = {}) {
    auto world = World::build(topology);
    EXPECT_TRUE(world.ok()) << world.error().message;
    return std::move(world).value();
  }
};

TEST_F(WorldTest, ClientReachesRealServersAtOnceInBothFamilies) {
  World world = build();
  for (const int family : {AF_INET, AF_INET6}) {
    for (int i = 1; i <= 3; ++i) {
      const Endpoint at{world.topology().real_server(i, family), 80};
      const FileDescriptor server = listener(world.real_server(i).netns, at);
      EXPECT_EQ(connect(world.client().netns, at), "connected") << at;
      EXPECT_THAT(connect(world.client().netns, {at.address, 81}), StartsWith("ECONNREFUSED"));
    }
  }
}

TEST_F(WorldTest, ClientSpeaksAsClientOneUnlessToldOtherwise) {
  World world = build();
  for (const int family : {AF_INET, AF_INET6}) {
    const Endpoint at{world.topology().real_server(1, family), 80};
    const FileDescriptor server = listener(world.real_server(1).netns, at);
    for (const auto& from : {std::optional<IpAddress>(), std::optional(world.topology().client(77, family))}) {
      ASSERT_EQ(connect(world.client().netns, at, from), "connected");
      sockaddr_storage peer;
      socklen_t size = sizeof peer;
      const FileDescriptor accepted(accept(server.get(), reinterpret_cast<sockaddr*>(&peer), &size));
      EXPECT_EQ(Endpoint::from_sockaddr(peer).address, from.value_or(world.topology().client(1, family)));
    }
  }
}

TEST_F(WorldTest, VipOnTheDirectorAnswersTheClient) {
  World world = build();
  for (const IpAddress& vip : {kVip, kVip6}) {
    const FileDescriptor server = listener(world.director_stack(), {vip, 80});
    EXPECT_EQ(connect(world.client().netns, {vip, 80}), "connected") << vip;
    EXPECT_EQ(learned(world.client().netns, vip), kDirectorMac);
  }
  EXPECT_EQ(&world.director_stack(), &world.director().netns);
}

TEST_F(WorldTest, OnlyTheDirectorAnswersArpForTheVip) {
  World world = build();
  const FileDescriptor ears = packet_socket(world.client().netns, world.client().port.ifindex, ETH_P_ARP, false);
  EXPECT_THAT(connect(world.client().netns, {kVip, 80}), StartsWith("ECONNREFUSED"));
  EXPECT_THAT(arp_answers(ears.get(), kVip), ElementsAre(kDirectorMac));
}

// The control of the test above: with the setting taken back, the ARP problem of direct routing is there.
TEST_F(WorldTest, ARealServerWithoutArpIgnoreAnswersArpForTheVip) {
  World world = build();
  auto batch = RtBatch::open(world.real_server(2).netns);
  ASSERT_TRUE(batch.ok());
  batch->change_link(world.real_server(2).port.ifindex, {.ipv4 = {.arp_ignore = 0}});
  ASSERT_EQ(text(batch->commit()), "ok");
  const FileDescriptor ears = packet_socket(world.client().netns, world.client().port.ifindex, ETH_P_ARP, false);
  EXPECT_THAT(connect(world.client().netns, {kVip, 80}), StartsWith("ECONNREFUSED"));
  EXPECT_THAT(arp_answers(ears.get(), kVip), UnorderedElementsAre(kDirectorMac, world.real_server(2).port.mac));
}

TEST_F(WorldTest, MutePrefixIsSilentAndItsNeighboursAreNot) {
  Topology topology;
  topology.mute_prefixes.push_back(Prefix::of("2001:db8:2::f0/124"));
  World world = build(topology);
  const NetworkNamespace& real1 = world.real_server(1).netns;
  EXPECT_THAT(connect(real1, {IpAddress::of("192.0.2.239"), 80}), StartsWith("ECONNREFUSED"));
  EXPECT_THAT(connect(real1, {IpAddress::of("2001:db8:2::ef"), 80}), StartsWith("ECONNREFUSED"));
  EXPECT_EQ(connect(real1, {IpAddress::of("192.0.2.240"), 80}, std::nullopt, kSilence), "silence");
  EXPECT_EQ(connect(real1, {IpAddress::of("192.0.2.255"), 80}, std::nullopt, kSilence), "silence");
  EXPECT_EQ(connect(real1, {IpAddress::of("2001:db8:2::f0"), 80}, std::nullopt, kSilence), "silence");
}

TEST_F(WorldTest, CutLinkIsSilentUntilItIsRaised) {
  World world = build();
  const Endpoint at{world.topology().real_server(1), 80};
  const FileDescriptor server = listener(world.real_server(1).netns, at);
  ASSERT_EQ(connect(world.client().netns, at), "connected");
  ASSERT_EQ(text(world.set_link(world.real_server(1), false)), "ok");
  EXPECT_EQ(connect(world.client().netns, at, std::nullopt, kSilence), "silence");
  const Endpoint other{world.topology().real_server(2), 80};
  EXPECT_THAT(connect(world.client().netns, other), StartsWith("ECONNREFUSED"));
  ASSERT_EQ(text(world.set_link(world.real_server(1), true)), "ok");
  EXPECT_EQ(connect(world.client().netns, at), "connected");
}

TEST_F(WorldTest, MacsAreThoseOfTheAddresses) {
  World world = build();
  EXPECT_EQ(world.client().port.mac.back(), 254);
  EXPECT_EQ(world.director().port.mac, kDirectorMac);
  EXPECT_EQ(world.real_server(3).port.mac.back(), 13);
  const Endpoint at{world.topology().real_server(3), 80};
  EXPECT_THAT(connect(world.client().netns, at), StartsWith("ECONNREFUSED"));
  EXPECT_EQ(learned(world.client().netns, at.address), world.real_server(3).port.mac);
}

TEST_F(WorldTest, InlineDirectorsNodeIsSilentWithoutADirector) {
  World world = build({.director_place = DirectorPlace::kInline});
  const NetworkNamespace& client = world.client().netns;
  EXPECT_EQ(connect(client, {kVip, 80}, std::nullopt, kSilence), "silence");
  EXPECT_EQ(connect(client, {kVip6, 80}, std::nullopt, kSilence), "silence");
  EXPECT_EQ(connect(client, {world.topology().director(), 80}, std::nullopt, kSilence), "silence");
  EXPECT_EQ(learned(client, kVip), std::nullopt);
  EXPECT_EQ(learned(client, kVip6), std::nullopt);
  EXPECT_THAT(connect(client, {world.topology().real_server(1), 80}), StartsWith("ECONNREFUSED"));
}

TEST_F(WorldTest, InlineDirectorsStackIsReachedThroughTheDirector) {
  World world = build({.director_place = DirectorPlace::kInline});
  EXPECT_EQ(world.stack_port().name, "stack0");
  EXPECT_EQ(world.stack_port().mac, kDirectorMac);
  const Pump pump(world);
  for (const IpAddress& vip : {kVip, kVip6}) {
    const FileDescriptor server = listener(world.director_stack(), {vip, 80});
    EXPECT_EQ(connect(world.client().netns, {vip, 80}), "connected") << vip;
    EXPECT_EQ(learned(world.client().netns, vip), kDirectorMac);
  }
}

TEST_F(WorldTest, WithoutIpv6ThereIsNone) {
  World world = build({.ipv6 = false});
  EXPECT_THAT(connect(world.client().netns, {world.topology().real_server(1), 80}), StartsWith("ECONNREFUSED"));
  EXPECT_THAT(connect(world.client().netns, {world.topology().real_server(1, AF_INET6), 80}),
              StartsWith("ENETUNREACH"));
}

TEST_F(WorldTest, ExtraVipsAndClientPrefixesAreRouted) {
  const IpAddress stray = IpAddress::of("198.18.0.1");
  Topology topology;
  topology.vips.push_back(stray);
  topology.client_prefixes.push_back(Prefix::of("10.45.0.0/16"));
  World world = build(topology);
  const FileDescriptor server = listener(world.director_stack(), {stray, 80});
  EXPECT_EQ(connect(world.client().netns, {stray, 80}, IpAddress::of("10.45.200.7")), "connected");
}

TEST_F(WorldTest, NothingAppearsInTheCallersNamespace) {
  const std::vector<std::string> before = interfaces();
  {
    World world = build();
    EXPECT_EQ(interfaces(), before);
  }
  EXPECT_EQ(interfaces(), before);
}

TEST_F(WorldTest, DestroyingWaitsForNobody) {
  auto world = std::make_unique<World>(build());
  const auto before = steady_clock::now();
  world.reset();
  // The kernel's own cleaning takes 65 ms at least; closing descriptors takes some microseconds.
  EXPECT_LT(steady_clock::now() - before, 20ms);
}

TEST_F(WorldTest, BuildsAHundredServers) {
  World world = build({.server_count = 100});
  EXPECT_EQ(world.nodes().size(), 102U);
  for (const int family : {AF_INET, AF_INET6}) {
    const Endpoint at{world.topology().real_server(100, family), 80};
    const FileDescriptor server = listener(world.real_server(100).netns, at);
    EXPECT_EQ(connect(world.client().netns, at), "connected");
  }
}

TEST_F(WorldTest, RefusalNamesNodeAndRequest) {
  const auto world = World::build({.vips = {kVip, kVip}});
  ASSERT_FALSE(world.ok());
  EXPECT_THAT(world.error().message,
              StartsWith("director: RTM_NEWADDR 198.51.100.10/32 on ifindex 2: EEXIST (File exists)"));
}

TEST_F(WorldTest, TooManyServersAreTheUsersError) {
  const auto world = World::build({.server_count = 244});
  ASSERT_FALSE(world.ok());
  EXPECT_EQ(world.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(world.error().message, HasSubstr("0 to 243 real servers, not 244"));
}

TEST_F(WorldTest, TopologyNamesAddresses) {
  const Topology topology;
  EXPECT_EQ(topology.client(3).str(), "192.0.2.3");
  EXPECT_EQ(topology.client(3, AF_INET6).str(), "2001:db8:2::3");
  EXPECT_EQ(topology.real_server(2).str(), "203.0.113.12");
  EXPECT_EQ(topology.real_server(2, AF_INET6).str(), "2001:db8:113::c");
  EXPECT_EQ(topology.director().str(), "203.0.113.1");
  EXPECT_EQ(topology.director(AF_INET6).str(), "2001:db8:113::1");
}

}  // namespace
}  // namespace lvspec
