#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace lvspec {

/// One captured frame, as pcapng knows it.
struct CapturedFrame {
  enum class Direction { kUnknown = 0, kInbound = 1, kOutbound = 2 };

  std::uint64_t time_ns = 0;  ///< since 1970, UTC
  Direction direction = Direction::kUnknown;
  std::uint32_t original_length = 0;    ///< on the wire; `bytes` may hold less
  std::span<const std::uint8_t> bytes;  ///< from the Ethernet header on
};

/// Makes the content of a pcapng file with one Ethernet interface; does no I/O.
/// Source: draft-ietf-opsawg-pcapng, sections 4.1 (SHB), 4.2 (IDB), 4.3 (EPB), 4.6 (ISB).
class PcapngWriter {
 public:
  /// @param interface  what Wireshark shows as the interface's name: "client1"
  /// @param comment    about the file as a whole; may be empty
  /// @param snaplen    frames longer than this were cut
  PcapngWriter(const std::string& interface, const std::string& comment, std::uint32_t snaplen);

  void add(const CapturedFrame& frame);

  /// Closes the file with its statistics. @return the whole content.
  /// @param received  frames the capture saw on this interface
  /// @param dropped   frames the capture had no room for; over all interfaces, if they were not counted apart
  std::string finish(std::uint64_t received, std::uint64_t dropped) &&;

 private:
  std::string out_;
  std::uint64_t first_ns_ = 0, last_ns_ = 0;
};

}  // namespace lvspec
