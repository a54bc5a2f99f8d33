// Sync messages as they may come off a wire, one after the other, to a backup: whatever they say, no memory is
// misread and no entry comes into being that the table has no place for. What was understood can be said again, and
// is then understood as the same. Input: datagrams, each behind two bytes of length (big-endian).

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "director/core/director.h"
#include "director/core/sync_message.h"

using namespace lvspec::director;

namespace {

void furnish(Director& director) {
  const auto serve = [&](ServiceKey key, const char* engine) {
    ServiceSettings settings;
    settings.scheduler = "rr";
    settings.persistent = true;
    settings.timeout_s = 300;
    settings.engine = engine;
    director.add_service(key, settings);
    for (std::uint32_t n = 1; n <= 3; ++n)
      director.add_server(key, {.family = key.family, .address = Address::v4(0xcb00710a + n), .port = key.port}, {});
  };
  const Address vip = Address::v4(0xc633640a);
  serve({.protocol = Protocol::kTcp, .address = vip, .port = 80}, "");
  serve({.protocol = Protocol::kUdp, .address = vip, .port = 5060}, "sip");
  serve({.protocol = Protocol::kSctp, .address = vip, .port = 9}, "");
  serve({.fwmark = 7}, "");
  serve({.family = Family::kIpv6, .protocol = Protocol::kTcp, .address = vip, .port = 80}, "");
}

// The flags that announce sequence data come and go with the data.
std::uint32_t flags_of(const SyncEntry& entry) {
  const std::uint32_t flags = entry.flags & ~sync_flags::kHashed;
  return entry.sequence ? flags : flags & ~sync_flags::kSequence;
}

bool same(const SyncEntry& a, const SyncEntry& b) {
  return a.family == b.family && a.protocol == b.protocol && flags_of(a) == flags_of(b) && a.state == b.state &&
         a.client_port == b.client_port && a.virtual_port == b.virtual_port && a.server_port == b.server_port &&
         a.fwmark == b.fwmark && a.timeout_s == b.timeout_s && a.client == b.client &&
         a.virtual_address == b.virtual_address && a.server == b.server && a.sequence == b.sequence &&
         a.engine_data == b.engine_data && a.engine == b.engine;
}

void say_again(const SyncMessage& message) {
  std::vector<std::byte> buffer(0xffff);
  SyncMessageWriter writer(buffer, buffer.size(), message.version, message.sync_id);
  for (const SyncEntry& entry : message.entries)
    if (!writer.add(entry)) std::abort();
  const SyncMessage again = decode_sync_message(writer.message());
  if (again.defect != SyncDefect::kNone || again.entries.size() != message.entries.size()) std::abort();
  if (again.version != message.version || again.sync_id != message.sync_id) std::abort();
  for (std::size_t i = 0; i < again.entries.size(); ++i)
    if (!same(again.entries[i], message.entries[i])) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Director director(64);
  director.limit_entries(256);
  furnish(director);
  DirectorTime now{};
  std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data), size);
  while (rest.size() >= 2) {
    const std::size_t wanted = std::to_integer<std::size_t>(rest[0]) * 256 + std::to_integer<std::size_t>(rest[1]);
    rest = rest.subspan(2);
    const auto datagram = rest.first(std::min(wanted, rest.size()));
    rest = rest.subspan(datagram.size());
    now += std::chrono::milliseconds(wanted);
    const SyncMessage message = decode_sync_message(datagram);
    say_again(message);
    for (const SyncEntry& entry : message.entries) director.learn(now, entry);
  }
  if (director.entries(now).size() > 256) std::abort();
  director.expire(now + std::chrono::hours(1));
  return 0;
}
