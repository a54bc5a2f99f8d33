#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "director/core/address.h"

namespace lvspec::director {

/// Where a side of an FTP session said that it waits for the data connection (RFC 959, RFC 2428).
struct FtpEndpoint {
  std::optional<Address> address;  ///< none in an EPSV answer, which names the port alone
  std::uint16_t port = 0;
  std::size_t begin = 0, end = 0;  ///< its text within the payload, from `begin` up to before `end`

  bool operator==(const FtpEndpoint&) const = default;
};

/// What the payload of one segment says, read as the kernel does: a command is only found where a segment begins with
/// it, PASV and EPSV anywhere in it. Source: Linux ip_vs_ftp.c, ip_vs_ftp_get_addrport(), ip_vs_ftp_in().
enum class FtpRequest : std::uint8_t { kNone, kPassive, kExtendedPassive };
FtpRequest passive_request_in(std::string_view payload, Family family);
/// PORT (IPv4 only) or EPRT of a client.
std::optional<FtpEndpoint> active_request_in(std::string_view payload, Family family);
/// 227, the answer to PASV.
std::optional<FtpEndpoint> passive_answer_in(std::string_view payload);
/// 229, the answer to EPSV.
std::optional<FtpEndpoint> extended_passive_answer_in(std::string_view payload, Family family);

/// How a stream's sequence numbers have moved: by `before` up to `position`, a number that its sender gave, and by
/// `after` beyond. Source: Linux nf_conntrack_seqadj.c.
struct FtpShift {
  std::uint32_t position = 0;
  std::int32_t before = 0, after = 0;

  bool any() const { return (before | after) != 0; }
  /// The segment that begins at `sequence` has become longer by `growth` bytes. nf_ct_seqadj_set().
  void grow(std::uint32_t sequence, std::int32_t growth);
  /// Of the sender's number what the receiver sees, and of what the receiver acknowledges the sender's number.
  std::uint32_t towards_receiver(std::uint32_t sequence) const;
  std::uint32_t towards_sender(std::uint32_t acknowledged) const;
};

/// What is to be done to a segment of an FTP control connection besides NAT.
struct FtpEdit {
  enum class Way : std::uint8_t { kFromServer, kFromClient };
  Way way = Way::kFromServer;
  FtpShift shift;                   ///< of the server's stream; as it was before this segment
  std::size_t at = 0, removed = 0;  ///< of the payload
  std::array<char, 24> inserted{};
  std::size_t inserted_length = 0;

  bool replaces() const { return removed != 0; }
  std::string_view text() const { return {inserted.data(), inserted_length}; }
};

/// The most that an edit makes a segment longer.
inline constexpr std::size_t kFtpLongestGrowth = 24;

/// The endpoint as 227 says it, "198,51,100,10,156,64", and as 229 does, "|||40000|".
std::size_t write_passive_answer(std::span<char, 24> out, const Address& address, std::uint16_t port);
std::size_t write_extended_passive_answer(std::span<char, 24> out, std::uint16_t port);

}  // namespace lvspec::director
