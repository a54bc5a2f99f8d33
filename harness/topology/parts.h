#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/result.h"
#include "harness/netlink/mac_address.h"
#include "harness/netlink/rtnetlink.h"
#include "harness/netns/namespace.h"

/// What worlds are put together from, between namespaces of ours (world.cc) and on somebody's wire (wire_world.cc).
namespace lvspec::parts {

inline constexpr int kLo = 1;
/// The same in every node. No port of the segment may have it: see RtBatch::add_veth().
inline constexpr int kEth0 = 2;
inline constexpr int kBridge = 2;
/// A port of the segment is 100 + the last byte of its node's LAN address: p-real1 is 111.
inline constexpr int kPortBase = 100;
inline constexpr int kServerByte = 10;  // real server i is 10 + i
inline constexpr int kClientByte = 254;

// The kernel's work queues need milliseconds; on a machine with a dozen others who want its CPUs, seconds.
inline constexpr std::chrono::seconds kReadyDeadline{20};
inline constexpr std::chrono::microseconds kReadyPause{50};

MacAddress node_mac(int last_byte);
/// The switch's own devices: never a source or target of frames, but fixed, so that two runs look the same.
MacAddress switch_mac(int last_byte);

/// Best effort, for what no message carries: a container may have /proc/sys read-only.
bool write_sysctl(const NetworkNamespace& netns, const char* path, const char* value);

/// What all nodes' eth0 share. Nobody forwards: the director directs, and the rest are ends. A namespace inherits
/// these from the machine (net.core.devconf_inherit_init_net), which may be a router; so they are set, not assumed.
Ipv4Conf plain_conf();

/// Lets the links of one node come up. Needs the segment's ends to be up already, so that eth0 has carrier at once
/// and takes routes and frames.
void raise_links(RtBatch& batch, const Ipv4Conf& conf);

/// Looks again and again until `ready` says yes; `what` ends the sentence "... is not so after 20 s".
template <typename Ready>
Status wait_until(const std::string& what, Ready&& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kReadyDeadline;
  for (;;) {
    LVSPEC_ASSIGN(const bool yes, ready());
    if (yes) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return Error{fmt::format("{}: not so {} s after it was asked for", what, kReadyDeadline.count())};
    std::this_thread::sleep_for(kReadyPause);
  }
}

/// Carrier travels by a work queue of the kernel (link_watch), so a port may still drop frames when the message that
/// raised its peer has been acknowledged; the first SYN of a test would be lost for a second. Usually the first look
/// finds all of them ready.
Status wait_for_ports(RtBatch& segment, const std::vector<int>& ports);

}  // namespace lvspec::parts
