#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace lvspec::table {

/// Entries that stand together with one byte of each one's hash. All zero is an empty bucket. An entry stands where
/// its hash prefers if that was free, or else near, so that most are found in what was fetched at once.
template <typename Entry>
class Bucket {
 public:
  static constexpr unsigned kSlots = 22;
  static constexpr std::uint8_t kFree = 0;
  static constexpr std::uint8_t kHidden = 255;  ///< taken, and not to be found

  static std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(1 + (hash & 0xff) * 254 / 256); }

  static unsigned preferred_by(std::uint64_t hash) {
    return static_cast<unsigned>((hash >> 8 & 0xffff) * kSlots >> 16);
  }

  /// Fetches what find() most likely looks at, all of it at the same time: the tags, the preferred place, and the
  /// ones next to it, where an entry stands that came second. By loads, since a prefetch is dropped where the page's
  /// translation is not at hand either, and in a large table it seldom is.
  void fetch(std::uint64_t hash) const {
    const auto* const tags = reinterpret_cast<const std::byte*>(this);
    const auto touch = [](const std::byte* byte) {
      asm volatile("" ::"r"(*static_cast<const volatile std::byte*>(byte)));
    };
    const std::byte* const preferred = storage_ + preferred_by(hash) * sizeof(Entry);
    touch(tags);
    touch(preferred);
    touch(preferred + sizeof(Entry) - 1);
    touch(std::max(preferred - kCacheLine, tags));
    touch(std::min(preferred + sizeof(Entry) - 1 + kCacheLine, tags + sizeof *this - 1));
  }
  void prefetch_all() const {
    const auto* const bytes = reinterpret_cast<const std::byte*>(this);
    for (std::size_t line = 0; line < sizeof *this; line += kCacheLine) __builtin_prefetch(bytes + line);
  }

  Entry& entry(unsigned slot) { return *std::launder(reinterpret_cast<Entry*>(storage_ + slot * sizeof(Entry))); }
  unsigned slot_of(const Entry& entry) const {
    return static_cast<unsigned>((reinterpret_cast<const std::byte*>(&entry) - storage_) / sizeof(Entry));
  }

  template <typename... Arguments>
  Entry& construct(unsigned slot, std::uint8_t tag, Arguments&&... arguments) {
    tags_[slot] = tag;
    return *new (storage_ + slot * sizeof(Entry)) Entry(std::forward<Arguments>(arguments)...);
  }

  std::uint8_t tag(unsigned slot) const { return tags_[slot]; }
  void set_tag(unsigned slot, std::uint8_t tag) { tags_[slot] = tag; }

  /// The free slot nearest to the preferred one, since that is likely to be in a cache line that fetch() gets;
  /// kSlots if there is none.
  unsigned free_slot(unsigned preferred) const {
    for (unsigned distance = 0; distance < kSlots; ++distance) {
      if (preferred + distance < kSlots && tags_[preferred + distance] == kFree) return preferred + distance;
      if (preferred >= distance && tags_[preferred - distance] == kFree) return preferred - distance;
    }
    return kSlots;
  }

  /// The entry with this hash that `matches`, or null. `matches` may be asked of a place where no entry stands: all
  /// zero, or what the last one left.
  template <typename Matches>
  Entry* find(std::uint64_t hash, Matches matches) {
    const std::uint8_t tag = tag_of(hash);
    const unsigned preferred = preferred_by(hash);
    // In this order, since who comes next then depends on the entry alone: that it is there is guessed right. A place
    // that was never taken is all zero.
    if (matches(entry(preferred)) && tags_[preferred] == tag) return &entry(preferred);
    // Eight tags at a time: a byte of `different` is zero where the tag is equal. What the borrow makes look equal
    // above a real one is sorted out after.
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    for (unsigned word = 0; word < kWords; ++word) {
      std::uint64_t eight;
      std::memcpy(&eight, reinterpret_cast<const std::byte*>(this) + 8 * word, sizeof eight);
      const std::uint64_t different = eight ^ (kOnes * tag);
      for (std::uint64_t equal = (different - kOnes) & ~different & kHighs; equal != 0; equal &= equal - 1) {
        const unsigned slot = 8 * word + static_cast<unsigned>(std::countr_zero(equal)) / 8;
        if (slot < kSlots && tags_[slot] == tag && matches(entry(slot))) return &entry(slot);
      }
    }
    return nullptr;
  }

  /// How many entries that belong here or before had to go on to a later bucket. At its maximum it stays.
  bool passed() const { return passed_ != 0; }
  void pass() {
    if (passed_ != kManyPassed) ++passed_;
  }
  void unpass() {
    if (passed_ != kManyPassed) --passed_;
  }

 private:
  static constexpr std::uint16_t kManyPassed = 0xffff;

  static constexpr std::size_t kCacheLine = 64;
  static constexpr unsigned kWords = (kSlots + 2 + 7) / 8;

  // Read in words of eight; the number passed stands in what the last word has left.
  std::array<std::uint8_t, 8 * kWords - 2> tags_{};
  std::uint16_t passed_ = 0;
  alignas(4) std::byte storage_[kSlots * sizeof(Entry)];
};

}  // namespace lvspec::table
