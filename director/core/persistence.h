#pragma once

#include <cstdint>

#include "director/core/conn_table.h"
#include "director/core/service.h"

namespace lvspec::director {

inline constexpr std::uint16_t kFtpPort = 21;
inline constexpr std::uint16_t kFtpDataPort = 20;

/// Which template a packet of a persistent service looks for, and what a new one would hold.
struct TemplateKey {
  ConnKey key;
  bool has_server_port = false;  ///< a new template shows the server's own port (PPC), else 0 (TPL-14)
};

/// Does the service use templates?
bool is_persistent(const VirtualService& service);

/// The key by the kind of the service (TPL-03, TPL-04), client address masked (TPL-10, TPL-11):
///
///     PPC     service port == packet port, not 21    {packet's protocol, client, VIP, port}
///     FTP     service port 21                        {packet's protocol, client, VIP, 0}
///     PCC     service port 0                         {packet's protocol, client, VIP, 0}
///     fwmark  service by mark                        {0, client, the mark as an address, 0}
///
/// Neither the service nor the mark of the packet is in it, so services may share templates (TPL-08).
/// Source: Linux net/netfilter/ipvs/ip_vs_core.c, ip_vs_sched_persist().
TemplateKey template_key(const VirtualService& service, const Packet& packet);

/// The timeout of a template that the service makes now (TPL-30, EDT-02).
Duration template_timeout(const VirtualService& service);

/// The port that a connection made through a template has: the server's own one only where the packet came to the
/// port of the service, so never for port-0 and mark services (TPL-09).
std::uint16_t persistent_server_port(const VirtualService& service, const RealServer& server, const Packet& packet);

/// May a template to this server be used? Neither the overload flag nor the current service's list is asked
/// (VAL-01, VAL-02). Source: Linux net/netfilter/ipvs/ip_vs_conn.c, ip_vs_check_template().
bool is_valid_for_template(const RealServer& server, const Sysctls& sysctls);

}  // namespace lvspec::director
