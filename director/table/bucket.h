#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace lvspec::table {

/// Ten entries that stand together with one byte of each one's hash. All zero is an empty bucket.
template <typename Entry>
class Bucket {
 public:
  static constexpr unsigned kSlots = 10;
  static constexpr std::uint8_t kFree = 0;
  static constexpr std::uint8_t kHidden = 255;  ///< taken, and not to be found

  static std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(1 + (hash & 0xff) * 254 / 256); }

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

  /// The first slot with this tag; kSlots if there is none.
  unsigned first(std::uint8_t tag) const {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      if (tags_[slot] == tag) return slot;
    }
    return kSlots;
  }

  /// The first entry with this tag that `matches`, or null.
  template <typename Matches>
  Entry* find(std::uint8_t tag, Matches matches) {
    // Eight tags at a time: a byte of `different` is zero where the tag is equal. What the borrow makes look equal
    // above a real one is sorted out by `matches`.
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    std::uint64_t eight;
    std::memcpy(&eight, tags_.data(), sizeof eight);
    const std::uint64_t different = eight ^ (kOnes * tag);
    for (std::uint64_t equal = (different - kOnes) & ~different & kHighs; equal != 0; equal &= equal - 1) {
      const unsigned slot = static_cast<unsigned>(std::countr_zero(equal)) / 8;
      if (tags_[slot] == tag && matches(entry(slot))) return &entry(slot);
    }
    for (unsigned slot = 8; slot < kSlots; ++slot) {
      if (tags_[slot] == tag && matches(entry(slot))) return &entry(slot);
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

  std::array<std::uint8_t, kSlots> tags_{};
  std::uint16_t passed_ = 0;
  alignas(4) std::byte storage_[kSlots * sizeof(Entry)];
};

}  // namespace lvspec::table
