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

}  // namespace
}  // namespace lvspec::director
