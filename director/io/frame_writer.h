#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "director/io/bytes.h"
#include "director/io/wire_format.h"

namespace lvspec::director {

/// Writes a frame of our own from front to back.
class FrameWriter {
 public:
  FrameWriter& u8(std::size_t value) {
    bytes_.push_back(std::byte(static_cast<std::uint8_t>(value)));
    return *this;
  }
  FrameWriter& u16(std::size_t value) { return u8(value >> 8).u8(value); }
  FrameWriter& mac(const Mac& mac) {
    for (const std::uint8_t byte : mac) u8(byte);
    return *this;
  }
  FrameWriter& address(const Address& address, Family family) { return copy(bytes_of(address, family)); }
  FrameWriter& copy(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  FrameWriter& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace lvspec::director
