#pragma once

#include <cstdint>

#include "director/core/ftp.h"
#include "director/io/bytes.h"
#include "director/io/ip_header.h"

namespace lvspec::director {

enum class End : std::uint8_t { kSource, kDestination };

/// Network address translation of one packet (FWD-03): one end of it becomes `address`:`port`, and the checksums of
/// the IP header and of TCP and UDP are mended by the difference. A UDP checksum of zero, "none", stays; one that
/// becomes zero is written as 0xffff (RFC 768). SCTP's covers no addresses but the ports, so it is made anew.
/// @param packet      from the IP header on, as long as `ip` says; whole enough for its ports (has_ports())
/// @param is_partial  the transport's checksum is only the sum of the pseudo-header so far (virtio)
/// Source: Linux ip_vs_proto_tcp.c, tcp_dnat_handler(); ip_vs_proto_udp.c; ip_vs_proto_sctp.c; ip_vs_xmit.c.
void translate(MutableBytes packet, const IpHeader& ip, End end, const Address& address, std::uint16_t port,
               bool is_partial);

/// The same for an ICMP error and the packet in it (FWD-12): `outer` of the error becomes `address`, and so does the
/// opposite end of the quoted packet, with its port. The ICMP checksum is made anew.
/// @param packet  the error, from its IP header on
/// @param quoted  of the packet it quotes, which begins at `quoted_at`
/// Source: Linux ip_vs_core.c, ip_vs_nat_icmp(), ip_vs_nat_icmp_v6().
void translate_error(MutableBytes packet, const IpHeader& ip, End outer, const IpHeader& quoted,
                     std::size_t quoted_at, const Address& address, std::uint16_t port);

/// What NAT changes of an FTP control connection besides (FWD-16): the endpoint in an answer, the sequence numbers of
/// what the server says, and of what the client acknowledges, SACK with it.
/// @param buffer     a frame whose IP packet begins at `packet_at`; in front of it kFtpLongestGrowth bytes are free
/// @return the frame, which begins earlier if it has become longer and later if shorter; nothing, and nothing was
///     changed, if an answer's checksum is wrong or the frame would be too long: it is to be dropped
/// Source: Linux nf_nat_helper.c, __nf_nat_mangle_tcp_packet(); nf_conntrack_seqadj.c, nf_ct_seq_adjust().
MutableBytes edit_ftp(MutableBytes buffer, std::size_t packet_at, const IpHeader& ip, const FtpEdit& edit,
                      bool is_partial);

/// Is enough of the transport header there for translate()?
bool has_ports(Bytes packet, const IpHeader& ip);

/// Replaces the checksum that is still partial by the full one, of the transport that begins at `transport`.
void complete_checksum(MutableBytes packet, const IpHeader& ip, std::size_t checksum_from, std::size_t checksum_at);

}  // namespace lvspec::director
