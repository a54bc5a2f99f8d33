// The design's promise that nothing is allocated on the packet path once a table is sized.

#include <cstdlib>
#include <new>

#include "director/core/test_world.h"

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace lvspec::director {
namespace {

/// A master's message in the making, sent into the void when it is full.
class Messages : public SyncSink {
 public:
  void add(DirectorTime, const SyncEntry& entry) override {
    ++told;
    if (writer_.add(entry)) return;
    writer_ = SyncMessageWriter(memory_, memory_.size(), 1, 0);
    writer_.add(entry);
  }
  std::size_t told = 0;

 private:
  std::array<std::byte, 1472> memory_{};
  SyncMessageWriter writer_{memory_, memory_.size(), 1, 0};
};

TEST(PacketPath, DoesNotAllocate) {
  Messages messages;
  Director director(8192);
  director.set_sync_master(&messages);
  ASSERT_EQ(director.add_service(tcp_service(80), persistent(10)), Outcome::kOk);
  ASSERT_EQ(director.add_server(tcp_service(80), real(1), {}), Outcome::kOk);
  ASSERT_EQ(director.add_server(tcp_service(80), real(2), {}), Outcome::kOk);
  DirectorTime now{};
  const std::size_t before = allocations;
  for (int round = 0; round < 3; ++round) {
    for (int n = 0; n < 4000; ++n) {
      for (const TcpFlags& flags : {kSyn, kAck, kRst}) {
        director.handle(now, packet_of({.from = Address::v4(0x0a000000u + n), .client_port = 40000}, flags));
      }
    }
    now += 100s;
    director.expire(now);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_GT(messages.told, 36000U);
}

// Schedulers choose without allocating; lblc and lblcr only when they meet an address for the first time, and lblcr
// when it gives one another server, as the kernel does.
TEST(PacketPath, SchedulersDoNotAllocate) {
  for (const char* scheduler :
       {"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "dh", "sh", "mh", "lblc", "lblcr", "twos", "none"}) {
    Director director(8192);
    ASSERT_EQ(director.add_service(tcp_service(80), scheduled_by(scheduler)), Outcome::kOk);
    for (int n = 1; n <= 3; ++n)
      ASSERT_EQ(director.add_server(tcp_service(80), real(n), {.weight = 9999}), Outcome::kOk);
    const auto visit = [&](int n) {
      director.handle({}, packet_of({.from = Address::v4(0x0a000000u + n), .client_port = 40000}, kSyn));
    };
    visit(0);
    const std::size_t before = allocations;
    for (int n = 1; n < 4000; ++n) visit(n);
    EXPECT_EQ(allocations, before) << scheduler;
  }
}

// Each call has a Call-ID of its own, as long as they come.
TEST(PacketPath, DoesNotAllocateForCallsEither) {
  Director director(8192);
  ServiceSettings settings = persistent(10);
  settings.engine = "sip";
  ASSERT_EQ(director.add_service(udp_service(5060), settings), Outcome::kOk);
  ASSERT_EQ(director.add_server(udp_service(5060), real(1), {}), Outcome::kOk);
  std::string message = "INVITE sip:x SIP/2.0\r\nCall-ID: 0000" + std::string(251, 'x') + "\r\n";
  DirectorTime now{};
  const std::size_t before = allocations;
  std::size_t forwarded = 0;
  for (int round = 0; round < 3; ++round) {
    for (int n = 0; n < 4000; ++n) {
      const std::size_t at = message.find("Call-ID: ") + 9;
      for (int digit = 3, rest = n; digit >= 0; --digit, rest /= 10)
        message[at + digit] = static_cast<char>('0' + rest % 10);
      Packet packet = packet_of({.from = client(1), .port = 5060, .protocol = Protocol::kUdp});
      packet.source_port = static_cast<std::uint16_t>(10000 + n);
      packet.payload = std::as_bytes(std::span(message));
      forwarded += director.handle(now, packet).action == Verdict::Action::kForward;
    }
    now += 400s;
    director.expire(now);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(forwarded, 12000u);
}

}  // namespace
}  // namespace lvspec::director
