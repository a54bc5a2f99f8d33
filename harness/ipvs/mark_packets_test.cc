// Marks as packets have them: datagrams over the loopback of a namespace of their own, which pass PREROUTING like any
// that comes from outside; SO_RCVMARK tells the mark that each arrives with. Run on this machine by unit.harness.ipvs
// and inside a user-mode-linux guest by guest_test/.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "harness/base/file_descriptor.h"
#include "harness/ipvs/mark_table.h"
#include "harness/ipvs/nft_marks.h"
#include "harness/ipvs/xt_marks.h"
#include "harness/netns/namespace.h"

namespace lvspec {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t kBefore = 0xff00;  // the mark that every packet has when it meets the rules

Result<FileDescriptor> bound_socket(const NetworkNamespace& netns, const std::string& at) {
  return netns.call([&]() -> Result<FileDescriptor> {
    LVSPEC_ASSIGN(const Endpoint endpoint, Endpoint::parse(at));
    FileDescriptor socket(::socket(endpoint.address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const std::uint32_t mark = kBefore;
    const timeval patience{2, 0};
    if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVMARK, &on, sizeof on) != 0) return system_error("SO_RCVMARK");
    if (setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) return system_error("SO_MARK");
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_storage address{};
    const socklen_t size = endpoint.to_sockaddr(&address);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
      return system_error("bind(" + at + ")");
    return socket;
  });
}

using Machine = Result<std::unique_ptr<MarkTable>> (*)(const NetworkNamespace&);

std::string machine_name(Machine machine) { return machine == &XtMarks::open ? "x_tables" : "nf_tables"; }

class MarkPackets : public ::testing::TestWithParam<Machine> {
 protected:
  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }

  void SetUp() override {
    auto netns = NetworkNamespace::create("marks");
    ASSERT_TRUE(netns.ok()) << netns.error().message;
    netns_.emplace(*std::move(netns));
    const Status up = netns_->call([]() -> Status {
      const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ifreq request{};
      std::strcpy(request.ifr_name, "lo");
      request.ifr_flags = IFF_UP;
      return ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0 ? Status() : Status(system_error("lo up"));
    });
    ASSERT_TRUE(up.ok()) << up.error().message;
    // A machine that this kernel lacks says so when it is first used.
    auto table = GetParam()(*netns_);
    MarkRule any;
    any.mark = 1;
    const Status usable = table.ok() ? (*table)->replace({any}) : Status(table.error());
    if (!usable.ok()) {
      const std::string machine = machine_name(GetParam());
      const char* required = getenv("LVSPEC_REQUIRE");
      ASSERT_FALSE(required != nullptr &&
                   ("," + std::string(required) + ",").find("," + machine + ",") != std::string::npos)
          << usable.error().message;
      GTEST_SKIP() << "needs " << machine << ": " << usable.error().message;
    }
    table_ = *std::move(table);
    ASSERT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), 1U);
    ASSERT_TRUE(table_->replace({}).ok());
  }

  void replace(const std::vector<MarkRule>& rules) {
    const Status status = table_->replace(rules);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }

  /// The mark with which a datagram arrives.
  std::uint32_t mark_of(const std::string& from, const std::string& to) {
    Result<FileDescriptor> sender = bound_socket(*netns_, from), receiver = bound_socket(*netns_, to);
    if (!sender.ok() || !receiver.ok()) {
      ADD_FAILURE() << (sender.ok() ? receiver : sender).error().message;
      return 0;
    }
    sockaddr_storage address{};
    const socklen_t size = Endpoint::parse(to)->to_sockaddr(&address);
    EXPECT_EQ(sendto(sender->get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), size), 1);
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    EXPECT_EQ(recvmsg(receiver->get(), &message, 0), 1) << errno_text(errno);
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_MARK) continue;
      std::uint32_t mark = 0;
      std::memcpy(&mark, CMSG_DATA(c), sizeof mark);
      return mark;
    }
    ADD_FAILURE() << "no mark was told";
    return 0;
  }

  std::optional<NetworkNamespace> netns_;
  std::unique_ptr<MarkTable> table_;
};

MarkRule udp(std::uint32_t mark, std::uint32_t mask = 0xffffffff) {
  MarkRule rule;
  rule.protocol = Protocol::kUdp;
  rule.mark = mark;
  rule.mask = mask;
  return rule;
}

TEST_P(MarkPackets, WithoutRulesTheMarkStays) { EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), kBefore); }

// FWM: the kernel's own form, (old & ~mask) ^ value, also where the value has bits outside of the mask.
TEST_P(MarkPackets, TheMarkIsRewrittenAsTheModelSays) {
  for (const auto& [mark, mask] :
       {std::pair{8U, 0xffffffffU}, {0x5U, 0xfU}, {0x1234U, 0xff00U}, {0xff00U, 0U}, {0x80000001U, 0xffffffffU}}) {
    const MarkRule rule = udp(mark, mask);
    replace({rule});
    EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), rule.apply(kBefore)) << rule;
  }
}

