#include "harness/evidence/capture.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>

#include "harness/evidence/case_file.h"
#include "harness/evidence/file.h"
#include "harness/evidence/pcapng.h"

namespace lvspec {
namespace {

constexpr unsigned kFrameSize = 256;  // headers of everything we send, and the start of an HTTP answer
constexpr unsigned kFrames = 4096;
constexpr unsigned kBlockSize = 64 * 1024;  // few enough pages in a row that a fragmented machine still has them
constexpr unsigned kRingSize = kFrameSize * kFrames;

// Where the kernel puts the Ethernet header in a frame of a SOCK_RAW socket (tpacket_rcv, `macoff`): before the
// network header, which is aligned. The frame itself tells this in tp_mac; here it serves to know the snaplen
// beforehand.
constexpr unsigned kMacOffset = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) - ETH_HLEN;
constexpr unsigned kSnaplen = kFrameSize - kMacOffset;
static_assert(kSnaplen == 190);

Status set_option(int fd, int option, const char* name, const void* value, socklen_t size) {
  if (::setsockopt(fd, SOL_PACKET, option, value, size) == 0) return {};
  return system_error(fmt::format("capture: setsockopt({})", name));
}

/// A frame's header and the link-layer address behind it, as the kernel lays them out.
struct FrameView {
  const tpacket2_hdr* header;
  const sockaddr_ll* link;

  explicit FrameView(const std::uint8_t* at)
      : header(reinterpret_cast<const tpacket2_hdr*>(at)),
        link(reinterpret_cast<const sockaddr_ll*>(at + TPACKET_ALIGN(sizeof(tpacket2_hdr)))) {}

  CapturedFrame captured() const {
    using Direction = CapturedFrame::Direction;
    return {.time_ns = header->tp_sec * 1'000'000'000ULL + header->tp_nsec,
            // What leaves the switch's end comes in at the node's.
            .direction = link->sll_pkttype == PACKET_OUTGOING ? Direction::kInbound : Direction::kOutbound,
            .original_length = header->tp_len,
            .bytes = {reinterpret_cast<const std::uint8_t*>(header) + header->tp_mac, header->tp_snaplen}};
  }
};

}  // namespace

struct Capture::Ring {
  explicit Ring(void* mapped) : bytes(static_cast<std::uint8_t*>(mapped)) {}
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { ::munmap(bytes, kRingSize); }

  /// Calls `visit` with each frame that the kernel has finished, in the order of their arrival. Frames are never
  /// given back, so the kernel fills them from the first to the last and then stops.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (unsigned i = 0; i < kFrames; ++i) {
      std::uint8_t* const at = bytes + std::size_t{i} * kFrameSize;
      // The kernel writes the frame, then the status, from another processor.
      const std::atomic_ref<std::uint32_t> status(reinterpret_cast<tpacket2_hdr*>(at)->tp_status);
      if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) continue;
      visit(FrameView(at));
    }
  }

  std::uint8_t* bytes;
};

Capture::Capture(FileDescriptor socket, std::unique_ptr<Ring> ring)
    : socket_(std::move(socket)), ring_(std::move(ring)) {}
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;
Capture::~Capture() = default;

Result<Capture> Capture::start(const NetworkNamespace& segment) {
  LVSPEC_ASSIGN(FileDescriptor socket, segment.call([&]() -> Result<FileDescriptor> {
    // Protocol 0 receives nothing yet: no frame may be queued on the socket before there is a ring for it.
    FileDescriptor fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return system_error(segment.name() + ": socket(AF_PACKET, SOCK_RAW)");
    return fd;
  }));
  const int version = TPACKET_V2;
  LVSPEC_TRY(set_option(socket.get(), PACKET_VERSION, "PACKET_VERSION, TPACKET_V2", &version, sizeof version));
  const tpacket_req request = {.tp_block_size = kBlockSize,
                               .tp_block_nr = kRingSize / kBlockSize,
                               .tp_frame_size = kFrameSize,
                               .tp_frame_nr = kFrames};
  LVSPEC_TRY(set_option(socket.get(), PACKET_RX_RING, "PACKET_RX_RING, 1 MiB", &request, sizeof request));
  void* const mapped = ::mmap(nullptr, kRingSize, PROT_READ | PROT_WRITE, MAP_SHARED, socket.get(), 0);
  if (mapped == MAP_FAILED) return system_error("capture: mmap(PACKET_RX_RING, 1 MiB)");
  auto ring = std::make_unique<Ring>(mapped);

  sockaddr_ll everything = {};
  everything.sll_family = AF_PACKET;
  everything.sll_protocol = htons(ETH_P_ALL);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&everything), sizeof everything) != 0)
    return system_error(segment.name() + ": bind(AF_PACKET, ETH_P_ALL)");
  return Capture(std::move(socket), std::move(ring));
}

Result<std::uint64_t> Capture::dropped() {
  tpacket_stats stats = {};
  socklen_t size = sizeof stats;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0)
    return system_error("capture: getsockopt(PACKET_STATISTICS)");
  dropped_ += stats.tp_drops;  // reading sets the kernel's counter back to zero
  return dropped_;
}

Result<std::vector<std::string>> Capture::write(const std::string& dir, const std::map<int, std::string>& links) {
  LVSPEC_ASSIGN(const std::uint64_t lost, dropped());
  struct File {
    PcapngWriter writer;
    std::uint64_t frames = 0;
  };
  std::map<int, File> files;
  for (const auto& [ifindex, name] : links) {
    const std::string comment = fmt::format(
        "Frames of {}, as they passed the switch. Times are of the wall clock; history.txt has those of the "
        "protocol.",
        name);
    files.emplace(ifindex, File{PcapngWriter(name, comment, kSnaplen)});
  }
  ring_->for_each([&](const FrameView& frame) {
    const auto file = files.find(frame.link->sll_ifindex);
    if (file == files.end()) return;  // the bridge itself, which sees some frames once more
    file->second.writer.add(frame.captured());
    ++file->second.frames;
  });
  std::vector<std::string> paths;
  for (auto& [ifindex, file] : files) {
    paths.push_back(fmt::format("{}/{}.pcapng", dir, safe_file_name(links.at(ifindex))));
    LVSPEC_TRY(write_evidence_file(paths.back(), std::move(file.writer).finish(file.frames, lost)));
  }
  return paths;
}

}  // namespace lvspec
