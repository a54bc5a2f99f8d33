// Frames as they may come off a wire, one after the other, to a director that has services for them: whatever they
// say, no memory is misread, and a frame that was not understood changes nothing.
// Input: frames, each behind two bytes of length (big-endian).

#include <cstddef>
#include <cstdint>
#include <span>

#include "director/core/director.h"
#include "director/core/packet.h"

using namespace lvspec::director;

namespace {

void furnish(Director& director) {
  const auto serve = [&](ServiceKey key, const char* scheduler, bool persistent, ServiceSettings settings = {},
                         ForwardMethod method = ForwardMethod::kDirectRoute) {
    settings.scheduler = scheduler;
    settings.persistent = persistent;
    settings.timeout_s = 300;
    director.add_service(key, settings);
    for (std::uint32_t n = 1; n <= 3; ++n)
      director.add_server(key, {.family = key.family, .address = Address::v4(0xcb00710a + n), .port = key.port},
                          {.method = method});
  };
  const Address vip = Address::v4(0xc633640a);
  serve({.protocol = Protocol::kTcp, .address = vip, .port = 80}, "rr", true);
  serve({.protocol = Protocol::kTcp, .address = vip, .port = 21}, "wlc", true);
  serve({.protocol = Protocol::kTcp, .address = vip, .port = 0}, "wrr", true);
  serve({.protocol = Protocol::kTcp, .address = vip, .port = 8080}, "rr", false, {}, ForwardMethod::kMasquerade);
  serve({.protocol = Protocol::kUdp, .address = vip, .port = 53}, "lc", false);
  serve({.protocol = Protocol::kUdp, .address = vip, .port = 69}, "rr", true, {.one_packet = true},
        ForwardMethod::kTunnel);
  serve({.protocol = Protocol::kUdp, .address = vip, .port = 5060}, "rr", true, {.engine = "sip"},
        ForwardMethod::kMasquerade);
  serve({.protocol = Protocol::kSctp, .address = vip, .port = 9}, "rr", true);
  serve({.family = Family::kIpv6, .protocol = Protocol::kTcp, .address = vip, .port = 80}, "rr", true);
  // What comes to no service otherwise, IPsec too.
  serve({.fwmark = 7}, "rr", true);
  director.set_marks({{.mark = 7}});
  Sysctls sysctls;
  sysctls.schedule_icmp = 1;
  director.set_sysctls(sysctls);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Director director(64);
  furnish(director);
  DirectorTime now{};
  std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data), size);
  while (rest.size() >= 2) {
    const std::size_t wanted = std::to_integer<std::size_t>(rest[0]) * 256 + std::to_integer<std::size_t>(rest[1]);
    rest = rest.subspan(2);
    const auto frame = rest.first(std::min(wanted, rest.size()));
    rest = rest.subspan(frame.size());
    now += std::chrono::milliseconds(wanted);
    if (auto packet = parse_frame(frame)) {
      director.handle(now, *packet);
      director.handle_reply(now, *packet);
      packet->quoted = Quoted::kByError;
      director.handle(now, *packet);
      director.handle_reply(now, *packet);
    }
  }
  director.expire(now + std::chrono::hours(1));
  return 0;
}
