#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lvspec::director {

/// What persistence engines add to the keys of templates: the Call-IDs of `sip`. A text is stored once, however many
/// clients use it, and template keys hold its number, so that keys stay small and compare fast, and a template
/// without an engine pays four bytes. Up to the number reserved, nothing here allocates.
class EngineData {
 public:
  static constexpr std::size_t kLongest = 255;  ///< bytes of a text; include/net/ip_vs.h, IP_VS_PEDATA_MAXLEN
  using Id = std::uint32_t;
  static constexpr Id kNone = 0;

  /// Keeps a text stored while it lives. Move-only; lives no longer than its EngineData.
  class Hold {
   public:
    Hold() = default;
    Hold(EngineData& data, Id id) : data_(&data), id_(id) {}
    Hold(Hold&& other) noexcept : data_(other.data_), id_(std::exchange(other.id_, kNone)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(data_, other.data_);
      std::swap(id_, other.id_);
      return *this;
    }
    ~Hold() {
      if (id_ != kNone) data_->release(id_);
    }
    Id id() const { return id_; }

   private:
    EngineData* data_ = nullptr;
    Id id_ = kNone;
  };

  /// Makes room for that many texts in all.
  void reserve(std::size_t texts);
  /// Stores `text` of 1 to kLongest bytes (checked), or finds it.
  Hold hold(std::string_view text);
  /// One more, one fewer that uses the text; kNone is of no account. The last one frees it.
  void retain(Id id);
  void release(Id id);
  /// Valid until the next hold(); empty for kNone.
  std::string_view text(Id id) const;

 private:
  struct Slot {
    Id next = kNone;  // in its chain, or of the free ones
    std::uint32_t users = 0;
    std::uint8_t length = 0;
    std::array<char, kLongest> bytes;

    std::string_view text() const { return {bytes.data(), length}; }
  };

  Slot& slot(Id id) { return slots_[id - 1]; }
  Id& chain_of(std::string_view text);

  std::vector<Slot> slots_;
  std::vector<Id> chains_;  // a power of two
  Id free_ = kNone;
};

}  // namespace lvspec::director
