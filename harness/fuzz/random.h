#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "harness/base/check.h"

namespace lvspec::fuzz {

/// Numbers that are the same on every machine for the same seed, which those of <random>'s distributions are not.
/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1. The bias of the modulus is 2^-50 and less here.
  std::size_t below(std::size_t n) {
    LVSPEC_CHECK(n > 0);
    return static_cast<std::size_t>(next() % n);
  }
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low + 1))); }
  bool percent(int chance) { return between(0, 99) < chance; }

  template <typename T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  template <typename T>
  T of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace lvspec::fuzz
