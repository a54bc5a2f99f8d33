#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "director/core/packet.h"

namespace lvspec::director {

inline constexpr std::string_view kSipEngine = "sip";

/// The Call-ID of a SIP message: of the first header line "Call-ID" or "i", in any case of letters, whose value
/// begins with a word or word@word (RFC 3261, 25.1). It must have at most 255 bytes and CR or LF right behind it.
/// @return a view into `message`; empty if there is none.
/// Source: Linux net/netfilter/ipvs/ip_vs_pe_sip.c, get_callid(); nf_conntrack_sip.c, ct_sip_get_header().
std::string_view call_id_in(std::span<const std::byte> message);

/// The Call-ID that engine `sip` adds to the key of the packet's template (TPL-20); empty: TPL-21.
/// Source: ip_vs_pe_sip.c, ip_vs_sip_fill_param().
std::string_view call_id_of(const Packet& packet);

}  // namespace lvspec::director
