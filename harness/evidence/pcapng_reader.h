#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lvspec {

/// The blocks of a pcapng file of this machine's byte order, read by the letter of the draft.
struct PcapngBlock {
  std::uint32_t type = 0;
  std::string body;                              ///< without type and lengths
  std::map<std::uint16_t, std::string> options;  ///< code -> value

  template <typename T>
  T at(std::size_t offset) const {
    T value{};
    if (offset + sizeof value <= body.size()) std::memcpy(&value, body.data() + offset, sizeof value);
    return value;
  }
  template <typename T>
  T option(std::uint16_t code) const {
    T value{};
    const auto found = options.find(code);
    if (found != options.end() && found->second.size() == sizeof value)
      std::memcpy(&value, found->second.data(), sizeof value);
    return value;
  }
  std::uint64_t time_ns() const { return std::uint64_t{at<std::uint32_t>(4)} << 32 | at<std::uint32_t>(8); }
  /// Enhanced packet blocks only.
  std::string frame() const { return body.substr(20, at<std::uint32_t>(12)); }
};

/// @return the blocks, and in `error` what contradicts the format; empty if nothing does.
inline std::vector<PcapngBlock> read_pcapng(std::string_view file, std::string* error) {
  const auto u32 = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, file.data() + at, 4);
    return value;
  };
  const auto options_at = [](const PcapngBlock& block) -> std::size_t {
    switch (block.type) {
      case 0x0A0D0D0A:
        return 16;
      case 1:
        return 8;
      case 5:
        return 12;
      case 6:
        return 20 + (block.at<std::uint32_t>(12) + 3) / 4 * 4;
      default:
        return block.body.size();
    }
  };
  std::vector<PcapngBlock> blocks;
  for (std::size_t at = 0; at < file.size();) {
    if (at + 12 > file.size()) return *error = "a block ends early", blocks;
    const std::uint32_t length = u32(at + 4);
    if (length < 12 || length % 4 != 0 || at + length > file.size()) return *error = "a length is wrong", blocks;
    if (u32(at + length - 4) != length) return *error = "the second length differs", blocks;
    PcapngBlock block{.type = u32(at), .body = std::string(file.substr(at + 8, length - 12)), .options = {}};
    std::size_t option = options_at(block);
    while (option + 4 <= block.body.size()) {
      const auto code = block.at<std::uint16_t>(option);
      const auto size = block.at<std::uint16_t>(option + 2);
      if (code == 0) break;
      if (option + 4 + size > block.body.size()) return *error = "an option is too long", blocks;
      block.options[code] = block.body.substr(option + 4, size);
      option += 4 + (size + 3u) / 4 * 4;
    }
    blocks.push_back(std::move(block));
    at += length;
  }
  if (blocks.empty() || blocks[0].type != 0x0A0D0D0A) *error = "no section header";
  return blocks;
}

}  // namespace lvspec
