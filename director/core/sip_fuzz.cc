// A SIP message in a frame, to a director that keeps calls, from a client and from a server behind NAT: what is taken
// for its Call-ID stands in it, is 1 to 255 bytes long, ends at a line end, and is what the template holds.
// Input: what a UDP datagram carries.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "director/core/director.h"
#include "director/core/engine_data.h"
#include "director/core/packet.h"
#include "director/core/sip.h"

using namespace lvspec::director;

namespace {

constexpr std::uint16_t kPort = 5060;
const Address kClient = Address::v4(0xc0000201), kVip = Address::v4(0xc633640a), kRip = Address::v4(0xcb00710b);

std::vector<std::byte> frame_of(const Address& from, const Address& to, std::span<const std::byte> message) {
  std::vector<std::byte> frame(14 + 20 + 8);
  const auto put = [&](std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  };
  put(12, 0x0800);
  put(14, 0x4500);
  put(16, 20 + 8 + message.size());
  put(22, 0x4011);
  for (std::size_t i = 0; i < 4; ++i) {
    frame[26 + i] = std::byte{from.bytes[i]};
    frame[30 + i] = std::byte{to.bytes[i]};
  }
  put(34, kPort);
  put(36, kPort);
  put(38, 8 + message.size());
  frame.insert(frame.end(), message.begin(), message.end());
  return frame;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> message(reinterpret_cast<const std::byte*>(data),
                                           std::min<std::size_t>(size, 65000));
  // One director for all inputs, as it takes long to make; each finds it empty, since all has expired by then.
  static const std::unique_ptr<Director> made = [] {
    const ServiceKey key{.protocol = Protocol::kUdp, .address = kVip, .port = kPort};
    ServiceSettings settings;
    settings.scheduler = "rr";
    settings.persistent = true;
    settings.timeout_s = 300;
    settings.engine = kSipEngine;
    auto director = std::make_unique<Director>(16);
    director->add_service(key, settings);
    director->add_server(key, {.address = kRip, .port = kPort}, {.method = ForwardMethod::kMasquerade});
    return director;
  }();
  static DirectorTime now{};
  Director& director = *made;
  for (const bool from_server : {false, true}) {
    now += std::chrono::minutes(10);
    require(director.entries(now).empty());
    const auto frame = from_server ? frame_of(kRip, kClient, message) : frame_of(kClient, kVip, message);
    const auto packet = parse_frame(frame);
    require(packet.has_value() && packet->payload.size() == message.size());
    const std::string_view call_id = call_id_of(*packet);
    if (!call_id.empty()) {
      const auto* const begin = reinterpret_cast<const char*>(packet->payload.data());
      const char* const end = begin + packet->payload.size();
      require(call_id.data() > begin && call_id.data() + call_id.size() < end);
      require(call_id.size() <= EngineData::kLongest);
      const char behind = call_id.data()[call_id.size()];
      require(behind == '\r' || behind == '\n');
    }
    const Verdict verdict = from_server ? director.handle_reply(now, *packet) : director.handle(now, *packet);
    require((verdict.action == Verdict::Action::kForward) == !call_id.empty());
    std::size_t templates = 0;
    for (const EntryView& entry : director.entries(now)) {
      if (!entry.is_template) continue;
      ++templates;
      require(entry.engine == kSipEngine && entry.engine_data == call_id);
    }
    require(templates == (call_id.empty() ? 0 : 1));
  }
  return 0;
}
