#include "director/ipvsadm/names.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

namespace lvspec::ipvsadm {

NamesOf system_names() {
  NamesOf names;
  names.host = [](const IpAddress& address) -> std::optional<std::string> {
    const hostent* host = gethostbyaddr(address.bytes(), static_cast<socklen_t>(address.size()), address.family());
    return host == nullptr || host->h_name == nullptr ? std::nullopt : std::optional<std::string>(host->h_name);
  };
  names.port = [](std::uint16_t port, const std::string& protocol) -> std::optional<std::string> {
    const servent* service = getservbyport(htons(port), protocol.c_str());
    return service == nullptr ? std::nullopt : std::optional<std::string>(service->s_name);
  };
  return names;
}

NameLookup system_lookup() {
  NameLookup lookup;
  lookup.host = [](const std::string& name) -> std::optional<IpAddress> {
    const hostent* host = gethostbyname(name.c_str());
    if (host == nullptr || host->h_addrtype != AF_INET || host->h_addr_list[0] == nullptr) return std::nullopt;
    return IpAddress::from_bytes(AF_INET, host->h_addr_list[0]);
  };
  lookup.port = [](const std::string& name, Protocol protocol) -> std::optional<std::uint16_t> {
    constexpr const char* kProtocols[] = {"tcp", "udp", "sctp"};
    const servent* service = getservbyname(name.c_str(), kProtocols[static_cast<std::size_t>(protocol)]);
    return service == nullptr ? std::nullopt : std::optional(ntohs(static_cast<std::uint16_t>(service->s_port)));
  };
  return lookup;
}

std::string endpoint_text(const IpAddress& address, std::uint16_t port, const std::string& protocol,
                          const NamesOf& names, std::size_t longest) {
  const std::optional<std::string> host = names.host ? names.host(address) : std::nullopt;
  const bool named = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  const std::optional<std::string> service = names.port && named ? names.port(port, protocol) : std::nullopt;
  const std::string host_text = host.value_or(address.str()), port_text = service.value_or(std::to_string(port));
  if (address.is_v6()) return fmt::format("[{}]:{}", host_text, port_text);
  return fmt::format("{}:{}", host_text, port_text).substr(0, longest);
}

}  // namespace lvspec::ipvsadm
