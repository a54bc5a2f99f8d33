#include "harness/evidence/pcapng.h"

#include <algorithm>
#include <string_view>

namespace lvspec {
namespace {

// Block types.
constexpr std::uint32_t kSectionHeader = 0x0A0D0D0A;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kInterfaceStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;

// Option codes; 0 ends a list, 1 is a comment, the rest depends on the block.
constexpr std::uint16_t kEnd = 0, kComment = 1;
constexpr std::uint16_t kShbUserApplication = 4;
constexpr std::uint16_t kIfName = 2, kIfTimestampResolution = 9;
constexpr std::uint16_t kEpbFlags = 2;
constexpr std::uint16_t kIsbStart = 2, kIsbEnd = 3, kIsbReceived = 4, kIsbDropped = 5;

constexpr std::uint16_t kLinktypeEthernet = 1;

/// Appends in the byte order of this machine, which the byte-order magic tells the reader.
template <typename T>
void put(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_padded(std::string* out, const void* bytes, std::size_t size) {
  out->append(static_cast<const char*>(bytes), size);
  out->append((4 - size % 4) % 4, '\0');
}

/// One block while it is written: the length stands before and behind the body, so it is filled in at the end.
class Block {
 public:
  Block(std::string* out, std::uint32_t type) : out_(out), start_(out->size()) {
    put<std::uint32_t>(out_, type);
    put<std::uint32_t>(out_, 0);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    const auto length = static_cast<std::uint32_t>(out_->size() - start_ + 4);
    put(out_, length);
    out_->replace(start_ + 4, 4, reinterpret_cast<const char*>(&length), 4);
  }

  template <typename T>
  void field(T value) {
    put(out_, value);
  }
  void padded(const void* bytes, std::size_t size) { put_padded(out_, bytes, size); }

  void option(std::uint16_t code, std::string_view value) {
    const std::string_view cut = value.substr(0, 0xFFFF);  // the length has 16 bits
    put(out_, code);
    put(out_, static_cast<std::uint16_t>(cut.size()));
    put_padded(out_, cut.data(), cut.size());
  }
  template <typename T>
  void number_option(std::uint16_t code, T value) {
    option(code, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  /// Times are two halves, the high one first, whatever the byte order.
  void time(std::uint64_t ns) {
    put(out_, static_cast<std::uint32_t>(ns >> 32));
    put(out_, static_cast<std::uint32_t>(ns));
  }
  void time_option(std::uint16_t code, std::uint64_t ns) {
    put(out_, code);
    put<std::uint16_t>(out_, 8);
    time(ns);
  }
  void end_of_options() { put<std::uint32_t>(out_, kEnd); }

 private:
  std::string* out_;
  std::size_t start_;
};

}  // namespace

PcapngWriter::PcapngWriter(const std::string& interface, const std::string& comment, std::uint32_t snaplen) {
  {
    Block section(&out_, kSectionHeader);
    section.field<std::uint32_t>(0x1A2B3C4D);             // byte-order magic
    section.field<std::uint16_t>(1);                      // major version
    section.field<std::uint16_t>(0);                      // minor version
    section.field<std::uint64_t>(0xFFFF'FFFF'FFFF'FFFF);  // length of the section: not told
    if (!comment.empty()) section.option(kComment, comment);
    section.option(kShbUserApplication, "lvspec");
    section.end_of_options();
  }
  Block description(&out_, kInterfaceDescription);
  description.field(kLinktypeEthernet);
  description.field<std::uint16_t>(0);  // reserved
  description.field(snaplen);
  description.option(kIfName, interface);
  description.number_option<std::uint8_t>(kIfTimestampResolution, 9);  // 10^-9 s
  description.end_of_options();
}

void PcapngWriter::add(const CapturedFrame& frame) {
  if (first_ns_ == 0) first_ns_ = frame.time_ns;
  last_ns_ = std::max(last_ns_, frame.time_ns);
  Block packet(&out_, kEnhancedPacket);
  packet.field<std::uint32_t>(0);  // the only interface
  packet.time(frame.time_ns);
  packet.field(static_cast<std::uint32_t>(frame.bytes.size()));
  packet.field(frame.original_length);
  packet.padded(frame.bytes.data(), frame.bytes.size());
  if (frame.direction != CapturedFrame::Direction::kUnknown) {
    packet.number_option(kEpbFlags, static_cast<std::uint32_t>(frame.direction));
    packet.end_of_options();
  }
}

std::string PcapngWriter::finish(std::uint64_t received, std::uint64_t dropped) && {
  {
    Block statistics(&out_, kInterfaceStatistics);
    statistics.field<std::uint32_t>(0);
    statistics.time(last_ns_);
    if (dropped > 0) {
      statistics.option(kComment,
                        "lvspec: isb_ifdrop counts the frames of all links for which there was no room; "
                        "the earliest frames were kept");
    }
    if (first_ns_ != 0) {
      statistics.time_option(kIsbStart, first_ns_);
      statistics.time_option(kIsbEnd, last_ns_);
    }
    statistics.number_option(kIsbReceived, received);
    statistics.number_option(kIsbDropped, dropped);
    statistics.end_of_options();
  }
  return std::move(out_);
}

}  // namespace lvspec
