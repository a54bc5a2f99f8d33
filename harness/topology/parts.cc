#include "harness/topology/parts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "harness/base/file_descriptor.h"

namespace lvspec::parts {

MacAddress node_mac(int last_byte) { return {0x02, 0x00, 0xcb, 0x00, 0x71, static_cast<std::uint8_t>(last_byte)}; }
MacAddress switch_mac(int last_byte) { return {0x02, 0x00, 0xcb, 0x00, 0x72, static_cast<std::uint8_t>(last_byte)}; }

bool write_sysctl(const NetworkNamespace& netns, const char* path, const char* value) {
  const auto written = netns.call([path, value]() -> Result<bool> {
    const FileDescriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    return file.valid() && ::write(file.get(), value, 1) == 1;
  });
  return written.ok() && *written;
}

Ipv4Conf plain_conf() {
  return {.accept_local = 0, .arp_announce = 0, .arp_ignore = 0, .forwarding = 0, .rp_filter = 0};
}

void raise_links(RtBatch& batch, const Ipv4Conf& conf) {
  batch.change_link(kLo, {.up = true});
  batch.change_link(kEth0, {.no_ipv6_link_local = true, .ipv4 = conf});
  batch.change_link(kEth0, {.up = true});
}

Status wait_for_ports(RtBatch& segment, const std::vector<int>& ports) {
  return wait_until("segment: every port passes frames", [&]() -> Result<bool> {
    LVSPEC_ASSIGN(const std::vector<LinkState> states, segment.bridge_ports());
    return std::all_of(ports.begin(), ports.end(), [&states](int port) {
      return std::any_of(states.begin(), states.end(),
                         [port](const LinkState& s) { return s.ifindex == port && s.forwarding && s.operational; });
    });
  });
}

}  // namespace lvspec::parts
