#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace lvspec::table {

/// A pointer in six bytes that needs no more alignment than a port number. User space has 47 bits of addresses on
/// x86-64 and 48 on arm64, unless a program asks for more by hint.
template <typename T>
class PackedPointer {
 public:
  PackedPointer(T* target = nullptr) {
    const auto bits = reinterpret_cast<std::uintptr_t>(target);
    for (int i = 0; i < 3; ++i) parts_[i] = static_cast<std::uint16_t>(bits >> (16 * i));
    if (get() == target) return;
    std::fprintf(stderr, "lvspec director: address %p has more than 48 bits\n", static_cast<void*>(target));
    std::abort();
  }
  T* get() const {
    return reinterpret_cast<T*>(std::uintptr_t{parts_[0]} | (std::uintptr_t{parts_[1]} << 16) |
                                (std::uintptr_t{parts_[2]} << 32));
  }
  operator T*() const { return get(); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }

 private:
  std::uint16_t parts_[3];
};

}  // namespace lvspec::table
