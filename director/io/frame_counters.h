#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace lvspec::director {

/// What became of frames and packets; part of the control dump.
///
/// X(enumerator, "name in the dump")
#define LVSPEC_FRAME_EVENTS(X)                            \
  X(kForwarded, "forwarded")                              \
  X(kReplies, "replies")                                  \
  X(kLocal, "to a local server")                          \
  X(kPassed, "passed to the stack")                       \
  X(kDropped, "dropped by verdict")                       \
  X(kTold, "icmp errors sent")                            \
  X(kRelayed, "tunnel errors relayed")                    \
  X(kWaiting, "waited for a neighbour")                   \
  X(kUnanswered, "given up: no neighbour")                \
  X(kNoRoute, "no route")                                 \
  X(kTimeExceeded, "ttl exceeded")                        \
  X(kTooBig, "too big")                                   \
  X(kBoundary, "local boundary crossed")                  \
  X(kReassembled, "reassembled")                          \
  X(kFragmented, "fragmented")                            \
  X(kUnsegmentable, "offload that no tunnel can carry")   \
  X(kTransportShort, "malformed: transport header short") \
  X(kHeaderShort, "malformed: ip header short")           \
  X(kWrongVersion, "malformed: ip version")               \
  X(kWrongLength, "malformed: ip length")                 \
  X(kWrongChecksum, "malformed: ip header checksum")

enum class FrameEvent : std::uint8_t {
#define X(enumerator, name) enumerator,
  LVSPEC_FRAME_EVENTS(X)
#undef X
      kCount,
};

class FrameCounters {
 public:
  std::uint64_t& operator[](FrameEvent event) { return counts_[static_cast<std::size_t>(event)]; }
  std::uint64_t operator[](FrameEvent event) const { return counts_[static_cast<std::size_t>(event)]; }
  static const char* name_of(FrameEvent event) {
    static constexpr std::array<const char*, static_cast<std::size_t>(FrameEvent::kCount)> kNames = {
#define X(enumerator, name) name,
        LVSPEC_FRAME_EVENTS(X)
#undef X
    };
    return kNames[static_cast<std::size_t>(event)];
  }
  std::map<std::string, std::uint64_t> all() const {
    std::map<std::string, std::uint64_t> named;
    for (std::size_t i = 0; i < counts_.size(); ++i) named[name_of(static_cast<FrameEvent>(i))] = counts_[i];
    return named;
  }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(FrameEvent::kCount)> counts_{};
};

}  // namespace lvspec::director