TEST_P(MarkPackets, ALaterRuleHasTheLastWord) {
  replace({udp(0x1, 0xff), udp(0x20, 0xf0), udp(0x3, 0x1)});
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), 0xff23U);
}

TEST_P(MarkPackets, AddressesAreCompared) {
  MarkRule rule = udp(8);
  rule.source = Prefix::of("127.0.4.0/22");
  rule.destination = Prefix::of("127.0.0.9/32");
  replace({rule});
  EXPECT_EQ(mark_of("127.0.7.255:4000", "127.0.0.9:5000"), 8U);
  EXPECT_EQ(mark_of("127.0.8.0:4000", "127.0.0.9:5000"), kBefore);
  EXPECT_EQ(mark_of("127.0.4.1:4000", "127.0.0.8:5000"), kBefore);
}

TEST_P(MarkPackets, PortsAreCompared) {
  MarkRule rule = udp(8);
  rule.source_ports = {{4000, 4099}};
  rule.destination_ports = {{80, 80}, {5000, 5010}, {5005, 5020}, {443, 443}};
  replace({rule});
  for (const char* port : {"80", "443", "5000", "5007", "5020"})
    EXPECT_EQ(mark_of("127.0.0.5:4099", std::string("127.0.0.9:") + port), 8U) << port;
  for (const char* port : {"79", "81", "4999", "5021"})
    EXPECT_EQ(mark_of("127.0.0.5:4000", std::string("127.0.0.9:") + port), kBefore) << port;
  for (const char* port : {"3999", "4100"})
    EXPECT_EQ(mark_of(std::string("127.0.0.5:") + port, "127.0.0.9:80"), kBefore) << port;
}

// More ranges than one multiport match holds, and overlapping: a packet must still meet the rule once, since a second
// time would take back what a value outside of its mask did.
TEST_P(MarkPackets, ManyPortsAreStillOneRule) {
  MarkRule rule = udp(0x1, 0);
  for (std::uint16_t port = 1000; port < 1100; port += 4)
    rule.destination_ports.push_back({port, static_cast<std::uint16_t>(port + (port % 8 == 0 ? 5 : 1))});
  replace({rule});
  for (const std::uint16_t port : {1000, 1003, 1004, 1005, 1037, 1096, 1101}) {
    const bool fits = std::any_of(rule.destination_ports.begin(), rule.destination_ports.end(),
                                  [&](const PortRange& range) { return range.contains(port); });
    EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:" + std::to_string(port)), fits ? rule.apply(kBefore) : kBefore)
        << port;
  }
}

TEST_P(MarkPackets, ProtocolsAreCompared) {
  MarkRule tcp = udp(8), every = udp(0x10, 0xff);
  tcp.protocol = Protocol::kTcp;
  every.protocol.reset();
  replace({tcp, every});
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), 0xff10U);
}

TEST_P(MarkPackets, InterfacesAreCompared) {
  const std::pair<const char*, bool> patterns[] = {{"lo", true}, {"l+", true},   {"lo+", true},  {"+", true},
                                                   {"l", false}, {"lo0", false}, {"eth+", false}};
  for (const auto& [pattern, fits] : patterns) {
    MarkRule rule = udp(8);
    rule.in_interface = pattern;
    replace({rule});
    EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), fits ? 8U : kBefore) << pattern;
  }
}

TEST_P(MarkPackets, FamiliesDoNotMeet) {
  MarkRule six = udp(6), four = udp(4);
  six.family = AF_INET6;
  six.source = Prefix::of("::/1");
  six.destination = Prefix::of("::1/128");
  six.destination_ports = {{5000, 5001}};
  replace({six});
  EXPECT_EQ(mark_of("[::1]:4000", "[::1]:5000"), 6U);
  EXPECT_EQ(mark_of("[::1]:4000", "[::1]:5002"), kBefore);
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), kBefore);
  replace({four});
  EXPECT_EQ(mark_of("[::1]:4000", "[::1]:5000"), kBefore);
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), 4U);
  six.source = Prefix::of("2001:db8::/33");
  replace({six, four});
  EXPECT_EQ(mark_of("[::1]:4000", "[::1]:5000"), kBefore);
  replace({});
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5000"), kBefore);
}

TEST_P(MarkPackets, TwoHundredRules) {
  std::vector<MarkRule> rules;
  for (std::uint16_t i = 0; i < 200; ++i) {
    rules.push_back(udp(1000U + i));
    rules.back().destination_ports = {{static_cast<std::uint16_t>(5000 + i), static_cast<std::uint16_t>(5000 + i)}};
  }
  replace(rules);
  EXPECT_EQ(mark_of("127.0.0.5:4000", "127.0.0.9:5199"), 1199U);
}

INSTANTIATE_TEST_SUITE_P(Machines, MarkPackets, ::testing::Values(&XtMarks::open, &NftMarks::open),
                         [](const auto& machine) { return machine_name(machine.param); });

}  // namespace
}  // namespace lvspec
