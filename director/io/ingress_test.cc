#include "director/io/ingress.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "director/io/frame_socket.h"
#include "harness/netlink/rtnetlink.h"
#include "harness/netns/namespace.h"

namespace lvspec::director {
namespace {

constexpr int kHere = 2, kThere = 3;
constexpr const char *kUnicast = "203.0.113.2", *kMulticast = "224.0.0.81";
constexpr int kPort = 8848;

sockaddr_in end(const char* address) {
  sockaddr_in all{};
  all.sin_family = AF_INET;
  all.sin_port = htons(kPort);
  inet_pton(AF_INET, address, &all.sin_addr);
  return all;
}

bool has_some(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 300) > 0;
}

/// A sender on one end of a wire; on the other a packet socket and a socket of the namespace's own stack.
class IngressEndTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Status able = become_able_to_create_namespaces();
    ASSERT_TRUE(able.ok()) << able.error().message;
  }
  void SetUp() override {
    here_.emplace(*NetworkNamespace::create("here"));
    there_.emplace(*NetworkNamespace::create("there"));
    auto here = RtBatch::open(*here_), there = RtBatch::open(*there_);
    ASSERT_TRUE(here.ok() && there.ok());
    here->add_veth({.name = "eth0", .ifindex = kHere, .mac = {2, 0, 0, 0, 0, 1}},
                   {.name = "eth0", .ifindex = kThere, .mac = {2, 0, 0, 0, 0, 2}}, *there_);
    const auto raise = [](RtBatch& batch, int link, const char* address) {
      batch.change_link(link, {.no_ipv6_link_local = true});
      batch.change_link(link, {.up = true});
      batch.add_address(link, IpAddress::of(address), 24);
      return batch.commit().ok();
    };
    ASSERT_TRUE(here->commit().ok() && raise(*here, kHere, "203.0.113.1") && raise(*there, kThere, kUnicast));
    here->add_neighbour(kHere, IpAddress::of(kUnicast), {2, 0, 0, 0, 0, 2});
    ASSERT_TRUE(here->commit().ok());
    const auto works = [](RtBatch& batch, int link) {
      const auto links = batch.links();
      return links.ok() && std::any_of(links->begin(), links->end(), [&](const LinkState& state) {
               return state.ifindex == link && state.operational;
             });
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!works(*here, kHere) || !works(*there, kThere)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no carrier";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    inside(*here_, [&] { sender_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); });
    inside(*there_, [&] {
      own_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      const sockaddr_in any = end("0.0.0.0");
      EXPECT_EQ(bind(own_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
      ip_mreqn join{};
      inet_pton(AF_INET, kMulticast, &join.imr_multiaddr);
      join.imr_ifindex = kThere;
      EXPECT_EQ(setsockopt(own_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join), 0);
      frames_.emplace("eth0", FrameSocket::Accept::kAddressedToUs);
    });
  }
  void TearDown() override {
    if (sender_ >= 0) close(sender_);
    if (own_ >= 0) close(own_);
  }

  template <typename Work>
  static void inside(const NetworkNamespace& netns, Work work) {
    EXPECT_TRUE(netns
                    .call([&]() -> Status {
                      work();
                      return {};
                    })
                    .ok());
  }

  struct Seen {
    bool by_frames, by_stack;
    bool operator==(const Seen&) const = default;
  };
  Seen send(const char* to) {
    const sockaddr_in target = end(to);
    ip_mreqn out{};
    out.imr_ifindex = kHere;
    setsockopt(sender_, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out);
    EXPECT_EQ(sendto(sender_, "x", 1, 0, reinterpret_cast<const sockaddr*>(&target), sizeof target), 1);
    Seen seen{false, has_some(own_)};
    char byte = 0;
    while (recv(own_, &byte, 1, 0) > 0) {
    }
    constexpr std::size_t kDatagram = FrameSocket::kVirtioHeader + 14 + 20 + 8 + 1;
    for (const auto& frame : frames_->receive()) seen.by_frames |= frame.size() == kDatagram;
    return seen;
  }

  std::optional<NetworkNamespace> here_, there_;
  std::optional<FrameSocket> frames_;
  int sender_ = -1, own_ = -1;
};

TEST_F(IngressEndTest, WhatIsAddressedToUsEndsHereAndMulticastGoesOn) {
  EXPECT_EQ(send(kUnicast), (Seen{.by_frames = true, .by_stack = true}));
  std::optional<IngressEnd> end;
  inside(*there_, [&] { end.emplace("eth0"); });
  if (!end->holds()) GTEST_SKIP() << "needs sch_ingress and cls_bpf";
  EXPECT_EQ(send(kUnicast), (Seen{.by_frames = true, .by_stack = false}));
  EXPECT_EQ(send(kMulticast), (Seen{.by_frames = true, .by_stack = true}));
  end.reset();
  EXPECT_EQ(send(kUnicast), (Seen{.by_frames = true, .by_stack = true}));
}

TEST_F(IngressEndTest, AnInterfaceThatIsNotThereIsLeftAlone) {
  inside(*there_, [&] { EXPECT_FALSE(IngressEnd("eth7").holds()); });
}

}  // namespace
}  // namespace lvspec::director
