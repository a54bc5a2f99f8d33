#include "harness/adapters/wire_fence.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <ctime>

namespace lvspec {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint16_t kFenceProtocol = 0x88b5;  // IEEE: local experiments

}  // namespace

Result<WireFence> WireFence::open(const NetworkNamespace& netns) {
  return netns.call([]() -> Result<WireFence> {
    FileDescriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error("socket(AF_PACKET)");
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(kFenceProtocol);
    at.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return system_error("bind(eth0)");
    return WireFence(std::move(socket));
  });
}

Status WireFence::await(std::uint64_t token, milliseconds patience, const std::string& who) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::array<std::uint8_t, 64> frame{};
    const ssize_t count = recv(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
    if (count >= 8) {
      std::uint64_t arrived = 0;
      for (std::size_t i = 0; i < 8; ++i) arrived = arrived << 8 | frame[i];
      if (arrived >= token) return {};
      continue;
    }
    if (count >= 0 || errno == EINTR) continue;
    // ENETDOWN is said once, when the link has been down, as cases cut and raise it.
    if (errno != EAGAIN && errno != ENETDOWN) return system_error(fmt::format("{}: recv(fence)", who));
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0)
      return Error{fmt::format("{}: fence {} did not arrive within {} ms", who, token, patience.count())};
  }
}

Status sleep_for(nanoseconds time) {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const nanoseconds at = seconds(until.tv_sec) + nanoseconds(until.tv_nsec) + time;
  until.tv_sec = std::chrono::duration_cast<seconds>(at).count();
  until.tv_nsec = (at % seconds(1)).count();
  int error = 0;
  while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr)) == EINTR) {
  }
  if (error != 0) return system_error("clock_nanosleep(CLOCK_MONOTONIC)", error);
  return {};
}

}  // namespace lvspec
