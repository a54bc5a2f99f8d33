#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace lvspec::table {

/// When something fires, and who goes first if several fire at one instant: the smaller `order`.
struct Due {
  std::int64_t deadline = std::numeric_limits<std::int64_t>::max();  ///< ns; the default is never
  std::uint32_t order = 0;

  auto operator<=>(const Due&) const = default;
};

inline constexpr Due kNever{};

/// What every entry of a table begins with: its timer. In words of four bytes, so that entries need no more
/// alignment and no padding.
class Timed {
 public:
  Due due() const { return {static_cast<std::int64_t>(std::uint64_t{deadline_high_} << 32 | deadline_low_), order_}; }
  void set_due(const Due& due) {
    deadline_low_ = static_cast<std::uint32_t>(due.deadline);
    deadline_high_ = static_cast<std::uint32_t>(static_cast<std::uint64_t>(due.deadline) >> 32);
    order_ = due.order;
  }
  bool armed() const { return due().deadline != kNever.deadline; }

 private:
  std::uint32_t deadline_low_ = 0xffffffff, deadline_high_ = 0x7fffffff, order_ = 0;
};

}  // namespace lvspec::table
