#pragma once

#include <cstdint>
#include <string_view>

#include "director/core/packet.h"
#include "director/core/tcp_states.h"

namespace lvspec::director {

enum class SctpState : std::uint8_t {
  kNone,
  kInit1,
  kInit,
  kCookieSent,
  kCookieReplied,
  kCookieWait,
  kCookie,
  kCookieEchoed,
  kEstablished,
  kShutdownSent,
  kShutdownReceived,
  kShutdownAckSent,
  kRejected,
  kClosed,
};

/// The state after `event` in `state`; kNone changes nothing. As with TCP, the direction kInOnly has a table of its
/// own. Source: Linux net/netfilter/ipvs/ip_vs_proto_sctp.c, sctp_states (CON-33).
SctpState next_sctp_state(Direction direction, SctpEvent event, SctpState state);

/// Does an entry in this state count as ActiveConn? Only when established (CON-32).
bool is_active(SctpState state);

/// Seconds that an entry lives after a packet that left it in `state`. `ipvsadm --set` does not reach SCTP (CON-32).
std::uint32_t sctp_timeout_s(SctpState state);

/// As `ipvsadm -L -c` prints it: "C-ECHOED", "S-ACK-SENT".
std::string_view sctp_state_name(SctpState state);

}  // namespace lvspec::director
