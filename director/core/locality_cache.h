#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <forward_list>
#include <limits>
#include <utility>
#include <vector>

#include "director/core/address_hash.h"
#include "director/core/time.h"

namespace lvspec::director {

/// What lblc and lblcr remember of each address that clients asked for (SCH-73). A new address allocates one node, on
/// the packet path as in the kernel; everything else about the cache does not.
/// Source: Linux net/netfilter/ipvs/ip_vs_lblc.c, ip_vs_lblc_check_expire(), ip_vs_lblc_full_check().
template <typename Value>
class LocalityCache {
 public:
  explicit LocalityCache(DirectorTime birth)
      : next_check_(birth + kCheckInterval), chains_(std::size_t{1} << kBits) {}

  std::size_t size() const { return size_; }

  /// What is known of the address, which counts as a use; or null.
  Value* find(Family family, const Address& address, DirectorTime now) {
    for (Entry& entry : chains_[chain_of(family, address)]) {
      if (entry.address != address) continue;
      entry.last_used = now;
      return &entry.value;
    }
    return nullptr;
  }

  /// For an address that find() does not know. A full cache stays as it is.
  void insert(Family family, const Address& address, DirectorTime now, Value value) {
    if (size_ >= kLimit * 3 / 2) return;
    chains_[chain_of(family, address)].push_front({address, now, std::move(value)});
    ++size_;
  }

  /// Lets every check fire that is due by `now`, each as of its own moment.
  /// @param lifetime  how long an entry stays that nobody uses.
  void expire(DirectorTime now, Duration lifetime) {
    for (; next_check_ <= now; next_check_ += kCheckInterval) {
      if (checks_ == kChecksToFull) {
        checks_ = 1;
        drop_unused(next_check_ - lifetime, std::numeric_limits<std::size_t>::max());
      } else if (size_ <= kLimit) {
        ++checks_;
      } else {
        drop_unused(next_check_ - kIdle, std::min((size_ - kLimit) * 4 / 3, kLimit / 2));
      }
    }
  }

 private:
  struct Entry {
    Address address;
    DirectorTime last_used;
    Value value;
  };

  static constexpr int kBits = 10;
  static constexpr std::size_t kLimit = std::size_t{16} << kBits;  // above it, idle entries make room
  static constexpr Duration kCheckInterval = std::chrono::seconds(60);
  static constexpr Duration kIdle = std::chrono::minutes(6);
  static constexpr int kChecksToFull = 30;

  static std::size_t chain_of(Family family, const Address& address) {
    return multiplicative_hash(fold(family, address), kBits);
  }

  // Whole chains, from the one after that where the last round ended, until `goal` entries are gone.
  void drop_unused(DirectorTime since, std::size_t goal) {
    for (std::size_t chain = 0; chain < chains_.size(); ++chain) {
      rover_ = (rover_ + 1) % chains_.size();
      const std::size_t dropped = chains_[rover_].remove_if([&](const Entry& e) { return e.last_used <= since; });
      size_ -= dropped;
      if (dropped >= goal) break;
      goal -= dropped;
    }
  }

  DirectorTime next_check_;
  int checks_ = 1;
  std::size_t rover_ = 0, size_ = 0;
  std::vector<std::forward_list<Entry>> chains_;
};

}  // namespace lvspec::director
