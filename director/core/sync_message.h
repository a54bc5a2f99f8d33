#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "director/core/address.h"

namespace lvspec::director {

/// The words in which directors tell each other of connections and templates: the kernel's sync messages, version 1
/// and version 0. Pure bytes; what they mean to a table is sync_apply.h's affair.
/// Source: section 10 of the clauses; Linux net/netfilter/ipvs/ip_vs_sync.c, comment "IPVS sync connection entry".

/// Bits of SyncEntry::flags. Source: Linux include/uapi/linux/ip_vs.h, IP_VS_CONN_F_*.
namespace sync_flags {
inline constexpr std::uint32_t kMethodMask = 0x0007;
inline constexpr std::uint32_t kMasquerade = 0, kLocalNode = 1, kTunnel = 2, kDirectRoute = 3;
inline constexpr std::uint32_t kSync = 0x0020;  ///< the sender has learned the entry itself by a message
inline constexpr std::uint32_t kHashed = 0x0040;
inline constexpr std::uint32_t kNoOutput = 0x0080;
inline constexpr std::uint32_t kInactive = 0x0100;
inline constexpr std::uint32_t kSequence = 0x0600;
inline constexpr std::uint32_t kNoClientPort = 0x0800;
inline constexpr std::uint32_t kTemplate = 0x1000;
inline constexpr std::uint32_t kOnePacket = 0x2000;
/// What a backup takes over from a message of version 1 (SYN-11).
inline constexpr std::uint32_t kTakenOver =
    kMethodMask | kNoOutput | kInactive | kSequence | kNoClientPort | kTemplate;
}  // namespace sync_flags

/// How one direction of a NATed TCP stream was shifted (FTP).
struct SequenceShift {
  std::uint32_t initial = 0, delta = 0, previous_delta = 0;
  bool operator==(const SequenceShift&) const = default;
};
struct SequenceData {
  SequenceShift in, out;
  bool operator==(const SequenceData&) const = default;
};

/// One connection or template on its way from a master to a backup. The engine's words point into whoever owns them:
/// the message that was read, or the entry that is told of.
struct SyncEntry {
  Family family = Family::kIpv4;
  std::uint8_t protocol = 0;  ///< IANA number; 0 for templates of marks
  std::uint32_t flags = 0;    ///< sync_flags; version 0 carries the lower 16 bits
  std::uint16_t state = 0;    ///< the protocol's own number; of a template 0 NONE, 1 ASSURED
  std::uint16_t client_port = 0, virtual_port = 0, server_port = 0;
  std::uint32_t fwmark = 0;     ///< version 1
  std::uint32_t timeout_s = 0;  ///< version 1; the stored timeout, not what is left (SYN-07); 0: unknown (SYN-08)
  Address client{}, virtual_address{}, server{};
  std::optional<SequenceData> sequence;
  std::string_view engine_data, engine;  ///< persistence engine, version 1

  bool is_template() const { return (flags & sync_flags::kTemplate) != 0; }
};

/// Writes one message into memory that somebody else owns. Allocates nothing.
class SyncMessageWriter {
 public:
  /// A message of one entry, whatever it holds.
  static constexpr std::size_t kLargestSingle = 8 + 72 + 2 + 24 + 2 + 255 + 2 + 16;

  /// @param buffer   at least kLargestSingle bytes, at most 65535 (checked); the message stands at its beginning.
  /// @param limit    bytes that only a message of a single entry may exceed, as the kernel's sync_maxlen
  /// @param version  0 or 1
  SyncMessageWriter(std::span<std::byte> buffer, std::size_t limit, int version, std::uint8_t sync_id);

  /// @return false, and the message is as before, if there is no room or `entry` cannot be said in this version.
  bool add(const SyncEntry& entry);
  bool empty() const { return count_ == 0; }
  int version() const { return version_; }
  /// Whether this version has words for the entry: version 0 knows no IPv6. (What it leaves out, as mark, timeout and
  /// engine, does not count.)
  static bool can_say(int version, const SyncEntry& entry);
  /// What has been added so far, ready to be sent.
  std::span<const std::byte> message() const { return buffer_.first(size_); }

 private:
  std::span<std::byte> buffer_;
  std::size_t limit_;
  int version_;
  std::size_t size_;
  std::uint8_t count_ = 0;
};

/// What is wrong with a message. What stands before the flaw is valid, as it is for the kernel.
enum class SyncDefect : std::uint8_t {
  kNone,
  // With these the rest of the message is lost.
  kHeaderCut,           ///< shorter than its header
  kWrongSize,           ///< its size is not the number of bytes that arrived
  kEntryCut,            ///< ends inside the fixed part of an entry, or before the number of entries that it announces
  kEntryBeyondMessage,  ///< an entry says that it is longer than the message
  kEntryVersion,        ///< of an entry: not 0
  kEntryType,           ///< neither IPv4 nor IPv6
  kEntryTooShort,       ///< an entry says that it is shorter than its fixed part
  kOptionCut,           ///< type without length
  kOptionLength,        ///< 0, or beyond the entry
  kSequenceOption,      ///< not 24 bytes, or twice
  kEngineDataOption,    ///< longer than 255 bytes, or twice
  kEngineNameOption,    ///< longer than 16 bytes, or twice
  // With these one entry is lost.
  kUnknownOption,     ///< one that must be understood
  kEngineIncomplete,  ///< data without the engine's name
};
std::string_view text_of(SyncDefect defect);

struct SyncMessage {
  int version = 1;
  std::uint8_t sync_id = 0;
  std::vector<SyncEntry> entries;         ///< up to the flaw that ends the message, without those that are lost alone
  SyncDefect defect = SyncDefect::kNone;  ///< the first one that was met
};

/// Reads one datagram. Any bytes will do; whatever is wrong with them is in `defect`. The views in the entries point
/// into `datagram`. Reads as the kernel does: version 1 if the header says so and its spare fields are zero, else 0.
/// Source: ip_vs_sync.c, ip_vs_process_message(), ip_vs_proc_sync_conn(), ip_vs_process_message_v0().
SyncMessage decode_sync_message(std::span<const std::byte> datagram);

}  // namespace lvspec::director
