#pragma once

#include <cstdint>
#include <string_view>

#include "director/core/director.h"

namespace lvspec::director {

/// Which way a packet goes through the director, and what the director can know from it (CON-03).
enum class Direction : std::uint8_t {
  kIn,      ///< from the client, where replies pass the director too
  kOut,     ///< a reply
  kInOnly,  ///< from the client, and no reply has ever been seen (DR, TUN)
};

/// What counts of a segment; the first that applies, in the order RST, SYN, FIN, ACK (CON-22).
enum class TcpEvent : std::uint8_t { kSyn, kFin, kAck, kRst, kNone };

TcpEvent tcp_event(const TcpFlags& flags);

/// The state after `event` in `state`. kNone always leads to CLOSE.
/// @param secure  by the table of `secure_tcp`, where an ACK alone does not establish what has not been answered
/// (CON-26). Source: Linux net/netfilter/ipvs/ip_vs_proto_tcp.c, tcp_states (CON-23), tcp_states_dos.
TcpState next_tcp_state(Direction direction, TcpEvent event, TcpState state, bool secure = false);

/// Does an entry in this state count as ActiveConn? (CON-27)
bool is_active(TcpState state);

/// Seconds that an entry lives after a packet that left it in `state` (CON-20, CON-21).
std::uint32_t tcp_timeout_s(TcpState state, const Timeouts& timeouts);

/// As `ipvsadm -L -c` prints it: "SYN_RECV", and "SYNACK" without underscore.
std::string_view tcp_state_name(TcpState state);

}  // namespace lvspec::director
