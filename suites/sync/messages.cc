#include "suites/sync/messages.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <span>

#include "harness/base/world_error.h"

namespace lvspec {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kHeader = 8, kEntry = 36;

void put(Bytes& bytes, std::uint64_t value, int size) {
  while (size-- > 0) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * size)));
}
std::uint32_t get(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + i];
  return value;
}

ip_mreqn on_eth0() {
  ip_mreqn on{};
  std::copy_n(kSyncGroup.bytes(), 4, reinterpret_cast<std::uint8_t*>(&on.imr_multiaddr));
  on.imr_ifindex = static_cast<int>(if_nametoindex("eth0"));
  return on;
}

Bytes message_of(const std::vector<SyncedEntry>& entries, std::uint8_t sync_id) {
  Bytes message = {0, sync_id};
  put(message, kHeader + kEntry * entries.size(), 2);
  put(message, entries.size(), 1);
  put(message, 1, 1);
  put(message, 0, 2);
  for (const SyncedEntry& entry : entries) {
    put(message, 0, 1);
    put(message, entry.protocol, 1);
    put(message, kEntry, 2);
    put(message, entry.flags, 4);
    put(message, entry.state, 2);
    for (const Endpoint* end : {&entry.client, &entry.target, &entry.server}) put(message, end->port, 2);
    put(message, entry.fwmark, 4);
    put(message, entry.timeout_s, 4);
    for (const Endpoint* end : {&entry.client, &entry.target, &entry.server})
      message.insert(message.end(), end->address.bytes(), end->address.bytes() + 4);
  }
  return message;
}

HeardMessage read_message(std::span<const std::uint8_t> bytes) {
  HeardMessage heard;
  if (bytes.size() < kHeader) return heard;
  heard.sync_id = bytes[1];
  heard.version = bytes[5];
  const auto count = static_cast<std::size_t>(bytes[4]);
  std::size_t at = kHeader;
  for (std::size_t i = 0; i < count && at + kEntry <= bytes.size() && bytes[at] == 0; ++i) {
    const auto of = bytes.subspan(at, kEntry);
    SyncedEntry entry;
    entry.protocol = of[1];
    entry.flags = get(of, 4, 4);
    entry.state = static_cast<std::uint16_t>(get(of, 8, 2));
    std::size_t nth = 0;
    for (Endpoint* end : {&entry.client, &entry.target, &entry.server}) {
      end->port = static_cast<std::uint16_t>(get(of, 10 + 2 * nth, 2));
      end->address = IpAddress::from_bytes(AF_INET, of.data() + 24 + 4 * nth++);
    }
    entry.fwmark = get(of, 16, 4);
    entry.timeout_s = get(of, 20, 4);
    heard.entries.push_back(entry);
    at += (get(of, 2, 2) % 4096 + 3) / 4 * 4;
  }
  return heard;
}

}  // namespace

void say_to_backups(const NetworkNamespace& node, const std::vector<SyncedEntry>& entries, std::uint8_t sync_id) {
  const Bytes message = message_of(entries, sync_id);
  must(node.call([&]() -> Status {
    const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const ip_mreqn on = on_eth0();
    setsockopt(socket.get(), IPPROTO_IP, IP_MULTICAST_IF, &on, sizeof on);
    sockaddr_storage to{};
    const socklen_t length = Endpoint{kSyncGroup, kSyncPort}.to_sockaddr(&to);
    if (sendto(socket.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&to), length) < 0)
      return system_error(node.name() + ": sendto(sync message)");
    return {};
  }));
}

SyncEar::SyncEar(const NetworkNamespace& node, int ports) {
  for (int i = 0; i < ports; ++i) {
    sockets_.push_back(must(node.call([&]() -> Result<FileDescriptor> {
      FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const ip_mreqn on = on_eth0();
      const int yes = 1;
      setsockopt(socket.get(), IPPROTO_IP, IP_RECVTTL, &yes, sizeof yes);
      sockaddr_storage at{};
      const socklen_t length = Endpoint{kSyncGroup, static_cast<std::uint16_t>(kSyncPort + i)}.to_sockaddr(&at);
      if (bind(socket.get(), reinterpret_cast<sockaddr*>(&at), length) != 0 ||
          setsockopt(socket.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &on, sizeof on) != 0)
        return system_error(node.name() + ": join(224.0.0.81)");
      return socket;
    })));
  }
}

std::optional<HeardMessage> SyncEar::hear(std::chrono::milliseconds patience) {
  std::vector<pollfd> waiting;
  for (const FileDescriptor& socket : sockets_) waiting.push_back({socket.get(), POLLIN, 0});
  if (poll(waiting.data(), waiting.size(), static_cast<int>(patience.count())) <= 0) return std::nullopt;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i].revents == 0) continue;
    std::array<std::uint8_t, 2048> bytes;
    alignas(cmsghdr) std::array<char, 64> control;
    sockaddr_storage from{};
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(sockets_[i].get(), &message, 0);
    if (size < 0) continue;
    HeardMessage heard = read_message(std::span(bytes).first(static_cast<std::size_t>(size)));
    heard.from = Endpoint::from_sockaddr(from);
    heard.port = static_cast<std::uint16_t>(kSyncPort + i);
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one))
      if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_TTL)
        std::copy_n(CMSG_DATA(one), sizeof heard.ttl, reinterpret_cast<unsigned char*>(&heard.ttl));
    return heard;
  }
  return std::nullopt;
}

std::vector<HeardMessage> SyncEar::hear_all() {
  std::vector<HeardMessage> all;
  while (std::optional<HeardMessage> heard = hear(std::chrono::milliseconds(0))) all.push_back(*std::move(heard));
  return all;
}

}  // namespace lvspec
