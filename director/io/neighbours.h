#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "director/core/director.h"
#include "director/core/time.h"
#include "director/io/bytes.h"
#include "director/io/wire_format.h"

namespace lvspec::director {

struct FamilyAddress {
  Family family = Family::kIpv4;
  Address address{};
  bool operator==(const FamilyAddress&) const = default;
};
struct FamilyAddressHash {
  std::size_t operator()(const FamilyAddress& key) const {
    std::uint64_t words[2];
    std::memcpy(words, key.address.bytes.data(), sizeof words);
    std::uint64_t hash = (words[0] ^ words[1] * 0x9e3779b97f4a7c15) + static_cast<std::uint64_t>(key.family);
    hash *= 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
  }
};

/// A packet that waits for its neighbour's answer, as it came, and what is to be done with it.
struct WaitingPacket {
  std::vector<std::byte> buffer;  ///< as from FrameSocket, headroom included
  Verdict verdict;
  bool is_reply = false;
  bool is_own = false;  ///< we made it: nobody is told if it cannot be delivered
};

/// Whose MAC is whose, as far as the director asks. One that does not answer is asked three times, a second apart;
/// then what waited for it is given up (FWD-08, FWD-09), and the next packet begins anew. One that has been known for
/// 30 s is asked again when it is used, and meanwhile believed; if it keeps silent it is forgotten.
/// Source: Linux net/core/neighbour.c; RFC 4861, 7.3.
class Neighbours {
 public:
  static constexpr int kTries = 3;
  static constexpr Duration kPause = std::chrono::seconds(1);
  static constexpr Duration kBelieved = std::chrono::seconds(30);
  /// Packets that wait for one neighbour; the oldest go first, as in the kernel's own queue.
  static constexpr std::size_t kMostWaiting = 64;
  /// Neighbours that are known or asked for; beyond that nobody new is asked.
  static constexpr std::size_t kMost = 4096;

  /// When a timer fires.
  std::function<DirectorTime(DirectorTime now, Duration timeout)> timer = [](DirectorTime now, Duration timeout) {
    return now + timeout;
  };
  /// Asks the wire who has an address.
  std::function<void(const FamilyAddress&)> ask = [](const FamilyAddress&) {};
  /// Nobody has it: `when` that was clear. Called in the order of time.
  std::function<void(WaitingPacket&, DirectorTime when)> give_up = [](WaitingPacket&, DirectorTime) {};

  /// @return the MAC, or nothing: then the packet should wait()
  const Mac* find(const FamilyAddress& who, DirectorTime now);
  void wait(const FamilyAddress& who, DirectorTime now, WaitingPacket packet);
  /// A neighbour has said who it is. @return what waited for it; strangers are not remembered.
  std::vector<WaitingPacket> learn(const Neighbour& neighbour, DirectorTime now);
  void expire(DirectorTime now);
  std::optional<DirectorTime> next_deadline() const;

 private:
  struct Entry {
    Mac mac{};
    bool known = false;
    int tries = 0;  // questions asked and not answered
    DirectorTime confirmed{};
    DirectorTime next_try{};
    std::vector<WaitingPacket> waiting;
  };
  void question(const FamilyAddress& who, Entry& entry, DirectorTime now);

  std::unordered_map<FamilyAddress, Entry, FamilyAddressHash> entries_;
  std::size_t asked_ = 0;  // entries that have an open question
};

}  // namespace lvspec::director
