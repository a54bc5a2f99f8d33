#include "harness/evidence/ladder.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "harness/evidence/pcapng_reader.h"
#include "harness/probe/frame.h"

namespace lvspec {
namespace {

constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint16_t kFlagsOption = 2;
constexpr std::size_t kLane = 12;

Result<std::string> text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return system_error("open(" + path + ")");
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

std::string mac_text(const std::uint8_t* mac) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

std::string flags_text(std::uint8_t flags) {
  std::string text;
  for (const auto& [bit, name] :
       {std::pair(tcp_flags::kSyn, " SYN"), std::pair(tcp_flags::kFin, " FIN"), std::pair(tcp_flags::kRst, " RST"),
        std::pair(tcp_flags::kPsh, " data"), std::pair(tcp_flags::kAck, " ACK")})
    if ((flags & bit) != 0) text += name;
  return text;
}

/// What a frame is to a reader; empty for what keeps the network itself going.
std::string frame_text(std::span<const std::uint8_t> frame) {
  if (const auto heard = read_frame(frame)) {
    const std::string way = heard->source.str() + " > " + heard->target.str();
    switch (heard->kind) {
      case HeardFrame::Kind::kTcp:
        return way + flags_text(heard->flags);
      case HeardFrame::Kind::kUdp:
        return way + " UDP";
      case HeardFrame::Kind::kPortUnreachable:
        return "ICMP port unreachable, about " + way;
      case HeardFrame::Kind::kUnreachable:
        return "ICMP unreachable, about " + way;
    }
  }
  if (frame.size() < 34) return "";
  const bool v4 = frame[12] == 0x08 && frame[13] == 0x00, v6 = frame[12] == 0x86 && frame[13] == 0xdd;
  if (!v4 && !v6) return "";
  const int protocol = v4 ? frame[23] : frame[20];
  constexpr int kIcmp = 1, kIcmp6 = 58, kFirstOfDiscovery = 130;
  if (protocol == kIcmp6 && frame.size() > 54 && frame[54] >= kFirstOfDiscovery) return "";
  if (protocol == kIcmp || protocol == kIcmp6) return "ICMP";
  return fmt::format("IP protocol {}", protocol);
}

}  // namespace

Result<std::vector<Rung>> read_rungs(const std::string& folder, std::vector<std::string>* nodes) {
  LVSPEC_ASSIGN(const std::string topology, text_of_file(folder + "/topology.txt"));
  std::map<std::string, std::string> owner;
  std::istringstream lines(topology);
  for (std::string node, interface, mac; lines >> node >> interface >> mac;) {
    nodes->push_back(node);
    owner[mac] = node;
  }
  std::vector<Rung> rungs;
  for (const std::string& node : *nodes) {
    const std::string path = fmt::format("{}/{}.pcapng", folder, node);
    LVSPEC_ASSIGN(const std::string file, text_of_file(path));
    std::string error;
    for (const PcapngBlock& block : read_pcapng(file, &error)) {
      if (block.type != kEnhancedPacket || (block.option<std::uint32_t>(kFlagsOption) & 3) != 2)
        continue;  // outbound
      const std::string bytes = block.frame();
      const std::span<const std::uint8_t> frame(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      const auto to = owner.find(mac_text(frame.data()));
      const std::string text = frame_text(frame);
      if (to != owner.end() && !text.empty()) rungs.push_back({block.time_ns(), node, to->second, text});
    }
    if (!error.empty()) return Error{path + ": " + error};
  }
  std::stable_sort(rungs.begin(), rungs.end(), [](const Rung& a, const Rung& b) { return a.time_ns < b.time_ns; });
  return rungs;
}

std::string draw_ladder(const std::vector<std::string>& nodes, const std::vector<Rung>& rungs, std::size_t most) {
  const auto lane = [&](const std::string& node) {
    const auto at = std::find(nodes.begin(), nodes.end(), node) - nodes.begin();
    return 2 + static_cast<std::size_t>(at) * kLane;
  };
  std::string out;
  for (const std::string& node : nodes) out += fmt::format("{:<{}}", node, kLane);
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
  const std::size_t head = rungs.size() <= most ? rungs.size() : most / 2;
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    if (i == head && rungs.size() > most) {
      out += fmt::format("  ... {} packets ...\n", rungs.size() - most);
      i = rungs.size() - (most - head);
    }
    std::string line(nodes.size() * kLane, ' ');
    for (const std::string& node : nodes) line[lane(node)] = '|';
    const std::size_t from = lane(rungs[i].from), to = lane(rungs[i].to);
    const auto [left, right] = std::minmax(from, to);
    for (std::size_t x = left + 1; x < right; ++x) line[x] = '-';
    if (to > from) line[to - 1] = '>';
    if (to < from) line[to + 1] = '<';
    out += fmt::format("{}{}\n", line, rungs[i].text);
  }
  return out;
}

}  // namespace lvspec
