#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "harness/base/file_descriptor.h"
#include "harness/base/ip_address.h"
#include "harness/netns/namespace.h"
#include "harness/probe/client.h"

namespace lvspec {

/// The sync messages of directors, version 1 and IPv4 entries without options, as cases write and read them.
/// Source: section 10 of the clauses; ip_vs_sync.c, "IPVS sync connection entry".

inline constexpr std::uint16_t kSyncPort = 8848;
inline const IpAddress kSyncGroup = IpAddress::of("224.0.0.81");

/// Source: include/uapi/linux/ip_vs.h, IP_VS_CONN_F_*.
inline constexpr std::uint32_t kSyncDirectRoute = 0x0083, kSyncInactive = 0x0100, kSyncTemplate = 0x1183;
/// Numbers of TCP's states in messages. Source: include/net/ip_vs.h, IP_VS_TCP_S_*; 11 is none of them.
inline constexpr std::uint16_t kSyncEstablished = 1, kSyncFinWait = 4, kSyncNoState = 11;

/// One entry of a message.
struct SyncedEntry {
  std::uint8_t protocol = 6;
  std::uint32_t flags = kSyncDirectRoute;
  std::uint16_t state = kSyncEstablished;
  Endpoint client, target, server;
  std::uint32_t fwmark = 0;
  std::uint32_t timeout_s = 100;
};

/// Says entries to every backup on the link, from this node. Throws WorldError.
void say_to_backups(const NetworkNamespace& node, const std::vector<SyncedEntry>& entries, std::uint8_t sync_id = 0);

/// One message as it was heard.
struct HeardMessage {
  Endpoint from;
  std::uint16_t port = 0;
  int ttl = 0;
  int sync_id = 0;
  int version = 0;
  std::vector<SyncedEntry> entries;
};

/// Hears what masters on the link say, as a backup does, and takes nothing over.
class SyncEar {
 public:
  /// @param ports  kSyncPort and those behind it
  explicit SyncEar(const NetworkNamespace& node, int ports = 1);

  /// The next message, or nothing within `patience`.
  std::optional<HeardMessage> hear(std::chrono::milliseconds patience = kPatience);
  /// All that have come.
  std::vector<HeardMessage> hear_all();

 private:
  std::vector<FileDescriptor> sockets_;
};

}  // namespace lvspec
